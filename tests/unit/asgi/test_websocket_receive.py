"""What an application receives from a WebSocket, whoever cancels, hurries or leaves."""

from __future__ import annotations

import asyncio

import pytest

from tests.unit.asgi.fakes import run, turn
from tests.unit.asgi.sockets import (
    ACCEPT,
    CLOSE,
    CONNECT,
    PONG,
    all_of,
    binary,
    close,
    closing,
    connecting,
    disconnect,
    heard,
    masked,
    opened,
    ping,
    text,
    waits,
)

KIB = 1024


# --- Messages --------------------------------------------------------------------------------


def test_connect_comes_first_and_once():
    async def main():
        socket = await connecting()
        assert await socket.receive() == CONNECT
        again = socket.pending(socket.receive())
        assert await waits(again)
        await socket.send(ACCEPT)
        socket.says(text("hello"))
        assert await again == heard(text="hello")
        await socket.returns()

    run(main())


def test_connect_comes_first_for_one_who_has_accepted_without_it_too():
    async def main():
        socket = await connecting()
        await socket.send(ACCEPT)
        socket.says(text("hello"))
        assert await socket.receive() == CONNECT
        assert await socket.receive() == heard(text="hello")

    run(main())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (text("hello"), heard(text="hello")),
        (binary(b"\x00\xff"), heard(bytes=b"\x00\xff")),
        (text(""), heard(text="")),
        (binary(b""), heard(bytes=b"")),
        (text("ü" * 100), heard(text="ü" * 100)),
        (binary(b"x" * 70_000), heard(bytes=b"x" * 70_000)),
    ],
    ids=["text", "binary", "empty text", "empty binary", "longer text", "large binary"],
)
@pytest.mark.parametrize("size", [1, 5, 1_000_000])
def test_a_message_has_text_or_bytes_however_it_is_cut(data, message, size):
    async def main():
        socket = await opened()
        socket.says(*[data[at : at + size] for at in range(0, len(data), size)])
        assert await socket.receive() == message
        assert socket.stream.credit == len(data)
        await socket.returns()
        payload = message.get("bytes", message.get("text", "").encode())
        assert socket.record.bytes_in == len(payload)

    run(main())


def test_the_fragments_of_a_message_are_one_message():
    async def main():
        socket = await opened()
        socket.says(masked(1, b"a\xc3", last=False), ping(), masked(0, b"\xbc!", last=True))
        assert await socket.receive() == heard(text="aü!")

    run(main())


def test_messages_come_in_their_order():
    async def main():
        socket = await opened()
        socket.says(text("1") + binary(b"2"), text("3"), close(1000))
        assert await all_of(socket) == [
            heard(text="1"),
            heard(bytes=b"2"),
            heard(text="3"),
            disconnect(1000),
        ]

    run(main())


@pytest.mark.parametrize("size", [1, 100])
def test_a_text_that_is_no_utf_8_reaches_nobody(size):
    async def main():
        socket = await opened()
        data = masked(1, b"x\xff")
        socket.says(*[data[at : at + size] for at in range(0, len(data), size)])
        assert (await socket.receive())["code"] == socket.close[0] == 1007

    run(main())


@pytest.mark.parametrize(("size", "code"), [(10, 1000), (11, 1009)])
@pytest.mark.parametrize("what", ["websocket_max_message_size", "websocket_max_frame_size"])
def test_a_message_that_is_too_large_closes_with_1009(size, code, what):
    async def main():
        socket = await opened(**{what: 10})
        socket.says(binary(b"x" * size), close(1000))
        for _ in range(2):
            await socket.receive()
        assert socket.close[0] == code

    run(main())


def test_without_limits_a_message_may_have_any_size():
    async def main():
        socket = await opened(websocket_max_message_size=0, websocket_max_frame_size=0)
        socket.says(binary(b"x" * 5_000_000))
        assert len((await socket.receive())["bytes"]) == 5_000_000

    run(main())


# --- Cancelling, and more than one -----------------------------------------------------------


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("late", [False, True])
def test_cancelling_a_receive_loses_nothing(turns, late):
    """At every point: before it waits, while it waits, when a message is there for it."""

    async def main():
        socket = await opened()
        got = []
        for number in range(20):
            task = socket.pending(socket.receive())
            await turn(turns)
            if not late:
                socket.says(text(str(number)))
            await turn(number % 4)
            task.cancel()
            if late:
                socket.says(text(str(number)))
            await asyncio.wait([task])
            if not task.cancelled():
                got.append(task.result()["text"])
        socket.says(close(1000))
        got += [message.get("text") for message in await all_of(socket)]
        assert got == [*map(str, range(20)), None]

    run(main())


def test_a_consumer_that_makes_its_receive_anew_all_the_time_gets_everything():
    """As Channels does: it waits for its socket and for its channel layer at once."""

    async def main():
        socket = await opened()
        other: asyncio.Queue[int] = asyncio.Queue()
        got = []
        receiving = socket.pending(socket.receive())
        for number in range(50):
            if number % 3:
                socket.says(text(str(number)))
            else:
                other.put_nowait(number)
            layer = socket.pending(other.get())
            done, _ = await asyncio.wait([receiving, layer], return_when=asyncio.FIRST_COMPLETED)
            for task in (receiving, layer):
                if task in done:
                    got.append(task.result())
                else:
                    task.cancel()
                    await asyncio.wait([task])
            receiving = socket.pending(socket.receive())
        assert [heard(text=str(each)) if each % 3 else each for each in range(50)] == got

    run(main())


def test_two_receivers_at_once_get_each_message_once():
    async def main():
        socket = await opened()
        both = [socket.pending(socket.receive()) for _ in range(2)]
        await turn()
        socket.says(text("1"))
        await turn()
        assert sorted(task.done() for task in both) == [False, True]
        socket.says(text("2"))
        assert [(await task)["text"] for task in both] == ["1", "2"]

    run(main())


def test_two_receivers_at_once_both_hear_of_the_end():
    async def main():
        socket = await opened()
        both = [socket.pending(socket.receive()) for _ in range(2)]
        await turn()
        socket.says(close(4000, "enough"))
        assert [await task for task in both] == [disconnect(4000, "enough")] * 2

    run(main())


# --- Flow ------------------------------------------------------------------------------------


def test_what_waits_for_a_slow_application_is_bounded_by_its_number():
    async def main():
        socket = await opened()
        frame = text("x")
        socket.says(*[frame] * 100)
        assert socket.stream.credit == 64 * len(frame)
        for _ in range(64):
            assert await socket.receive() == heard(text="x")
        assert socket.stream.credit == 64 * len(frame), "it has not asked for more"
        assert await socket.receive() == heard(text="x")
        assert socket.stream.credit == 100 * len(frame)
        for _ in range(35):
            assert await socket.receive() == heard(text="x")
        assert await waits(socket.pending(socket.receive()))

    run(main())


def test_what_waits_for_a_slow_application_is_bounded_by_its_size():
    async def main():
        socket = await opened(read_budget=10 * KIB)
        frame = binary(b"x" * 4 * KIB)
        socket.says(*[frame] * 5, ping())
        assert socket.stream.credit == 3 * len(frame)
        assert socket.frames == []
        for _ in range(4):
            await socket.receive()
        assert socket.stream.credit == 5 * len(frame) + len(ping())
        assert socket.frames == [(PONG, b"")]
        assert await socket.receive() == heard(bytes=b"x" * 4 * KIB)
        socket.says(*[frame] * 2)
        assert socket.stream.credit == 7 * len(frame) + len(ping()), "all is as it was"

    run(main())


def test_what_came_in_one_segment_is_read_on_when_there_is_room():
    async def main():
        socket = await opened()
        socket.says(text("x") * 1000 + close(1000))
        assert [message.get("text") for message in await all_of(socket)] == ["x"] * 1000 + [None]
        assert socket.close == (1000, "")

    run(main())


def test_many_frames_at_once_leave_others_their_turn():
    async def main():
        socket = await opened()
        socket.says(ping(b"x") * 600)
        assert len(socket.frames) == 256
        await turn(1)
        assert len(socket.frames) == 512
        await turn(1)
        assert len(socket.frames) == 600
        assert socket.stream.credit == len(ping(b"x")) * 600

    run(main())


def test_of_many_frames_at_once_the_rest_is_not_read_when_the_client_has_left():
    async def main():
        socket = await opened()
        socket.says(ping(b"x") * 600)
        socket.leaves()
        await turn()
        assert len(socket.frames) == 256

    run(main())


# --- Pings -----------------------------------------------------------------------------------


def test_a_ping_is_answered_with_what_it_says():
    async def main():
        socket = await opened()
        socket.says(ping(b"are you there?"), masked(PONG, b"unasked"))
        assert socket.frames == [(PONG, b"are you there?")]

    run(main())


def test_of_many_pings_of_a_client_that_does_not_read_the_last_is_answered():
    async def main():
        socket = await opened()
        socket.stream.full = True
        socket.says(*[ping(b"%d" % number) for number in range(1000)])
        assert socket.frames == []
        socket.reads()
        assert socket.frames == [(PONG, b"999")]
        socket.reads()
        assert socket.frames == [(PONG, b"999")]

    run(main())


def test_a_ping_that_waits_is_not_answered_behind_our_close():
    async def main():
        socket = await opened()
        socket.stream.full = True
        socket.says(ping())
        closed = socket.pending(socket.send(closing()))
        await turn()
        socket.reads()
        await closed
        assert [opcode for opcode, _ in socket.frames] == [CLOSE]

    run(main())
