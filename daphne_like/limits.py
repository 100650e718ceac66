"""Every byte, count and second that the server limits, each with its reason; and the timer.

A limit is written here and nowhere else: its option, its help and its row in the reference
are generated from its field. This module must not know who enforces a limit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, Protocol

KIB = 1024
MIB = 1024 * KIB


def _limit(default: Any, unit: str, reason: str, *flags: str) -> Any:
    return field(default=default, metadata={"unit": unit, "reason": reason, "flags": flags})


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one server."""

    head_size: int = _limit(
        64 * KIB,
        "bytes",
        "A request's line and header fields together; more is answered 431.",
        "--head-size",
        "--h11-max-incomplete-event-size",
    )
    line_size: int = _limit(
        32 * KIB,
        "bytes",
        "A request's line alone, which is its target above all; more is answered 414. Half of "
        "--head-size leaves as much for the fields.",
    )
    head_fields: int = _limit(
        256, "fields", "Header fields of one request; browsers send under 30. More: 431."
    )
    read_budget: int = _limit(
        64 * KIB,
        "bytes",
        "Body that waits for the application before reading from the socket pauses.",
    )
    write_budget: int = _limit(
        64 * KIB, "bytes", "Response that waits for a slow client before send() waits."
    )
    unsent_budget: int = _limit(
        512 * KIB,
        "bytes",
        "Response that the kernel keeps for a client beside what is on the network, on Linux and "
        "macOS. It would take megabytes for each slow client, and the time to copy them. 0 lets "
        "it.",
    )
    discard_size: int = _limit(
        256 * KIB,
        "bytes",
        "Unread body that is thrown away after an early response to keep the connection; "
        "with more to come the connection is closed instead.",
    )
    body_size: int = _limit(
        0,
        "bytes",
        "A request's body; more is answered 413. 0 for no limit: bodies are streamed, and an "
        "application that collects them has a limit of its own.",
    )
    connections: int = _limit(
        0,
        "connections",
        "Open at the same time; who comes then waits in the kernel. 0 for as many as the process "
        "may have open files, but for a reserve of its own.",
    )
    client_connections: int = _limit(
        0,
        "connections",
        "Open at the same time from one address; further ones are closed. 0 for no limit: behind "
        "a proxy all have its address, unless it speaks the PROXY protocol.",
    )
    concurrency: int = _limit(
        0,
        "requests",
        "With the application at the same time; further ones are answered 503. 0 for no limit.",
        "--limit-concurrency",
    )
    connection_requests: int = _limit(
        0,
        "requests",
        "One connection may carry, then it is closed; 0 for no limit. Where a balancer spreads "
        "connections, closing some lets it spread them anew.",
    )
    max_requests: int = _limit(
        0,
        "requests",
        "The process serves, then it stops in order, for a supervisor to start it anew: a valve "
        "for an application that leaks. 0 for no limit.",
        "--limit-max-requests",
        "--max-requests",
    )
    max_requests_jitter: int = _limit(
        0,
        "requests",
        "At most as many are added to --limit-max-requests, by chance, so that processes which "
        "were started together do not stop together. 0 for none.",
        "--limit-max-requests-jitter",
        "--max-requests-jitter",
    )
    head_timeout: float = _limit(
        30.0,
        "seconds",
        "From a request's first byte to the end of its head; then 408. A PROXY preamble has as "
        "long.",
    )
    body_timeout: float = _limit(
        30.0,
        "seconds",
        "A client has for each part of a body, of --body-rate times as many bytes; then 408. "
        "Time in which the server does not read does not count.",
    )
    body_rate: int = _limit(
        200,
        "bytes a second",
        "A body has to come at, averaged over --body-timeout; the worst of mobile networks "
        "is faster. 0 lets one byte do.",
    )
    write_timeout: float = _limit(
        60.0,
        "seconds",
        "A client that reads too slowly has to take the next part of a response; then it is cut.",
    )
    keep_alive: float = _limit(
        75.0,
        "seconds",
        "An idle connection is kept; longer than the 60 s of load balancers, so that they, "
        "not we, close first.",
        "--keep-alive",
        "--timeout-keep-alive",
    )
    linger: float = _limit(
        5.0,
        "seconds",
        "After a final response, unread input is still drained, so that no reset destroys "
        "the response on its way.",
    )
    half_close_grace: float = _limit(
        10.0,
        "seconds",
        "A client that has closed its sending side may wait for its answer; TCP cannot tell it "
        "from one that has left, so then the application is told of a disconnect.",
    )
    http_timeout: float | None = _limit(
        None,
        "seconds",
        "A whole HTTP exchange; one that has not started is answered 503, one that has is cut.",
        "-t",
        "--http-timeout",
    )
    application_close_timeout: float = _limit(
        10.0,
        "seconds",
        "An application has after its client left (or the server's time is over) before its "
        "task is cancelled.",
        "--application-close-timeout",
    )
    send_grace: float = _limit(
        5.0,
        "seconds",
        "An application that listens for the disconnect may still send() into the void, so "
        "that it can finish; then send() raises.",
    )
    graceful_timeout: float = _limit(
        20.0,
        "seconds",
        "Requests in flight have to finish when the server stops; below the 30 s that "
        "Kubernetes waits.",
        "--graceful-timeout",
        "--timeout-graceful-shutdown",
    )
    startup_timeout: float = _limit(
        60.0, "seconds", "The application's lifespan startup may take.", "--startup-timeout"
    )
    shutdown_timeout: float = _limit(
        10.0, "seconds", "The application's lifespan shutdown may take.", "--shutdown-timeout"
    )
    watchdog: float = _limit(
        1.0,
        "seconds",
        "The event loop may be blocked, by an application that waits without await, until the log "
        "tells where it is. 0 for no watchdog.",
        "--watchdog",
    )
    backlog: int = _limit(
        2048, "connections", "The kernel holds while none is accepted.", "--backlog"
    )
    ping_interval: float = _limit(
        20.0,
        "seconds",
        "An idle WebSocket is pinged after.",
        "--ping-interval",
        "--ws-ping-interval",
    )
    ping_timeout: float = _limit(
        30.0,
        "seconds",
        "A WebSocket is closed when a ping gets no answer for.",
        "--ping-timeout",
        "--ws-ping-timeout",
    )
    websocket_timeout: float = _limit(
        86400.0, "seconds", "A WebSocket may live; -1 for no limit.", "--websocket_timeout",
        "--websocket-timeout",
    )  # fmt: skip
    websocket_connect_timeout: float = _limit(
        5.0, "seconds", "The application has to accept a WebSocket.", "--websocket_connect_timeout",
        "--websocket-connect-timeout",
    )  # fmt: skip
    websocket_max_message_size: int = _limit(
        MIB,
        "bytes",
        "A WebSocket message; 0 for no limit.",
        "--websocket-max-message-size",
        "--ws-max-size",
    )
    websocket_max_frame_size: int = _limit(
        MIB, "bytes", "A WebSocket frame; 0 for no limit.", "--websocket-max-frame-size"
    )


LIMITS = tuple(item.name for item in fields(Limits))
"""The names of all limits, in their order."""


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
