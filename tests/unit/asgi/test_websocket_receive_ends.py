"""What an application hears of a WebSocket's end, and of what was said before it."""

from __future__ import annotations

import asyncio

import pytest

from tests.unit.asgi.fakes import run, turn
from tests.unit.asgi.sockets import (
    CLOSE,
    CONNECT,
    all_of,
    close,
    closing,
    connecting,
    disconnect,
    heard,
    masked,
    opened,
    ping,
    text,
)

# --- The end ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "message", "answer"),
    [
        (close(), disconnect(1005), (None, "")),
        (close(1001), disconnect(1001), (1001, "")),
        (close(4321, "grüß dich"), disconnect(4321, "grüß dich"), (4321, "")),
    ],
)
def test_a_clients_close_is_answered_and_told_with_its_code_and_reason(said, message, answer):
    async def main():
        socket = await opened()
        receiving = socket.pending(socket.receive())
        await turn()
        socket.says(text("before") + said)
        assert await receiving == heard(text="before")
        assert await socket.receive() == message
        assert socket.close == answer
        assert socket.stream.outcome == "complete"
        await socket.returns()
        assert (socket.record.status, socket.record.outcome) == (message["code"], "complete")

    run(main())


def test_a_disconnect_is_told_as_often_as_it_is_asked_for_and_stops_nobody_else():
    async def main():
        socket = await opened()
        socket.leaves()
        others = 0

        async def other():
            nonlocal others
            while True:
                others += 1
                await asyncio.sleep(0)

        running = socket.pending(other())
        for _ in range(10):
            message = await socket.receive()
            assert message == disconnect(1006, "the client is gone")
            message.clear()
        assert others >= 9
        running.cancel()

    run(main())


@pytest.mark.parametrize("frames", [[], [text("1"), text("2")]])
def test_a_client_that_is_lost_is_told_behind_what_it_has_said(frames):
    async def main():
        socket = await opened()
        socket.says(*frames)
        socket.leaves("reset")
        assert (await all_of(socket))[len(frames) :] == [disconnect(1006, "reset")]
        await socket.returns()
        assert (socket.record.status, socket.record.outcome) == (1006, "disconnected")

    run(main())


def test_a_client_that_is_lost_before_it_is_accepted():
    async def main():
        socket = await connecting()
        socket.leaves("reset")
        assert await all_of(socket) == [CONNECT, disconnect(1006, "reset")]
        await socket.returns()
        assert (socket.record.status, socket.record.outcome) == (None, "disconnected")

    run(main())


def test_after_our_own_close_what_came_before_is_of_no_interest():
    async def main():
        socket = await opened()
        socket.says(text("1"))
        await socket.send(closing(4000, "enough"))
        socket.says(text("2"), ping(), b"\x81")
        assert await all_of(socket) == [disconnect(4000, "enough")]
        assert [opcode for opcode, _ in socket.frames] == [CLOSE]
        assert socket.stream.credit == len(text("1") + text("2") + ping())

    run(main())


def test_a_refused_socket_has_no_code_but_1006():
    async def main():
        socket = await connecting()
        await socket.receive()
        await socket.send(closing(4000, "enough"))
        assert await socket.receive() == disconnect(1006, "refused with 403")

    run(main())


@pytest.mark.parametrize(
    ("end", "message"),
    [(b"", disconnect(1006, "reset")), (close(4000, "bye"), disconnect(4000, "bye"))],
    ids=["lost", "closed"],
)
@pytest.mark.parametrize("number", [64, 65, 100, 300])
def test_a_slow_application_still_gets_what_a_lost_client_has_said(end, message, number):
    async def main():
        socket = await opened()
        socket.says(*[text(str(each)) for each in range(number)], end)
        socket.leaves("reset")
        told = await all_of(socket)
        assert [each.get("text") for each in told[:-1]] == [*map(str, range(number))]
        assert told[-1] == message
        assert await socket.receive() == message
        assert socket.stream.outcome == "lost"

    run(main())


def test_what_a_lost_client_has_said_last_may_break_the_rules():
    async def main():
        socket = await opened()
        socket.says(text("x") * 64 + masked(3))
        socket.leaves("reset")
        assert [each.get("code") for each in await all_of(socket)] == [None] * 64 + [1002]

    run(main())


def test_our_own_close_reads_on_for_the_clients():
    async def main():
        socket = await opened()
        socket.says(text("x") * 100 + close(1000, "mine"))
        await socket.send(closing(4000, "ours"))
        assert socket.stream.outcome == "complete"
        assert socket.close == (4000, "ours")
        assert await socket.receive() == disconnect(4000, "ours")

    run(main())
