"""What an application hears of a WebSocket's end, and of what was said before it."""

from __future__ import annotations

import asyncio

import pytest

from daphne_like.errors import ClientDisconnected
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
    said,
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


# --- A farewell behind messages --------------------------------------------------------------


async def parting(last, **limits):
    """A client that has said three things and its farewell, none of which was taken."""
    socket = await opened(**limits)
    socket.says(*[text(str(each)) for each in range(3)], last)
    return socket


@pytest.mark.parametrize(
    ("last", "message", "answer", "outcome"),
    [
        (close(), disconnect(1005), (None, ""), "complete"),
        (close(4000, "bye"), disconnect(4000, "bye"), (4000, ""), "complete"),
        (
            masked(1, b"\xff"),
            disconnect(1007, "invalid UTF-8"),
            (1007, "invalid UTF-8"),
            "refused",
        ),
    ],
    ids=["without a code", "with a code", "broken"],
)
def test_what_came_before_a_farewell_can_be_answered(last, message, answer, outcome):
    async def main():
        socket = await parting(last)
        for each in range(3):
            assert await socket.receive() == heard(text=str(each))
            await socket.send(said(text=f"answer {each}"))
        assert CLOSE not in [opcode for opcode, _ in socket.frames]
        assert await socket.receive() == message
        assert [payload for _, payload in socket.frames[:3]] == [
            b"answer 0",
            b"answer 1",
            b"answer 2",
        ]
        assert socket.close == answer
        assert socket.stream.outcome == "complete"
        await socket.returns()
        assert (socket.record.status, socket.record.outcome) == (message["code"], outcome)

    run(main())


def test_a_farewell_is_not_left_without_an_answer_for_ever():
    async def main():
        socket = await parting(close(4000, "bye"), websocket_close_timeout=10)
        await asyncio.sleep(9.9)
        assert socket.frames == []
        await asyncio.sleep(0.1)
        assert socket.close == (4000, "")
        with pytest.raises(ClientDisconnected):
            await socket.send(said(text="too late"))
        told = await all_of(socket)
        assert [each.get("text") for each in told] == ["0", "1", "2", None]
        assert told[-1] == disconnect(4000, "bye")

    run(main())


def test_a_client_that_is_lost_after_its_farewell_has_left_in_order():
    async def main():
        socket = await parting(close(4000, "bye"))
        socket.leaves("reset")
        assert (await all_of(socket))[3:] == [disconnect(4000, "bye")]
        await socket.returns()
        assert (socket.record.status, socket.record.outcome) == (4000, "complete")

    run(main())


def test_an_application_that_closes_meanwhile_has_the_last_word():
    async def main():
        socket = await parting(close(4000, "bye"))
        assert await socket.receive() == heard(text="0")
        await socket.send(closing(4001, "enough"))
        assert socket.close == (4001, "enough")
        assert socket.stream.outcome == "complete"
        assert await socket.receive() == disconnect(4001, "enough")
        await asyncio.sleep(3600)

    run(main())


@pytest.mark.parametrize("end", [b"", close(4000)])
def test_of_many_frames_at_once_a_lost_client_has_said_the_last_too(end):
    async def main():
        socket = await opened()
        socket.says(ping() * 600 + text("last") + end)
        socket.leaves("reset")
        assert [each.get("text", each.get("code")) for each in await all_of(socket)] == [
            "last",
            4000 if end else 1006,
        ]

    run(main())
