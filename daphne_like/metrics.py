"""Metrics: what is counted and measured, in one table, and the observer that counts requests.

The page of the documentation is made from the table too. This module must not know who asks.
"""

from __future__ import annotations

import platform
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from daphne_like import __version__, exposition
from daphne_like.asgi.application import Application
from daphne_like.compiled import is_compiled
from daphne_like.exchange import Record
from daphne_like.exposition import COUNTER, GAUGE, HISTOGRAM, Histogram, Metric, Sample
from daphne_like.resources import Resources, resources
from daphne_like.transport.certificates import Certificates
from daphne_like.transport.handshakes import Handshakes
from daphne_like.watchdog import Watchdog
from daphne_like.wire.shared import Shared

_METHODS = frozenset(
    ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT")
)
"""Methods with a name of their own; a client can make up others without end."""

_OWN_CODES = 3000
"""From here on a WebSocket's close code is anybody's choice, and counts with its thousand."""

DURATIONS = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
)  # fmt: skip
"""Bounds of the histograms of requests, in seconds."""

_NONE = [0] * (len(DURATIONS) + 1)


class _Series:
    """The requests that have a kind, a protocol, a method, a status and an outcome in common."""

    __slots__ = (
        "bytes_in", "bytes_out", "count", "durations", "first_bytes", "first_seconds", "seconds",
    )  # fmt: skip

    def __init__(self) -> None:
        self.count = self.bytes_in = self.bytes_out = 0
        self.seconds = self.first_seconds = 0.0
        self.durations = _NONE.copy()
        self.first_bytes = _NONE.copy()


class Requests:
    """Counts finished requests: an observer. What is told apart is bounded, and so is memory."""

    def __init__(self) -> None:
        self.series: dict[tuple[str, str, str, int | None, str], _Series] = {}

    def __call__(self, record: Record) -> None:
        """Count one."""
        request, duration, first_byte = record.request, record.duration, record.first_byte
        method = request.method if request.method in _METHODS else "OTHER"
        status = record.status
        if status is not None and status >= _OWN_CODES:
            status -= status % 1000
        key = record.kind, request.http_version, method, status, record.outcome
        try:
            series = self.series[key]
        except KeyError:
            series = self.series[key] = _Series()
        series.count += 1
        series.seconds += duration
        series.durations[bisect_left(DURATIONS, duration)] += 1
        if first_byte is not None:
            series.first_seconds += first_byte
            series.first_bytes[bisect_left(DURATIONS, first_byte)] += 1
        series.bytes_in += record.bytes_in
        series.bytes_out += record.bytes_out

    def counted(self, name: str, label: Callable[..., tuple[str, ...]]) -> Iterable[Sample]:
        """The sums of a number of the series, by what `label` makes of their keys."""
        sums: Counter[tuple[str, ...]] = Counter()
        for key, series in self.series.items():
            sums[label(*key)] += getattr(series, name)
        return sums.items()

    def timed(self, counts: str, total: str) -> Iterable[Sample]:
        """The histograms of the series, by their kind."""
        found: dict[tuple[str, ...], Histogram] = {}
        for (kind, *_), series in self.series.items():
            histogram = found.setdefault((kind,), Histogram(DURATIONS))
            histogram.add(getattr(series, counts), getattr(series, total))
        return found.items()


class Sources(NamedTuple):
    """Where the numbers come from."""

    requests: Requests
    shared: Shared
    application: Application
    watchdog: Watchdog | None
    handshakes: Handshakes
    certificates: Sequence[Certificates]
    process: Resources | None = None


def _labels(kind: str, version: str, method: str, status: int | None, _: str) -> tuple[str, ...]:
    return version, method, "none" if status is None else str(status)


def _kind(kind: str, *_: Any) -> tuple[str]:
    return (kind,)


def _outcome(kind: str, version: str, method: str, status: int | None, outcome: str) -> tuple[str]:
    return (outcome,)


def _refusals(sources: Sources) -> Iterator[Sample]:
    for (status, reason), count in sorted(sources.shared.refusals.items()):
        yield (str(status), reason), count


def _handshakes(sources: Sources) -> Iterator[Sample]:
    for outcome, count in sources.handshakes.outcomes.items():
        yield (outcome,), count


def _expiries(sources: Sources) -> Iterable[Sample]:
    ends = {file: end for each in sources.certificates for file, end in each.ends.items()}
    return [((file,), end.timestamp()) for file, end in ends.items()]


def _reloads(sources: Sources) -> Iterable[Sample]:
    found: Counter[str] = Counter()
    for each in sources.certificates:
        found += each.reloads
    return [((outcome,), count) for outcome, count in found.items()]


def _of_watchdog(read: Callable[[Watchdog], float | Histogram]) -> Read:
    return lambda at: [] if at.watchdog is None else [((), read(at.watchdog))]


def _of_process(name: str) -> Read:
    def read(sources: Sources) -> Iterator[Sample]:
        value = getattr(sources.process, name, None)
        if value is not None:
            yield (), value

    return read


def _info(sources: Sources) -> Iterator[Sample]:
    python = platform.python_version(), platform.python_implementation()
    loop = type(sources.application.loop).__module__.partition(".")[0]
    yield (__version__, *python, loop, str(is_compiled()).lower()), 1


Read = Callable[[Sources], Iterable[Sample]]

METRICS: tuple[tuple[Metric, Read], ...] = (
    (
        Metric(
            "daphne_like_requests_total",
            COUNTER,
            "Requests that are over, by the version of HTTP, the method (OTHER for one that is not "
            "among the nine of HTTP) and the status, none where the client got no answer. That of "
            "a WebSocket is its close code: 3000 stands for 3000 to 3999, 4000 for 4000 to 4999.",
            ("protocol", "method", "status"),
        ),
        lambda at: at.requests.counted("count", _labels),
    ),
    (
        Metric(
            "daphne_like_request_outcomes_total",
            COUNTER,
            "Requests that are over, by how they ended: complete, disconnected, refused in the "
            "body, failed, timed out.",
            ("outcome",),
        ),
        lambda at: at.requests.counted("count", _outcome),
    ),
    (
        Metric(
            "daphne_like_request_duration_seconds",
            HISTOGRAM,
            "From a request's head until its application has ended.",
            ("kind",),
        ),
        lambda at: at.requests.timed("durations", "seconds"),
    ),
    (
        Metric(
            "daphne_like_response_first_byte_seconds",
            HISTOGRAM,
            "From a request's head until the head of its response is written.",
            ("kind",),
        ),
        lambda at: at.requests.timed("first_bytes", "first_seconds"),
    ),
    (
        Metric(
            "daphne_like_request_body_bytes_total",
            COUNTER,
            "Bytes of bodies that applications have received.",
            ("kind",),
        ),
        lambda at: at.requests.counted("bytes_in", _kind),
    ),
    (
        Metric(
            "daphne_like_response_body_bytes_total",
            COUNTER,
            "Bytes of bodies that applications have sent.",
            ("kind",),
        ),
        lambda at: at.requests.counted("bytes_out", _kind),
    ),
    (
        Metric(
            "daphne_like_refusals_total",
            COUNTER,
            "Requests that were refused, in the head or the body, by their answer and the reason.",
            ("status", "reason"),
        ),
        _refusals,
    ),
    (
        Metric("daphne_like_connections", GAUGE, "Open connections of clients."),
        lambda at: [((), len(at.shared.connections))],
    ),
    (
        Metric(
            "daphne_like_connections_accepted_total",
            COUNTER,
            "Connections of clients there ever were, once their PROXY preamble was read.",
        ),
        lambda at: [((), at.shared.accepted)],
    ),
    (
        Metric(
            "daphne_like_tls_handshakes_total",
            COUNTER,
            "TLS handshakes that are over, by how they ended: complete or failed.",
            ("outcome",),
        ),
        _handshakes,
    ),
    (
        Metric(
            "daphne_like_tls_handshakes_pending",
            GAUGE,
            "TLS handshakes that have begun and are not over, those that wait their turn included.",
        ),
        lambda at: [((), at.handshakes.pending)] if at.certificates else [],
    ),
    (
        Metric(
            "daphne_like_tls_certificate_expiry_timestamp_seconds",
            GAUGE,
            "When a certificate ends, since the epoch, by the file it was read from.",
            ("certificate",),
        ),
        _expiries,
    ),
    (
        Metric(
            "daphne_like_tls_certificate_reloads_total",
            COUNTER,
            "Times that a listener's certificates were read again, by how it ended: complete, or "
            "failed where those of before are kept.",
            ("outcome",),
        ),
        _reloads,
    ),
    (
        Metric(
            "daphne_like_applications_running",
            GAUGE,
            "Requests that are with the application, those included whose client has left.",
        ),
        lambda at: [((), len(at.application.live))],
    ),
    (
        Metric("daphne_like_websockets", GAUGE, "Those of them that are WebSockets."),
        lambda at: [((), sum(each.request.upgrade is not None for each in at.application.live))],
    ),
    (
        Metric(
            "daphne_like_event_loop_lag_seconds",
            GAUGE,
            "How late the event loop came to the watchdog's last timer.",
        ),
        _of_watchdog(lambda dog: dog.pulse.lag),
    ),
    (
        Metric(
            "daphne_like_event_loop_lag_max_seconds",
            GAUGE,
            "How late it came to the latest of these timers since the start.",
        ),
        _of_watchdog(lambda dog: dog.pulse.worst),
    ),
    (
        Metric(
            "daphne_like_event_loop_delay_seconds",
            HISTOGRAM,
            "How late it came to each of these timers.",
        ),
        _of_watchdog(lambda dog: dog.pulse.lags),
    ),
    (
        Metric(
            "daphne_like_event_loop_blocks_total",
            COUNTER,
            "Times that the event loop was blocked for longer than --watchdog.",
        ),
        _of_watchdog(lambda dog: dog.blocks),
    ),
    (
        Metric(
            "daphne_like_event_loop_blocked_seconds_total",
            COUNTER,
            "Seconds that it was blocked then.",
        ),
        _of_watchdog(lambda dog: dog.blocked),
    ),
    (
        Metric(
            "process_cpu_seconds_total", COUNTER, "Processor time used, in user and system mode."
        ),
        _of_process("cpu"),
    ),
    (
        Metric("process_start_time_seconds", GAUGE, "When the process started, since the epoch."),
        _of_process("started"),
    ),
    (
        Metric("process_resident_memory_bytes", GAUGE, "Memory that is in use."),
        _of_process("resident"),
    ),
    (
        Metric("process_virtual_memory_bytes", GAUGE, "Memory that is addressed."),
        _of_process("virtual"),
    ),
    (
        Metric("process_open_fds", GAUGE, "Open files and sockets."),
        _of_process("files"),
    ),
    (
        Metric("process_max_fds", GAUGE, "Files and sockets that may be open."),
        _of_process("most_files"),
    ),
    (
        Metric("process_threads", GAUGE, "Threads."),
        _of_process("threads"),
    ),
    (
        Metric(
            "daphne_like_info",
            GAUGE,
            "1; what is running is in the labels.",
            ("version", "python", "implementation", "loop", "compiled"),
        ),
        _info,
    ),
)
"""Everything that is measured."""


def metrics(sources: Sources) -> bytes:
    """All metrics, as Prometheus reads them."""
    now = sources._replace(process=resources())
    return exposition.exposition((metric, read(now)) for metric, read in METRICS)
