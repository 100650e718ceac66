"""The way to https: where a request is sent, and that nothing of it can be more than that."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daphne_like.errors import RemoteFault
from daphne_like.exchange import Address, Request
from daphne_like.redirect import redirecting
from daphne_like.testing import FakeStream
from tests.unit.asgi.fakes import request


class Gate:
    """A listener that redirects to `port`, and what it says is refused."""

    def __init__(self, port: int | None = 443) -> None:
        self.refusals: list[tuple[Address | None, int, str, bool]] = []
        self.open = redirecting(port, self._refused)

    def _refused(self, client: Address | None, fault: RemoteFault, *, left: bool) -> None:
        self.refusals.append((client, fault.status, fault.reason, left))

    def ask(self, asked: Request) -> FakeStream:
        stream = FakeStream()
        self.open(asked, stream)
        return stream


def sent_to(asked: Request, port: int | None = 443) -> bytes:
    """Where the request has to go."""
    stream = Gate(port).ask(asked)
    assert (stream.head.status, stream.outcome) == (308, "complete")
    [location] = [value for name, value in stream.head.fields if name == b"location"]
    return location


def asked_of(authority: bytes, target: bytes = b"/", **changes: Any) -> Request:
    return request(target=target, authority=authority, **changes)


@pytest.mark.parametrize(
    ("authority", "port", "location"),
    [
        (b"a.example", 443, b"https://a.example/"),
        (b"a.example", None, b"https://a.example/"),
        (b"a.example:80", 443, b"https://a.example/"),
        (b"a.example:8080", 8443, b"https://a.example:8443/"),
        (b"a.example:", 8443, b"https://a.example:8443/"),
        (b"192.0.2.1:80", 443, b"https://192.0.2.1/"),
        (b"[2001:db8::1]", 443, b"https://[2001:db8::1]/"),
        (b"[2001:db8::1]:80", 8443, b"https://[2001:db8::1]:8443/"),
    ],
)
def test_it_is_the_same_host_and_the_port_of_https(authority, port, location):
    assert sent_to(asked_of(authority), port) == location


@pytest.mark.parametrize(
    ("target", "same"),
    [
        (b"/a/b?c=d&e[]=%2F|f", b"/a/b?c=d&e[]=%2F|f"),
        (b"/a;b=c,d:@e", b"/a;b=c,d:@e"),
        (b"/?a?b", b"/?a?b"),
        (b"//evil.example/a", b"//evil.example/a"),
        (b"/%0d%0aset-cookie:a", b"/%0d%0aset-cookie:a"),
        (b"/\\evil.example", b"/%5Cevil.example"),
        (b"/caf\xc3\xa9?\xff", b"/caf%C3%A9?%FF"),
        (b'/"><script>', b"/%22%3E%3Cscript%3E"),
        (b"*", b""),
        (b"@evil.example/", b""),
        (b".evil.example/", b""),
        (b":1@evil.example", b""),
    ],
)
def test_it_is_the_same_target_and_no_other_host(target, same):
    assert sent_to(asked_of(b"a.example", target)) == b"https://a.example" + same


@given(st.binary(), st.binary())
def test_no_target_can_say_more_than_itself(path, query):
    asked = request(authority=b"a", raw_path=b"/" + path, query=query)
    location = sent_to(asked)
    assert location.startswith(b"https://a/")
    assert all(33 <= byte < 127 for byte in location)


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "PROPFIND"])
def test_every_method_is_kept(method):
    stream = Gate().ask(request(method))
    assert (stream.head.status, stream.body) == (308, b"308 Permanent Redirect\n")
    assert not stream.head.close
    assert stream.wants == stream.credit == 0, "nobody reads a body"


def test_head_gets_the_head_alone():
    stream = Gate().ask(request("HEAD"))
    assert (stream.head.status, stream.head.bodiless, stream.body) == (308, True, b"")


def test_who_asks_for_a_websocket_gets_one_with_tls():
    asked = asked_of(b"a.example:80", b"/chat?a=b", upgrade="websocket")
    assert sent_to(asked, 8443) == b"wss://a.example:8443/chat?a=b"
    assert Gate().ask(asked).head.close


@pytest.mark.parametrize("authority", [b"", b":80"])
def test_who_names_no_host_can_be_sent_nowhere(authority):
    gate = Gate()
    asked = asked_of(authority, http_version="1.0")
    asked.on_behalf_of(("198.51.100.1", 1))
    stream = gate.ask(asked)
    assert (stream.head.status, stream.body) == (400, b"400 Bad Request\n")
    assert gate.refusals == [(("192.0.2.1", 50000), 400, "no host to redirect to", False)]


def test_a_redirect_is_no_refusal():
    gate = Gate()
    gate.ask(request())
    assert gate.refusals == []
