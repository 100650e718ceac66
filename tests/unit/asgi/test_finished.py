"""Exchanges that go on when their stream is over, and what they tell of it."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.unit.asgi.fakes import START, FakeStream, Served, body, ended, run, turn
from tests.unit.asgi.sockets import CLOSING, closing, connecting, opened


def test_a_request_has_finished_when_its_application_has_ended_not_its_response():
    async def app(scope, receive, send):
        await send(START)
        await send(body(b"x"))
        await asyncio.sleep(3)

    async def main() -> list[bool]:
        served, stream = Served(app), FakeStream()
        exchange = served.open(stream)
        told = [exchange.finished]
        await turn()
        assert stream.over
        told.append(exchange.finished)
        await ended(exchange)
        return [*told, exchange.finished]

    assert run(main()) == [False, False, True]


def test_one_whose_client_has_left_may_go_on_for_a_while():
    async def app(scope, receive, send):
        await asyncio.sleep(3)

    async def main() -> list[bool]:
        exchange = Served(app).open(FakeStream())
        await turn()
        exchange.disconnected("gone")
        told = [exchange.finished]
        await ended(exchange)
        return [*told, exchange.finished]

    assert run(main()) == [False, True]


def test_an_application_that_fails_or_is_cancelled_has_ended_too():
    async def app(scope, receive, send):
        await asyncio.sleep(3)
        raise LookupError

    async def main(how: Any) -> bool:
        served = Served(app)
        exchange = served.open(FakeStream())
        await turn()
        how(served)
        await ended(exchange)
        return exchange.finished

    for how in (lambda served: served.application.cancel(), lambda served: None):
        assert run(main(how))


def test_a_socket_that_was_closed_or_refused_has_not_finished_before_its_application():
    async def main(make: Any, message: Any) -> list[bool]:
        socket = await make()
        told = [socket.exchange.finished]
        await socket.send(message)
        told.append(socket.exchange.finished)
        await socket.returns()
        return [*told, socket.exchange.finished]

    for make, message in ((opened, closing()), (connecting, CLOSING)):
        assert run(main(make, message)) == [False, False, True]
