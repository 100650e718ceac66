"""Closing sockets one after the other, when the server stops.

Clients that are all closed at once all come back at once. This module must not know what a
socket is, nor how it is closed.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Protocol

from daphne_like.clock import Clock

_TICK = 0.01
"""Seconds between two groups of closes, where there are many."""

_APART = 0.1
"""Seconds between two closes at most: few sockets do not need all of the time."""


class Leaving(Protocol):
    """A socket that can be closed."""

    def leave(self, code: int) -> None:
        """Close with `code`."""


class Ebb:
    """Closes what it is given with `code`, evenly, within `seconds`."""

    def __init__(self, clock: Clock, seconds: float, code: int) -> None:
        self.code = code
        self._clock = clock
        self._seconds = seconds
        self._waiting: deque[Leaving] = deque()
        self._begun = 0.0
        self._in_all = self._closed = 0

    def add(self, socket: Leaving) -> None:
        """Close `socket` when its turn comes."""
        if not self._waiting:
            self._in_all = self._closed = 0
            self._begun = self._clock.seconds()
            self._clock.callLater(0, self._close_some)
        self._waiting.append(socket)
        self._in_all += 1

    def _close_some(self) -> None:
        """Close those whose turn has come, the first at once, and wait for the next."""
        passed = self._clock.seconds() - self._begun
        for _ in range(min(self._due(passed) - self._closed, len(self._waiting))):
            self._closed += 1
            self._waiting.popleft().leave(self.code)
        if self._waiting:
            next_at = self._closed * self._apart()
            self._clock.callLater(max(next_at - passed, _TICK), self._close_some)

    def _due(self, passed: float) -> int:
        """How many have to be closed when so many seconds have passed."""
        apart = self._apart()
        return self._in_all if apart <= 0 else 1 + math.floor(passed / apart + 1e-9)

    def _apart(self) -> float:
        return min(self._seconds / self._in_all, _APART)
