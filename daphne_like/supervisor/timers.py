"""Calls to come, for a loop that is not an event loop: a :class:`Clock`.

This module must not know what is called.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


class Timer:
    """One call to come."""

    def __init__(self, at: float, call: Callable[[], object]) -> None:
        self.at = at
        self.call = call
        self.cancelled = False

    def cancel(self) -> None:
        """Do not call."""
        self.cancelled = True


class Timers:
    """Calls what is due whenever it is told to look; there are few."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.seconds = now
        self._timers: list[Timer] = []

    def callLater(self, delay: float, callable: Callable[..., object], *args: Any) -> Timer:
        """Call `callable` in `delay` seconds, or soon after."""
        timer = Timer(self.seconds() + delay, lambda: callable(*args))
        self._timers.append(timer)
        return timer

    def look(self) -> None:
        """Call what is due."""
        now = self.seconds()
        due = [timer for timer in self._timers if timer.at <= now]
        self._timers = [timer for timer in self._timers if timer.at > now]
        for timer in due:
            if not timer.cancelled:
                timer.call()
