"""Threads that are lent to requests: who gets one, for how long, and what else happens to them."""

from __future__ import annotations

import asyncio
import threading
from contextvars import ContextVar
from functools import partial
from typing import Any

import pytest
from asgiref.sync import ThreadSensitiveContext, async_to_sync, sync_to_async

from daphne_like.asgi import threads as module
from daphne_like.asgi.threads import Threads, ThreadSensitive
from daphne_like.errors import ConfigError
from tests.unit.asgi.fakes import START, FakeStream, Served, body, ended, turn
from tests.unit.asgi.sockets import connecting
from tests.unit.asgi.threads import PATIENCE, Gate, run_for_real

OK = [("respond", 200, b"ok")]
who: ContextVar[str] = ContextVar("who", default="nobody")


def name() -> str:
    return threading.current_thread().name


def fail() -> None:
    raise KeyError("its own error")


def called(loan: Any, *arguments: Any) -> asyncio.Future[Any]:
    return asyncio.wrap_future(loan.submit(*arguments))


# --- Loans -----------------------------------------------------------------------------------


def test_a_loan_takes_no_thread_before_it_needs_one_and_keeps_it_then():
    async def main():
        threads = Threads(2, "test")
        loans = [threads.lend() for _ in range(3)]
        assert name() not in {await called(loans[0], name) for _ in range(3)}
        assert {await called(loans[0], name) for _ in range(3)} == {"test-0"}
        assert await called(loans[1], name) == "test-1"
        for loan in loans:
            loan.over()
        await threads.close(1)

    run_for_real(main())


def test_a_thread_that_is_given_back_is_lent_again_and_no_other_started():
    async def main():
        threads = Threads(2, "test")
        for _ in range(5):
            loan = threads.lend()
            assert await called(loan, name) == "test-0"
            loan.over()
        await threads.close(1)

    run_for_real(main())


def test_calls_have_arguments_and_results_and_raise():
    async def main():
        threads = Threads(1, "test")
        loan = threads.lend()
        assert await called(loan, partial(int, base=2), "101") == 5
        assert await asyncio.wrap_future(loan.submit(int, "11", base=3)) == 4
        with pytest.raises(KeyError, match="its own error"):
            await called(loan, fail)
        with pytest.raises(SystemExit):
            await called(loan, partial(exit, 3))
        with pytest.raises(RuntimeError, match="raised StopIteration") as caught:
            await called(loan, partial(next, iter(())))
        assert isinstance(caught.value.__cause__, StopIteration)
        assert await called(loan, name) == "test-0"
        loan.over()
        await threads.close(1)

    run_for_real(main())


def test_who_finds_all_threads_lent_waits_and_the_one_that_waits_longest_is_next():
    async def main():
        threads, gate = Threads(1, "test"), Gate()
        busy, *waiting = [threads.lend() for _ in range(4)]
        first = called(busy, gate)
        await gate.reached()
        results = [called(loan, name) for loan in waiting for _ in range(2)]
        gate.open()
        assert await first == "test-0"
        await turn()
        assert not any(result.done() for result in results)
        for loan in (busy, *waiting):
            loan.over()
        assert await asyncio.gather(*results) == ["test-0"] * 6
        await threads.close(1)

    run_for_real(main())


def test_a_call_that_is_cancelled_while_it_waits_is_never_made_and_leaves_the_queue():
    async def main():
        threads, gate, calls = Threads(1, "test"), Gate(), []
        busy, cancelled, other = [threads.lend() for _ in range(3)]
        first = called(busy, gate)
        waiting = called(cancelled, calls.append, "cancelled")
        waiting.cancel()
        await turn()
        cancelled.over()
        last = called(other, name)
        gate.open()
        await first
        busy.over()
        assert await last == "test-0"
        other.over()
        await threads.close(1)
        assert calls == []

    run_for_real(main())


def test_a_call_that_is_cancelled_does_not_take_its_requests_turn():
    async def main():
        threads, gate, calls = Threads(1, "test"), Gate(), []
        busy, other = threads.lend(), threads.lend()
        first = called(busy, gate)
        cancelled, waiting = called(other, calls.append, 1), called(other, calls.append, 2)
        cancelled.cancel()
        await turn()
        gate.open()
        await first
        busy.over()
        await waiting
        other.over()
        await threads.close(1)
        assert calls == [2]

    run_for_real(main())


def test_a_thread_that_hangs_is_not_given_to_the_next():
    async def main():
        threads, gate = Threads(2, "test"), Gate()
        hanging = threads.lend()
        result = called(hanging, gate)
        await gate.reached()
        hanging.over()
        for _ in range(3):
            loan = threads.lend()
            assert await called(loan, name) == "test-1"
            loan.over()
        gate.open()
        assert await result == "test-0"
        loans = [threads.lend() for _ in range(2)]
        assert {await called(loan, name) for loan in loans} == {"test-0", "test-1"}
        for loan in loans:
            loan.over()
        await threads.close(1)

    run_for_real(main())


def test_what_outlives_its_request_waits_its_turn_and_takes_a_thread_for_each_call():
    async def main():
        threads, gate = Threads(1, "test"), Gate()
        busy, over = threads.lend(), threads.lend()
        first, queued = called(busy, gate), called(over, name)
        over.over()
        gate.open()
        await first
        busy.over()
        assert await queued == "test-0"
        assert await called(over, name) == "test-0"
        other = threads.lend()
        assert await called(other, name) == "test-0"
        other.over()
        await threads.close(1)

    run_for_real(main())


# --- The end ---------------------------------------------------------------------------------


def test_threads_end_when_they_are_closed_and_are_started_no_more():
    async def main():
        threads = Threads(2, "ending")
        loan, late = threads.lend(), threads.lend()
        running = called(loan, name)
        await threads.close(30)
        assert await running == "ending-0"
        for thread in threading.enumerate():
            if thread.name.startswith("ending"):
                thread.join(PATIENCE)  # It has said its last word.
                assert not thread.is_alive()
        with pytest.raises(RuntimeError, match="the server stops"):
            late.submit(name)
        late.over()

    run_for_real(main())


def test_none_that_were_started_are_none_to_wait_for():
    run_for_real(Threads(2, "test").close(30))


def test_one_that_hangs_is_left_behind_and_may_end_when_there_is_no_loop(caplog):
    gate = Gate()

    async def main():
        threads = Threads(2, "stuck")
        called(threads.lend(), gate)
        await called(threads.lend(), name)
        await gate.reached()
        await threads.close(0.01)

    run_for_real(main())
    assert caplog.messages == ["1 of the threads stuck-… do not end: left behind"]
    (thread,) = [each for each in threading.enumerate() if each.name == "stuck-0"]
    gate.open()
    thread.join(30)
    assert not thread.is_alive()
    assert len(caplog.records) == 1


# --- asgiref ---------------------------------------------------------------------------------


def sensitive(app: Any, most: int = 1) -> tuple[Served, Threads]:
    threads = Threads(most, "sync")
    return Served(ThreadSensitive(app, threads)), threads


async def answer(send: Any) -> None:
    await send(START)
    await send(body(b"ok"))


def test_synchronous_code_of_a_request_runs_in_one_of_the_threads():
    async def main():
        names = []

        async def app(scope, receive, send):
            names.extend([await sync_to_async(name)() for _ in range(2)])
            async with ThreadSensitiveContext():  # As Django does.
                names.append(await sync_to_async(name)())
            await answer(send)

        served, threads = sensitive(app)
        for _ in range(5):
            assert await served.get() == OK
        await threads.close(1)
        assert names == ["sync-0"] * 15

    run_for_real(main())


def test_asynchronous_requests_take_none():
    async def main():
        async def app(scope, receive, send):
            await answer(send)

        served, threads = sensitive(app)
        gate = Gate()
        loan = threads.lend()
        busy = called(loan, gate)
        assert await served.get() == OK
        gate.open()
        await busy
        loan.over()
        await threads.close(1)

    run_for_real(main())


def test_code_that_is_asynchronous_in_between_comes_back_to_the_same_thread():
    """As a synchronous middleware around an asynchronous view does."""

    async def main():
        def middleware():
            return name(), async_to_sync(view)()

        async def view():
            return threading.current_thread() is threading.main_thread(), await sync_to_async(
                name
            )()

        async def app(scope, receive, send):
            assert await sync_to_async(middleware)() == ("sync-0", (True, "sync-0"))
            await answer(send)

        served, threads = sensitive(app)
        assert await served.get() == OK
        await threads.close(1)

    run_for_real(main())


def test_context_variables_go_into_the_thread_and_come_back_and_stay_with_their_request():
    async def main():
        def view(visitor):
            found = who.get()
            who.set(visitor)
            return found

        async def app(scope, receive, send):
            assert await sync_to_async(view)("a") == "nobody"
            assert who.get() == "a"
            assert await sync_to_async(view)("b") == "a"
            await answer(send)

        served, threads = sensitive(app)
        for _ in range(2):
            assert await served.get() == OK
        await threads.close(1)

    run_for_real(main())


def test_an_exception_of_synchronous_code_is_the_applications():
    async def main():
        async def app(scope, receive, send):
            with pytest.raises(KeyError, match="its own error"):
                await sync_to_async(fail)()
            await answer(send)

        served, threads = sensitive(app)
        assert await served.get() == OK
        await threads.close(1)

    run_for_real(main())


def test_requests_beyond_the_threads_wait_and_one_that_is_cancelled_gives_its_place_up():
    async def main():
        gate = Gate()
        calls = [gate, name, name]

        async def app(scope, receive, send):
            await sync_to_async(calls.pop(0))()
            await answer(send)

        served, threads = sensitive(app)
        streams = [FakeStream() for _ in range(3)]
        exchanges = [served.open(stream) for stream in streams]
        await gate.reached()
        assert exchanges[1].task is not None
        exchanges[1].task.cancel()
        await ended(exchanges[1])
        gate.open()
        for exchange in (exchanges[0], exchanges[2]):
            await ended(exchange)
        assert [stream.calls[0][:2] for stream in streams] == [
            ("respond", 200), ("respond", 500), ("respond", 200),
        ]  # fmt: skip
        await threads.close(1)

    run_for_real(main())


def test_a_task_that_outlives_its_request_may_still_run_synchronous_code():
    async def main():
        background: list[asyncio.Task[str]] = []

        async def later():
            await over.wait()
            return await sync_to_async(name)()

        async def app(scope, receive, send):
            background.append(asyncio.ensure_future(later()))
            await answer(send)

        over = asyncio.Event()
        served, threads = sensitive(app)
        assert await served.get() == OK
        over.set()
        assert await background[0] == "sync-0"
        await threads.close(1)

    run_for_real(main())


def test_websockets_are_left_to_asgiref():
    async def main():
        names = []

        async def app(scope, receive, send):
            assert await receive() == {"type": "websocket.connect"}
            names.append(await sync_to_async(name)())
            await send({"type": "websocket.close"})

        threads = Threads(1, "sync")
        socket = await connecting(app=ThreadSensitive(app, threads))
        await socket.ended()
        assert len(names) == 1
        assert not names[0].startswith("sync-")

    run_for_real(main())


def test_an_asgiref_that_is_too_old_is_refused_with_what_to_do(monkeypatch):
    class Older:
        def __init__(self):
            raise NotImplementedError

    monkeypatch.setattr(module, "ThreadSensitiveContext", Older)
    with pytest.raises(ConfigError, match=r"--sync-threads needs asgiref 3\.13 or newer: pip"):
        ThreadSensitive(fail, Threads(1, "sync"))
