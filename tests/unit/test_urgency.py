"""A stop is taken up by the event loop, or asked for once more."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import pytest

from daphne_like import urgency
from daphne_like.urgency import Asked


class Loop:
    """A reactor that takes up what it is asked for when the test says so; time, and what ends."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[Callable[[], None]] = []
        self.callFromThread = self.calls.append
        self.events: list[Any] = []
        self.now = 100.0
        self.asked = Asked(self, lambda: self.events.append("stop"), lambda: self.now)
        monkeypatch.setattr(urgency.signal, "signal", lambda *how: self.events.append(how))
        monkeypatch.setattr(urgency.signal, "raise_signal", self.events.append)

    def takes_up(self) -> None:
        while self.calls:
            self.calls.pop(0)()

    def signal(self, number: int, seconds: float) -> None:
        self.now += seconds
        self.asked(number, None)


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Loop:
    return Loop(monkeypatch)


def test_every_signal_that_is_taken_up_asks_for_a_stop(loop: Loop) -> None:
    for _ in range(3):
        loop.signal(signal.SIGTERM, 50)
        loop.takes_up()
    assert loop.events == ["stop"] * 3


def test_signals_at_once_are_all_taken_up(loop: Loop) -> None:
    loop.signal(signal.SIGTERM, 0)
    loop.signal(signal.SIGTERM, 0.9)
    loop.takes_up()
    assert loop.events == ["stop"] * 2


def test_one_more_ends_the_process_where_the_first_was_not_taken_up_for_a_second(
    loop: Loop,
) -> None:
    loop.signal(signal.SIGTERM, 0)
    loop.signal(signal.SIGINT, 0.5)
    assert loop.events == []
    loop.signal(signal.SIGINT, 0.5)
    assert loop.events == [(signal.SIGINT, signal.SIG_DFL), signal.SIGINT]


def test_the_second_counts_from_the_first_that_is_waiting(loop: Loop) -> None:
    loop.signal(signal.SIGTERM, 0)
    loop.takes_up()
    loop.signal(signal.SIGTERM, 5)
    loop.signal(signal.SIGTERM, 0.5)
    assert loop.events == ["stop"]
