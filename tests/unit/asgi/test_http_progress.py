"""What an HTTP exchange tells to an operator who looks on."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.unit.asgi.fakes import START, FakeStream, Served, body, run, sending


def test_an_exchange_tells_how_far_it_is():
    async def app(scope, receive, send):
        await asyncio.sleep(2)
        await send(START)
        await send(body(b"x", more=True))
        await asyncio.sleep(3)
        await send(body(b"y"))

    async def main() -> list[Any]:
        served = Served(app)
        exchange = served.open(FakeStream())
        told = []
        for seconds in (1, 2, 3):
            await asyncio.sleep(seconds)
            told.append(exchange.progress())
        assert [each.request for each in told] == [exchange.request] * 3
        return [each[1:] for each in told]

    assert run(main()) == [(1, "waiting"), (3, "streaming"), (6, "done")]


def test_an_exchange_whose_beginning_nobody_wanted_to_know_has_no_age():
    async def main() -> Any:
        served = Served(sending())
        served.application.observers.clear()
        return served.open(FakeStream()).progress().age

    assert run(main()) is None
