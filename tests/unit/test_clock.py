"""Time: the loop's clock, and the timer that moves without being cancelled."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from twisted.internet.task import Clock

from daphne_like.clock import Deadline, LoopClock
from tests.unit.asgi.fakes import TimelessLoop, run


def test_the_loops_clock_has_its_time_and_its_timers() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, TimelessLoop)
        clock, began = LoopClock(loop), loop.time()
        called: list[tuple[str, float]] = []
        clock.callLater(5, lambda name: called.append((name, clock.seconds())), "later")
        clock.callLater(1, called.append, ("never", 0)).cancel()
        await asyncio.sleep(6)
        assert called == [("later", began + 5)]

    run(main())


class Timed:
    """A deadline on a clock that only the test moves; ``fired`` says when it has passed."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.fired: list[float] = []
        self.deadline = Deadline(self.clock, lambda: self.fired.append(self.clock.seconds()))

    @property
    def timers(self) -> int:
        return len(self.clock.getDelayedCalls())


class TestDeadline:
    def test_it_passes_once(self) -> None:
        timed = Timed()
        timed.deadline.set(5)
        timed.clock.advance(4)
        assert timed.fired == []
        timed.clock.advance(100)
        assert len(timed.fired) == 1
        assert timed.timers == 0

    def test_moving_it_later_costs_no_timer(self) -> None:
        timed = Timed()
        timed.deadline.set(5)
        armed = timed.clock.getDelayedCalls()
        for _ in range(4):
            timed.clock.advance(1)
            timed.deadline.set(5)
            assert timed.clock.getDelayedCalls() == armed
        timed.clock.advance(1)
        assert timed.fired == []
        timed.clock.advance(4)
        assert timed.fired == [9]

    def test_it_can_be_moved_to_an_earlier_time(self) -> None:
        timed = Timed()
        timed.deadline.set(50)
        timed.deadline.set(5)
        assert timed.timers == 1
        timed.clock.advance(5)
        assert timed.fired == [5]
        timed.clock.advance(50)
        assert timed.fired == [5]

    @pytest.mark.parametrize("unset", [lambda d: d.clear(), lambda d: d.set(None)])
    def test_it_can_be_taken_back(self, unset: Any) -> None:
        timed = Timed()
        timed.deadline.set(5)
        unset(timed.deadline)
        timed.clock.advance(5)
        assert timed.fired == []
        timed.deadline.set(5)
        timed.clock.advance(5)
        assert timed.fired == [10]

    def test_stopped_it_leaves_nothing_in_the_clock(self) -> None:
        timed = Timed()
        timed.deadline.stop()
        timed.deadline.set(5)
        timed.deadline.stop()
        assert timed.timers == 0

    def test_it_may_be_set_again_when_it_passes(self) -> None:
        clock = Clock()
        fired: list[float] = []

        def again() -> None:
            fired.append(clock.seconds())
            deadline.set(2)

        deadline = Deadline(clock, again)
        deadline.set(1)
        clock.pump([1, 2, 2])
        assert fired == [1, 3, 5]


class DeadlineWalk(RuleBasedStateMachine):
    """Against the plainest model of a deadline: a number."""

    def __init__(self) -> None:
        super().__init__()
        self.timed = Timed()
        self.due: float | None = None
        self.expected = 0

    @rule(seconds=st.integers(1, 20))
    def set(self, seconds: int) -> None:
        self.timed.deadline.set(seconds)
        self.due = self.timed.clock.seconds() + seconds

    @precondition(lambda self: self.due is not None)
    @rule()
    def clear(self) -> None:
        self.timed.deadline.clear()
        self.due = None

    @rule(seconds=st.integers(1, 20))
    def advance(self, seconds: int) -> None:
        for _ in range(seconds):
            self.timed.clock.advance(1)
            if self.due is not None and self.timed.clock.seconds() >= self.due:
                self.due = None
                self.expected += 1

    @invariant()
    def it_has_passed_as_often_as_it_was_due(self) -> None:
        assert len(self.timed.fired) == self.expected
        assert self.timed.timers <= 1


TestDeadlineWalk = DeadlineWalk.TestCase
