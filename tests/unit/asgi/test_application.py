"""One application and its tasks: one for each request, and how they end when the server stops."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import Any

import pytest

from daphne_like.asgi.application import _awaited_by, counted, settle
from daphne_like.asgi.http import HTTPExchange
from daphne_like.limits import Limits
from tests.unit.asgi.fakes import (
    FAILED,
    START,
    FakeStream,
    Served,
    body,
    ended,
    request,
    run,
    sending,
    turn,
)

OK = [("respond", 200, b"ok")]
ok = sending(START, body(b"ok"))


# --- One task for each request ---------------------------------------------------------------

who: ContextVar[str] = ContextVar("who", default="nobody")


def test_each_request_starts_in_the_context_of_the_servers_start():
    """Even one that starts from within what its predecessor has sent, as a pipelined one does."""

    async def main():
        seen = []

        async def app(scope, receive, send):
            seen.append(who.get())
            who.set("the one before")
            await ok(scope, receive, send)

        class Pipelined(FakeStream):
            def respond(self, head, body):
                super().respond(head, body)
                following.append(served.open(FakeStream()))

        following: list[Any] = []
        who.set("the server")
        served = Served(app)
        who.set("changed since")
        await ended(served.open(Pipelined()))
        await ended(following[0])
        assert seen == ["the server", "the server"]

    run(main())


def test_each_request_is_a_real_task_of_its_own():
    async def main():
        tasks = []

        async def app(scope, receive, send):
            tasks.append(asyncio.current_task())
            async with asyncio.timeout(5):
                await ok(scope, receive, send)

        served = Served(app)
        exchanges = [served.open(FakeStream()) for _ in range(2)]
        for exchange in exchanges:
            await ended(exchange)
        assert tasks == [exchange.task for exchange in exchanges]

    run(main())


def test_state_and_root_path_reach_the_scope():
    async def main():
        scopes = []

        async def app(scope, receive, send):
            scopes.append(scope)
            await ok(scope, receive, send)

        served = Served(app, root_path="/mounted")
        served.application.state = {"pool": 1}
        await served.get()
        assert (scopes[0]["root_path"], scopes[0]["state"]) == ("/mounted", {"pool": 1})

    run(main())


def test_heads_of_many_requests_are_held_for_one_turn_together():
    async def main():
        async def app(scope, receive, send):
            await send(START)
            await asyncio.sleep(1)
            await send(body())

        served, streams = Served(app), [FakeStream(), FakeStream()]
        exchanges = [served.open(stream) for stream in streams]
        await turn()
        assert [stream.calls for stream in streams] == [[("head", 200, b"")]] * 2
        for exchange in exchanges:
            await ended(exchange)
        assert [stream.outcome for stream in streams] == ["complete"] * 2

    run(main())


def test_only_those_that_run_are_live():
    async def main():
        served = Served(ok)
        exchange = served.open(FakeStream())
        assert served.application.live <= {exchange}
        served.application.observers.clear()
        await ended(exchange)
        assert served.application.live == set()
        served.application.cancel_later(exchange)
        assert exchange.timer is None, "who has ended needs no timer"

    run(main())


def test_the_warning_before_a_cancellation_says_where_the_application_waits(caplog):
    async def main():
        async def wait_for_a_database():
            await asyncio.sleep(1000)

        async def app(scope, receive, send):
            await wait_for_a_database()

        served, stream = Served(app, Limits(application_close_timeout=7)), FakeStream()
        exchange = served.open(stream)
        await turn()
        stream.outcome = "lost"
        exchange.disconnected("gone")
        served.application.cancel_later(exchange)
        await ended(exchange)
        assert exchange.task.cancelled()

    run(main())
    (record,) = caplog.records
    assert "took longer than 7 s" in record.getMessage()
    assert "app > " in record.getMessage()
    assert record.getMessage().endswith("wait_for_a_database > sleep")


def test_what_a_compiled_coroutine_awaits_is_among_what_it_refers_to():
    coroutine = ok({}, None, None)
    assert _awaited_by([coroutine.__await__()]) is coroutine
    coroutine.close()
    assert _awaited_by([1]) is None


def test_an_exchange_whose_task_is_not_there_yet_is_not_cancelled(caplog):
    """As one that is answered while its task is being made."""

    async def main():
        served = Served(ok)
        exchange = HTTPExchange(served.application, request(), FakeStream())
        served.application.live.add(exchange)
        served.application.cancel_later(exchange)
        await asyncio.sleep(60)
        assert served.application.cancel() == []

    run(main())
    assert caplog.records == []


# --- Stopping --------------------------------------------------------------------------------


async def drained(served: Served, *seconds: float) -> float:
    began = served.loop.time()
    await served.application.drain(*seconds)
    return served.loop.time() - began


async def slow(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.sleep(3)
    await ok(scope, receive, send)


@pytest.mark.parametrize(
    ("requests", "seconds", "took", "calls"),
    [(0, 20, 0, []), (2, 20, 3, OK * 2), (2, 2, 2, [FAILED] * 2), (1, 0, 0, [FAILED])],
)
def test_draining_waits_for_those_that_are_live_and_cancels_the_late(
    requests, seconds, took, calls, caplog
):
    async def main():
        served, streams = Served(slow), [FakeStream() for _ in range(requests)]
        for stream in streams:
            served.open(stream)
        await turn()
        assert await drained(served, seconds) == took
        assert [call for stream in streams for call in stream.calls] == calls
        assert served.application.live == set()

    run(main())
    late = FAILED in calls
    assert [record.getMessage() for record in caplog.records] == (
        [f"{counted(calls, 'request')} did not finish in time: cancelled."] if late else []
    )


def test_draining_does_not_wait_for_ever_for_those_that_will_not_be_cancelled():
    async def main():
        async def stubborn(scope, receive, send):
            end = served.loop.time() + 100
            while served.loop.time() < end:
                try:
                    await asyncio.sleep(100)
                except asyncio.CancelledError:
                    continue

        served = Served(stubborn, Limits(application_close_timeout=10))
        exchange = served.open(FakeStream())
        await turn()
        assert await drained(served, 5) == 15
        assert await drained(served, 5, 0.5) == 5.5
        await ended(exchange)

    run(main())


def test_a_count_is_said_as_one_says_it():
    assert [counted(range(number), "request") for number in range(3)] == [
        "0 requests",
        "1 request",
        "2 requests",
    ]


def test_settling_a_future_twice_is_settling_it_once():
    async def main():
        future = asyncio.get_running_loop().create_future()
        settle(future)
        settle(future)
        assert await future is None

    run(main())


def test_a_duration_is_by_the_clock_that_is_given_though_the_loops_stands_still():
    async def main():
        ticks = iter(range(1, 100))
        served = Served(sending(START, body()), now=lambda: next(ticks))
        await served.get()
        return served.record

    record = run(main())
    assert 0 < record.first_byte < record.duration


def late(times: int) -> None:
    """A crowd of exchanges takes too long, and one a while later."""

    async def main() -> None:
        served = Served(lambda *_: asyncio.sleep(1000), Limits(application_close_timeout=7))
        for number in (times, 1):
            exchanges = [served.open(FakeStream()) for _ in range(number)]
            await turn()
            for exchange in exchanges:
                exchange.timed_out()
            for exchange in exchanges:
                await ended(exchange)
            await asyncio.sleep(60)

    run(main())


def test_of_a_crowd_that_is_late_the_log_says_how_many_there_were(caplog):
    late(30)
    for words in ("took longer than --http-timeout", "and is cancelled"):
        lines = [line for line in caplog.messages if words in line]
        assert len(lines) == 21
        assert lines[-1].endswith(", and 10 others before")
        assert not any("others" in line for line in lines[:-1])
