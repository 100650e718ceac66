"""When the server pings a WebSocket, on a loop whose time jumps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from daphne_like.asgi.application import Application
from daphne_like.exchange import ResponseHead
from daphne_like.limits import Limits
from tests.unit.asgi.fakes import FakeStream, request, run

PING, PONG = b"\x89\x00", b"\x8a\x80\x00\x00\x00\x00"


class _Client(FakeStream):
    """A client that answers each ping after `delay` seconds, and notes when it came."""

    def __init__(self, delay: float) -> None:
        super().__init__()
        self.pinged: list[float] = []
        self._delay = delay
        self.exchange: Any = None

    def open_tunnel(self, head: ResponseHead) -> Callable[[bytes], None]:
        self.send_head(head)
        return self.send_body

    def send_body(self, data: bytes) -> None:
        super().send_body(data)
        if data == PING:
            loop = asyncio.get_running_loop()
            self.pinged.append(loop.time() - 1000)
            loop.call_later(self._delay, self.exchange.body_received, PONG)


async def _silent(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    await receive()


@pytest.mark.parametrize(
    ("delay", "pinged"),
    [(0, [20, 40, 60, 80]), (1, [20, 41, 62, 83]), (25, [20, 65])],
)
def test_an_idle_client_is_pinged_whenever_nothing_has_come_for_the_interval(delay, pinged):
    async def case() -> list[float]:
        limits = Limits(ping_interval=20, ping_timeout=30)
        application = Application(_silent, limits, asyncio.get_running_loop())
        client = _Client(delay)
        key = [(b"sec-websocket-key", b"AAAAAAAAAAAAAAAAAAAAAA==")]
        client.exchange = application.open(request(headers=key, upgrade="websocket"), client)
        await asyncio.sleep(85)
        for task in application.cancel():
            await asyncio.wait([task])
        return client.pinged

    assert run(case()) == pinged
