"""The configuration: where it listens, and the header fields that it may add."""

import pytest

from daphne_like.config import Config, addresses, facts
from daphne_like.errors import ConfigError
from daphne_like.values import LEVELS, admin_address, header, level


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


def test_a_header_is_a_name_and_a_value() -> None:
    assert header("X-Frame-Options: DENY") == (b"x-frame-options", b"DENY")
    assert header("x:") == (b"x", b"")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("nothing", "write it as 'name: value'"),
        (": value", "is not a token"),
        (" :x", "is not a token"),
        ("a b: c", "is not a token"),
        ("a: b\nc: d", "control character in its value"),
        ("a: \u20ac", "'\u20ac' cannot be sent in a header"),
        ("\u20ac: a", "'\u20ac' cannot be sent in a header"),
        ("Content-Length: 3", "the server writes this one by itself"),
        ("Transfer-Encoding: chunked", "the server writes this one by itself"),
    ],
)
def test_a_header_that_no_response_may_have_is_refused(text, reason) -> None:
    with pytest.raises(ConfigError, match="--header") as refusal:
        header(text)
    assert reason in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:9000", ("127.0.0.1", 9000)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:65535", ("[::1]", 65535)),
        ("unix:/run/a.sock", ("/run/a.sock", None)),
        ("unix:a:1", ("a:1", None)),
        ("unix:1", ("1", None)),
    ],
)
def test_the_admin_address_is_a_host_and_a_port_or_a_path(text, address) -> None:
    assert admin_address(text) == address


@pytest.mark.parametrize(
    "text", ["9000", ":9000", "a:", "a:b", "::1:9", "a:65536", "unix:", "a:-1"]
)
def test_any_other_admin_address_is_refused(text) -> None:
    with pytest.raises(ConfigError) as refusal:
        admin_address(text)
    assert str(refusal.value) == (
        f"--admin-bind {text!r}: write it as host:port, [::1]:9000, or unix:/path."
    )


def test_a_verbosity_is_a_level_by_name_or_by_number() -> None:
    assert [level(name) for name in LEVELS] == [-2, -1, 0, 1, 2, 3]
    assert level("INFO") == level("1") == 1
    with pytest.raises(ValueError, match="loud"):
        level("loud")
