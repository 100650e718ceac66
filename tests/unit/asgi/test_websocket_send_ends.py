"""How an application closes a WebSocket, and what becomes of its messages after the end."""

from __future__ import annotations

import asyncio

import pytest

from daphne_like.errors import AppFault, ClientDisconnected
from tests.unit.asgi.fakes import run, start, turn
from tests.unit.asgi.sockets import (
    ACCEPT,
    CLOSING,
    close,
    closing,
    disconnect,
    opened,
    said,
    waits,
)

DENIAL = {**start(403), "type": "websocket.http.response.start"}


# --- Closing ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "code", "reason"),
    [
        (CLOSING, 1000, ""),
        (closing(None, None), 1000, ""),
        (closing(1001), 1001, ""),
        (closing(3000, "grüß dich"), 3000, "grüß dich"),
        (closing(4999, "x" * 123), 4999, "x" * 123),
        (closing(4000, "x" * 124), 4000, "x" * 123),
        (closing(4000, "ü" * 62), 4000, "ü" * 61),
        (closing(4000, "\ud800"), 4000, "?"),
        (closing(True + 999), 1000, ""),
    ],
    ids=lambda each: str(each)[:30],
)
def test_a_close_has_a_code_and_a_reason(message, code, reason):
    async def main():
        socket = await opened()
        await socket.send(message)
        assert socket.close == (code, reason)
        assert socket.stream.outcome is None, "the client owes its answer"
        socket.says(close(code))
        assert socket.stream.outcome == "complete"
        told = await socket.receive()
        assert told == disconnect(code, message.get("reason") or "")
        await socket.returns()
        assert (socket.record.status, socket.record.outcome) == (code, "complete")

    run(main())


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 2000, 2999, 5000, 65536, "1000"])
def test_a_code_that_may_not_be_sent_is_a_fault(code):
    async def main():
        socket = await opened()
        with pytest.raises(AppFault, match="is no code for a close"):
            await socket.send(closing(code))
        assert socket.frames == []

    run(main())


def test_so_is_a_reason_that_is_no_text():
    async def main():
        socket = await opened()
        with pytest.raises(AppFault, match="reason is <class 'bytes'>, not str"):
            await socket.send(closing(1000, b"because"))

    run(main())


# --- After the end ---------------------------------------------------------------------------


async def end(socket, how):
    if how == "closed by the application":
        await socket.send(closing())
    elif how == "closed by the client":
        socket.says(close())
    else:
        socket.leaves()


HOW = ["closed by the application", "closed by the client", "lost"]
AFTER = [said(text="x"), CLOSING, ACCEPT, said(), DENIAL]


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("message", AFTER, ids=lambda each: each["type"])
@pytest.mark.parametrize("told", [False, True])
def test_who_listens_alone_is_told_that_there_is_nobody(how, message, told):
    async def main():
        socket = await opened()
        await end(socket, how)
        if told:
            await socket.receive()
        for _ in range(2):
            with pytest.raises(ClientDisconnected):
                await socket.send(message)
        assert isinstance(ClientDisconnected(), OSError)

    run(main())


@pytest.mark.parametrize("how", HOW)
def test_while_another_task_is_told_one_may_send_for_a_while(how):
    async def main():
        socket = await opened(send_grace=5)
        listening = socket.pending(socket.receive())
        await turn()
        await end(socket, how)
        before = socket.stream.calls.copy()
        for _ in range(3):
            await socket.send(said(text="x"))
        assert listening.done()
        await asyncio.sleep(5)
        await socket.send(said(text="x"))
        assert socket.stream.calls == before
        await asyncio.sleep(0.01)
        with pytest.raises(ClientDisconnected):
            await socket.send(said(text="x"))

    run(main())


def test_who_hurries_to_send_before_the_other_task_is_told_may_too():
    async def main():
        socket = await opened()
        listening = socket.pending(socket.receive())
        await turn()
        sending = socket.pending(socket.send(said(text="x")))
        socket.leaves()
        await socket.send(said(text="x"))
        await sending
        assert (await listening)["code"] == 1006

    run(main())


def test_a_task_that_has_listened_and_was_cancelled_does_not_count():
    async def main():
        socket = await opened()
        listening = socket.pending(socket.receive())
        await turn()
        listening.cancel()
        await turn()
        socket.leaves()
        with pytest.raises(ClientDisconnected):
            await socket.send(said(text="x"))

    run(main())


def test_sending_into_the_void_stops_nobody_else():
    async def main():
        socket = await opened()
        listening = socket.pending(socket.receive())
        await turn()
        socket.leaves()
        await listening
        others = socket.pending(turn(10))
        for _ in range(12):
            await socket.send(said(text="x"))
        assert others.done()

    run(main())


@pytest.mark.parametrize("how", HOW)
def test_it_does_not_wait_for_one_that_will_read_no_more(how):
    async def main():
        socket = await opened()
        socket.stream.full = True
        sending = socket.pending(socket.send(said(text="1")))
        assert await waits(sending)
        ending = socket.pending(end(socket, how))
        await turn()
        assert sending.done()
        assert isinstance(sending.exception(), ClientDisconnected)
        assert ending.done()

    run(main())
