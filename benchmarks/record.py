"""The shape of ``docs/benchmarks.json``, and what can be read from it: ranks and ratios.

The file is a list of records: one, if all scenarios were measured in one run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.model import Sample, Wire


class FigureRecord(TypedDict):
    """How a figure is shown; see ``model.Figure``."""

    key: str
    label: str
    digits: int


class ScenarioRecord(TypedDict):
    """A scenario's outcome: by server, the median of each figure, all samples, or a reason.

    The first of ``figures`` is what servers are ranked by; less is better.
    """

    title: str
    summarised: bool
    figures: list[FigureRecord]
    medians: dict[str, Sample]
    samples: dict[str, list[Sample]]
    failed: dict[str, str]


class ServerRecord(TypedDict):
    """A server as it was measured, with its command line for each wire."""

    ours: bool
    commands: dict[Wire, str]
    versions: dict[str, str]


class Record(TypedDict):
    """One run of the benchmark, with what is needed to repeat it."""

    command: str
    date: str
    python: str
    processor: str
    cores: int
    rounds: int
    seconds: int
    servers: dict[str, ServerRecord]
    scenarios: dict[str, ScenarioRecord]


def updated(records: Iterable[Record], new: Record) -> list[Record]:
    """Return what is on record after a new run: its scenarios, and what it did not measure."""
    kept: list[Record] = []
    for old in records:
        others = {name: of for name, of in old["scenarios"].items() if name not in new["scenarios"]}
        if others:
            kept.append({**old, "scenarios": others})
    return [*kept, new]


def ranked(scenario: ScenarioRecord) -> list[tuple[str, float]]:
    """Return servers with their medians of the first figure, the best first."""
    key = scenario["figures"][0]["key"]
    values = {server: figures[key] for server, figures in scenario["medians"].items()}
    return sorted(values.items(), key=lambda pair: pair[1])


def spread(scenario: ScenarioRecord, server: str) -> tuple[float, float]:
    """Return the least and the greatest sample of a server's first figure."""
    key = scenario["figures"][0]["key"]
    values = [sample[key] for sample in scenario["samples"][server]]
    return min(values), max(values)


def best_peer(record: Record, scenario: ScenarioRecord) -> float | None:
    """Return the least median of the first figure among the servers that are not ours."""
    servers = record["servers"]
    peers = [value for name, value in ranked(scenario) if not servers[name]["ours"]]
    return peers[0] if peers else None


def ratio(value: float, best: float | None) -> float | None:
    """Return a server's figure as a multiple of the best peer's, if there is one to compare."""
    return value / best if best else None
