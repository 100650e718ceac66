"""The order of measurements: every server in turn, in every scenario, in every round."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.model import Failed
from benchmarks.results import Results

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from benchmarks.model import Pace, Sample, Scenario, Server


def turns(
    servers: Sequence[Server], scenarios: Sequence[Scenario], rounds: int
) -> Iterator[tuple[Scenario, Server]]:
    """Yield every measurement to take: of each scenario, with the servers that speak its wire.

    Servers take turns within a scenario, so that what slows the machine for a while slows them
    all, and each round begins with another server, so that none is always first.
    """
    for number in range(rounds):
        first = number % len(servers)
        for scenario in scenarios:
            for server in (*servers[first:], *servers[:first]):
                if scenario.wire in server.extra:
                    yield scenario, server


def measure(
    servers: Sequence[Server],
    scenarios: Sequence[Scenario],
    pace: Pace,
    unusable: Mapping[str, str],
    tell: Callable[[str], None],
) -> Results:
    """Measure all servers in all scenarios.

    Args:
        servers: what to measure.
        scenarios: what to measure it in.
        pace: how much of it.
        unusable: why a server, by name, cannot run at all.
        tell: called with one line after each measurement.
    """
    results = Results()
    for scenario, server in turns(servers, scenarios, pace.rounds):
        if results.failed(scenario, server):
            continue
        try:
            if server.name in unusable:
                raise Failed(unusable[server.name])
            sample = scenario.measure.take(server, scenario, pace)
        except Failed as failure:
            results.fail(scenario, server, str(failure))
            tell(f"{scenario.name:9} {server.name:21} failed: {failure}")
        else:
            results.add(scenario, server, sample)
            tell(f"{scenario.name:9} {server.name:21} {_shown(scenario, sample)}")
    return results


def _shown(scenario: Scenario, sample: Sample) -> str:
    return ", ".join(
        f"{sample[figure.key]:.{figure.digits}f} {figure.label}"
        for figure in scenario.measure.figures
    )
