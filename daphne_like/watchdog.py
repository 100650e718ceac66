"""The watchdog: a thread that notices a blocked event loop, and tells where it is.

The loop has a pulse: a timer, which writes down when its next beat is due. The thread looks at
that number now and then. This module must not know what the loop serves.
"""

from __future__ import annotations

import logging
import math
import sys
import threading
import time
import traceback
from collections.abc import Callable
from types import FrameType

from daphne_like.clock import Clock, DelayedCall
from daphne_like.exposition import Histogram

_logger = logging.getLogger("daphne_like.watchdog")

_PARTS = 2
"""Beats, and looks, in the time that the loop may be blocked. More would tell the time of a block
more exactly, and cost more while there is none."""

_FRAMES = 30
"""Of a stack, as many calls are shown; the innermost matter."""

LAGS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Bounds of the lag's histogram, in seconds."""


class Pulse:
    """The loop's part: a beat every `seconds`, of which it is noted how late it came.

    ``due`` is when the next beat has to come, by `now`; ``lag`` is how late the last one came,
    ``worst`` the latest, ``lags`` all of them, ``blocked`` the last that was `blocking` seconds
    late or more.
    """

    def __init__(
        self, clock: Clock, seconds: float, blocking: float, now: Callable[[], float]
    ) -> None:
        self._clock = clock
        self._seconds = seconds
        self._blocking = blocking
        self._now = now
        self._next: DelayedCall | None = None
        self.due = math.inf
        self.lag = self.worst = self.blocked = 0.0
        self.lags = Histogram(LAGS)
        self.thread = 0
        self.depth = 0

    def start(self) -> None:
        """Beat, in the thread that this is called in, until it is stopped."""
        self.thread = threading.get_ident()
        # The first beat is due at once: it sees the loop's own calls, before there are others.
        self._expect(0.0)

    def stop(self) -> None:
        """Beat no more: nothing is due."""
        self.due = math.inf
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _expect(self, seconds: float) -> None:
        self.due = self._now() + seconds
        self._next = self._clock.callLater(seconds, self._beat)

    def _beat(self) -> None:
        lag = self.lag = max(self._now() - self.due, 0.0)
        self.lags.observe(lag)
        self.worst = max(self.worst, lag)
        if lag >= self._blocking:
            self.blocked = lag
        if not self.depth:
            # Outside of us is what is outside of everything that the loop calls: its own frames.
            self.depth = len(list(traceback.walk_stack(sys._getframe()))) - 1
        self._expect(self._seconds)


class Watchdog:
    """Tells once of each time that the event loop is blocked for `seconds`, and of its end.

    ``blocks`` counts them, ``blocked`` adds up their seconds when they are over. Time is
    `now`'s, as a thread may call it; `cpu` is the processor's time that this process has used.
    """

    def __init__(
        self,
        clock: Clock,
        seconds: float,
        *,
        now: Callable[[], float] = time.monotonic,
        cpu: Callable[[], float] = time.process_time,
        ended: threading.Event | None = None,
    ) -> None:
        self.blocks = 0
        self.blocked = 0.0
        self.pulse = Pulse(clock, seconds / _PARTS, seconds, now)
        self._seconds = seconds
        self._interval = seconds / _PARTS
        self._now = now
        self._cpu = cpu
        self._ended = ended or threading.Event()
        self._told: float | None = None
        self._since = -math.inf
        self._looked, self._used = now(), cpu()

    def start(self) -> None:
        """Watch the loop that runs in this thread; the process does not wait for the watchdog."""
        self.pulse.start()
        self._looked, self._used = self._now(), self._cpu()
        threading.Thread(target=self.watch, name="daphne_like.watchdog", daemon=True).start()

    def stop(self) -> None:
        """Watch no more."""
        self.pulse.stop()
        self._ended.set()

    def watch(self) -> None:
        """What the thread does: look, until it is told to end."""
        while not self._ended.wait(self._interval):
            self.look()

    def look(self) -> None:
        """Look at the pulse, and tell what there is to tell."""
        now = self._now()
        if self._stood_still(now):
            self._since = now
        due = self.pulse.due
        if self._told is not None and due != self._told:
            self._tell_of_end()
        overdue = now - max(due, self._since)
        if overdue >= self._seconds and self._told is None:
            self._tell(due, overdue)

    def _stood_still(self, now: float) -> bool:
        """Whether the whole process was stopped or suspended, and not the loop alone blocked.

        Then we too come late, and nothing of the process has run. Where something has, it kept
        the interpreter to itself, and the loop was blocked.
        """
        late = now - self._looked - self._interval
        cpu = self._cpu()
        ran, self._used, self._looked = cpu - self._used, cpu, now
        return late > self._interval / 2 and ran < late / 2

    def _tell(self, due: float, overdue: float) -> None:
        calls = calls_of(self.pulse.thread)
        if self.pulse.due != due:
            return  # It has gone on meanwhile: these are other calls.
        self._told = due
        self.blocks += 1
        what = (
            "The event loop has been blocked for %.1f s, and serves nobody meanwhile. It is at:\n%s"
        )
        _logger.warning(what, overdue, written(calls, self.pulse.depth))

    def _tell_of_end(self) -> None:
        self._told = None
        if self.pulse.due == math.inf:
            return  # It was stopped.
        self.blocked += self.pulse.blocked
        _logger.warning("The event loop goes on: it was blocked for %.1f s", self.pulse.blocked)


Calls = list[tuple[FrameType, int]]
"""The calls that a thread is in, the innermost first, each with its line."""


def calls_of(thread: int) -> Calls:
    """Where a thread is; nothing here lets go of the interpreter, so it stays there so long.

    ``sys._current_frames`` is public in spite of its name ("most useful for debugging
    deadlock", says the library's reference); it is called here and nowhere else.
    """
    frame = sys._current_frames().get(thread)
    return [] if frame is None else list(traceback.walk_stack(frame))


def written(calls: Calls, outer: int) -> str:
    """As in a traceback, without the `outer` outermost calls unless there are no others."""
    shown = (calls[: max(len(calls) - outer, 0)] or calls)[:_FRAMES]
    return "".join(traceback.StackSummary.extract(reversed(shown)).format()).rstrip()
