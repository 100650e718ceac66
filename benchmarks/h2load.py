"""Load from ``h2load``, and what came of it.

A load ends with its last answer, never between: with more than a hundred requests under way at
once, those that had cost time and were not counted would tell where answers are slow.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.model import Failed

if TYPE_CHECKING:
    from benchmarks.model import Scenario

_PATIENCE = 60
"""Seconds after which a load that should have ended has failed."""

_CIPHER = "TLS_AES_128_GCM_SHA256"
"""The only cipher offered: one costs more than another, and servers differ in which they prefer."""

_SPOKEN = re.compile(r"^Application protocol: (\S+)", re.MULTILINE)
_RATE = re.compile(r"^finished in .*?, ([\d.]+) req/s", re.MULTILINE)
_REQUESTS = re.compile(r"^requests: (.+)$", re.MULTILINE)
_STATUSES = re.compile(r"^status codes: (.+)$", re.MULTILINE)
_BODIES = re.compile(r"^traffic: .*\((\d+)\) data$", re.MULTILINE)
_COUNT = re.compile(r"(\d+) (\w+)")
_ERRORS = ("failed", "errored", "timeout", "3xx", "4xx", "5xx")


@dataclass(frozen=True)
class Load:
    """What one run of ``h2load`` saw.

    Attributes:
        requests: how many answers came whole.
        per_second: how many of them in a second.
    """

    requests: int
    per_second: float

    @property
    def nanoseconds(self) -> float:
        """How long the run took."""
        return self.requests / self.per_second * 1e9


def parse(output: str, scenario: Scenario) -> Load:
    """Return what ``h2load`` printed.

    Raises:
        Failed: if there was any error, no answer at all, or another protocol.
    """
    spoken = _found(_SPOKEN, output)
    if spoken != scenario.wire:
        raise Failed(f"{spoken} instead of {scenario.wire} under load")
    counts = _counts(_found(_REQUESTS, output)) | _counts(_found(_STATUSES, output))
    if errors := [f"{counts[kind]} {kind}" for kind in _ERRORS if counts[kind]]:
        raise Failed(f"errors under load: {', '.join(errors)}")
    if not counts["2xx"]:
        raise Failed("no answer under load")
    return Load(counts["succeeded"], float(_found(_RATE, output)))


def parse_all(output: str, scenario: Scenario, wanted: int) -> Load:
    """Return what ``h2load`` printed, if as many answers came as were wanted, and all came whole.

    Raises:
        Failed: as `parse` does, or if an answer is missing, too many, or cut short.
    """
    load = parse(output, scenario)
    if load.requests != wanted:
        raise Failed(f"{load.requests} answers to {wanted} requests under load")
    if int(_found(_BODIES, output)) != wanted * len(scenario.answer.body):
        raise Failed("answers cut short under load")
    return load


def warm_up(port: int, scenario: Scenario, seconds: int) -> Load:
    """Send the scenario's request for some seconds; what is under way at the end does not count.

    Raises:
        Failed: as `parse` does, or if ``h2load`` itself fails.
    """
    return parse(_run(_command(port, scenario, f"--duration={seconds}")), scenario)


def send(port: int, scenario: Scenario, wanted: int) -> Load:
    """Send the scenario's request as often as wanted, or a few times more.

    Raises:
        Failed: as `parse_all` does, or if ``h2load`` itself fails.
    """
    requests = max(wanted, scenario.connections * scenario.streams)
    output = _run(_command(port, scenario, f"--requests={requests}"))
    return parse_all(output, scenario, requests)


def _found(pattern: re.Pattern[str], output: str) -> str:
    found = pattern.search(output)
    if found is None:
        raise Failed(f"h2load: {(output.strip().splitlines() or ['it said nothing'])[-1]}")
    return found[1]


def _counts(listed: str) -> dict[str, int]:
    return {kind: int(count) for count, kind in _COUNT.findall(listed)}


def _run(command: list[str]) -> str:
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        raise Failed("h2load did not end") from None
    if ended.returncode:
        raise Failed(f"h2load: {ended.stderr.strip()}")
    return ended.stdout


def _command(port: int, scenario: Scenario, until: str) -> list[str]:
    request = scenario.request
    assert request.method == "GET"
    return [
        "h2load",
        "--threads=1",
        f"--clients={scenario.connections}",
        f"--max-concurrent-streams={scenario.streams}",
        f"--tls13-ciphers={_CIPHER}",
        *(f"--header={name}: {value}" for name, value in request.headers),
        until,
        scenario.origin(port) + request.path,
    ]
