"""The watchdog: what it tells of a loop that is blocked, and when it holds its tongue."""

from __future__ import annotations

import logging
import math
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.task import Clock

from daphne_like.watchdog import Pulse, Watchdog, calls_of, written


class Ended:
    """An event that is set after `times` waits; it remembers how long they were to be."""

    def __init__(self, times: int = 0) -> None:
        self.left = times
        self.waits: list[float] = []

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self.left -= 1
        return self.left < 0

    def set(self) -> None:
        self.left = 0


class Kennel:
    """A watchdog for a loop that may be blocked for a second; it looks twice in one.

    Seconds pass for all (`pass_by`), for all but the loop (`block`), or for nobody in this
    process (`stand_still`). `busy` is how much of a second's processor time is used.
    """

    def __init__(self) -> None:
        self.loop = Clock()
        self.time = self.cpu = self.busy = 0.0
        self.dog = Watchdog(
            self.loop, 1.0, now=lambda: self.time, cpu=lambda: self.cpu, ended=Ended()
        )
        self.dog.pulse.start()
        self.loop.advance(0)

    def pass_by(self, seconds: float) -> None:
        for _ in range(int(seconds * 2)):
            self.time += 0.5
            self.loop.advance(0.5)
            self.dog.look()

    def block(self, seconds: float) -> None:
        for _ in range(int(seconds * 2)):
            self.time += 0.5
            self.dog.look()

    def go_on(self, seconds: float) -> None:
        """The loop has missed so many seconds."""
        self.loop.advance(seconds)
        self.pass_by(0.5)

    def stand_still(self, seconds: float) -> None:
        self.time += seconds
        self.cpu += seconds * self.busy


BLOCKED = "The event loop has been blocked for {:.1f} s, and serves nobody meanwhile. It is at:\n"


def test_a_loop_that_runs_gives_no_reason_to_bark(caplog):
    kennel = Kennel()
    kennel.pass_by(1000)
    assert caplog.messages == []
    assert (kennel.dog.blocks, kennel.dog.blocked) == (0, 0)


def test_a_blocked_loop_is_told_of_once_with_its_stack_and_its_end_with_the_time(caplog):
    kennel = Kennel()
    kennel.pass_by(5)
    kennel.block(7)
    kennel.go_on(7)
    kennel.pass_by(5)
    first, last = caplog.messages
    assert first.startswith(BLOCKED.format(1.0))
    assert "in _tell\n" in first
    assert last == "The event loop goes on: it was blocked for 6.5 s"
    assert {record.levelno for record in caplog.records} == {logging.WARNING}
    assert {record.name for record in caplog.records} == {"daphne_like.watchdog"}
    assert (kennel.dog.blocks, kennel.dog.blocked) == (1, 6.5)


def test_less_than_the_limit_is_nothing_to_tell(caplog):
    kennel = Kennel()
    kennel.block(1)
    kennel.go_on(1)
    assert caplog.messages == []
    assert kennel.dog.pulse.worst == 0.5


def test_the_next_time_is_told_of_again(caplog):
    kennel = Kennel()
    for _ in range(2):
        kennel.block(2)
        kennel.go_on(2)
    assert len(caplog.messages) == 4
    assert (kennel.dog.blocks, kennel.dog.blocked) == (2, 3.0)


def test_two_in_a_row_are_two(caplog):
    kennel = Kennel()
    kennel.block(2)
    kennel.loop.advance(2)
    kennel.block(2)
    assert [message[:26] for message in caplog.messages] == [
        "The event loop has been bl",
        "The event loop goes on: it",
        "The event loop has been bl",
    ]


def test_a_process_that_was_stopped_or_suspended_is_forgiven(caplog):
    kennel = Kennel()
    kennel.stand_still(3600)
    kennel.dog.look()
    kennel.go_on(3600)
    assert caplog.messages == []
    assert kennel.dog.blocks == 0


def test_one_that_is_blocked_after_it_was_stopped_is_not(caplog):
    kennel = Kennel()
    kennel.stand_still(3600)
    kennel.dog.look()
    kennel.block(0.5)
    assert caplog.messages == []
    kennel.block(0.5)
    assert [message.splitlines()[0] + "\n" for message in caplog.messages] == [BLOCKED.format(1.0)]


def test_code_that_keeps_the_interpreter_to_itself_is_told_of_afterwards(caplog):
    kennel = Kennel()
    kennel.busy = 0.9
    kennel.stand_still(5)
    kennel.dog.look()
    assert caplog.messages[0].startswith(BLOCKED.format(4.5))


def test_a_loop_that_goes_on_while_its_stack_is_taken_was_in_time(caplog, monkeypatch):
    kennel = Kennel()
    monkeypatch.setattr("daphne_like.watchdog.calls_of", lambda _: kennel.loop.advance(2))
    kennel.block(2)
    assert caplog.messages == []


def test_one_that_is_stopped_while_it_is_blocked_says_no_more(caplog):
    kennel = Kennel()
    kennel.block(2)
    kennel.dog.stop()
    kennel.dog.look()
    assert len(caplog.messages) == 1
    assert kennel.loop.getDelayedCalls() == []


def test_it_looks_twice_in_the_time_that_the_loop_may_be_blocked_until_it_ends():
    ended = Ended(3)
    dog = Watchdog(Clock(), 2.0, now=lambda: 0.0, cpu=lambda: 0.0, ended=ended)
    dog.watch()
    assert ended.waits == [1.0] * 4


def test_its_thread_does_not_keep_the_process_and_ends_with_it():
    dog = Watchdog(Clock(), 1000.0)
    before = set(threading.enumerate())
    dog.start()
    (thread,) = set(threading.enumerate()) - before
    assert (thread.name, thread.daemon) == ("daphne_like.watchdog", True)
    dog.stop()
    thread.join(10)
    assert not thread.is_alive()


# --- The pulse --------------------------------------------------------------------------------


def test_a_pulse_knows_how_late_its_beats_come():
    clock = Clock()
    pulse = Pulse(clock, 0.25, 1.0, clock.seconds)
    pulse.start()
    clock.advance(0)
    for late in (0.0, 0.5, 2.0, 0.125):
        clock.advance(0.25 + late)
        assert pulse.lag == late
        assert pulse.due == clock.seconds() + 0.25
    assert (pulse.worst, pulse.blocked) == (2.0, 2.0)
    assert (sum(pulse.lags.counts), pulse.lags.total) == (5, 2.625)


def test_a_beat_may_come_a_little_early_as_a_coarse_clock_lets_it():
    clock = Clock()
    pulse = Pulse(clock, 0.25, 1.0, lambda: clock.seconds() * 0.99)
    pulse.start()
    clock.advance(0)
    clock.advance(0.25)
    assert pulse.lag == 0


def test_a_pulse_that_has_not_begun_or_has_stopped_is_never_overdue():
    clock = Clock()
    pulse = Pulse(clock, 0.25, 1.0, clock.seconds)
    assert pulse.due == math.inf
    pulse.stop()
    pulse.start()
    pulse.stop()
    assert pulse.due == math.inf
    assert clock.getDelayedCalls() == []


def test_a_pulse_knows_what_is_outside_of_all_that_the_loop_calls():
    def outside(advance: Callable[[float], None]) -> None:
        advance(1)

    clock = Clock()
    pulse = Pulse(clock, 0.25, 1.0, clock.seconds)
    pulse.start()
    assert pulse.depth == 0
    outside(clock.advance)
    calls: list[str] = []
    clock.callLater(0, lambda: calls.append(stack_of(threading.get_ident(), pulse.depth)))
    outside(clock.advance)
    assert "in outside" not in calls[0]
    assert calls[0].splitlines()[0].endswith("in <lambda>")


# --- Stacks -----------------------------------------------------------------------------------


def stack_of(thread: int, outer: int) -> str:
    return written(calls_of(thread), outer)


class Waiting:
    """A thread that waits `depth` calls deep."""

    def __init__(self, depth: int) -> None:
        self.waits = threading.Event()
        self._done = threading.Event()
        self._depth = depth

    def __enter__(self) -> int:
        self._thread = threading.Thread(target=self._call, args=(self._depth,))
        self._thread.start()
        self.waits.wait(10)
        return self._thread.ident or 0

    def __exit__(self, *_: Any) -> None:
        self._done.set()
        self._thread.join(10)

    def _call(self, depth: int) -> None:
        if depth:
            self._call(depth - 1)
        else:
            self._wait_here()

    def _wait_here(self) -> None:
        self.waits.set()
        self._done.wait(10)


def test_a_stack_shows_where_another_thread_is():
    with Waiting(0) as thread:
        stack = stack_of(thread, 0)
    assert "in _wait_here\n" in stack
    assert not stack.endswith("\n")


def test_of_a_deep_stack_the_innermost_calls_are_shown():
    with Waiting(100) as thread:
        stack = stack_of(thread, 0)
    assert "in _wait_here\n" in stack
    assert "in run\n" not in stack


@pytest.mark.parametrize("outer", [1, 2, 3])
def test_the_outermost_calls_are_left_out(outer):
    with Waiting(10) as thread:
        whole, stack = stack_of(thread, 0), stack_of(thread, outer)
    assert whole.endswith(stack)
    assert whole.count("  File ") - stack.count("  File ") == outer


def test_a_thread_that_is_in_the_outermost_calls_itself_is_shown_there():
    with Waiting(0) as thread:
        assert stack_of(thread, 1000) == stack_of(thread, 0)


def test_a_thread_that_is_gone_has_no_stack():
    with Waiting(0) as thread:
        assert thread in sys._current_frames()
    assert stack_of(thread, 0) == ""
