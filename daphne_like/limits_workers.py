"""The limits of workers: how long each may take, live and be silent, and how large it may be.

A limit is written here as in ``limits``, which has the rest. This module must not know who
enforces it.
"""

from __future__ import annotations

from dataclasses import dataclass

from daphne_like.limit_field import limit


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """The limits that only ``--workers`` knows."""

    worker_start_timeout: float = limit(
        60.0,
        "seconds",
        "A worker may take to load the application, beside --startup-timeout; then it is killed.",
    )
    worker_timeout: float = limit(
        60.0,
        "seconds",
        "A worker's event loop may be silent; then it is told to write down where it is and to "
        "end, and killed. Long enough for any computation that ends. 0 for ever.",
        "--worker-timeout",
        "--timeout-worker-healthcheck",
    )
    max_worker_lifetime: float = limit(
        0.0,
        "seconds",
        "A worker lives, then another takes its place without losing a request. 0 for ever.",
        "--max-worker-lifetime",
        "--workers-lifetime",
    )
    max_worker_lifetime_jitter: float = limit(
        0.0,
        "seconds",
        "At most as many are added to --max-worker-lifetime, by chance, so that workers are not "
        "replaced together. 0 for none.",
    )
    max_worker_rss: int = limit(
        0,
        "bytes",
        "Of memory a worker may have (resident set), then another takes its place: a valve for an "
        "application that leaks. Linux tells it. 0 for no limit.",
        "--max-worker-rss",
        "--workers-max-rss",
    )
    reload_delay: float = limit(
        0.1,
        "seconds",
        "Without another change, after which --reload reads the code anew: an editor, or a change "
        "of branches, writes many files.",
    )
    reload_grace: float = limit(
        0.5,
        "seconds",
        "--reload lets requests finish; then they are cut, so that no open stream holds it up.",
    )
