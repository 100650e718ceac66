"""How HTTP exchanges end: clients that leave, applications that fail, time that is over."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from daphne_like.errors import ClientDisconnected
from daphne_like.exchange import Record
from daphne_like.limits import Limits
from tests.unit.asgi.fakes import (
    DISCONNECT,
    FAILED,
    START,
    FakeStream,
    Served,
    body,
    calls_of,
    ended,
    received,
    request,
    run,
    sending,
    start,
    turn,
)

# --- An application that goes on and on ---------------------------------------------------


def turns_during(message: Any, before: Any, times: int) -> int:
    """How often others have a turn while an application sends the same `times` times."""
    turns = 0

    async def app(scope, receive, send):
        for first in before:
            await send(first)
        await asyncio.sleep(0)
        began = turns
        for _ in range(times):
            await send(message)
        taken.append(turns - began)

    async def main() -> None:
        nonlocal turns
        exchange = Served(app, Limits(write_budget=10240)).open(FakeStream())
        while not exchange.task.done():
            await asyncio.sleep(0)
            turns += 1

    taken: list[int] = []
    run(main())
    return taken[0]


def test_who_streams_without_end_lets_others_have_a_turn_after_each_budget():
    piece = body(b"x" * 4096, more=True)
    assert turns_during(piece, [START], 2) == 0
    assert turns_during(piece, [START], 100) >= 30


def test_small_pieces_count_too():
    assert turns_during(body(b"x", more=True), [START], 100) >= 9


def test_who_sends_after_the_end_lets_others_have_their_turns():
    assert turns_during(body(b"x"), [START, body(b"x")], 10) == 10


def test_who_receives_after_the_end_lets_others_have_their_turns():
    async def app(scope, receive, send):
        await sending(START, body(b"x"))(scope, receive, send)
        while others < 3:
            await receive()

    async def main() -> None:
        nonlocal others
        exchange = Served(app).open(FakeStream())
        while not exchange.task.done():
            await asyncio.sleep(0)
            others += 1

    others = 0
    run(main())


# --- A client that leaves --------------------------------------------------------------------


def gone_during(app: Any, limits: Limits | None = None) -> Served:
    """The client leaves when `app` has come to its first pause."""

    async def main() -> Served:
        served, stream = Served(app, limits), FakeStream()
        exchange = served.open(stream)
        exchange.body_ended()
        await turn()
        stream.outcome = "lost"
        exchange.disconnected("gone")
        await ended(exchange)
        return served

    served: Served = run(main())
    return served


def told(**said: Any) -> Record:
    """The record of an exchange that has sent ten bytes when its stream is gone."""

    async def app(scope, receive, send):
        await send(START)
        if not said.get("refused"):
            await send(body(b"0123456789", more=True))
        await asyncio.sleep(1)

    async def main() -> Record:
        served, stream = Served(app), FakeStream()
        exchange = served.open(stream)
        if not said.get("refused"):
            await turn()
        stream.outcome = "lost"
        exchange.disconnected("gone", **said)
        await ended(exchange)
        return served.record

    record: Record = run(main())
    return record


def test_what_never_left_is_not_counted():
    assert [told(unsent=size).bytes_out for size in (0, 4, 99)] == [10, 6, 0]


def test_who_was_refused_in_its_body_has_not_left():
    record = told(refused=413)
    assert (record.status, record.outcome, record.bytes_out) == (413, "refused", 0)


def test_who_never_listens_is_told_at_once_by_an_os_error(caplog):
    sends = []

    async def app(scope, receive, send):
        await send(START)
        while True:
            await asyncio.sleep(1)
            sends.append(1)
            await send(body(b"x", more=True))

    assert gone_during(app).record.outcome == "disconnected"
    assert len(sends) == 1
    assert caplog.records == [], "the server's own error is not the application's"


def test_who_listens_sends_into_the_void_for_a_grace_and_then_is_told(caplog):
    times = []

    async def app(scope, receive, send):
        loop = asyncio.get_running_loop()
        began = loop.time()
        assert await receive() == received()
        listener = asyncio.create_task(receive())
        await send(START)
        while True:
            await asyncio.sleep(2)
            assert listener.done()
            times.append(loop.time() - began)
            await send(body(b"x", more=True))

    gone_during(app, Limits(send_grace=5))
    assert times == [2, 4, 6], "the client left at 0, the grace is over at 5"
    assert caplog.records == []


def test_who_has_heard_of_the_disconnect_may_finish_as_if_nothing_were():
    finished = []

    async def app(scope, receive, send):
        await receive()
        assert await receive() == DISCONNECT
        await sending(START, body(b"a", more=True), body())(scope, receive, send)
        finished.append(True)

    assert gone_during(app).record.outcome == "disconnected"
    assert finished


def test_who_listens_counts_as_such_from_the_moment_in_which_the_client_leaves():
    async def main():
        ready, sent = asyncio.Event(), []

        async def app(scope, receive, send):
            listener = asyncio.create_task(receive())
            await ready.wait()
            await send(START)
            sent.append(listener.done())
            await listener

        served, stream = Served(app), FakeStream()
        exchange = served.open(stream)
        await turn()
        ready.set()
        stream.outcome = "lost"
        exchange.disconnected("gone")
        await ended(exchange)
        assert sent

    run(main())


def test_who_sends_into_the_void_without_pause_stops_nobody_else():
    turns = []

    async def app(scope, receive, send):
        await receive()
        assert await receive() == DISCONNECT
        for number in range(10):
            asyncio.get_running_loop().call_soon(turns.append, number)
            await send(body(b"x", more=True))
            assert turns[-1] == number

    gone_during(app)
    assert len(turns) == 10


@pytest.mark.parametrize("mixed", [False, True])
def test_a_group_of_nothing_but_disconnections_is_no_error_of_the_application(mixed, caplog):
    async def app(scope, receive, send):
        await asyncio.sleep(1)
        try:
            await send(START)
        except ClientDisconnected as error:
            inner = ExceptionGroup("inner", [error])
            others = [ValueError("a real one")] if mixed else []
            raise ExceptionGroup("outer", [inner, *others]) from None

    gone_during(app)
    assert [record.message for record in caplog.records] == (
        ["Exception inside application: GET /"] if mixed else []
    )


def test_a_framework_may_say_it_in_its_own_words(caplog):
    async def app(scope, receive, send):
        await asyncio.sleep(1)
        try:
            await send(START)
        except OSError:
            raise LookupError("as Starlette's ClientDisconnect") from None

    gone_during(app)
    assert caplog.records == []


def test_an_error_of_the_applications_own_is_logged_though_the_client_has_left(caplog):
    async def app(scope, receive, send):
        await receive()
        assert await receive() == DISCONNECT
        raise LookupError("a bug in the cleaning up")

    gone_during(app)
    (record,) = caplog.records
    assert "a bug in the cleaning up" in str(record.exc_info[1])


def test_an_application_that_does_not_end_is_cancelled_when_its_time_is_over(caplog):
    ends = []

    async def app(scope, receive, send):
        began = asyncio.get_running_loop().time()
        try:
            await asyncio.sleep(1000)
        finally:
            ends.append(asyncio.get_running_loop().time() - began)

    served = gone_during(app, Limits(application_close_timeout=10))
    assert ends == [10]
    assert served.application.live == set()
    assert "took longer than 10 s" in caplog.text


# --- An application that fails ---------------------------------------------------------------


def failing(error: BaseException, *messages: Any) -> Any:
    async def app(scope, receive, send):
        await sending(*messages)(scope, receive, send)
        raise error

    return app


ENDINGS = [
    ([], [FAILED]),
    ([START], [FAILED]),
    ([START, body(b"a", more=True)], [("head", 200, b"a"), ("abort",)]),
    ([START, body(b"a")], [("respond", 200, b"a")]),
]


@pytest.mark.parametrize(("messages", "calls"), ENDINGS)
@pytest.mark.parametrize(
    "error",
    [ValueError("mine"), SystemExit(3), GeneratorExit(), ExceptionGroup("g", [OSError()])],
)
def test_an_error_gives_a_500_or_breaks_off_and_is_logged_once(error, messages, calls, caplog):
    assert calls_of(failing(error, *messages), target=b"/a\x1b?b") == calls
    (record,) = caplog.records
    assert record.getMessage() == r"Exception inside application: GET /a\x1b?b"
    assert record.exc_info is not None
    assert record.exc_info[1] is error


@pytest.mark.parametrize(("messages", "calls"), ENDINGS)
def test_to_return_without_finishing_is_to_fail(messages, calls, caplog):
    assert calls_of(sending(*messages)) == calls
    unfinished = calls[-1] == FAILED or calls[-1] == ("abort",)
    assert [record.message for record in caplog.records] == (
        ["The application returned without finishing its response to GET /"] if unfinished else []
    )


def test_a_cancelled_application_gives_a_500_too():
    async def main():
        stream, served = FakeStream(), Served(lambda *_: asyncio.sleep(60))
        exchange = served.open(stream)
        await turn()
        served.application.cancel()
        await ended(exchange)
        assert stream.calls == [FAILED]
        assert exchange.task.cancelled()
        assert served.record.outcome == "failed"

    run(main())


def test_a_500_of_ours_has_no_body_for_head_and_closes_the_connection():
    async def main():
        stream = FakeStream()
        calls = await Served(failing(ValueError())).get(request("HEAD"), stream)
        assert calls == [("respond", 500, b"")]
        assert stream.head.close

    run(main())


# --- Time ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("messages", "calls"),
    [
        ([], [("respond", 503, b"503 Service Unavailable\n")]),
        ([START, body(b"a", more=True)], [("head", 200, b"a"), ("abort",)]),
    ],
)
def test_a_late_exchange_is_answered_503_or_cut_and_its_application_told(messages, calls, caplog):
    async def main():
        heard = []

        async def app(scope, receive, send):
            await sending(*messages)(scope, receive, send)
            heard.append(await receive())

        stream, served = FakeStream(), Served(app)
        exchange = served.open(stream)
        await turn()
        exchange.drain()
        exchange.timed_out()
        await ended(exchange)
        assert (stream.calls, heard, served.record.outcome) == (calls, [DISCONNECT], "timed out")
        assert "GET / took longer than --http-timeout" in caplog.text

    run(main())


def test_the_application_of_a_late_exchange_is_cancelled_if_it_does_not_end():
    async def main():
        served = Served(lambda *_: asyncio.sleep(1000), Limits(application_close_timeout=10))
        exchange = served.open(FakeStream())
        await turn()
        exchange.timed_out()
        await ended(exchange)
        assert (served.record.duration, served.record.outcome) == (10, "timed out")

    run(main())


def test_the_record_says_what_happened_when():
    async def main():
        async def app(scope, receive, send):
            await asyncio.sleep(2)
            await sending(start(201), body(b"abc", more=True))(scope, receive, send)
            await asyncio.sleep(3)
            await send(body(b"d"))

        served = Served(app)
        asked = request()
        await served.get(asked)
        record = served.record
        assert (record.kind, record.request, record.status) == ("http", asked, 201)
        assert (record.first_byte, record.duration) == (2, 5)
        assert (record.bytes_in, record.bytes_out, record.outcome) == (0, 4, "complete")

    run(main())


@pytest.mark.parametrize(
    ("messages", "outcome"),
    [
        ([START, body(b"a")], "complete"),
        ([START, body(b"a", more=True), body()], "complete"),
        ([START, body(b"a", more=True)], "failed"),
        ([start(200, (b"content-length", b"2")), body(b"a")], "failed"),
        ([START], "failed"),
        ([], "failed"),
    ],
)
def test_the_record_says_how_it_ended(messages, outcome):
    async def main():
        served = Served(sending(*messages))
        await served.get()
        assert served.record.outcome == outcome

    run(main())


def test_the_record_of_a_client_that_left_first_has_no_status():
    async def app(scope, receive, send):
        await asyncio.sleep(1)

    record = gone_during(app).record
    assert (record.status, record.first_byte, record.outcome) == (None, None, "disconnected")
