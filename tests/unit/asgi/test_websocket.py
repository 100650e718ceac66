"""One WebSocket's beginning and ends."""

from __future__ import annotations

import asyncio
import logging

import pytest

from tests.unit.asgi.fakes import FAILED, run, turn
from tests.unit.asgi.sockets import (
    ACCEPT,
    CLOSING,
    CONNECT,
    TEXT,
    close,
    closing,
    connecting,
    disconnect,
    handshake,
    masked,
    opened,
    said,
    text,
)

# --- Beginning -------------------------------------------------------------------------------


def test_an_application_is_called_with_the_scope_of_the_socket():
    async def main():
        socket = await connecting(asked=handshake(target=b"/chat?room=1"))
        assert (socket.scope["type"], socket.scope["path"]) == ("websocket", "/chat")
        assert socket.stream.calls == []

    run(main())


def test_an_echo():
    async def echo(scope, receive, send):
        assert await receive() == CONNECT
        await send(ACCEPT)
        while (message := await receive())["type"] == "websocket.receive":
            await send({**message, "type": "websocket.send"})

    async def main():
        socket = await connecting(app=echo)
        socket.says(text("hello"), text("") + text("you"))
        await turn()
        socket.says(close(1000, "bye"))
        await socket.ended()
        assert socket.frames[:3] == [(TEXT, b"hello"), (TEXT, b""), (TEXT, b"you")]
        assert socket.close == (1000, "")
        return socket.record

    record = run(main())
    assert (record.kind, record.status, record.outcome) == ("websocket", 1000, "complete")
    assert (record.bytes_in, record.bytes_out) == (8, 8)
    assert record.head is not None
    assert record.head.status == 101


def test_the_wire_may_say_that_the_handshake_has_no_body_and_that_its_time_is_over():
    async def main():
        socket = await opened()
        socket.exchange.body_ended()
        socket.exchange.timed_out()
        assert socket.stream.outcome is None
        assert socket.frames == []

    run(main())


def test_it_tells_how_far_it_is():
    async def main():
        socket = await connecting(websocket_connect_timeout=100)
        told = [socket.exchange.progress()]
        await asyncio.sleep(2)
        await socket.send(ACCEPT)
        told.append(socket.exchange.progress())
        await socket.send(CLOSING)
        told.append(socket.exchange.progress())
        assert {each.request for each in told} == {socket.exchange.request}
        return [each[1:] for each in told]

    assert run(main()) == [(0, "connecting"), (2, "open"), (2, "closed")]


# --- The application's end -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code", "outcome"), [(None, 1000, "complete"), (ValueError("x"), 1011, "failed")]
)
def test_an_application_that_ends_closes_its_socket(error, code, outcome, caplog):
    async def main():
        socket = await opened()
        socket.finish.set_result(None) if error is None else socket.finish.set_exception(error)
        await socket.ended()
        assert socket.close == (code, "the application failed" if error else "")
        assert socket.served.application.live == set()
        assert (socket.record.status, socket.record.outcome) == (code, outcome)
        assert socket.stream.outcome is None, "the client owes its answer"
        socket.says(close(code))
        assert socket.stream.outcome == "complete"
        await asyncio.sleep(100)
        assert len(socket.served.records) == 1

    run(main())
    lines = ["Exception inside application: WebSocket /"] if error else []
    assert caplog.messages == lines


@pytest.mark.parametrize("error", [None, ValueError("x"), SystemExit(1), GeneratorExit()])
def test_one_that_ends_before_it_has_accepted_is_answered_500(error, caplog):
    async def main():
        socket = await connecting()
        socket.finish.set_result(None) if error is None else socket.finish.set_exception(error)
        await socket.ended()
        assert socket.stream.calls == [FAILED]
        assert (socket.record.status, socket.record.outcome) == (500, "failed")

    run(main())
    assert caplog.messages == [
        "Exception inside application: WebSocket /"
        if error
        else "The application returned without accepting or refusing WebSocket /"
    ]


@pytest.mark.parametrize("level", [logging.DEBUG, logging.INFO])
def test_that_its_client_has_left_is_no_error_of_the_application(level, caplog):
    caplog.set_level(level)

    async def app(scope, receive, send):
        await send(ACCEPT)
        while True:
            await send(said(text="x"))
            await asyncio.sleep(1)

    async def main():
        socket = await connecting(app=app)
        socket.says(close(1001))
        await socket.ended()
        assert (socket.record.status, socket.record.outcome) == (1001, "complete")

    run(main())
    lines = [line for line in caplog.records if line.name.startswith("daphne_like")]
    assert [line.levelno for line in lines] == [logging.DEBUG] * (level == logging.DEBUG)


def test_an_application_that_fails_after_the_end_has_failed(caplog):
    async def main():
        socket = await opened()
        socket.says(close(1000))
        socket.finish.set_exception(ValueError("in its clean-up"))
        await socket.ended()
        return socket.record

    record = run(main())
    assert (record.status, record.outcome) == (1000, "failed")
    assert len(caplog.messages) == 1


@pytest.mark.parametrize(("path", "got"), [([], (500, None)), ([ACCEPT], (101, 1012))])
def test_one_that_is_cancelled_lets_its_client_know(path, got):
    async def main():
        socket = await connecting()
        for message in path:
            await socket.send(message)
        socket.served.application.cancel()
        await socket.ended()
        assert socket.exchange.task.cancelled()
        return socket.stream.head.status, socket.close[0] if path else None

    assert run(main()) == got


@pytest.mark.parametrize("how", ["closes", "is lost"])
def test_an_application_has_its_time_to_end_and_is_cancelled_then(how, caplog):
    async def main():
        socket = await opened(application_close_timeout=7)
        socket.says(close(1000)) if how == "closes" else socket.leaves()
        began = socket.loop.time()
        await socket.ended()
        assert socket.exchange.task.cancelled()
        assert socket.loop.time() - began == 7
        assert socket.record.outcome == ("complete" if how == "closes" else "disconnected")

    run(main())
    (line,) = caplog.messages
    assert "took longer than 7 s" in line


@pytest.mark.parametrize("answers", [False, True])
def test_a_client_has_its_time_to_answer_a_close(answers):
    async def main():
        socket = await opened(websocket_close_timeout=10)
        await socket.send(closing(4000))
        await asyncio.sleep(9)
        assert socket.stream.outcome is None
        if answers:
            socket.says(close(4000))
        await asyncio.sleep(1)
        await socket.returns()
        return socket.stream.outcome, socket.record.status, socket.record.outcome

    outcome = "complete" if answers else "aborted"
    assert run(main()) == (outcome, 4000, "complete")


def test_a_client_that_is_lost_owes_nothing_any_more():
    async def main():
        socket = await opened()
        await socket.send(closing(4000))
        socket.leaves()
        await asyncio.sleep(1)
        assert await socket.receive() == disconnect(4000)
        await socket.returns()
        assert (socket.record.status, socket.record.outcome) == (4000, "complete")

    run(main())


def test_a_rule_broken_behind_our_close_ends_the_connection():
    async def main():
        socket = await opened()
        await socket.send(closing(4000))
        socket.says(masked(3))
        assert socket.close == (4000, "")
        assert socket.stream.outcome == "complete"
        assert await socket.receive() == disconnect(4000)

    run(main())


# --- Broken rules, and lost clients -----------------------------------------------------------


def test_a_text_that_is_none_closes_with_1007(caplog):
    async def main():
        socket = await opened()
        socket.says(masked(1, b"\xff"))
        assert socket.close[0] == 1007
        assert (await socket.receive())["code"] == 1007
        assert socket.stream.outcome == "complete"
        await socket.returns()
        return socket.record

    record = run(main())
    assert (record.status, record.outcome) == (1007, "refused")
    (line,) = caplog.messages
    assert line == "Closed WebSocket / of 192.0.2.1:50000: 1007 invalid UTF-8"


def test_of_a_crowd_that_breaks_the_rules_the_log_says_how_many_there_were(caplog):
    async def main():
        first = await opened()
        for _ in range(30):
            socket = await opened(served=first.served)
            socket.says(masked(3))
        await asyncio.sleep(15)
        first.says(masked(3))

    run(main())
    lines = [line for line in caplog.messages if line.startswith("Closed WebSocket")]
    assert len(lines) == 21
    assert lines[-1].endswith(", and 10 others before")


def test_a_client_that_had_left_has_the_last_word_when_it_is_read():
    async def main():
        socket = await opened()
        socket.says(text("x") * 64 + close(4000, "bye"))
        socket.leaves("reset")
        for _ in range(64):
            await socket.receive()
        assert await socket.receive() == disconnect(4000, "bye")
        await socket.returns()
        assert socket.stream.outcome == "lost"
        assert (socket.record.status, socket.record.outcome) == (4000, "disconnected")

    run(main())


# --- When the server stops -------------------------------------------------------------------


@pytest.mark.parametrize("code", [1012, 1001])
def test_a_server_that_stops_closes_and_tells_the_application(code):
    async def main():
        socket = await opened(options={"close_code": code})
        socket.exchange.drain()
        await asyncio.sleep(5)
        assert socket.close == (code, "the server is stopping")
        assert await socket.receive() == disconnect(code, "the server is stopping")
        socket.says(close(code))
        await socket.returns()
        assert (socket.record.status, socket.record.outcome) == (code, "complete")

    run(main())


def test_one_that_is_not_accepted_yet_is_answered_503():
    async def main():
        socket = await connecting()
        socket.exchange.drain()
        await asyncio.sleep(1)
        assert socket.stream.calls == [("respond", 503, b"503 Service Unavailable\n")]
        await socket.returns()
        assert (socket.record.status, socket.record.outcome) == (503, "failed")

    run(main())


def test_one_that_has_ended_meanwhile_is_left_alone():
    async def main():
        socket = await opened()
        socket.exchange.drain()
        socket.says(close(1000))
        await asyncio.sleep(6)
        assert socket.close == (1000, "")

    run(main())


# --- The record ------------------------------------------------------------------------------


def test_one_that_nobody_wants_to_hear_of_makes_no_record():
    async def main():
        socket = await opened()
        socket.served.application.observers.clear()
        await socket.returns()
        assert socket.served.records == []

    run(main())


def test_a_frameworks_word_for_the_end_is_no_error_where_it_was_told(caplog):
    class WebSocketDisconnect(Exception):
        pass

    async def main():
        socket = await opened()
        socket.says(close(1000))
        await socket.receive()
        socket.finish.set_exception(WebSocketDisconnect())
        await socket.ended()

    with caplog.at_level("DEBUG", "daphne_like.server"):
        run(main())
    assert [record.levelname for record in caplog.records if record.exc_info] == ["DEBUG"]
