"""The configuration: where it listens, and what it says unless told otherwise."""

import pytest

from daphne_like.config import Config, addresses, facts, listens


@pytest.mark.parametrize(
    ("values", "address"),
    [
        ({}, ("127.0.0.1", 8000)),
        ({"host": "::1"}, ("::1", 8000)),
        ({"host": "[::1]"}, ("[::1]", 8000)),
        ({"port": 0}, ("127.0.0.1", 0)),
        ({"host": ""}, ("", 8000)),
        ({"unix_socket": "/s"}, None),
        ({"file_descriptor": 0}, None),
        ({"endpoints": ("tcp:1",)}, None),
        ({"unix_socket": "/s", "port": 1}, ("127.0.0.1", 1)),
    ],
)
def test_an_address_is_listened_on_by_daphnes_rule(values, address) -> None:
    assert addresses(Config(**values)) == address


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


@pytest.mark.parametrize(
    ("values", "options_do"),
    [
        ({}, True),
        ({"unix_socket": "/s"}, True),
        ({"file_descriptor": 0}, True),
        ({"endpoints": ("tcp:1",)}, False),
        ({"endpoints": ("tcp:1",), "port": 0}, True),
    ],
)
def test_options_say_where_to_listen_or_endpoint_strings_alone(values, options_do) -> None:
    assert listens(Config(**values)) is options_do


def test_tls_is_strict_and_there_only_where_it_is_asked_for() -> None:
    config = Config()
    assert config.ssl_certfile is config.ssl_sni is config.ssl_ca_certs is None
    assert not config.ssl_dev
    assert (config.ssl_min_version, config.ssl_cert_reqs) == ("1.2", "none")
