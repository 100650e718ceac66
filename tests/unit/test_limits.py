"""The limits: each with its unit and reason; and the timer that moves without being cancelled."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from twisted.internet.task import Clock

from daphne_like.clock import Deadline
from daphne_like.limits import LIMITS, Limits
from daphne_like.tally import Flood, Tally, and_others

each = pytest.mark.parametrize("item", dataclasses.fields(Limits), ids=lambda item: item.name)


UNITS = {"bytes", "bytes a second", "fields", "seconds", "connections", "requests", "sockets"}


@each
def test_a_limit_says_its_unit_and_its_reason(item: dataclasses.Field[Any]) -> None:
    assert item.metadata["unit"] in UNITS
    assert item.metadata["reason"].endswith((".", ";", "after", "for"))
    assert all(flag.startswith("-") for flag in item.metadata["flags"])


@each
def test_a_limit_is_positive_or_there_is_none(item: dataclasses.Field[Any]) -> None:
    nothing = None if item.default is None else 0
    assert item.default == nothing or item.default > 0
    if item.default == 0:
        assert "0 for" in item.metadata["reason"]


def test_the_names_are_listed_in_their_order() -> None:
    assert LIMITS[0] == "head_size"
    assert len(LIMITS) == len(set(LIMITS)) == len(dataclasses.fields(Limits))


def test_limits_do_not_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Limits().head_size = 1  # type: ignore[misc]


def test_some_limits_only_work_together() -> None:
    limits = Limits()
    assert limits.keep_alive > 60, "load balancers keep idle connections for 60 s"
    assert limits.graceful_timeout < 30, "Kubernetes waits 30 s"
    assert limits.send_grace < limits.application_close_timeout
    assert limits.websocket_max_frame_size <= limits.websocket_max_message_size


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


def test_a_tally_tells_of_the_first_at_once_and_of_the_others_now_and_then() -> None:
    clock = Clock()
    tally = Tally(clock.seconds, 10)
    assert [tally.count() for _ in range(3)] == [1, 0, 0]
    clock.advance(9)
    assert tally.count() == 0
    clock.advance(1)
    assert [tally.count() for _ in range(2)] == [4, 0]


def test_a_tally_may_tell_of_the_first_few_each_time() -> None:
    clock = Clock()
    tally = Tally(clock.seconds, 10, most=2)
    assert [tally.count() for _ in range(4)] == [1, 1, 0, 0]
    clock.advance(10)
    assert [tally.count() for _ in range(3)] == [3, 1, 0]


def test_a_tally_can_be_asked_for_what_it_has_kept_and_for_how_long_it_will() -> None:
    clock = Clock()
    tally = Tally(clock.seconds, 10)
    assert [tally.count() for _ in range(3)] == [1, 0, 0]
    clock.advance(4)
    assert (tally.left(), tally.rest(), tally.rest()) == (6, 2, 0)
    clock.advance(7)
    assert tally.left() == 0


def test_a_flood_tells_what_it_has_kept_when_its_time_is_over() -> None:
    clock, told = Clock(), list[int]()
    flood = Flood(clock, told.append)
    assert flood.count() == 1
    assert clock.getDelayedCalls() == []
    clock.advance(4)
    assert [flood.count() for _ in range(3)] == [0, 0, 0]
    clock.advance(5)
    assert told == []
    clock.advance(1)
    assert told == [3]
    assert clock.getDelayedCalls() == []
    assert flood.count() == 1


def test_a_flood_that_ends_tells_it_at_once() -> None:
    clock, told = Clock(), list[int]()
    flood = Flood(clock, told.append, most=2)
    flood.end()
    assert [flood.count() for _ in range(3)] == [1, 1, 0]
    flood.end()
    flood.end()
    assert (told, clock.getDelayedCalls()) == ([1], [])


def test_a_flood_tells_nothing_twice() -> None:
    clock, told = Clock(), list[int]()
    flood = Flood(clock, told.append)
    assert [flood.count() for _ in range(2)] == [1, 0]
    clock.rightNow += 10  # The next comes before the timer does.
    assert flood.count() == 2
    clock.advance(0)
    assert (told, clock.getDelayedCalls()) == ([], [])


def test_a_line_says_how_many_others_it_tells_of() -> None:
    assert [and_others(told) for told in (1, 2, 11)] == [
        "",
        ", and 1 others before",
        ", and 10 others before",
    ]
