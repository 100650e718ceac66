"""The signals that ask for a stop, where the event loop may be deaf.

While an application is imported, and wherever it blocks, the loop hears nothing; then asking again
is the way out. This module must not know what a stop is.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

_DEAF = 1.0
"""Seconds in which the loop takes up what it is asked for, unless something blocks it."""


class Asked:
    """Calls `stop` in the reactor's thread for every signal; it is a handler of signals.

    One that comes when another was not taken up for a second has its default action: it ends the
    process. `now` is the time in seconds.
    """

    def __init__(
        self, reactor: Any, stop: Callable[[], None], now: Callable[[], float] = time.monotonic
    ) -> None:
        self._reactor = reactor
        self._stop = stop
        self._now = now
        self._since: float | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """The signal `number` has come."""
        now = self._now()
        if self._since is None:
            self._since = now
        elif now - self._since >= _DEAF:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self._reactor.callFromThread(self._taken)

    def _taken(self) -> None:
        self._since = None
        self._stop()
