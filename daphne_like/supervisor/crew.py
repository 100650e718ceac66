"""The crew: which workers there should be, and what to do about those that there are.

Decisions alone: processes are started and told by what it is given, and time is an argument.
This module must not know how a process is started, nor how its words arrive.
"""

from __future__ import annotations

import logging
import math
import signal
from collections import Counter
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import NamedTuple, Protocol

from daphne_like.errors import StartupError

_logger = logging.getLogger("daphne_like.supervisor")

_PAUSES = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds until a worker that died is started anew: the first at once, the last for ever."""

_GROWN_UP = 1.0
"""Seconds after which a worker's memory is looked at: what all have is no reason to replace one."""

_MOST_EXTENDED = 86400.0
"""Seconds that a worker may ask for at a time, more than any limit that makes sense."""

_LAST_MOMENT = 5.0
"""Seconds for a worker that was told to wait for nothing."""


STACKS = signal.SIGUSR2
"""On which a worker writes down where its threads are (``faulthandler``)."""


class Process(Protocol):
    """A process that was started."""

    pid: int

    def poll(self) -> int | None:
        """Its exit status, negative for a signal's; ``None`` while it runs."""

    def tell(self, number: int) -> None:
        """Send it a signal."""

    def resident(self) -> int:
        """Bytes of memory that it has; 0 where nobody tells."""

    def forget(self) -> None:
        """It is gone: let go of what was kept for it."""


class Terms(NamedTuple):
    """How long, and how large, a worker may be: seconds, bytes; 0 for no limit.

    While ``developing``, a worker that died is started anew when somebody has changed its code, and
    none before its predecessor has left.
    """

    starting: float
    leaving: float
    silence: float = 0.0
    lifetime: float = 0.0
    lifetime_jitter: float = 0.0
    resident: int = 0
    developing: bool = False


class State(StrEnum):
    """How far a worker is."""

    STARTING = "starting"
    READY = "ready"
    LEAVING = "leaving"


class Worker:
    """One worker as its supervisor sees it; times are the crew's."""

    def __init__(self, number: int, process: Process, now: float, lifetime: float) -> None:
        self.number = number
        self.process = process
        self.state = State.STARTING
        self.since = self.heard = now
        self.until = 0.0
        self.lifetime = lifetime

    def __str__(self) -> str:
        return f"Worker {self.number} (process {self.process.pid})"

    def enters(self, state: State, now: float) -> None:
        """It is in `state` from `now` on."""
        self.state, self.since = state, now


RELOAD = "reload"
"""Why a worker is replaced that does nothing wrong: its code is to be read anew."""


class Crew:
    """Keeps `wanted` workers; ``launch`` starts one, ``chance`` is a number from 0 to 1.

    ``verdict`` is the exit status that is right when it is ``over``.
    """

    def __init__(
        self,
        wanted: int,
        launch: Callable[[int], Process],
        terms: Terms,
        chance: Callable[[], float],
    ) -> None:
        self.wanted = wanted
        self.workers: list[Worker] = []
        self.verdict = 0
        self.stopping = False
        self._launch = launch
        self._terms = terms
        self._chance = chance
        self._due: dict[Worker, str] = {}
        self._replacing: tuple[Worker, Worker] | None = None
        self._failures: Counter[int] = Counter()
        self._start_after: dict[int, float] = {}
        self._proven = False

    # --- What it is told --------------------------------------------------------------------

    def look(self, now: float) -> None:
        """See who is gone or late, and who is missing."""
        for worker in list(self.workers):
            status = worker.process.poll()
            if status is None:
                self._look_at(worker, now)
            else:
                self._gone(worker, status, now)
        if not self.stopping:
            self._replace(now)
            self._fill(now)

    def hear(self, process: Process, words: Mapping[str, str], now: float) -> None:
        """A worker says something, in sd_notify's words."""
        for worker in self.workers:
            if worker.process is process:
                self._hear(worker, words, now)

    def _hear(self, worker: Worker, words: Mapping[str, str], now: float) -> None:
        worker.heard = now
        if words.get("READY") == "1" and worker.state is State.STARTING:
            self._ready(worker, now)
        worker.until = max(worker.until, now + _extended(words.get("EXTEND_TIMEOUT_USEC", "")))
        if words.get("STOPPING") == "1" and worker.state is State.READY:
            self._leaves(worker, now)  # By itself: its place is free from now on.
        if words.get("X_RETIRE") == "1":
            self._due.setdefault(worker, "it has served as many requests as it may")

    def reload(self, now: float) -> None:
        """Replace every worker, one after the other, each when its successor is ready."""
        for worker in self.workers:
            if worker.state is State.STARTING:
                self._leave(worker, now)  # Nobody knows which code it has read.
            elif worker.state is State.READY:
                self._due[worker] = RELOAD
        self._forgive()
        _logger.info("Reloading %s", counted(len(self._due)))

    def restart(self, now: float) -> None:
        """Let all leave at once, and start those that follow when they have."""
        self._forgive()
        for worker in self.workers:
            self._leave(worker, now)

    def grow(self, by: int, now: float) -> None:
        """Want more workers, or fewer: one there is at least."""
        self.wanted = max(1, self.wanted + by)
        _logger.info("Wanted: %s", counted(self.wanted))
        for worker in self.workers:
            if worker.number > self.wanted:
                self._leave(worker, now)

    def tell(self, number: int) -> None:
        """Send a signal to every worker that knows what it means by now."""
        for worker in self.workers:
            if worker.state is not State.STARTING:
                worker.process.tell(number)

    def stop(self, now: float) -> None:
        """Let all finish what they do, and leave."""
        self.stopping = True
        for worker in self.workers:
            self._leave(worker, now)

    def force(self, now: float) -> None:
        """Let all leave, and wait for nothing."""
        self.stop(now)
        for worker in self.workers:
            worker.process.tell(signal.SIGTERM)
            worker.until = now + _LAST_MOMENT

    @property
    def over(self) -> bool:
        """Whether all have left, for good."""
        return self.stopping and not self.workers

    @property
    def complete(self) -> bool:
        """Whether as many serve as are wanted, and nobody is to be replaced."""
        ready = [worker for worker in self.workers if worker.state is State.READY]
        return len(ready) >= self.wanted and not self._due

    # --- One worker -------------------------------------------------------------------------

    def _start(self, number: int, now: float) -> Worker | None:
        """A new worker; ``None`` where the system gives none, for want of memory for example."""
        try:
            process = self._launch(number)
        except OSError as error:
            _logger.error("Worker %d cannot be started: %s", number, error)
            self._failed(number, now)
            return None
        lifetime = self._terms.lifetime + self._terms.lifetime_jitter * self._chance()
        worker = Worker(number, process, now, lifetime)
        self.workers.append(worker)
        return worker

    def _ready(self, worker: Worker, now: float) -> None:
        worker.enters(State.READY, now)
        self._proven = True
        _logger.info("%s is ready", worker)
        successor, predecessor = self._replacing or (None, None)
        if worker is successor and predecessor is not None:
            self._leave(predecessor, now)
            self._due.pop(predecessor, None)
            self._replacing = None

    def _leave(self, worker: Worker, now: float) -> None:
        if worker.state is not State.LEAVING:
            worker.process.tell(signal.SIGTERM)
            self._leaves(worker, now)

    def _leaves(self, worker: Worker, now: float) -> None:
        worker.enters(State.LEAVING, now)
        worker.until = now + self._terms.leaving

    def _look_at(self, worker: Worker, now: float) -> None:
        terms, age = self._terms, now - worker.since
        if worker.state is State.LEAVING:
            if now >= worker.until:
                _logger.error("%s does not end: killed", worker)
                worker.process.tell(signal.SIGKILL)
                worker.until = now + _LAST_MOMENT
        elif worker.state is State.STARTING:
            if age >= terms.starting:
                _logger.error("%s is not ready after %g s: killed", worker, terms.starting)
                worker.process.tell(signal.SIGKILL)
        elif terms.silence and now - worker.heard >= terms.silence:
            self._blocked(worker, now)
        elif worker.lifetime and age >= worker.lifetime:
            self._due.setdefault(worker, f"it has lived for {age:.0f} s")
        elif terms.resident and age >= _GROWN_UP:
            size = worker.process.resident()
            if size > terms.resident:
                self._due.setdefault(worker, f"it has grown to {size} bytes")

    def _blocked(self, worker: Worker, now: float) -> None:
        """Its event loop has not been heard: it is asked to say where it is, and to end."""
        _logger.error("%s has been silent for %.1f s: told to end", worker, now - worker.heard)
        worker.process.tell(STACKS)
        self._died(worker, now)
        self._leave(worker, now)
        worker.until = min(worker.until, now + _LAST_MOMENT)

    def _gone(self, worker: Worker, status: int, now: float) -> None:
        self.workers.remove(worker)
        worker.process.forget()
        self._due.pop(worker, None)
        successor, predecessor = self._replacing or (None, None)
        if worker is predecessor:
            self._replacing = None  # Its successor has its place already.
        elif worker is successor and worker.state is State.LEAVING:
            self._replacing = None  # It was told to, and the next one is due.
        if worker.state is State.LEAVING:
            _logger.info("%s has left", worker)
            return
        _logger.error("%s %s", worker, _how_it_ended(status))
        if worker is successor:
            self._not_replaced(worker, now)
        elif self._cannot_start(worker, status):
            self.verdict = status
            self.stop(now)
        else:
            self._died(worker, now)

    def _cannot_start(self, worker: Worker, status: int) -> bool:
        """Whether it makes no sense to go on: none ever started, and this one says why not."""
        return (
            not self._proven and not self._terms.developing and 0 < status <= StartupError.FOR_GOOD
        )

    def _died(self, worker: Worker, now: float) -> None:
        """It was not told to: who has served for a while is forgiven what was before."""
        if worker.state is State.READY and now - worker.since >= _PAUSES[-1]:
            self._failures[worker.number] = 0
        self._failed(worker.number, now)

    def _failed(self, number: int, now: float) -> None:
        """Start none in this place for a while, longer each time in a row."""
        pause = _PAUSES[min(self._failures[number], len(_PAUSES) - 1)]
        self._start_after[number] = math.inf if self._terms.developing else now + pause
        self._failures[number] += 1

    def _forgive(self) -> None:
        """What has failed may succeed now."""
        self._failures.clear()
        self._start_after.clear()

    def _may_start(self, number: int, now: float) -> bool:
        return now >= self._start_after.get(number, 0.0)

    # --- All of them ------------------------------------------------------------------------

    def _fill(self, now: float) -> None:
        leaving = self._terms.developing
        there = {one.number for one in self.workers if leaving or one.state is not State.LEAVING}
        for number in range(1, self.wanted + 1):
            if number not in there and self._may_start(number, now):
                self._start(number, now)

    def _replace(self, now: float) -> None:
        """Start the next successor, if one is due and no other is on its way."""
        if self._replacing is not None or not self._due:
            return
        worker, reason = next(iter(self._due.items()))
        if not self._may_start(worker.number, now):
            return
        if worker.state is not State.READY:
            del self._due[worker]  # It leaves already, and its place is filled.
            return
        if reason is not RELOAD:
            _logger.info("%s is replaced: %s", worker, reason)
        successor = self._start(worker.number, now)
        self._replacing = None if successor is None else (successor, worker)

    def _not_replaced(self, worker: Worker, now: float) -> None:
        """The successor died: what serves goes on, and new code has to be mended first."""
        self._replacing = None
        self._died(worker, now)
        kept = {worker: why for worker, why in self._due.items() if why is not RELOAD}
        if len(kept) < len(self._due):
            _logger.error("The reload is given up: the workers that there are go on")
        self._due = kept


def counted(number: int) -> str:
    """So many workers, for a log line."""
    return f"{number} worker" + ("" if number == 1 else "s")


def _extended(asked: str) -> float:
    """The seconds that a worker has `asked` for in microseconds; 0 where it says no number."""
    return min(int(asked[:20]) / 1e6, _MOST_EXTENDED) if asked.isdecimal() else 0.0


def _how_it_ended(status: int) -> str:
    if status < 0:
        known = {one.value: one.name for one in signal.Signals}
        return f"was killed by {known.get(-status, f'signal {-status}')}"
    return f"ended with status {status}"
