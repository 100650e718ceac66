"""HTTP exchanges, driven by a fake stream from one side and by applications from the other."""

from __future__ import annotations

import asyncio
import logging
import tracemalloc
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daphne_like.errors import AppFault
from tests.unit.asgi.fakes import (
    DISCONNECT,
    FAILED,
    START,
    WITH_TRAILERS,
    FakeStream,
    Served,
    body,
    calls_of,
    ended,
    hint,
    push,
    received,
    run,
    sending,
    start,
    trailers,
    turn,
)
from tests.unit.asgi.model import ENDS, MESSAGES, Walk


@pytest.fixture
def quiet() -> Iterator[None]:
    """Nobody reads thousands of tracebacks that a walk asked for."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


# --- Every state, every message --------------------------------------------------------------

messages = st.tuples(st.just("message"), st.sampled_from(sorted(MESSAGES)))
pieces = st.binary(max_size=3)
steps = st.one_of(
    messages,
    messages,
    st.tuples(st.just("turn"), st.none()),
    st.tuples(st.just("receive"), st.none()),
    st.tuples(st.just("request"), pieces | st.none()),
    st.tuples(st.just("cancel"), pieces | st.none()),
    st.tuples(st.just("slow"), st.booleans()),
    st.tuples(st.just("leave"), st.none()),
    st.tuples(st.just("wait"), st.sampled_from([1.0, 3.0])),
    st.tuples(st.just("late"), st.none()),
    st.tuples(st.just("stop"), st.none()),
)

PATHS: dict[str, list[str]] = {
    "IDLE": [],
    "HEADED": ["start"],
    "HEADED with a length": ["start of 3 bytes"],
    "HEADED without a body": ["start without a body"],
    "STREAMING": ["start", "piece"],
    "STREAMING with a length": ["start of 3 bytes", "piece"],
    "STREAMING without a body": ["start without a body", "piece"],
    "TRAILERS": ["start with trailers", "last"],
    "TRAILERS after pieces": ["start of 3 bytes with trailers", "piece", "last"],
    "DONE": ["start", "last"],
    "broken off": ["start of 3 bytes", "piece", "last, empty"],
}
"""How a response gets into each of its states."""


def walk(path: list[tuple[str, Any]], end: str) -> None:
    async def main() -> None:
        taken = Walk()
        await turn()
        for step, detail in path:
            await taken.take(step, detail)
        await taken.close(end)

    run(main())


@pytest.mark.usefixtures("quiet")
@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(list(PATHS.values())).map(lambda names: [("message", name) for name in names]),
    st.lists(steps, max_size=25),
    st.sampled_from(list(ENDS)),
)
def test_any_walk_goes_as_the_table_says(path, onward, end):
    walk(path + onward, end)


SLOW: list[tuple[str, Any]] = [("message", "start"), ("slow", True), ("message", "piece")]


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize(
    "path",
    [
        [*SLOW, ("message", "piece"), ("message", "last")],
        [*SLOW, ("slow", False), ("message", "last")],
        [*SLOW, ("late", None)],
        [*SLOW, ("leave", None)],
        [*SLOW, ("receive", None), ("leave", None), ("wait", 3.0), ("message", "piece")],
        [*SLOW, ("receive", None), ("leave", None), ("wait", 6.0), ("message", "piece")],
        [("late", None), ("stop", None)],
        [("receive", None), ("request", None)],
        [("receive", None), ("message", "start"), ("message", "last")],
        [("request", b"a"), ("request", b"b"), ("cancel", None), ("receive", None)],
        [("receive", None), ("receive", None), ("cancel", b"a"), ("request", None)],
    ],
)
def test_a_walk_by_the_less_trodden_ways(path, end):
    walk(path, end)


@pytest.mark.parametrize("message", MESSAGES)
@pytest.mark.parametrize("client", ["stays", "leaves", "leaves while it is listened for"])
@pytest.mark.parametrize("state", PATHS)
def test_every_message_in_every_state_does_as_the_table_says(state, client, message):
    path: list[tuple[str, Any]] = [("message", name) for name in PATHS[state]]
    if client == "leaves while it is listened for":
        path.append(("receive", None))
    if client != "stays":
        path.append(("leave", None))
    walk([*path, ("message", message)], "returns")


# --- Messages that are wrong -----------------------------------------------------------------

WRONG = [
    ([], start("200"), "IDLE", "status '200'"),
    ([], start(True), "IDLE", "status True"),
    ([], start(103), "IDLE", "status 103"),
    ([], start(1000), "IDLE", "status 1000"),
    ([], {"type": "http.response.start"}, "IDLE", "status None"),
    ([], start(200, (b"x", "text")), "IDLE", "Header value 'text'"),
    ([], start(200, (b"x", b"a\r\nb: c")), "IDLE", "control character"),
    ([], start(200, (b"content-length", b"-1")), "IDLE", "Content-Length"),
    ([], START | {"headers": None}, "IDLE", "not iterable"),
    ([], START | {"headers": [b"x"]}, "IDLE", "pair of name and value"),
    ([], body(), "IDLE", "not expected now"),
    ([], {"type": "http.response.star"}, "IDLE", "not expected now"),
    ([START], START, "HEADED", "not expected now"),
    ([START], body("text"), "HEADED", "body 'text' is not bytes"),
    ([START], body(None), "HEADED", "body None is not bytes"),
    ([START, body(more=True)], START, "STREAMING", "not expected now"),
    ([START, body(more=True)], body(1), "STREAMING", "body 1 is not bytes"),
    ([], hint(b"a\r\nb: c"), "IDLE", "control character"),
    ([START], hint("text"), "HEADED", "Header value 'text'"),
    ([START, body(more=True)], hint(b"a\nb"), "STREAMING", "control character"),
    ([], {"type": "http.response.early_hint", "links": 1}, "IDLE", "not iterable"),
    ([], push(b"/a"), "IDLE", "path b'/a' is no text"),
    ([], {"type": "http.response.push"}, "IDLE", "path None is no text"),
    ([START], push("a"), "HEADED", "path 'a' is no text that begins with a slash"),
    ([START], push("/a\r\nb"), "HEADED", "has '\\r' in it"),
    ([START], push("/a", (b":path", b"/")), "HEADED", "not a token"),
    ([START], {"type": "http.response.push", "path": "/a", "headers": 1}, "HEADED", "not iter"),
    ([START, body(more=True)], push("/a", (b"Host", b"b")), "STREAMING", "may not be pushed"),
    ([WITH_TRAILERS, body()], push("/a"), "TRAILERS", "not expected now"),
    ([WITH_TRAILERS, body()], trailers((b"x", b"a\r\nb: c")), "TRAILERS", "control character"),
    ([WITH_TRAILERS, body()], trailers((b"Content-Length", b"1")), "TRAILERS", "not be a trailer"),
    ([WITH_TRAILERS, body()], body(), "TRAILERS", "not expected now"),
    ([START], trailers(), "HEADED", "not expected now"),
]


@pytest.mark.parametrize(("before", "message", "state", "fault"), WRONG)
def test_a_wrong_message_raises_with_state_message_and_field(before, message, state, fault):
    raised: list[AppFault] = []

    async def app(scope, receive, send):
        await sending(*before)(scope, receive, send)
        with pytest.raises(AppFault) as caught:
            await send(message)
        raised.append(caught.value)

    calls_of(app)
    (error,) = raised
    assert error.state == state
    assert error.message == message["type"]
    assert fault in error.fault
    assert all(part in str(error) for part in (state, message["type"], fault))


@pytest.mark.parametrize(
    "message", [None, "http.response.start", [], {}, {"type": []}, {"status": 200}]
)
def test_what_is_no_message_at_all_raises_too(message):
    async def app(scope, receive, send):
        with pytest.raises(AppFault, match="a dict with a type"):
            await send(message)
        await sending(START, body(b"fine"))(scope, receive, send)

    assert calls_of(app) == [("respond", 200, b"fine")]


def test_a_wrong_message_changes_nothing_so_that_the_application_may_mend_it():
    async def app(scope, receive, send):
        for wrong, right in [
            (start(0), start(200, (b"content-length", b"2"))),
            (body(b"ccc"), body(b"ok")),
        ]:
            with pytest.raises(AppFault):
                await send(wrong)
            await send(right)

    assert calls_of(app) == [("respond", 200, b"ok")]


@pytest.mark.parametrize("status", [HTTPStatus.CREATED, 201])
def test_a_status_may_be_any_integer_as_http_status_is(status):
    assert calls_of(sending(start(status), body(b"made"))) == [("respond", 201, b"made")]


def test_keys_that_nobody_knows_are_no_fault():
    assert calls_of(sending(START | {"new": 1}, body(b"a") | {"new": 2})) == [
        ("respond", 200, b"a")
    ]


@pytest.mark.parametrize("data", [bytearray(b"abc"), memoryview(b"abc")])
def test_a_body_may_be_anything_that_holds_bytes(data):
    assert calls_of(sending(START, body(data))) == [("respond", 200, b"abc")]


def test_where_nobody_listens_for_records_an_exchange_is_served_all_the_same():
    async def main():
        served, stream = Served(sending(START, body(b"a"))), FakeStream()
        served.application.observers.clear()
        assert await served.get(stream=stream) == [("respond", 200, b"a")]

    run(main())


def test_a_record_has_the_head_of_what_was_answered():
    async def main(*messages):
        served = Served(sending(*messages))
        await served.get()
        return served.record

    head = run(main(start(201, (b"a", b"b")), body())).head
    assert (head.status, head.fields) == (201, [(b"a", b"b")])
    assert run(main()).head.status == 500


@pytest.mark.parametrize("more", [0, None, "", 1, "yes"])
def test_whether_more_comes_may_be_said_by_anything(more):
    said = {"type": "http.response.body", "body": b"a", "more_body": more}
    calls = calls_of(sending(START, said, *[body(b"b")] * bool(more)))
    streamed = [("head", 200, b"a"), ("body", b"b"), ("end",)]
    assert calls == (streamed if more else [("respond", 200, b"a")])


def test_headers_may_be_left_out_and_a_body_message_may_be_bare():
    bare = [{"type": "http.response.start", "status": 204}, {"type": "http.response.body"}]
    assert calls_of(sending(*bare)) == [("respond", 204, b"")]


# --- Content-Length --------------------------------------------------------------------------

THREE = start(200, (b"content-length", b"3"))
HEAD_3, BODY_2 = ("head", 200, b""), ("body", b"ab")


@pytest.mark.parametrize(
    ("messages", "calls"),
    [
        ([body(b"abc")], [("respond", 200, b"abc")]),
        ([body(b"ab", more=True), body(b"c")], [("head", 200, b"ab"), ("body", b"c"), ("end",)]),
        ([body(b"abcd")], [FAILED]),
        ([body(b"ab", more=True), body(b"cd")], [("head", 200, b"ab"), ("abort",)]),
        ([body(b"ab", more=True), body(b"")], [("head", 200, b"ab"), ("abort",)]),
        ([body(b"ab", more=True), body(more=True)], [("head", 200, b"ab"), ("abort",)]),
    ],
)
def test_a_body_is_as_long_as_promised_or_not_whole(messages, calls):
    assert calls_of(sending(THREE, *messages)) == calls


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 304)])
def test_where_no_body_may_follow_none_does_and_the_length_binds_nobody(method, status):
    head = start(status, (b"content-length", b"3"))
    assert calls_of(sending(head, body(b"abcdef")), method=method) == [("respond", status, b"")]
    parts = [head, body(b"ab", more=True), body(b"", more=True), body(b"c")]
    assert calls_of(sending(*parts), method=method) == [("head", status, b""), ("end",)]


# --- The request's body ----------------------------------------------------------------------


def test_the_body_comes_whole_as_far_as_it_is_there_and_is_paid_back():
    async def main():
        taken = []

        async def app(scope, receive, send):
            taken.append(await receive())
            taken.append(await receive())
            await sending(START, body())(scope, receive, send)

        stream, served = FakeStream(), Served(app)
        exchange = served.open(stream)
        exchange.body_received(b"ab")
        exchange.body_received(b"cd")
        await turn()
        assert (taken, stream.credit) == ([received(b"abcd", more=True)], 4)
        exchange.body_received(b"e")
        exchange.body_ended()
        await ended(exchange)
        assert (taken[1:], stream.credit, stream.wants) == ([received(b"e")], 5, 1)
        assert served.record.bytes_in == 5

    run(main())


def test_pieces_of_a_few_bytes_take_little_more_than_their_size():
    async def main():
        taken = []

        async def app(scope, receive, send):
            await asyncio.sleep(0)
            taken.append(await receive())
            await sending(START, body())(scope, receive, send)

        exchange = Served(app).open(FakeStream())
        sent = [bytes([number % 256, number // 256]) for number in range(20_000)]
        sent[10_000:10_000] = [b"x" * 1000, b"y" * 1000]
        tracemalloc.start()
        for piece in sent:
            exchange.body_received(piece)
        kept, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        exchange.body_ended()
        await ended(exchange)
        assert taken == [received(b"".join(sent))]
        assert type(taken[0]["body"]) is bytes
        assert kept < 2 * 42_000

    run(main())


def test_an_application_that_never_receives_never_asks_for_a_100_continue():
    async def main():
        stream = FakeStream()
        await Served(sending(START, body())).get(stream=stream)
        assert stream.wants == 0

    run(main())


def test_receiving_for_the_first_time_after_the_response_asks_for_nothing_any_more():
    heard = []

    async def app(scope, receive, send):
        await sending(START, body())(scope, receive, send)
        heard.extend([await receive(), await receive()])

    calls_of(app)
    assert heard == [DISCONNECT, DISCONNECT]


def test_after_the_body_receive_waits_until_the_response_is_complete():
    order = []

    async def app(scope, receive, send):
        assert await receive() == received()
        listener = asyncio.create_task(receive())
        await turn()
        order.append(listener.done())
        await sending(START, body(more=True), body(b"x", more=True))(scope, receive, send)
        await turn()
        order.append(listener.done())
        await send(body())
        order.append(await listener)

    calls_of(app)
    assert order == [False, False, DISCONNECT]


def test_a_receive_that_times_out_loses_nothing():
    async def main():
        taken = []

        async def app(scope, receive, send):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(receive(), 60)
            taken.append(await asyncio.wait_for(receive(), 60))
            await sending(START, body())(scope, receive, send)

        served = Served(app)
        exchange = served.open(FakeStream())
        served.loop.call_later(90, exchange.body_received, b"late")
        await ended(exchange)
        assert taken == [received(b"late", more=True)]

    run(main())


# --- Held heads and slow clients -------------------------------------------------------------


def test_a_head_alone_goes_out_on_the_next_turn_for_server_sent_events():
    async def main():
        event = asyncio.Event()

        async def app(scope, receive, send):
            await send(START)
            await event.wait()
            await send(body(b"data: 1\n\n", more=True))
            await send(body())

        stream = FakeStream()
        exchange = Served(app).open(stream)
        await turn()
        assert stream.calls == [("head", 200, b"")]
        event.set()
        await ended(exchange)
        assert stream.calls[1:] == [("body", b"data: 1\n\n"), ("end",)]

    run(main())


def test_a_head_and_a_body_in_one_turn_are_one_write():
    assert calls_of(sending(START, body(b"a"))) == [("respond", 200, b"a")]
    assert calls_of(sending(START, body(b"a", more=True), body())) == [
        ("head", 200, b"a"),
        ("end",),
    ]


def test_send_goes_on_waiting_where_a_drained_stream_is_full_again():
    async def main():
        stream, sent = FakeStream(), []

        async def app(scope, receive, send):
            await sending(START, body(b"a", more=True))(scope, receive, send)
            sent.append("a")
            await send(body(b"b"))

        stream.full = True
        exchange = Served(app).open(stream)
        await turn()
        exchange.drained()
        await turn()
        assert sent == []
        stream.full = False
        exchange.drained()
        await ended(exchange)
        assert stream.calls[-2:] == [("body", b"b"), ("end",)]

    run(main())
