"""Counting what may happen too often to be logged each time.

This module must not know what is counted, nor who logs it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from daphne_like.clock import Clock, DelayedCall

ONE_BY_ONE = 20
"""Log lines of a kind in a while that tell of one client or request each; then, how many."""


def and_others(told: int) -> str:
    """The end of a line that tells of `told` things by the last of them."""
    return f", and {told - 1} others before" if told > 1 else ""


class Tally:
    """Counts what may happen too often to be logged each time.

    The first `most` are told at once, the next when `seconds` have passed since the first of
    them, with all in between.
    """

    def __init__(self, now: Callable[[], float], seconds: float = 10.0, most: int = 1) -> None:
        self._now = now
        self._seconds = seconds
        self._most = most
        self._began = -math.inf
        self._told = 0
        self._untold = 0

    def count(self) -> int:
        """Count one more; how many are to be told now, 0 where it is too early."""
        self._untold += 1
        now = self._now()
        if now - self._began >= self._seconds:
            self._began = now
            self._told = 0
        if self._told == self._most:
            return 0
        self._told += 1
        return self.rest()

    def rest(self) -> int:
        """How many nobody was told of; from now on they count as told."""
        untold, self._untold = self._untold, 0
        return untold

    def left(self) -> float:
        """Seconds until more are told at once."""
        return max(0.0, self._began + self._seconds - self._now())


class Bucket:
    """What a peer may do `burst` times in a row, and `rate` times a second in the long run."""

    __slots__ = ("_burst", "_left", "_now", "_rate", "_since")

    def __init__(self, now: Callable[[], float], burst: int, rate: int) -> None:
        self._now = now
        self._burst = self._left = float(burst)
        self._rate = rate
        self._since = now()

    def take(self) -> bool:
        """Count one; ``False`` where it is one too many."""
        now = self._now()
        self._left = min(self._burst, self._left + (now - self._since) * self._rate)
        self._since = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Flood:
    """A tally that has the last word: what it keeps is told when its time is over.

    A timer is in the clock only while there is something to tell; `tell` is called with how
    many it is.
    """

    def __init__(self, clock: Clock, tell: Callable[[int], None], most: int = 1) -> None:
        self._clock = clock
        self._tell = tell
        self._tally = Tally(clock.seconds, most=most)
        self._armed: DelayedCall | None = None

    def count(self) -> int:
        """Count one more; how many the caller is to tell now, 0 where it is too early."""
        told = self._tally.count()
        if not told and self._armed is None:
            self._armed = self._clock.callLater(self._tally.left(), self._over)
        return told

    def end(self) -> None:
        """Tell now what is left to tell: nothing is left in the clock."""
        if self._armed is not None:
            self._armed.cancel()
            self._over()

    def _over(self) -> None:
        self._armed = None
        if untold := self._tally.rest():
            self._tell(untold)
