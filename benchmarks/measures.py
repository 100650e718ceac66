"""The ways to measure a server: under load, by its memory, by its start."""

from __future__ import annotations

import statistics
from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks import h2load, handshakes, websocket, wrk
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


def _streams(server: Server, scenario: Scenario, pace: Pace) -> Sample:
    with running(server, scenario) as live:
        warm = h2load.warm_up(live.port, scenario, pace.warm_up)
        before = cpu_times(live.pid)
        load = h2load.send(live.port, scenario, round(warm.per_second * pace.seconds))
        spent = cpu_spent(before, cpu_times(live.pid))
        check(live.port, scenario)
    return {
        "cpu": spent / 1000 / load.requests,
        "rate": load.per_second,
        "server": 100 * spent / load.nanoseconds,
    }


def _handshakes(server: Server, scenario: Scenario, pace: Pace) -> Sample:
    with running(server, scenario) as live:
        handshakes.send(live.port, scenario, pace.warm_up)
        before = cpu_times(live.pid)
        load = handshakes.send(live.port, scenario, pace.seconds)
        spent = cpu_spent(before, cpu_times(live.pid))
        check(live.port, scenario)
    return {
        "cpu": spent / 1000 / load.handshakes,
        "rate": load.per_second,
        "server": 100 * spent / load.nanoseconds,
        "client": 100 * load.busy / load.nanoseconds,
    }


def _memory(server: Server, scenario: Scenario, pace: Pace) -> Sample:
    with running(server, scenario) as live:
        idle = memory(live.pid)
        wrk.send(live.port, scenario, pace.seconds)
        return {"loaded": memory(live.pid), "idle": idle}


def _echoes(server: Server, scenario: Scenario, pace: Pace) -> Sample:
    with running(server, scenario) as live, websocket.connected(live.port, scenario) as client:
        client.send(pace.warm_up)
        before = cpu_times(live.pid)
        load = client.send(pace.seconds)
        spent = cpu_spent(before, cpu_times(live.pid))
    return {
        "cpu": spent / 1000 / load.messages,
        "rate": load.per_second,
        "server": 100 * spent / load.nanoseconds,
        "client": 100 * load.busy / load.nanoseconds,
    }


def _sockets(server: Server, scenario: Scenario, _pace: Pace) -> Sample:
    with running(server, scenario) as live:
        with websocket.connected(live.port, replace(scenario, connections=1)):
            pass  # what WebSockets need at all is loaded now
        before = memory(live.pid)
        with websocket.connected(live.port, scenario):
            whole = memory(live.pid)
    return {"each": (whole - before) * 1024 / scenario.connections, "whole": whole}


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

STREAMS = Measure(
    (
        Figure("cpu", "CPU µs per request", 1),
        Figure("rate", "requests per second"),
        Figure("server", "% server busy"),
    ),
    _streams,
)
"""The same over HTTP/2, for about as long, and how busy the server was."""

HANDSHAKES = Measure(
    (
        Figure("cpu", "CPU µs per handshake", 1),
        Figure("rate", "handshakes per second"),
        Figure("server", "% server busy"),
        Figure("client", "% client busy"),
    ),
    _handshakes,
)
"""CPU time of the server's whole process tree for each connection over TLS with one request."""

MEMORY = Measure(
    (Figure("loaded", "MiB after load", 1), Figure("idle", "MiB when idle", 1)), _memory
)
"""Proportional set size of the server's whole process tree."""

ECHOES = Measure(
    (
        Figure("cpu", "CPU µs per message", 1),
        Figure("rate", "messages per second"),
        Figure("server", "% server busy"),
        Figure("client", "% client busy"),
    ),
    _echoes,
)
"""CPU time of the server's whole process tree for each message that is received and sent back.

How busy both ends were tells which was the bottleneck: the client's share counts its waits for
a core that something else has, too.
"""

SOCKETS = Measure((Figure("each", "KiB per WebSocket", 1), Figure("whole", "MiB in all")), _sockets)
"""What idle WebSockets, one message after their handshake, add to the proportional set size."""

START = Measure((Figure("start", "ms to the first answer"),), _start)
"""Time from the server's execution to its first answer."""
