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
"""Seconds between two closes, or two groups of them: few sockets are closed in no time."""


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
        self._end = 0.0

    def add(self, socket: Leaving) -> None:
        """Close `socket` when its turn comes."""
        if not self._waiting:
            self._end = self._clock.seconds() + self._seconds
            self._clock.callLater(0, self._close_some)
        self._waiting.append(socket)

    def _close_some(self) -> None:
        waiting = self._waiting
        ticks = max(1, math.ceil((self._end - self._clock.seconds()) / _TICK))
        for _ in range(math.ceil(len(waiting) / ticks)):
            waiting.popleft().leave(self.code)
        if waiting:
            self._clock.callLater(_TICK, self._close_some)
