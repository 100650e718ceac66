"""What a service manager is told: that the server is ready, that it stops, that its loop runs.

The words are those of sd_notify(3), for systemd and for any other parent that listens to them.
This module must not know what brings a server from one state to the next.
"""

from __future__ import annotations

import logging
import socket
import time
from array import array
from collections.abc import Callable, MutableMapping

from daphne_like.clock import Clock, DelayedCall
from daphne_like.health import Stage
from daphne_like.limits import Limits

_logger = logging.getLogger("daphne_like.notify")

_PATIENCE = 1.0
"""Seconds in which a manager that is busy has to take a word; most take it at once."""

_PASSING = (b"WATCHDOG=1", b"STATUS=")
"""Beginnings of notices that are not waited with: the next of their kind says it anew."""

_SLACK = 5.0
"""Seconds more than the limits say, for what they do not count: last words, files, threads."""

_MICRO = 1_000_000

_PERIODS = range(20_000, 366 * 86400 * _MICRO)
"""Microseconds in which a manager may want to hear of the loop: it is told twice as often."""

_SAID = {
    Stage.STARTING: ("", "Starting the application"),
    Stage.READY: ("READY=1", "Serving"),
    Stage.DRAINING: ("STOPPING=1", "Stopping"),
    Stage.STOPPED: ("", "Shutting the application down"),
    Stage.FAILED: ("", "Failed"),
}
"""What is said of each stage: to the manager, and to who asks it for the status."""

_LONGEST: dict[Stage, Callable[[Limits], float]] = {
    Stage.STARTING: lambda limits: limits.startup_timeout,
    Stage.DRAINING: lambda limits: (
        limits.drain_delay + limits.graceful_timeout + limits.application_close_timeout
    ),
    Stage.STOPPED: lambda limits: limits.shutdown_timeout + 2 * limits.application_close_timeout,
}
"""Seconds that a stage may take: a manager that would lose patience earlier is asked for them."""


class Notifier:
    """Tells a manager, by `send`, how far the server is; without it nobody listens.

    A failure to send harms nobody. From `start` on it says every `seconds` that the event loop
    runs, if they are not 0. `now` is the time since the machine's start, in microseconds.
    """

    def __init__(
        self,
        send: Callable[..., object] | None = None,
        seconds: float = 0.0,
        now: Callable[[], int] = lambda: time.monotonic_ns() // 1000,
    ) -> None:
        self._send = send
        self._seconds = seconds
        self._now = now
        self._next: DelayedCall | None = None
        self._failed = self._mute = False

    def entered(self, stage: Stage, limits: Limits, detail: str = "") -> None:
        """The server has come to `stage`; `detail` says more to who asks for its status."""
        word, status = _SAID[stage]
        longest = _LONGEST.get(stage)
        asked = longest and f"EXTEND_TIMEOUT_USEC={int((longest(limits) + _SLACK) * _MICRO)}"
        shown = "" if self._failed else _status(f"{status}: {detail}" if detail else status)
        self._failed |= stage is Stage.FAILED  # What it has failed with is shown to the end.
        self._say(word, asked or "", shown)

    def waits(self, what: str) -> None:
        """Tell who asks for the status what is waited for."""
        self._say(_status(what))

    def reloads(self) -> None:
        """Files are read again; that it is over is told by being ready anew."""
        self._say("RELOADING=1", f"MONOTONIC_USEC={self._now()}", _status("Reading files again"))

    def retires(self) -> None:
        """This process has served enough: somebody should take its place, and then stop it."""
        self._say("X_RETIRE=1", _status("Has served enough"))

    def is_main(self, pid: int) -> None:
        """Process `pid`, and no other, is the one to look after: it has taken over."""
        self._say(f"MAINPID={pid}")

    def keeps(self, name: str, fileno: int) -> None:
        """The manager should keep a descriptor, and pass it to who comes after us."""
        self._say("FDSTORE=1", f"FDNAME={name}", descriptors=(fileno,))

    def start(self, clock: Clock) -> None:
        """Say from now on that the loop runs, by its `clock`."""
        if self._seconds:
            self._beat(clock)

    def _beat(self, clock: Clock) -> None:
        self._next = clock.callLater(self._seconds, self._beat, clock)
        self._say("WATCHDOG=1")

    def stop(self) -> None:
        """Say no more that the loop runs."""
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _say(self, *words: str, descriptors: tuple[int, ...] = ()) -> None:
        if self._send is None:
            return
        try:
            self._send("\n".join(filter(None, words)).encode("utf-8", "replace"), *descriptors)
        except OSError as error:
            if not self._mute:
                _logger.warning("Cannot tell the service manager: %s", error.strerror or error)
            self._mute = True


def _status(text: str) -> str:
    """One line, whatever is in the text: every line is a word to the manager."""
    return "STATUS=" + " ".join(text.split())


def notifier(environ: MutableMapping[str, str], pid: int) -> Notifier | None:
    """Who tells the manager that `environ` names, if it names one, on behalf of process `pid`.

    What it says is taken out of it: to a child of ours the manager does not listen.
    """
    place = environ.pop("NOTIFY_SOCKET", "")
    period = environ.pop("WATCHDOG_USEC", "")
    meant = environ.pop("WATCHDOG_PID", str(pid))
    family = getattr(socket, "AF_UNIX", None)
    if not place:
        return None
    if family is None or place[0] not in "/@":
        _logger.warning("NOTIFY_SOCKET=%s is no Unix socket: nobody is told of readiness", place)
        return None
    beats = _beats(period) if meant == str(pid) else 0.0
    name = place.replace("@", "\0", 1) if place[0] == "@" else place
    return Notifier(_Sender(family, name), beats)


def _beats(period: str) -> float:
    """Seconds from one beat to the next, where `period` says what ``WATCHDOG_USEC`` does."""
    micro = int(period[:20]) if period.isdecimal() else 0
    if micro and micro not in _PERIODS:
        _logger.warning(
            "WATCHDOG_USEC=%.20s is not from 20 ms to a year: nobody is told that the loop runs",
            period,
        )
        return 0.0
    return micro / _MICRO / 2


class _Sender:
    """Sends to the socket `name`; whoever lets it wait in vain is waited for no more."""

    def __init__(self, family: int, name: str) -> None:
        self._family = family
        self._name = name
        self._patience = _PATIENCE

    def __call__(self, words: bytes, *descriptors: int) -> None:
        """Send by a new socket: there is nothing to look after, and the manager's may change.

        It is connected, since the kernel takes any other for writable while the queue is full.
        """
        passed = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", descriptors))]
        with socket.socket(self._family, socket.SOCK_DGRAM) as sending:
            sending.settimeout(0.0 if words.startswith(_PASSING) else self._patience)
            sending.connect(self._name)
            try:
                sending.sendmsg([words], passed if descriptors else [])
            except TimeoutError:
                self._patience = 0.0
                raise
