"""RSGI's scope: what Granian says of a request, from an ASGI scope."""

from __future__ import annotations

from typing import Any

import pytest

from daphne_like.asgi.rsgi_scope import Scope
from daphne_like.asgi.scope import http_scope, websocket_scope
from tests.unit.asgi.fakes import request
from tests.unit.asgi.sockets import handshake

FIELDS = [(b"host", b"example.org"), (b"x-a", b"1"), (b"x-b", b"\xfc"), (b"x-a", b"2")]


def scope(target: bytes = b"/", **changes: Any) -> Scope:
    asked = request("POST", target, **({"headers": FIELDS} | changes))
    return Scope(http_scope(asked, "", frozenset(), None))


def test_a_request():
    found = scope(b"/a%20b/%C3%A4%FF?c=%20d")
    assert {name: getattr(found, name) for name in Scope.__slots__[2:]} == {
        "authority": None,
        "client": "192.0.2.1:50000",
        "http_version": "1.1",
        "method": "POST",
        "path": "/a b/ä\ufffd",
        "proto": "http",
        "query_string": "c=%20d",
        "rsgi_version": "1.6",
        "scheme": "http",
        "server": "192.0.2.2:80",
    }


@pytest.mark.parametrize(
    ("version", "said", "authority"),
    [("1.0", "1", None), ("1.1", "1.1", None), ("2", "2", "example.org")],
)
def test_versions_and_what_only_some_have(version, said, authority):
    found = scope(http_version=version)
    assert (found.http_version, found.authority) == (said, authority)


@pytest.mark.parametrize(("scheme", "said"), [("http", "http"), ("https", "https")])
def test_a_websocket_has_the_scheme_of_its_handshake(scheme, said):
    found = Scope(websocket_scope(handshake(scheme=scheme), "", None))
    assert (found.proto, found.scheme, found.method) == ("ws", said, "GET")


@pytest.mark.parametrize(
    ("address", "said"),
    [(("::1", 80), "[::1]:80"), (("/run/socket", None), "unix:/run/socket"), (None, "")],
)
def test_addresses_as_they_are_written(address, said):
    found = scope(server=address, client=address)
    assert (found.server, found.client) == (said, said)


def test_headers_are_a_mapping_without_regard_to_case():
    headers = scope().headers
    assert headers is not None
    assert list(headers) == headers.keys() == ["host", "x-a", "x-b"]
    assert len(headers) == 3
    assert headers.values() == ["example.org", "1", "2", "ü"]
    assert headers.items() == [
        ("host", "example.org"), ("x-a", "1"), ("x-a", "2"), ("x-b", "ü"),
    ]  # fmt: skip
    assert (headers["X-A"], headers.get("X-A"), headers.get_all("X-A")) == ("1", "1", ["1", "2"])
    assert "X-A" in headers
    assert 1 not in headers


def test_what_is_not_there_is_nothing_or_an_error():
    headers = scope().headers
    assert "x-c" not in headers
    assert (headers.get("x-c"), headers.get("x-c", "d"), headers.get_all("x-c")) == (None, "d", [])
    with pytest.raises(KeyError):
        headers["x-c"]


def test_headers_are_made_once():
    found = scope()
    assert found.headers is found.headers
