"""The configuration: where it listens, and what it says unless told otherwise."""

from daphne_like.config import Config, facts


def test_what_a_proxy_says_is_a_list_of_words() -> None:
    assert facts(Config()) == ("for", "port", "proto")
    assert facts(Config(forwarded_fields="For, proto ,HOST,")) == ("for", "proto", "host", "")


def test_websockets_are_as_daphnes_unless_asked_for_otherwise() -> None:
    config = Config()
    assert config.ws_origins == (), "all pages may"
    assert config.ws_compression == "off"
    assert not config.ws_compression_no_takeover
    assert (config.ws_compression_window_bits, config.ws_compression_memory_level) == (12, 5)
    assert config.ws_close_code == 1012


def test_tls_is_strict_and_there_only_where_it_is_asked_for() -> None:
    config = Config()
    assert config.ssl_certfile is config.ssl_sni is config.ssl_ca_certs is None
    assert not config.ssl_dev
    assert (config.ssl_min_version, config.ssl_cert_reqs) == ("1.2", "none")
