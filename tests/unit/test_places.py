"""Places to listen on, as an operator writes them."""

from __future__ import annotations

import pytest

from daphne_like.errors import ConfigError
from daphne_like.places import admin_place, insecure_place, is_secure


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
@pytest.mark.parametrize(
    "text", ["9000", ":9000", "a:", "a:b", "::1:9", "a:65536", "unix:", "a:-1"]
)
def test_any_other_is_refused(read, option, text) -> None:
    with pytest.raises(ConfigError) as refusal:
        read(text)
    assert str(refusal.value) == (
        f"{option} {text!r}: write it as host:port, [::1]:9000, or unix:/path."
    )


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
