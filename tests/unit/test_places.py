"""Places to listen on, as an operator writes them."""

from __future__ import annotations

import pytest

from daphne_like.config import Config
from daphne_like.errors import ConfigError
from daphne_like.places import (
    OWN_KINDS,
    addresses,
    admin_place,
    insecure_place,
    is_secure,
    kind_of,
    listens,
)


@pytest.mark.parametrize("read", [admin_place, insecure_place])
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
def test_a_place_is_a_host_and_a_port_or_a_path(read, text, address) -> None:
    assert read(text) == address


@pytest.mark.parametrize(
    ("read", "option"), [(admin_place, "--admin-bind"), (insecure_place, "--insecure-bind")]
)
@pytest.mark.parametrize("text", ["9000", ":9000", "a:", "a:b", "::1:9", "unix:", "a:-1"])
def test_any_other_is_refused(read, option, text) -> None:
    with pytest.raises(ConfigError) as refusal:
        read(text)
    assert str(refusal.value) == (
        f"{option} {text!r}: write it as host:port, [::1]:9000, or unix:/path."
    )


@pytest.mark.parametrize(
    ("read", "option"), [(admin_place, "--admin-bind"), (insecure_place, "--insecure-bind")]
)
def test_so_is_a_number_that_is_no_port(read, option) -> None:
    with pytest.raises(ConfigError) as refusal:
        read("a:65536")
    assert str(refusal.value) == f"{option} 'a:65536': 65536 is no port: those are from 0 to 65535."


@pytest.mark.parametrize(
    ("endpoint", "secure"),
    [
        ("ssl:443", True),
        ("SSL:443:privateKey=a", True),
        ("tls:/certificates:tcp:443", True),
        ("haproxy:ssl:443", True),
        ("HAProxy:tls:443", True),
        ("tcp:443", False),
        ("haproxy:tcp:443", False),
        ("unix:/ssl:x", False),
        ("sslx:443", False),
        ("", False),
    ],
)
def test_an_endpoint_is_secure_by_its_kind(endpoint, secure) -> None:
    assert is_secure(endpoint) is secure


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


@pytest.mark.parametrize("text", ["systemd", "systemd:", "SystemD:name=a", "HAProxy:systemd:ssl"])
def test_a_string_is_of_the_kind_in_front_whatever_is_before_that(text) -> None:
    assert kind_of(text) == "systemd"
    assert kind_of(text) in OWN_KINDS
    assert kind_of("autobahn:systemd:") not in OWN_KINDS
