"""Load from ``wrk``, and what came of it."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.model import Failed

if TYPE_CHECKING:
    from benchmarks.model import Scenario

_SCRIPT = Path(__file__).with_suffix(".lua")
_PATIENCE = 10
"""Seconds after which an unanswered request is an error."""


@dataclass(frozen=True)
class Load:
    """What one run of ``wrk`` saw.

    Attributes:
        requests: how many answers came whole.
        microseconds: how long the run took.
        size: how many bytes of answers came.
    """

    requests: int
    microseconds: int
    size: int

    @property
    def per_second(self) -> float:
        """Answers per second."""
        return self.requests * 1e6 / self.microseconds


def parse(output: str, body_size: int) -> Load:
    """Return what ``wrk.lua`` told in the last line of its output.

    Args:
        output: all that ``wrk`` printed.
        body_size: how many bytes of body each right answer has.

    Raises:
        Failed: if there was any error, no answer at all, or bodies cut short.
    """
    told = json.loads(output.rstrip().rpartition("\n")[2])
    load = Load(told["requests"], told["microseconds"], told["bytes"])
    if errors := {kind: count for kind, count in told["errors"].items() if count}:
        listed = ", ".join(f"{count} {kind}" for kind, count in errors.items())
        raise Failed(f"errors under load: {listed}")
    if not load.requests:
        raise Failed("no answer under load")
    if load.size < load.requests * body_size:
        raise Failed("answers cut short under load")
    return load


def send(port: int, scenario: Scenario, seconds: int) -> Load:
    """Send the scenario's request to a port of this machine for some seconds.

    Raises:
        Failed: as ``parse`` does, or if ``wrk`` itself fails.
    """
    command = _command(port, scenario, seconds)
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds + 3 * _PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        raise Failed("wrk did not end") from None
    if ended.returncode:
        raise Failed(f"wrk: {ended.stderr.strip()}")
    return parse(ended.stdout, len(scenario.answer.body))


def _command(port: int, scenario: Scenario, seconds: int) -> list[str]:
    request = scenario.request
    headers = [word for pair in request.headers for word in ("--header", ": ".join(pair))]
    return [
        "wrk",
        "--threads=1",
        f"--connections={scenario.connections}",
        f"--duration={seconds}s",
        f"--timeout={_PATIENCE}s",
        f"--script={_SCRIPT}",
        *headers,
        scenario.origin(port) + request.path,
        "--",
        request.method,
        str(request.body_size),
    ]
