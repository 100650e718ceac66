"""What a WebSocket has time for: to be accepted, to answer a ping, to live."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from daphne_like.errors import ClientDisconnected
from tests.unit.asgi.fakes import run
from tests.unit.asgi.sockets import (
    ACCEPT,
    CLOSE,
    CONNECT,
    PING,
    PONG,
    close,
    connecting,
    disconnect,
    masked,
    opened,
    ping,
    text,
)

# --- Time to accept --------------------------------------------------------------------------


def test_an_application_has_its_time_to_accept(caplog):
    async def main():
        socket = await connecting(websocket_connect_timeout=5)
        await asyncio.sleep(4.9)
        assert socket.stream.calls == []
        await asyncio.sleep(0.1)
        assert socket.stream.calls == [("respond", 503, b"503 Service Unavailable\n")]
        assert [await socket.receive() for _ in range(2)] == [
            CONNECT,
            disconnect(1006, "refused with 503"),
        ]
        with pytest.raises(ClientDisconnected):
            await socket.send(ACCEPT)
        await socket.returns()
        assert (socket.record.status, socket.record.outcome) == (503, "timed out")

    run(main())
    assert caplog.messages == [
        "WebSocket / of 192.0.2.1:50000 was not accepted within 5 s"
        " (--websocket_connect_timeout): 503"
    ]


def test_of_a_crowd_that_is_late_the_log_says_how_many_there_were(caplog):
    async def main():
        first = await connecting()
        for _ in range(29):
            await connecting(served=first.served)
        await asyncio.sleep(60)
        await connecting(served=first.served)
        await asyncio.sleep(6)

    run(main())
    lines = [line for line in caplog.messages if "connect_timeout" in line]
    assert len(lines) == 21
    assert lines[-1].endswith(", and 10 others before")


def test_one_that_accepts_in_time_has_no_limit_but_those_of_its_socket():
    async def main():
        socket = await opened(ping_interval=0, websocket_timeout=-1, websocket_connect_timeout=5)
        await asyncio.sleep(1e6)
        assert socket.stream.outcome is None
        assert socket.frames == []
        assert socket.exchange.task.done() is False

    run(main())


# --- Pings -----------------------------------------------------------------------------------


async def alive(socket: Any, seconds: int) -> list[int]:
    """The seconds in which the client got a ping, and answered it."""
    pinged = []
    for second in range(1, seconds + 1):
        before = len(socket.frames)
        await asyncio.sleep(1)
        if len(socket.frames) > before:
            assert socket.frames[before:] == [(PING, b"")]
            pinged.append(second)
            socket.says(masked(PONG))
    return pinged


def test_an_idle_client_is_pinged_and_lives_while_it_answers():
    async def main():
        socket = await opened(ping_interval=20, ping_timeout=30)
        assert await alive(socket, 100) == [20, 40, 60, 80, 100]

    run(main())


@pytest.mark.parametrize("frame", [text("x"), ping(), masked(PONG)])
def test_any_frame_is_a_sign_of_life(frame):
    async def main():
        socket = await opened(ping_interval=20, ping_timeout=30)
        for _ in range(20):
            await asyncio.sleep(19)
            socket.says(frame)
            if frame == text("x"):
                await socket.receive()
        assert PING not in [opcode for opcode, _ in socket.frames]
        await asyncio.sleep(20)
        assert socket.frames[-1] == (PING, b"")

    run(main())


def test_the_first_half_of_a_frame_is_one_too():
    async def main():
        socket = await opened(ping_interval=20, ping_timeout=30)
        for byte in text("x" * 10):
            await asyncio.sleep(19)
            socket.says(bytes((byte,)))
        assert socket.frames == []

    run(main())


def test_a_client_that_does_not_answer_is_closed():
    async def main():
        socket = await opened(ping_interval=20, ping_timeout=30)
        await asyncio.sleep(49.9)
        assert socket.frames == [(PING, b"")]
        await asyncio.sleep(0.1)
        assert socket.close == (1011, "no answer to a ping")
        assert socket.stream.outcome == "complete"
        assert await socket.receive() == disconnect(1006, "no answer to a ping")
        await socket.returns()
        assert (socket.record.status, socket.record.outcome) == (1006, "timed out")

    run(main())


def test_what_it_answers_need_not_be_a_pong():
    async def main():
        socket = await opened(ping_interval=20, ping_timeout=30)
        await asyncio.sleep(49)
        socket.says(text("here"))
        await asyncio.sleep(19)
        assert socket.frames == [(PING, b"")]
        await asyncio.sleep(1)
        assert socket.frames == [(PING, b"")] * 2

    run(main())


@pytest.mark.parametrize(("interval", "timeout"), [(20, 300), (20, 5)])
def test_it_is_pinged_as_often_however_long_it_may_take_to_answer(interval, timeout):
    async def main():
        socket = await opened(ping_interval=interval, ping_timeout=timeout)
        assert await alive(socket, 60) == [20, 40, 60]
        await asyncio.sleep(interval + timeout - 0.1)
        assert socket.frames[-1] == (PING, b"")
        assert len(socket.frames) == 4
        await asyncio.sleep(0.1)
        assert socket.close[0] == 1011

    run(main())


def test_without_an_interval_there_are_no_pings():
    async def main():
        socket = await opened(ping_interval=0)
        await asyncio.sleep(10_000)
        assert socket.frames == []

    run(main())


def test_a_client_whose_messages_are_not_read_is_not_believed_dead():
    """Its pong may be behind them; a ping still finds out that its connection is gone."""

    async def main():
        socket = await opened(ping_interval=20, ping_timeout=30)
        socket.says(*[text("x")] * 64)
        await asyncio.sleep(1001)
        assert socket.frames == [(PING, b"")] * 50
        for _ in range(64):
            await socket.receive()
        listening = socket.pending(socket.receive())
        await asyncio.sleep(21)
        assert socket.frames == [(PING, b"")] * 51
        await asyncio.sleep(30)
        assert socket.close[0] == 1011
        assert (await listening)["code"] == 1006

    run(main())


def test_a_ping_that_was_sent_before_they_were_not_read_neither():
    async def main():
        socket = await opened(ping_interval=20, ping_timeout=30)
        await asyncio.sleep(20)
        assert socket.frames == [(PING, b"")]
        socket.loop.advance(1)
        socket.says(*[text("x")] * 64)
        await asyncio.sleep(1000)
        assert socket.stream.outcome is None

    run(main())


# --- Age -------------------------------------------------------------------------------------


@pytest.mark.parametrize("interval", [0, 20])
def test_a_socket_that_is_too_old_is_closed(interval):
    async def main():
        socket = await opened(websocket_timeout=100, ping_interval=interval)
        await alive(socket, 99)
        assert CLOSE not in [opcode for opcode, _ in socket.frames]
        await asyncio.sleep(1)
        reason = "open for longer than the server allows"
        assert socket.close == (1001, reason)
        assert await socket.receive() == disconnect(1001, reason)
        socket.says(close(1001))
        assert socket.stream.outcome == "complete"
        await socket.returns()
        assert (socket.record.status, socket.record.outcome) == (1001, "timed out")

    run(main())


def test_the_time_before_it_was_accepted_does_not_count():
    async def main():
        socket = await connecting(websocket_timeout=100, websocket_connect_timeout=60)
        await asyncio.sleep(50)
        await socket.send(ACCEPT)
        await alive(socket, 99)
        assert CLOSE not in [opcode for opcode, _ in socket.frames]
        await socket.returns()
        assert (socket.record.first_byte, socket.record.duration) == (50, 149)

    run(main())


def test_no_limit_is_none():
    async def main():
        limits = {"websocket_timeout": 0, "websocket_connect_timeout": 0, "ping_interval": 0}
        socket = await opened(**limits)
        await asyncio.sleep(10**6)
        assert socket.frames == []

    run(main())
