"""The parts of a server: which HTTP its connections speak, by its options."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any

import pytest

from daphne_like.wire.http1 import HTTP1Connection
from daphne_like.wire.http2 import HTTP2Connection
from tests.support.http2 import Client, pseudo
from tests.unit.asgi.fakes import body, sending, start, turn
from tests.unit.fakes import House, serving


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> Callable[..., House]:
    return lambda *given, **options: House(monkeypatch, *given, **options)


async def hello(scope, receive, send) -> None:
    await sending(start(), body(b"hello in %b" % scope["http_version"].encode()))(
        scope, receive, send
    )


async def asked_in_the_clear(at: House, index: int = -1) -> bytes:
    """What comes back to a client that begins with HTTP/2."""
    client = Client(65535)
    client.ask(pseudo(), ended=True)
    wire = at.connect(client.h2.data_to_send(), index=index)
    await turn()
    wire.vanish()
    if wire.received.startswith(b"HTTP/1.1 "):
        return bytes(wire.received)
    client.receive(bytes(wire.received))
    return client.replies[1].body


async def negotiated(at: House) -> list[Any]:
    return [type(at.factory.buildNegotiated(None, name)) for name in (b"h2", b"http/1.1", None)]


def test_http2_is_spoken_with_and_without_tls(house):
    spoken = [HTTP2Connection, HTTP1Connection, HTTP1Connection]
    assert serving(house(hello), negotiated) == spoken
    assert serving(house(hello), asked_in_the_clear) == b"hello in 2"


def test_it_may_need_tls(house):
    at = house(hello, no_h2c=True)
    assert serving(at, asked_in_the_clear).startswith(b"HTTP/1.1 505 ")
    assert serving(house(hello, no_h2c=True), negotiated)[0] is HTTP2Connection


def test_it_may_be_off(house, caplog):
    caplog.set_level(logging.INFO, "daphne_like.server")
    assert serving(house(hello, no_http2=True), asked_in_the_clear).startswith(b"HTTP/1.1 505 ")
    assert serving(house(hello, no_http2=True), negotiated) == [HTTP1Connection] * 3
    assert not any("HTTP/2" in message for message in caplog.messages)


@pytest.mark.pure("imports a module again")
def test_where_its_engine_is_missing_the_log_says_what_brings_it(house, caplog, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("daphne_like.wire.http2")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "ngh2", None)
    caplog.set_level(logging.INFO, "daphne_like.server")
    assert serving(house(hello), asked_in_the_clear).startswith(b"HTTP/1.1 505 ")
    said = [message for message in caplog.messages if "HTTP/2" in message]
    assert said == ["HTTP/2 is off: pip install 'daphne-like[http2]' brings it"]


def test_one_client_has_so_many_connections_whatever_they_speak(house):
    async def main(at: House) -> list[bool]:
        wire = at.connect(b"")
        admitted = [at.factory.admits(wire.getPeer()) for _ in range(2)]
        wire.vanish()
        return [*admitted, at.factory.admits(wire.getPeer())]

    assert serving(house(hello, client_connections=1), main) == [False, False, True]


def test_the_admin_pages_stay_with_http1(house):
    async def main(at: House) -> list[Any]:
        built = at.factories[0].buildNegotiated(None, b"h2")
        return [type(built), (await asked_in_the_clear(at, 0))[:13]]

    at = house(hello, admin_bind=("127.0.0.1", 9000))
    assert serving(at, main) == [HTTP1Connection, b"HTTP/1.1 505 "]
