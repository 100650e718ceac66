"""Closing one after the other: all of them, evenly, and in time."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from daphne_like.asgi.ebb import Ebb


class Sea:
    """An ebb on a clock that only the test moves; ``left`` says when each socket was closed."""

    def __init__(self, seconds: float) -> None:
        self.clock = Clock()
        self.left: list[float] = []
        self.codes: set[int] = set()
        self.ebb = Ebb(self.clock, seconds, 1012)

    def leave(self, code: int) -> None:
        self.left.append(self.clock.seconds())
        self.codes.add(code)

    def add(self, count: int) -> None:
        for _ in range(count):
            self.ebb.add(self)

    def pass_by(self, seconds: float) -> None:
        self.clock.pump([0.001] * round(seconds * 1000))

    @property
    def is_still(self) -> bool:
        return self.clock.getDelayedCalls() == []


def test_a_socket_is_closed_in_the_next_turn_with_the_code() -> None:
    sea = Sea(5)
    sea.add(1)
    assert sea.left == []
    sea.clock.advance(0)
    assert (sea.left, sea.codes, sea.ebb.code) == ([0], {1012}, 1012)
    assert sea.is_still


@given(st.integers(1, 2000), st.sampled_from([0.0, 0.005, 0.1, 1.0]))
def test_all_are_closed_in_time_and_nothing_is_left_in_the_clock(
    count: int, seconds: float
) -> None:
    sea = Sea(seconds)
    sea.add(count)
    sea.pass_by(seconds + 0.02)
    assert len(sea.left) == count
    assert sea.is_still
    assert max(sea.left) <= seconds + 0.01


def test_many_are_closed_evenly() -> None:
    sea = Sea(1)
    sea.add(10_000)
    sea.pass_by(1.1)
    tenths = [sum(at <= moment < at + 0.1 for moment in sea.left) for at in (0, 0.2, 0.5, 0.8)]
    assert all(900 <= tenth <= 1100 for tenth in tenths)


def test_few_do_not_wait_for_the_end() -> None:
    sea = Sea(5)
    sea.add(10)
    sea.pass_by(0.01)
    assert len(sea.left) == 1, "the first at once"
    sea.pass_by(1)
    assert len(sea.left) == 10


def test_more_are_as_far_apart_as_the_time_lets_them() -> None:
    sea = Sea(30)
    sea.add(300)
    sea.pass_by(15)
    assert 148 <= len(sea.left) <= 152
    sea.pass_by(15.1)
    assert len(sea.left) == 300


def test_in_no_time_all_are_closed_at_once() -> None:
    sea = Sea(0)
    sea.add(100)
    sea.clock.advance(0)
    assert sea.left == [0] * 100


def test_a_socket_that_comes_later_is_closed_with_the_others() -> None:
    sea = Sea(1)
    sea.add(1000)
    sea.pass_by(0.5)
    sea.add(100)
    sea.pass_by(0.6)
    assert len(sea.left) == 1100


def test_after_its_end_it_begins_anew() -> None:
    sea = Sea(1)
    sea.add(1)
    sea.pass_by(3)
    sea.add(200)
    sea.pass_by(0.5)
    assert 0 < len(sea.left) - 1 < 200
    sea.pass_by(0.6)
    assert len(sea.left) == 201


@pytest.mark.parametrize("last", [True, False])
def test_one_that_closes_another_in_its_turn_does_not_disturb_it(last: bool) -> None:
    sea = Sea(1)
    added: list[Callable[[], None]] = [lambda: sea.add(1)]

    class Adding:
        def leave(self, code: int) -> None:
            added.pop()()

    sea.ebb.add(Adding())
    sea.add(0 if last else 5)
    sea.pass_by(1.1)
    assert len(sea.left) == (1 if last else 6)
    assert sea.is_still
