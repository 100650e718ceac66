"""RSGI's HTTP protocol object: what an application reads, and what it answers."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest

from daphne_like.asgi.rsgi import RSGI
from daphne_like.asgi.rsgi_words import ProtocolClosed, ProtocolError
from daphne_like.limits import Limits
from tests.unit.asgi.fakes import FAILED, FakeStream, Served, ended, request, run, turn
from tests.unit.asgi.threads import run_for_real

FILES = "http.response.zerocopysend", "http.response.pathsend"
PLAIN = [("Content-Type", "text/plain")]


class Asked:
    """One request to an RSGI application, with what it did to its stream."""

    def __init__(self, app: Any, *, files: bool = False, **changes: Any) -> None:
        self.stream = FakeStream(*(FILES if files else ()))
        self.served = Served(RSGI(app), Limits())
        self.exchange = self.served.open(self.stream, request(**changes))

    async def whole(self, *pieces: bytes) -> FakeStream:
        """Send a body, to its end, and wait for the response."""
        for piece in pieces:
            self.exchange.body_received(piece)
            await turn()
        if not self.stream.over:
            self.exchange.body_ended()
        await ended(self.exchange)
        return self.stream


def answered(app: Any, *pieces: bytes, **changes: Any) -> FakeStream:
    async def main() -> FakeStream:
        return await Asked(app, **changes).whole(*pieces)

    stream: FakeStream = run_for_real(main())
    return stream


def giving(method: str, *arguments: Any) -> Any:
    async def app(scope: Any, protocol: Any) -> None:
        getattr(protocol, method)(*arguments)

    return app


# --- Whole responses -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "body", "whole"),
    [
        ("response_empty", (), b""),
        ("response_str", ("ä",), "ä".encode()),
        ("response_bytes", (b"\xff",), b"\xff"),
    ],
)
def test_a_response_goes_out_as_one(method, body, whole):
    headers = [*PLAIN, ("X-A", "1"), ("x-a", "\xfc")]
    stream = answered(giving(method, 201, headers, *body))
    assert stream.calls == [("respond", 201, whole)]
    assert stream.head is not None
    assert stream.head.fields == [
        (b"content-type", b"text/plain"), (b"x-a", b"1"), (b"x-a", b"\xfc"),
    ]  # fmt: skip


def test_a_response_goes_out_though_its_application_goes_on():
    async def app(scope, protocol):
        protocol.response_str(200, [], "at once")
        await over.wait()

    async def main():
        asked = Asked(app)
        await turn(8)
        assert asked.stream.calls == [("respond", 200, b"at once")]
        over.set()
        await asked.whole()
        assert asked.served.record.outcome == "complete"

    over = asyncio.Event()
    run(main())


def test_the_first_response_counts():
    """Emmett's handler gives another one when its stream is over."""

    async def app(scope, protocol):
        protocol.response_str(200, [], "first")
        protocol.response_empty(500, [])

    assert answered(app).calls == [("respond", 200, b"first")]


def test_a_stream_behind_a_response_is_an_error_and_the_response_holds(caplog):
    async def app(scope, protocol):
        protocol.response_str(200, [], "first")
        protocol.response_stream(200, [])

    assert answered(app).calls == [("respond", 200, b"first")]
    assert "there is a response already" in caplog.text


def test_none_is_a_500(caplog):
    async def app(scope, protocol):
        pass

    assert answered(app).calls == [FAILED]
    assert "returned without finishing its response" in caplog.text


def test_a_failure_is_a_500_and_logged(caplog):
    async def app(scope, protocol):
        raise KeyError("its own error")

    assert answered(app).calls == [FAILED]
    assert "its own error" in caplog.text


def test_fields_that_may_not_be_sent_are_a_500(caplog):
    assert answered(giving("response_empty", 200, [("x-a", "a\r\nb")])).calls == [FAILED]
    assert "x-a" in caplog.text


# --- Streams ---------------------------------------------------------------------------------


def test_a_stream_goes_out_piece_by_piece_and_ends_with_its_application():
    async def app(scope, protocol):
        transport = protocol.response_stream(200, PLAIN)
        await transport.send_str("ä")
        seen.append(stream_of[0].body)
        await transport.send_bytes(b"b")
        seen.append(stream_of[0].body)

    async def main():
        asked = Asked(app)
        stream_of.append(asked.stream)
        await asked.whole()
        assert asked.stream.outcome == "complete"
        assert asked.stream.body == "äb".encode()

    seen: list[bytes] = []
    stream_of: list[FakeStream] = []
    run(main())
    assert seen == ["ä".encode(), "äb".encode()]


def test_the_head_of_a_stream_does_not_wait_for_its_first_piece():
    async def app(scope, protocol):
        protocol.response_stream(200, PLAIN)
        await over.wait()

    async def main():
        asked = Asked(app)
        await turn(8)
        assert asked.stream.calls == [("head", 200, b"")]
        over.set()
        assert (await asked.whole()).outcome == "complete"

    over = asyncio.Event()
    run(main())


def test_a_stream_that_fails_breaks_off():
    async def app(scope, protocol):
        transport = protocol.response_stream(200, PLAIN)
        await transport.send_str("a")
        raise KeyError

    assert answered(app).calls == [("head", 200, b"a"), ("abort",)]


async def forever(transport):
    while True:
        await transport.send_bytes(b"x")
        await asyncio.sleep(0)


@pytest.mark.parametrize("listens", [False, True])
def test_a_stream_whose_client_has_left_is_closed(listens, caplog):
    async def app(scope, protocol):
        transport = protocol.response_stream(200, PLAIN)
        listening = [asyncio.ensure_future(protocol.client_disconnect())] if listens else []
        with pytest.raises(ProtocolClosed):
            await forever(transport)
        await asyncio.gather(*listening)
        noted.append("closed")

    async def main():
        asked = Asked(app)
        asked.exchange.body_ended()
        await turn(8)
        asked.exchange.disconnected("the client is gone")
        asked.stream.outcome = "gone"
        await ended(asked.exchange)

    noted: list[str] = []
    run(main())
    assert noted == ["closed"]
    assert caplog.records == []


# --- Files -----------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path):
    (tmp_path / "file").write_bytes(b"0123456789")
    return str(tmp_path / "file")


@pytest.mark.parametrize("files", [True, False])
@pytest.mark.parametrize(
    ("method", "more", "expected"),
    [
        ("response_file", (), b"0123456789"),
        ("response_file_range", (3, 5), b"34"),
        ("response_file_range", (8, 99), b"89"),
        ("response_file_range", (20, 99), b""),
    ],
)
def test_a_file_is_sent_with_its_length(path, method, more, expected, files):
    stream = answered(giving(method, 200, PLAIN, path, *more), files=files)
    assert stream.body == expected
    assert stream.outcome == "complete"
    assert stream.head is not None
    assert (b"content-length", b"%d" % len(expected)) in stream.head.fields


def test_a_length_that_is_given_stays(path):
    headers = [("Content-Length", "10")]
    stream = answered(giving("response_file", 200, headers, path), files=True)
    assert stream.head is not None
    assert stream.head.fields == [(b"content-length", b"10")]


def test_head_of_a_file_has_its_length_only(path):
    stream = answered(giving("response_file", 200, [], path), method="HEAD")
    assert (stream.body, stream.outcome) == (b"", "complete")
    assert stream.head is not None
    assert stream.head.fields == [(b"content-length", b"10")]


def test_what_is_no_file_is_not_found(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name in ("missing", "pipe", ".", "a\0b"):
        stream = answered(giving("response_file", 200, [], str(tmp_path / name)), files=True)
        assert stream.calls == [("respond", 404, b"Not found")]


def test_a_range_that_is_none_is_an_error(path):
    stream = answered(giving("response_file_range", 206, [], path, 5, 3))
    assert stream.calls == [FAILED]


@pytest.mark.parametrize("headers", [[("bad name", "a")], [("content-length", "5")]])
def test_what_cannot_be_sent_is_told_while_the_application_goes_on(headers, caplog):
    async def app(scope, protocol):
        protocol.response_str(200, headers, "ok")
        await going_on.wait()

    async def main():
        asked = Asked(app)
        asked.exchange.body_ended()
        await turn(8)
        assert asked.stream.calls == [FAILED] or asked.stream.outcome == "aborted"
        going_on.set()
        await ended(asked.exchange)
        assert asked.served.record.outcome == "failed"

    going_on = asyncio.Event()
    run_for_real(main())
    assert caplog.messages == ["Exception inside application: GET /"]


# --- The body --------------------------------------------------------------------------------


def test_the_body_as_a_whole():
    async def app(scope, protocol):
        protocol.response_bytes(200, [], await protocol())

    assert answered(app, b"abc", b"de", method="POST").body == b"abcde"
    assert answered(app).body == b""


def test_the_body_in_its_pieces():
    async def app(scope, protocol):
        pieces = [piece async for piece in protocol]
        protocol.response_bytes(200, [], b"|".join(pieces))

    assert answered(app, b"abc", b"de", method="POST").body == b"abc|de"


def test_the_body_is_read_once():
    async def app(scope, protocol):
        await protocol()
        with pytest.raises(ProtocolError, match="was read before"):
            await protocol()
        protocol.response_empty(200, [])

    assert answered(app, b"abc", method="POST").calls == [("respond", 200, b"")]


def test_a_client_that_leaves_during_its_body_ends_the_reading():
    async def app(scope, protocol):
        with pytest.raises(ProtocolClosed, match="before its request was whole"):
            await protocol()
        noted.append("closed")

    async def main():
        asked = Asked(app, method="POST")
        asked.exchange.body_received(b"abc")
        await turn()
        asked.exchange.disconnected("the client is gone")
        await ended(asked.exchange)

    noted: list[str] = []
    run(main())
    assert noted == ["closed"]


# --- Leaving ---------------------------------------------------------------------------------


def test_who_waits_for_the_client_to_leave_hears_of_it():
    async def app(scope, protocol):
        await protocol.client_disconnect()
        await protocol.client_disconnect()
        noted.append("left")

    async def main():
        asked = Asked(app)
        asked.exchange.body_ended()
        await turn()
        assert noted == []
        asked.exchange.disconnected("the client is gone")
        await ended(asked.exchange)

    noted: list[str] = []
    run(main())
    assert noted == ["left"]


def test_waiting_for_it_takes_nothing_of_the_body_and_not_more_than_a_piece():
    async def app(scope, protocol):
        leaving = asyncio.ensure_future(protocol.client_disconnect())
        await read.wait()
        protocol.response_bytes(200, [], await protocol())
        await leaving

    async def main():
        asked = Asked(app, method="POST")
        for _ in range(3):
            asked.exchange.body_received(b"a" * 1000)
            await turn()
        assert asked.stream.credit == 1000
        read.set()
        await turn()
        stream = await asked.whole()
        assert stream.body == b"a" * 3000

    read = asyncio.Event()
    run(main())


def test_a_piece_that_comes_while_both_wait_is_had_once():
    async def app(scope, protocol):
        leaving = asyncio.ensure_future(protocol.client_disconnect())
        await turn()
        protocol.response_bytes(200, [], await protocol())
        await leaving

    async def main():
        asked = Asked(app, method="POST")
        await turn(8)
        stream = await asked.whole(b"abc", b"de")
        assert stream.body == b"abcde"

    run(main())


def test_one_that_waits_no_more_lets_the_other_go_on():
    async def app(scope, protocol):
        leaving = asyncio.ensure_future(protocol.client_disconnect())
        reading = asyncio.ensure_future(protocol())
        await turn()
        leaving.cancel()
        protocol.response_bytes(200, [], await reading)

    async def main():
        asked = Asked(app, method="POST")
        await turn(12)
        assert (await asked.whole(b"abc")).body == b"abc"

    run(main())


def test_two_may_wait_for_the_client_to_leave():
    async def app(scope, protocol):
        waiting = [protocol.client_disconnect() for _ in range(2)]
        await asyncio.gather(*waiting)

    async def main():
        asked = Asked(app)
        asked.exchange.body_ended()
        await turn()
        asked.exchange.disconnected("the client is gone")
        await ended(asked.exchange)

    run(main())
