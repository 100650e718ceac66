"""Samples as they come in, and their medians."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from benchmarks.record import FigureRecord, ScenarioRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.model import Sample, Scenario, Server


class Results:
    """Samples and failures, by scenario and server.

    A server that failed once in a scenario has failed in it: its samples there are dropped.
    """

    def __init__(self) -> None:
        self._samples: dict[str, dict[str, list[Sample]]] = {}
        self._failed: dict[str, dict[str, str]] = {}

    def add(self, scenario: Scenario, server: Server, sample: Sample) -> None:
        """Keep one sample."""
        self._samples.setdefault(scenario.name, {}).setdefault(server.name, []).append(sample)

    def fail(self, scenario: Scenario, server: Server, reason: str) -> None:
        """Keep the reason why a server cannot run a scenario."""
        self._failed.setdefault(scenario.name, {})[server.name] = reason
        self._samples.get(scenario.name, {}).pop(server.name, None)

    def failed(self, scenario: Scenario, server: Server) -> bool:
        """Return whether a server has failed in a scenario."""
        return server.name in self._failed.get(scenario.name, {})

    def of(self, scenario: Scenario) -> ScenarioRecord:
        """Return the outcome of one scenario."""
        samples = self._samples.get(scenario.name, {})
        return ScenarioRecord(
            title=scenario.title,
            summarised=scenario.summarised,
            figures=[
                FigureRecord(key=figure.key, label=figure.label, digits=figure.digits)
                for figure in scenario.measure.figures
            ],
            medians={server: medians(taken) for server, taken in samples.items()},
            samples=samples,
            failed=self._failed.get(scenario.name, {}),
        )


def medians(samples: Sequence[Sample]) -> Sample:
    """Return the median of each figure over some samples, of which there is at least one."""
    return {key: statistics.median(sample[key] for sample in samples) for key in samples[0]}
