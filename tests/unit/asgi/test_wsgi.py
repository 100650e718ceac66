"""WSGI applications, by PEP 3333: what they are given, and what becomes of what they give."""

from __future__ import annotations

import asyncio
import io
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.validate import validator

import pytest

from daphne_like.asgi.threads import Threads
from daphne_like.asgi.wsgi import WSGI
from daphne_like.limits import Limits
from tests.unit.asgi.fakes import FAILED, FakeStream, Served, ended, request, turn
from tests.unit.asgi.sockets import connecting
from tests.unit.asgi.threads import PATIENCE, Gate, run_for_real, until

LARGE = b"x" * 100_000
FILES = "http.response.zerocopysend", "http.response.pathsend"
PLAIN = [("Content-Type", "text/plain")]


class Threaded:
    """A WSGI application that is served, with what it did to its streams."""

    def __init__(self, call: Any, limits: Limits | None = None) -> None:
        self.threads = Threads(2, "wsgi")
        self.served = Served(WSGI(call, self.threads), limits)

    async def get(self, *fields: Any, files: bool = False, **changes: Any) -> FakeStream:
        """One request without a body, to its end."""
        stream = FakeStream(*(FILES if files else ()))
        headers = [(b"host", b"example.org"), *fields]
        exchange = self.served.open(stream, request(**({"headers": headers} | changes)))
        if not stream.over:
            exchange.body_ended()
        await ended(exchange)
        return stream

    async def post(self, *pieces: bytes, length: bool = True, **changes: Any) -> FakeStream:
        """One with a body, which comes in pieces."""
        stream = FakeStream()
        size = b"%d" % sum(map(len, pieces))
        framing = (b"content-length", size) if length else (b"transfer-encoding", b"chunked")
        asked = request("POST", **({"headers": [(b"host", b"a"), framing]} | changes))
        exchange = self.served.open(stream, asked)
        for piece in pieces:
            await turn()
            exchange.body_received(piece)
        exchange.body_ended()
        await ended(exchange)
        return stream


def serving(call: Any, main: Callable[[Threaded], Any], **more: Any) -> Any:
    async def whole() -> Any:
        at = Threaded(call, **more)
        result = await main(at)
        await at.threads.close(PATIENCE)
        return result

    return run_for_real(whole())


def answered(call: Any, **changes: Any) -> FakeStream:
    """What `call` answers to one GET."""
    stream: FakeStream = serving(call, lambda at: at.get(**changes))
    return stream


def posted(call: Any, *pieces: bytes, **changes: Any) -> FakeStream:
    stream: FakeStream = serving(call, lambda at: at.post(*pieces, **changes))
    return stream


def giving(result: Any, status: str = "200 OK", headers: Any = PLAIN) -> Any:
    """An application that answers with `result`, or what that returns when it is called."""

    def app(environ: Any, start_response: Any) -> Any:
        start_response(status, list(headers))
        return result() if callable(result) else result

    return app


def reading(read: Callable[[Any], Any]) -> Any:
    """An application that answers with what `read` gets of its input."""

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        got = read(environ["wsgi.input"])
        start_response("200 OK", PLAIN)
        return [got if isinstance(got, bytes) else b"|".join(got)]

    return app


class Closing:
    """An iterable that notes when it is closed."""

    def __init__(self, *pieces: Any) -> None:
        self.closed = 0
        self._pieces = pieces

    def __iter__(self) -> Iterator[Any]:
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    def close(self) -> None:
        self.closed += 1


def length(size: int) -> tuple[str, str]:
    return "Content-Length", str(size)


# --- Whole responses -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "whole"),
    [
        ([b"hello"], b"hello"),
        ((b"hel", b"lo"), b"hello"),
        ([b"", b"hello", b""], b"hello"),
        ([], b""),
        ([b""], b""),
        ([LARGE], LARGE),
        ([bytearray(b"hello")], b"hello"),
    ],
)
def test_what_is_there_at_once_goes_out_at_once(result, whole):
    stream = answered(giving(result))
    assert stream.calls == [("respond", 200, whole)]
    assert stream.head is not None
    assert stream.head.fields == [(b"content-type", b"text/plain")]


def test_a_large_list_is_not_put_together():
    stream = answered(giving([LARGE, LARGE, b"last"]))
    assert [call[0] for call in stream.calls] == ["head", "body", "body", "end"]
    assert stream.body == LARGE + LARGE + b"last"


def test_what_its_length_says_is_whole_goes_out_at_once():
    stream = answered(giving(lambda: iter([b"hello"]), headers=[length(5)]))
    assert stream.calls == [("respond", 200, b"hello")]


@pytest.mark.parametrize("status", ["404 Not Found", "404 ", "404"])
def test_a_status_is_its_number(status):
    assert answered(giving([b"no"], status)).calls == [("respond", 404, b"no")]


def test_fields_keep_their_order_and_their_bytes():
    headers = [("Set-Cookie", "a=1"), ("X-A", "\xfc"), ("Set-Cookie", "b=2")]
    stream = answered(giving([b""], headers=headers))
    assert stream.head is not None
    assert stream.head.fields == [
        (b"set-cookie", b"a=1"), (b"x-a", b"\xfc"), (b"set-cookie", b"b=2"),
    ]  # fmt: skip


# --- Pieces ----------------------------------------------------------------------------------


def test_each_piece_goes_out_before_the_next_is_made():
    """And the head with the first that is not empty."""

    async def main(at):
        stream = FakeStream()
        exchange = at.served.open(stream, request())
        for number, gate in enumerate(gates):
            await gate.reached()
            assert stream.body == b"ab"[:number]
            assert (stream.head is not None) == (number > 0)
            gate.open()
        await ended(exchange)
        assert stream.body == b"abc"
        assert stream.outcome == "complete"

    def pieces():
        yield b""
        for gate, piece in zip(gates, (b"a", b"b", b"c"), strict=True):
            gate()
            yield piece

    gates = [Gate() for _ in range(3)]
    serving(giving(pieces), main)


def test_a_generator_may_start_its_response_when_it_is_asked_for_its_first_piece():
    def app(environ, start_response):
        start_response("201 Created", PLAIN)
        yield b"a"

    stream = answered(app)
    assert stream.calls[0] == ("head", 201, b"a")


def test_what_is_written_goes_out_at_once_and_before_what_is_returned():
    async def main(at):
        stream = FakeStream()
        exchange = at.served.open(stream, request())
        await gate.reached()
        assert stream.body == b"ab"
        gate.open()
        await ended(exchange)
        assert stream.body == b"abc"

    def app(environ, start_response):
        write = start_response("200 OK", PLAIN)
        for data in (b"", b"a", b"b"):
            write(data)
        gate()
        return [b"c"]

    gate = Gate()
    serving(app, main)


def test_an_application_waits_while_its_client_reads_too_slowly():
    async def main(at):
        stream = FakeStream()
        stream.full = True
        exchange = at.served.open(stream, request())
        await until(lambda: stream.body)
        await turn(50)
        assert made == [b"a"]
        stream.full = False
        exchange.drained()
        await ended(exchange)
        assert stream.body == b"abc"

    def pieces():
        for piece in (b"a", b"b", b"c"):
            made.append(piece)
            yield piece

    made: list[bytes] = []
    serving(giving(pieces), main)


def test_it_is_closed_once_whatever_happens():
    for result in (
        Closing(b"a", b"b"),
        Closing(),
        Closing(b"a", KeyError()),
        Closing(KeyError()),
        Closing("no bytes"),
    ):
        answered(giving(result))
        assert result.closed == 1


def test_a_response_is_with_its_client_before_it_is_closed():
    async def main(at):
        stream = FakeStream()
        exchange = at.served.open(stream, request())
        await gate.reached()
        await until(lambda: stream.outcome is not None)
        gate.open()
        await ended(exchange)
        assert at.served.record.outcome == "complete"

    class Late(list[bytes]):
        def close(self):
            gate()

    gate = Gate()
    serving(giving(Late([b"a"])), main)


# --- No body ---------------------------------------------------------------------------------


@pytest.mark.parametrize("result", [[b"hello"], [LARGE, LARGE], lambda: iter([b"he", b"llo"])])
def test_head_is_answered_without_a_body(result):
    stream = answered(giving(result, headers=[length(5)]), method="HEAD")
    assert stream.calls == [("respond", 200, b"")]
    assert stream.head is not None
    assert (b"content-length", b"5") in stream.head.fields


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_a_status_without_a_body_has_none_whatever_comes(status):
    stream = answered(giving(lambda: iter([b"he", b"llo"]), status, headers=[]))
    assert stream.calls == [("respond", int(status[:3]), b"")]


@pytest.mark.parametrize(("method", "status"), [("HEAD", "200 OK"), ("GET", "204 No Content")])
def test_what_has_no_body_is_not_asked_for_all_of_it_and_closed(method, status):
    result = Closing(b"he", KeyError("it was asked for more"))
    stream = answered(giving(result, status, headers=[]), method=method)
    assert stream.calls == [("respond", int(status[:3]), b"")]
    assert result.closed == 1


# --- Failures --------------------------------------------------------------------------------


def test_an_application_that_fails_is_a_500_and_logged_with_its_own_lines(caplog):
    def app(environ, start_response):
        raise KeyError("its own error")

    assert answered(app).calls == [FAILED]
    (record,) = caplog.records
    assert record.message == "Exception inside application: GET /"
    assert record.exc_info
    assert 'raise KeyError("its own error")' in caplog.text


def test_one_that_fails_before_its_first_piece_is_a_500():
    assert answered(giving(Closing(b"", KeyError()))).calls == [FAILED]


def test_one_that_fails_in_the_middle_breaks_off():
    stream = answered(giving(Closing(b"a", KeyError())))
    assert stream.calls == [("head", 200, b"a"), ("abort",)]


def test_one_that_fails_when_it_is_closed_is_logged_and_the_response_holds(caplog):
    class Failing(list[bytes]):
        def close(self):
            raise KeyError("too late")

    assert answered(giving(Failing([b"a"]))).calls == [("respond", 200, b"a")]
    assert "too late" in caplog.text


@pytest.mark.parametrize(
    ("app", "reason"),
    [
        (lambda environ, start_response: [b"a"], "has not called start_response"),
        (giving([b"a"], "OK"), "status 'OK' is no '200 OK'"),
        (giving([b"a"], "2000 OK"), "status '2000 OK' is no '200 OK'"),
        (giving([b"a"], headers=[("X-A", "a\r\nb")]), "x-a"),
        (giving(["a"]), "str found"),
        (giving(lambda: iter(["a"])), "body 'a' is not bytes"),
        (giving(None), "NoneType"),
        (giving([b"abc"], headers=[length(2)]), "body longer than its Content-Length 2"),
    ],
)
def test_what_breaks_the_rules_is_a_500_and_the_log_says_why(app, reason, caplog):
    assert answered(app).calls[-1] == FAILED
    assert reason in caplog.text


def test_a_body_that_is_shorter_than_it_says_is_broken_off():
    for result in ([b"abc"], lambda: iter([b"abc"])):
        assert answered(giving(result, headers=[length(5)])).outcome == "aborted"


def test_what_comes_behind_the_announced_length_is_logged_and_not_sent(caplog):
    stream = answered(giving(lambda: iter([b"abc", b"", b"d"]), headers=[length(3)]))
    assert stream.calls == [("respond", 200, b"abc")]
    assert "body longer than its Content-Length 3" in caplog.text


# --- start_response --------------------------------------------------------------------------


def test_a_response_may_be_replaced_by_an_error_before_it_is_out():
    def app(environ, start_response):
        start_response("200 OK", [("X-A", "1"), length(9)])
        try:
            raise KeyError
        except KeyError:
            start_response("500 Sorry", PLAIN, sys.exc_info())
        return [b"sorry"]

    stream = answered(app)
    assert stream.calls == [("respond", 500, b"sorry")]
    assert stream.head is not None
    assert stream.head.fields == [(b"content-type", b"text/plain")]


def test_an_error_in_place_of_a_response_without_a_body_has_one():
    def app(environ, start_response):
        start_response("204 No Content", [])
        start_response("500 Sorry", PLAIN, (KeyError, KeyError(), None))
        return [b"sorry"]

    assert answered(app).calls == [("respond", 500, b"sorry")]


def test_an_error_behind_the_head_breaks_off(caplog):
    def app(environ, start_response):
        start_response("200 OK", PLAIN)
        yield b"a"
        try:
            raise KeyError("its own error")
        except KeyError:
            start_response("500 Sorry", PLAIN, sys.exc_info())

    assert answered(app).calls == [("head", 200, b"a"), ("abort",)]
    assert "its own error" in caplog.text


def test_a_second_start_without_an_error_is_one(caplog):
    def app(environ, start_response):
        start_response("200 OK", PLAIN)
        start_response("200 OK", PLAIN)

    assert answered(app).calls == [FAILED]
    assert "called again without exc_info" in caplog.text


# --- Input -----------------------------------------------------------------------------------

LINES = b"one\ntwo\nthree"


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(
    ("read", "expected"),
    [
        (lambda source: source.read(), LINES),
        (lambda source: source.read(5), LINES[:5]),
        (lambda source: source.read(100), LINES),
        (lambda source: source.readline(), b"one\n"),
        (lambda source: source.readlines(), b"one\n|two\n|three"),
        (list, b"one\n|two\n|three"),
    ],
)
def test_a_body_is_read_as_a_file(read, expected, chunked):
    stream = posted(reading(read), LINES[:2], LINES[2:7], LINES[7:], length=not chunked)
    assert stream.body == expected


def test_a_body_comes_as_it_is_sent_and_is_paid_for_as_it_is_read():
    async def main(at):
        stream = FakeStream()
        asked = request("POST", headers=[(b"transfer-encoding", b"chunked")])
        exchange = at.served.open(stream, asked)
        exchange.body_received(b"abc")
        await gate.reached()
        assert (got, stream.credit, stream.wants) == ([b"ab"], 3, 1)
        exchange.body_received(b"de")
        await turn(50)
        assert stream.credit == 3
        gate.open()
        exchange.body_ended()
        await ended(exchange)
        assert (stream.body, stream.credit) == (b"cde", 5)

    def read(source):
        got.append(source.read(2))
        gate()
        return source.read()

    gate, got = Gate(), []
    serving(reading(read), main)


def test_the_end_of_a_body_may_come_by_itself():
    async def main(at):
        stream = FakeStream()
        asked = request("POST", headers=[(b"transfer-encoding", b"chunked")])
        exchange = at.served.open(stream, asked)
        exchange.body_received(b"abc")
        await until(lambda: stream.credit)
        exchange.body_ended()
        await ended(exchange)
        assert stream.body == b"abc"

    serving(reading(lambda source: source.read()), main)


def test_a_request_without_a_body_has_nothing_to_read_and_asks_for_nothing():
    stream = answered(reading(lambda source: source.read() + source.read(1)))
    assert (stream.body, stream.wants) == (b"", 0)


def test_a_body_over_http2_need_not_be_announced():
    stream = posted(reading(lambda source: source.read()), b"abc", headers=[], http_version="2")
    assert stream.body == b"abc"


def test_a_body_that_is_not_read_is_left():
    stream = posted(giving([b"ok"]), b"abc")
    assert (stream.body, stream.credit) == (b"ok", 0)


def test_a_client_that_leaves_ends_the_reading_with_an_error_and_nobody_logs_one(caplog):
    async def main(at):
        asked = request("POST", headers=[(b"content-length", b"9")])
        exchange = at.served.open(FakeStream(), asked)
        exchange.body_received(b"abc")
        await turn(20)
        exchange.disconnected("the client is gone")
        await ended(exchange)
        assert at.served.record.outcome == "disconnected"

    def read(source):
        try:
            return source.read()
        except OSError as error:
            errors.append(str(error))
            raise

    errors: list[str] = []
    serving(reading(read), main)
    assert errors == ["the client has left before its request was whole"]
    assert caplog.records == []


def test_a_client_that_leaves_ends_the_response_which_is_closed(caplog):
    async def main(at):
        stream = FakeStream()
        exchange = at.served.open(stream, request())
        await until(lambda: len(stream.body) >= 5)
        exchange.disconnected("the client is gone")
        stream.outcome = "gone"
        await ended(exchange)

    class Endless(Closing):
        def __iter__(self):
            while True:
                yield b"x"

    endless = Endless()
    serving(giving(endless), main)
    assert endless.closed == 1
    assert caplog.records == []


def test_one_that_has_nothing_to_send_hears_that_its_client_has_left():
    async def main(at):
        exchange = at.served.open(FakeStream(), request())
        await gate.reached()
        exchange.disconnected("the client is gone")
        await ended(exchange)
        gate.open()
        assert await asyncio.to_thread(over.wait, PATIENCE)

    def pieces():
        gate()
        try:
            for _ in range(1000):
                yield b""
            raise AssertionError("it has not heard of it")
        except GeneratorExit:
            over.set()

    gate, over = Gate(), threading.Event()
    serving(giving(pieces), main, limits=Limits(application_close_timeout=0.01))


def test_one_that_waits_for_a_slow_client_hears_that_it_has_left():
    async def main(at):
        stream = FakeStream()
        stream.full = True
        exchange = at.served.open(stream, request())
        await until(lambda: stream.body)
        exchange.disconnected("the client is gone")
        stream.outcome = "gone"
        await ended(exchange)

    result = Closing(b"a", b"b")
    serving(giving(result), main)
    assert result.closed == 1


# --- Files -----------------------------------------------------------------------------------


def wrapping(file: Any, *headers: Any, before: bytes = b"") -> Any:
    def app(environ: Any, start_response: Any) -> Any:
        write = start_response("200 OK", list(headers))
        write(before)
        return environ["wsgi.file_wrapper"](file, 4)

    return app


@pytest.fixture
def file(tmp_path):
    (tmp_path / "file").write_bytes(b"0123456789")
    with (tmp_path / "file").open("rb") as opened:
        yield opened


def test_a_file_is_handed_over_with_its_length_and_closed(file):
    stream = answered(wrapping(file), files=True)
    assert stream.calls == [("head", 200, b""), ("body", b"0123456789"), ("end",)]
    assert stream.head is not None
    assert stream.head.fields == [(b"content-length", b"10")]
    assert file.closed


def test_a_file_is_sent_from_where_it_is_and_as_far_as_its_length_says(file):
    file.read(3)
    assert answered(wrapping(file, length(4)), files=True).body == b"3456"


def test_a_file_may_follow_what_was_written(file):
    assert answered(wrapping(file, before=b"a"), files=True).body == b"a0123456789"


def test_a_file_that_is_shorter_than_announced_is_broken_off(file):
    assert answered(wrapping(file, length(11)), files=True).outcome == "aborted"


def test_a_file_is_read_where_it_cannot_be_handed_over(file):
    stream = answered(wrapping(file))
    assert [call[0] for call in stream.calls] == ["head", "body", "body", "end"]
    assert stream.body == b"0123456789"
    assert file.closed


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_is_no_file_or_has_no_rest_is_read(file, method):
    file.read()
    assert answered(wrapping(file), files=True).body == b""
    source = io.BytesIO(b"0123456789")
    stream = answered(wrapping(source), files=True, method=method)
    assert stream.body == (b"0123456789" if method == "GET" else b"")
    assert source.closed


def test_a_file_without_a_start_is_a_500(file):
    def app(environ, start_response):
        return environ["wsgi.file_wrapper"](file)

    assert answered(app, files=True).calls == [FAILED]


# --- Around ----------------------------------------------------------------------------------


def test_what_wsgi_has_to_say_is_in_the_environ():
    def app(environ, start_response):
        seen.update(environ)
        start_response("200 OK", [])
        return []

    seen: dict[str, Any] = {}
    answered(app)
    assert seen["wsgi.version"] == (1, 0)
    assert seen["wsgi.input_terminated"] is True
    assert (seen["wsgi.multithread"], seen["wsgi.multiprocess"], seen["wsgi.run_once"]) == (
        True, False, False,
    )  # fmt: skip
    assert type(seen) is dict


def test_a_complaint_is_in_the_log_when_the_request_is_over(caplog):
    def app(environ, start_response):
        environ["wsgi.errors"].write("it rains")
        start_response("200 OK", [])
        return []

    answered(app)
    assert caplog.messages == ["it rains"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_standard_librarys_validator_finds_nothing_to_complain_about(method):
    def app(environ, start_response):
        environ["wsgi.errors"].write("")
        assert environ["wsgi.input"].read(3) == b""
        start_response("200 OK", [("Content-Type", "text/plain"), length(5)])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [b"he", b"llo"]

    stream = answered(validator(app), method=method)
    assert stream.body == (b"hello" if method == "GET" else b"")
    assert stream.outcome == "complete"


def test_the_validator_finds_nothing_in_a_request_with_a_body():
    def app(environ, start_response):
        got = environ["wsgi.input"].read(100)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [got]

    assert posted(validator(app), b"abc", b"de").body == b"abcde"


def test_requests_beyond_the_threads_wait_with_their_bodies_unread():
    async def main(at):
        streams = [FakeStream() for _ in range(3)]
        asked = request("POST", headers=[(b"content-length", b"1")])
        exchanges = [at.served.open(stream, asked) for stream in streams]
        for exchange in exchanges:
            exchange.body_received(b"a")
            exchange.body_ended()
        for gate in gates[:2]:
            await gate.reached()
        assert [stream.wants for stream in streams] == [1, 1, 0]
        for gate in gates:
            gate.open()
        for exchange in exchanges:
            await ended(exchange)
        assert [stream.body for stream in streams] == [b"a"] * 3

    gates = [Gate() for _ in range(3)]
    left = iter(gates)

    def read(source):
        got = source.read()
        next(left)()
        return got

    serving(reading(read), main)


def test_a_request_whose_time_is_over_is_answered_while_its_thread_goes_on():
    async def main(at):
        stream = FakeStream()
        exchange = at.served.open(stream, request())
        await gate.reached()
        exchange.timed_out()
        assert stream.calls[0][:2] == ("respond", 503)
        await ended(exchange)
        gate.open()

    gate = Gate()
    serving(giving(gate), main, limits=Limits(application_close_timeout=0.01))


def test_a_websocket_is_refused_in_good_manners(caplog):
    async def main():
        socket = await connecting(app=WSGI(giving([]), Threads(1, "wsgi")))
        await socket.ended()
        assert socket.stream.calls[0][:2] == ("respond", 403)

    run_for_real(main())
    assert caplog.records == []


def test_there_is_no_lifespan():
    async def main():
        with pytest.raises(NotImplementedError, match="WSGI has no lifespan"):
            await WSGI(giving([]), Threads(1, "wsgi"))({"type": "lifespan"}, None, None)  # type: ignore[arg-type]

    run_for_real(main())
