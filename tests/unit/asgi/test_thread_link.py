"""Between a thread and the loop: what is asked, what is told, and how either may fail."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from typing import Any

import pytest

from daphne_like.asgi.thread_link import Link
from daphne_like.asgi.threads import Threads
from daphne_like.errors import ClientDisconnected
from tests.unit.asgi.fakes import turn
from tests.unit.asgi.threads import PATIENCE, Gate, run_for_real


class Linked:
    """A link whose thread does what the test says; ``said`` is what the loop has done for it."""

    def __init__(self) -> None:
        self.link = Link()
        self.threads = Threads(1, "link")
        self.said: list[str] = []

    async def run(self, work: Any) -> None:
        loan = self.threads.lend()
        try:
            await self.link.run(loan, work)
        finally:
            loan.over()

    def call(self, word: str, error: Exception | None = None) -> Any:
        async def called() -> str:
            await asyncio.sleep(0)
            self.said.append(word)
            if error is not None:
                raise error
            return word.upper()

        return called


def linked(main: Any) -> None:
    async def whole() -> None:
        at = Linked()
        await main(at)
        await at.threads.close(PATIENCE)

    run_for_real(whole())


def test_the_loop_does_what_the_thread_says_in_its_order():
    async def main(at):
        answers = []

        def work():
            answers.append(at.link.ask(at.call("a")))
            at.link.tell(at.call("b"))
            answers.append(at.link.ask(at.call("c")))
            at.link.tell(at.call("d"), last=True)

        await at.run(work)
        assert (at.said, answers) == (["a", "b", "c", "d"], ["A", "C"])

    linked(main)


def test_who_asks_hears_of_the_failure_and_may_go_on():
    async def main(at):
        def work():
            with pytest.raises(KeyError, match="no"):
                at.link.ask(at.call("a", KeyError("no")))
            at.link.ask(at.call("b"))

        await at.run(work)
        assert at.said == ["a", "b"]

    linked(main)


def test_what_is_told_and_fails_is_raised_at_the_end():
    async def main(at):
        def work():
            at.link.tell(at.call("a", KeyError("no")))
            at.link.tell(at.call("b"))
            at.link.tell(at.call("c", ValueError("too late")), last=True)

        with pytest.raises(KeyError, match="no"):
            await at.run(work)
        assert at.said == ["a", "b", "c"]

    linked(main)


def test_what_the_thread_raises_is_raised_when_all_is_done_and_comes_first():
    async def main(at):
        def work():
            at.link.tell(at.call("a", KeyError("no")), last=True)
            raise ValueError("its own")

        with pytest.raises(ValueError, match="its own"):
            await at.run(work)
        assert at.said == ["a"]

    linked(main)


def test_several_threads_of_an_application_may_ask():
    async def main(at):
        def work():
            others = [threading.Thread(target=at.link.ask, args=[at.call(word)]) for word in "abcd"]
            for other in others:
                other.start()
            for other in others:
                other.join(PATIENCE)

        await at.run(work)
        assert sorted(at.said) == ["a", "b", "c", "d"]

    linked(main)


def test_another_thread_that_goes_on_asking_hears_that_it_is_over():
    async def main(at):
        asked = threading.Event()

        async def slow():
            asked.set()
            await asyncio.sleep(0)

        def ask_on():
            while True:
                at.link.ask(slow)

        def ask():
            with pytest.raises(ClientDisconnected):
                ask_on()
            heard.set()

        def work():
            threading.Thread(target=ask).start()
            assert asked.wait(PATIENCE)

        heard = threading.Event()
        await at.run(work)
        assert await asyncio.to_thread(heard.wait, PATIENCE)

    linked(main)


def test_a_thread_whose_request_is_cancelled_hears_of_it_when_it_asks():
    async def main(at):
        gate, heard = Gate(), []

        def work():
            gate()
            for say in (at.link.ask, at.link.tell):
                try:
                    say(at.call("a"))
                except ClientDisconnected as error:
                    heard.append(str(error))
            done.set()

        done = threading.Event()
        task = asyncio.ensure_future(at.run(work))
        await gate.reached()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        gate.open()
        assert await asyncio.to_thread(done.wait, PATIENCE)
        assert heard == ["nobody waits for the request any more"] * 2
        assert at.said == []

    linked(main)


def test_a_request_that_is_cancelled_before_its_turn_does_not_begin():
    async def main(at):
        gate, begun = Gate(), []
        first = asyncio.ensure_future(at.run(gate))
        await gate.reached()
        loan = at.threads.lend()
        second = asyncio.ensure_future(Link().run(loan, lambda: begun.append("second")))
        await turn()
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        loan.over()
        gate.open()
        await first
        third = at.threads.lend()
        await Link().run(third, lambda: begun.append("third"))
        third.over()
        assert begun == ["third"]

    linked(main)


def test_a_thread_that_waits_for_its_answer_when_the_request_is_cancelled_hears_of_it():
    async def main(at):
        asked, heard = asyncio.Event(), threading.Event()

        async def never():
            asked.set()
            await asyncio.Event().wait()

        def work():
            with pytest.raises(ClientDisconnected, match="the request is over"):
                at.link.ask(never)
            heard.set()

        task = asyncio.ensure_future(at.run(work))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(heard.wait, PATIENCE)

    linked(main)


def test_a_thread_may_end_when_there_is_no_loop_any_more():
    gate, ends = Gate(), []

    class Loan:
        """One whose thread is the test's."""

        def submit(self, work: Any, *arguments: Any) -> Future[Any]:
            ends.append(threading.Thread(target=work, args=arguments))
            ends[0].start()
            return Future()

    async def main():
        task = asyncio.ensure_future(Link().run(Loan(), gate))  # type: ignore[arg-type]
        await gate.reached()
        tasks.append(task)

    tasks: list[Any] = []
    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    loop.close()
    gate.open()
    ends[0].join(PATIENCE)
    assert not ends[0].is_alive()
    tasks[0]._log_destroy_pending = False
    tasks[0].get_coro().close()
