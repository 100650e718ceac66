"""What came before a client's end is answered, and others have their turn meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from daphne_like.asgi.channel import Channel
from daphne_like.limits import KIB
from tests.unit.asgi.fakes import run
from tests.unit.asgi.sockets import (
    CLOSE,
    CONTINUATION,
    TEXT,
    binary,
    close,
    closing,
    masked,
    opened,
    said,
    text,
)


@pytest.mark.parametrize("size", [60 * KIB, 70 * KIB])
@pytest.mark.parametrize("last", [close(1000), masked(3)], ids=["a close", "a broken rule"])
def test_a_message_is_answered_although_its_sender_has_closed_behind_it(size, last):
    async def main():
        socket = await opened()
        socket.says(text("x" * size) + last)
        message = await socket.receive()
        await asyncio.sleep(0.1)
        await socket.send(said(text=message["text"]))
        assert (await socket.receive())["type"] == "websocket.disconnect"
        assert [opcode for opcode, _ in socket.frames] == [TEXT, CLOSE]

    run(main())


def test_all_of_many_are_answered_although_their_sender_has_closed_behind_them():
    async def main():
        socket = await opened()
        socket.says(text("x") * 200 + close(1000))
        while (message := await socket.receive())["type"] == "websocket.receive":
            await socket.send(said(text=message["text"]))
        assert [opcode for opcode, _ in socket.frames] == [TEXT] * 200 + [CLOSE]

    run(main())


def test_others_have_their_turn_while_an_application_reads_what_waits():
    async def main():
        socket = await opened()
        socket.says(text("") * 30_000)
        turns = 0

        async def other():
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        others = socket.pending(other())
        for _ in range(30_000):
            await socket.receive()
        others.cancel()
        assert turns > 400

    run(main())


def test_after_our_close_no_message_is_put_together(monkeypatch):
    async def main():
        socket = await opened()
        socket.says(masked(TEXT, b"half", last=False))
        await socket.send(closing())
        monkeypatch.setattr(Channel, "feed", None)
        large = binary(b"z" * 5000)
        socket.says(text("x"), masked(CONTINUATION, b"y"), large[:100], large[100:], close(1000))
        assert socket.stream.outcome == "complete"

    run(main())
