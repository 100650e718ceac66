"""A response in place of accepting a WebSocket: a plain refusal, or one of the application's."""

from __future__ import annotations

import asyncio

import pytest

from daphne_like.errors import AppFault, ClientDisconnected
from tests.unit.asgi.fakes import FAILED, body, run, start, trailers, turn
from tests.unit.asgi.sockets import (
    ACCEPT,
    CLOSING,
    CONNECT,
    closing,
    connecting,
    disconnect,
    said,
    slow,
    waits,
)

REFUSED = ("respond", 403, b"403 Forbidden\n")


def denial(message):
    return message | {"type": "websocket." + message["type"]}


START = denial(start(401, (b"x-one", b"1")))
BODY = denial(body(b"no"))
MORE = denial(body(b"n", more=True))


# --- Refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize("message", [CLOSING, closing(4000, "no"), closing("any", 7)])
@pytest.mark.parametrize("first", [False, True], ids=["before connect", "after connect"])
def test_a_close_before_the_accept_is_a_403(message, first):
    async def main():
        socket = await connecting()
        if first:
            assert await socket.receive() == CONNECT
        await socket.send(message)
        assert socket.stream.calls == [REFUSED]
        assert socket.stream.head.close
        await socket.returns()
        return socket.record

    record = run(main())
    assert (record.kind, record.status, record.outcome) == ("websocket", 403, "complete")
    assert (record.bytes_out, record.first_byte) == (len(REFUSED[2]), None)
    assert record.head.status == 403


def test_then_nothing_can_follow_and_the_application_ends_when_it_likes():
    async def main():
        socket = await connecting()
        await socket.send(CLOSING)
        for message in (ACCEPT, CLOSING, START, said(text="x")):
            with pytest.raises(ClientDisconnected):
                await socket.send(message)
        await asyncio.sleep(3600)
        assert socket.stream.calls == [REFUSED]
        await socket.returns()
        assert not socket.exchange.task.cancelled()

    run(main())


# --- A response of the application's ---------------------------------------------------------


def test_a_whole_one():
    async def main():
        socket = await connecting()
        await socket.receive()
        await socket.send(START)
        assert socket.stream.calls == []
        assert socket.exchange.progress().state == "denying"
        await socket.send(BODY)
        assert socket.stream.calls == [("respond", 401, b"no")]
        assert socket.stream.head.fields == [(b"x-one", b"1")]
        assert await socket.receive() == disconnect(
            1006, "the application has denied the WebSocket"
        )
        await socket.returns()
        return socket.record

    record = run(main())
    assert (record.kind, record.status, record.outcome) == ("websocket", 401, "complete")
    assert (record.bytes_out, record.head.status) == (2, 401)


def test_one_that_comes_piece_by_piece():
    async def main():
        socket = await connecting()
        await socket.send(START)
        await turn()
        assert socket.stream.calls == [("head", 401, b"")]
        await socket.send(MORE)
        await asyncio.sleep(3600)
        await socket.send(BODY)
        assert (socket.stream.body, socket.stream.outcome) == (b"nno", "complete")
        with pytest.raises(ClientDisconnected):
            await socket.send(BODY)
        await socket.returns()
        assert (socket.record.status, socket.record.bytes_out) == (401, 3)

    run(main())


def test_a_client_that_reads_it_slowly_is_waited_for():
    async def main():
        socket = await connecting()
        await socket.send(START)
        with slow(socket):
            sending = socket.pending(socket.send(MORE))
            assert await waits(sending)
        await sending
        await socket.send(BODY)
        assert socket.stream.body == b"nno"

    run(main())


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ([], BODY),
        ([START], START),
        ([START], ACCEPT),
        ([START], CLOSING),
        ([START], said(text="x")),
        ([START], start()),
        ([START], body()),
        ([START, MORE], START),
        ([START, MORE], ACCEPT),
        ([START, MORE], denial(trailers())),
        ([START], denial(body("text"))),
        ([], denial(start("401"))),
        ([], denial(start(101))),
        ([], denial(start(401, (b"a b", b"")))),
        ([], START | {"headers": None}),
        ([], START | {"headers": 7}),
    ],
)
def test_what_does_not_belong_there_is_a_fault(path, message, caplog):
    async def main():
        socket = await connecting()
        for step in path:
            await socket.send(step)
        before = socket.stream.calls.copy()
        with pytest.raises(AppFault) as raised:
            await socket.send(message)
        assert socket.stream.calls == before
        socket.finish.set_exception(raised.value)
        await socket.ended()
        if path:
            assert socket.stream.outcome == "aborted"
        else:
            assert socket.stream.calls == [FAILED]
        assert socket.record.outcome == "failed"
        assert await socket.receive() == CONNECT
        assert (await socket.receive())["code"] == 1006

    run(main())
    assert len(caplog.messages) == 1


@pytest.mark.parametrize("error", [None, ValueError("x")])
@pytest.mark.parametrize("path", [[START], [START, MORE]])
def test_an_application_that_ends_in_the_middle(path, error, caplog):
    async def main():
        socket = await connecting()
        for step in path:
            await socket.send(step)
        socket.finish.set_result(None) if error is None else socket.finish.set_exception(error)
        await socket.ended()
        assert socket.record.outcome == "failed"
        return socket.stream.calls

    assert run(main()) == [("head", 401, b"n" if MORE in path else b""), ("abort",)]
    assert len(caplog.messages) == 1


@pytest.mark.parametrize("error", [None, ValueError("x")])
def test_one_that_ends_while_its_head_is_held_back_is_answered_500(error):
    async def app(scope, receive, send):
        await send(START)
        if error:
            raise error

    async def main():
        socket = await connecting(app=app)
        await socket.ended()
        assert socket.stream.calls == [FAILED]
        assert (socket.record.status, socket.record.outcome) == (500, "failed")

    run(main())


def test_one_that_is_shorter_than_it_says_breaks_off_and_everybody_is_told():
    async def main():
        socket = await connecting()
        await socket.receive()
        listening = socket.pending(socket.receive())
        await turn()
        await socket.send(denial(start(401, (b"content-length", b"3"))))
        with pytest.raises(AppFault, match="shorter than its Content-Length"):
            await socket.send(BODY)
        assert socket.stream.outcome == "aborted"
        assert (await listening)["code"] == 1006
        await socket.returns()
        assert socket.record.outcome == "failed"

    run(main())


@pytest.mark.parametrize("path", [[START], [START, MORE]])
def test_a_client_that_leaves_in_the_middle(path):
    async def main():
        socket = await connecting()
        await socket.receive()
        for step in path:
            await socket.send(step)
        socket.leaves("reset")
        assert await socket.receive() == disconnect(1006, "reset")
        with pytest.raises(ClientDisconnected):
            await socket.send(BODY)
        await turn()
        await socket.returns()
        assert socket.record.outcome == "disconnected"
        assert socket.record.status == (401 if MORE in path else None)

    run(main())


def test_a_client_that_leaves_while_it_is_waited_for():
    async def main():
        socket = await connecting()
        await socket.send(START)
        socket.stream.full = True
        sending = socket.pending(socket.send(MORE))
        assert await waits(sending)
        socket.leaves("reset")
        await turn()
        assert isinstance(sending.exception(), ClientDisconnected)

    run(main())


def test_what_was_not_sent_to_it_is_not_counted():
    async def main():
        socket = await connecting()
        await socket.send(START)
        await socket.send(MORE)
        socket.stream.outcome = "lost"
        socket.exchange.disconnected("reset", unsent=1)
        await socket.returns()
        assert socket.record.bytes_out == 0

    run(main())


def test_a_server_that_stops_lets_it_finish():
    async def main():
        socket = await connecting()
        await socket.send(START)
        socket.exchange.drain()
        await asyncio.sleep(6)
        await socket.send(BODY)
        assert socket.stream.body == b"no"
        await socket.returns()
        assert socket.record.outcome == "complete"

    run(main())


@pytest.mark.parametrize("path", [[START], [START, MORE]])
def test_one_that_is_cancelled_breaks_it_off(path):
    async def main():
        socket = await connecting()
        for step in path:
            await socket.send(step)
        socket.served.application.cancel()
        await socket.ended()
        assert socket.stream.over

    run(main())


def test_a_body_without_a_head_is_a_fault_and_the_socket_may_still_be_accepted():
    async def main():
        socket = await connecting()
        with pytest.raises(AppFault, match="in state CONNECTING"):
            await socket.send(BODY)
        await socket.send(ACCEPT)
        assert socket.stream.tunnel is not None

    run(main())
