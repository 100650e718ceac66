"""Time as an argument, and the one timer that a connection needs.

This module must not know what is waited for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, TimerHandle


ROUND_TRIP = 1.0
"""Seconds in which what a client has sent arrives, before it can have heard of an end."""


class DelayedCall(Protocol):
    """What a clock gives for a call to come; Twisted's ``IDelayedCall``, as far as used."""

    def cancel(self) -> None:
        """Do not call."""


class Clock(Protocol):
    """Time as an argument; Twisted's ``IReactorTime``, as far as used."""

    def seconds(self) -> float:
        """The time now, in seconds since any fixed moment."""

    def callLater(self, delay: float, callable: Callable[..., object], *args: Any) -> DelayedCall:
        """Call `callable` in `delay` seconds."""


class LoopClock:
    """The event loop's time and timers, in Twisted's words.

    Twisted's own reactor follows the clock on the wall, which may jump, and keeps a cancelled
    call until its time would have come: one for each connection of the last half minute.
    """

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self.seconds = loop.time

    def callLater(self, delay: float, callable: Callable[..., object], *args: Any) -> TimerHandle:
        return self._loop.call_later(delay, callable, *args)


class Deadline:
    """One timer that is moved without being cancelled.

    Moving it later only writes a number: the timer that is armed finds out when it fires,
    and arms itself again. So a connection has one timer for its whole life, however many
    requests it carries.
    """

    __slots__ = ("_armed", "_armed_for", "_at", "_clock", "_expired", "_now")

    def __init__(self, clock: Clock, expired: Callable[[], None]) -> None:
        self._clock = clock
        self._now = clock.seconds
        self._expired = expired
        self._at: float | None = None
        self._armed: DelayedCall | None = None
        self._armed_for = 0.0

    def set(self, seconds: float | None) -> None:
        """Let `expired` be called in `seconds` from now, instead of what was set before."""
        if seconds is None:
            self._at = None
            return
        at = self._at = self._now() + seconds
        if self._armed is None or self._armed_for > at:
            self._arm(seconds, at)

    def clear(self) -> None:
        """Let nothing happen until `set` is called again."""
        self._at = None

    def stop(self) -> None:
        """Give the timer back: nothing is left in the clock."""
        self._at = None
        if self._armed is not None:
            self._armed.cancel()
            self._armed = None

    def end(self) -> None:
        """Give the timer back for good: what would have been called is let go of too."""
        self.stop()
        self._expired = _nothing

    def _arm(self, seconds: float, at: float) -> None:
        if self._armed is not None:
            self._armed.cancel()
        self._armed_for = at
        self._armed = self._clock.callLater(seconds, self._fire)

    def _fire(self) -> None:
        self._armed = None
        if self._at is None:
            return
        left = self._at - self._now()
        if left > 0:
            self._arm(left, self._at)
            return
        self._at = None
        self._expired()


def _nothing() -> None:
    """What an ended deadline calls."""
