"""The three ways to measure a server: under load, by its memory, by its start."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from benchmarks import wrk
from benchmarks.model import Figure, Measure
from benchmarks.processes import check, running
from benchmarks.usage import cpu_spent, cpu_times, memory

if TYPE_CHECKING:
    from benchmarks.model import Pace, Sample, Scenario, Server


def _under_load(server: Server, scenario: Scenario, pace: Pace) -> Sample:
    with running(server, scenario) as live:
        wrk.send(live.port, scenario, pace.warm_up)
        before = cpu_times(live.pid)
        load = wrk.send(live.port, scenario, pace.seconds)
        spent = cpu_spent(before, cpu_times(live.pid))
        check(live.port, scenario)
    return {"cpu": spent / 1000 / load.requests, "rate": load.per_second}


def _memory(server: Server, scenario: Scenario, pace: Pace) -> Sample:
    with running(server, scenario) as live:
        idle = memory(live.pid)
        wrk.send(live.port, scenario, pace.seconds)
        return {"loaded": memory(live.pid), "idle": idle}


def _start(server: Server, scenario: Scenario, pace: Pace) -> Sample:
    times = []
    for _ in range(pace.starts):
        with running(server, scenario) as live:
            times.append(live.started)
    return {"start": statistics.median(times) * 1000}


LOAD = Measure(
    (Figure("cpu", "CPU µs per request", 1), Figure("rate", "requests per second")), _under_load
)
"""CPU time of the server's whole process tree for each answer, and answers per second."""

MEMORY = Measure(
    (Figure("loaded", "MiB after load", 1), Figure("idle", "MiB when idle", 1)), _memory
)
"""Proportional set size of the server's whole process tree."""

START = Measure((Figure("start", "ms to the first answer"),), _start)
"""Time from the server's execution to its first answer."""
