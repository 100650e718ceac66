"""WSGI and RSGI applications behind a real connection in memory: bytes in, bytes out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from daphne_like.asgi.interfaces import adapted
from daphne_like.limits import KIB, Limits
from daphne_like.testing import MemoryWire
from tests.unit.asgi.fakes import turn
from tests.unit.asgi.threads import run_for_real, until
from tests.unit.fakes import House

LAST = b"0\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
PIECE = b"x" * 20_000


def wsgi_echo(environ, start_response):
    start_response("200 OK", [])
    return iter(lambda: environ["wsgi.input"].read1(65536), b"")


def wsgi_hello(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-A", "1")])
    return [b"hello"]


class RsgiEcho:
    @staticmethod
    async def __rsgi__(scope, protocol):
        transport = protocol.response_stream(200, [])
        async for piece in protocol:
            await transport.send_bytes(piece)


class RsgiHello:
    @staticmethod
    async def __rsgi__(scope, protocol):
        protocol.response_str(200, [("Content-Type", "text/plain"), ("X-A", "1")], "hello")


class Endless:
    """The same endless stream by both, counted as it is made."""

    def __init__(self) -> None:
        self.made = 0
        self.closed = False

    def wsgi(self, environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        return self._pieces()

    def _pieces(self) -> Any:
        try:
            while True:
                self.made += 1
                yield PIECE
        finally:
            self.closed = True

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        transport = protocol.response_stream(200, [])
        try:
            while True:
                self.made += 1
                await transport.send_bytes(PIECE)
        finally:
            self.closed = True


each_echo = pytest.mark.parametrize("app", [wsgi_echo, RsgiEcho()], ids=["wsgi", "rsgi"])
each_hello = pytest.mark.parametrize("app", [wsgi_hello, RsgiHello()], ids=["wsgi", "rsgi"])


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> Callable[..., House]:
    def make(app: Any, **options: Any) -> House:
        quiet = {"no_date_header": True, "no_server_name": True}
        return House(monkeypatch, adapted(app, "it", Limits()), **quiet, **options)

    return make


def serving(at: House, main: Callable[[House], Any]) -> None:
    async def whole() -> None:
        at.service.startService()
        await until(lambda: at.service.ports)
        await main(at)
        await at.service.stopService().asFuture(asyncio.get_running_loop())

    run_for_real(whole())


async def said(wire: MemoryWire, end: bytes) -> bytes:
    """What the client has got, once it ends so."""
    await until(lambda: wire.received.endswith(end))
    return bytes(wire.received)


@each_hello
def test_a_response_leaves_in_one_write_and_the_connection_goes_on(house, app):
    async def main(at):
        wire = at.connect(GET)
        head, *fields, body = (await said(wire, b"hello")).split(b"\r\n")
        assert (head, body) == (b"HTTP/1.1 200 OK", b"hello")
        assert fields == [b"content-type: text/plain", b"x-a: 1", b"content-length: 5", b""]
        assert wire.writes == 1
        wire.send(GET + GET)
        await until(lambda: wire.received.count(b"hello") == 3)
        wire.vanish()

    serving(house(app), main)


@each_hello
def test_head_has_no_body(house, app):
    async def main(at):
        wire = at.connect(GET.replace(b"GET", b"HEAD"))
        assert (await said(wire, b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK\r\n")
        await turn()
        assert not wire.received.endswith(b"hello")
        wire.vanish()

    serving(house(app), main)


@each_echo
def test_a_body_goes_through_piece_by_piece(house, app):
    async def main(at):
        wire = at.connect(CHUNKED + b"3\r\nabc\r\n")
        await until(lambda: b"3\r\nabc\r\n" in wire.received)
        wire.send(b"2\r\nde\r\n")
        await until(lambda: b"2\r\nde\r\n" in wire.received)
        wire.send(LAST)
        await said(wire, LAST)
        wire.vanish()

    serving(house(app), main)


@each_echo
def test_who_waits_to_be_told_to_continue_is_told_when_the_body_is_read(house, app):
    async def main(at):
        wire = at.connect(CHUNKED.replace(b"Host", b"Expect: 100-continue\r\nHost"))
        await until(lambda: b"100 Continue" in wire.received)
        wire.send(b"3\r\nabc\r\n" + LAST)
        await said(wire, LAST)
        wire.vanish()

    serving(house(app), main)


@each_echo
def test_a_body_that_is_too_long_is_refused(house, app):
    async def main(at):
        wire = at.connect(CHUNKED + b"4\r\nabcd\r\n")
        await until(lambda: b"abcd" in wire.received)
        wire.send(b"8\r\nefghijkl\r\n" + LAST)
        await until(lambda: wire.closed)
        assert b"efgh" not in wire.received

    serving(house(app, body_size=10), main)


@pytest.mark.parametrize("interface", ["wsgi", "rsgi"])
def test_a_client_that_does_not_read_lets_the_application_wait_and_one_that_leaves_ends_it(
    house, interface
):
    async def main(at):
        wire = at.connect(GET, reading=False)
        await until(lambda: len(wire.outgoing) > 64 * KIB)
        waiting = app.made
        await turn(200)
        assert app.made == waiting == 4
        wire.read(len(wire.outgoing))
        await until(lambda: app.made > waiting)
        assert not app.closed
        wire.vanish()
        await until(lambda: app.closed)

    app = Endless()
    serving(house(app.wsgi if interface == "wsgi" else app), main)
