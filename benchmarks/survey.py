"""One run of the benchmark: install the servers, measure them, and put it on record."""

from __future__ import annotations

import datetime
import os
import platform
import re
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import environments
from benchmarks.model import Failed
from benchmarks.record import Record, ServerRecord
from benchmarks.rounds import measure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.model import Pace, Scenario, Server

_MODEL = re.compile(r"^model name\s*:\s*(.+)$", re.MULTILINE)


def survey(
    servers: Sequence[Server],
    scenarios: Sequence[Scenario],
    pace: Pace,
    command: str,
    tell: Callable[[str], None],
) -> Record:
    """Measure servers in scenarios and return all that is to be kept.

    Args:
        servers: what to measure.
        scenarios: what to measure it in.
        pace: how much of it.
        command: what the user typed, for the record.
        tell: called with one line for each step.
    """
    tell("Installing the servers")
    unusable = _install(servers)
    versions = _versions(servers, unusable)
    results = measure(servers, scenarios, pace, unusable, tell)
    return Record(
        command=command,
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        python=environments.described_interpreter(),
        processor=processor_in_cpuinfo(Path("/proc/cpuinfo").read_text()),
        cores=os.cpu_count() or 1,
        rounds=pace.rounds,
        seconds=pace.seconds,
        servers={
            server.name: ServerRecord(
                ours=server.ours,
                commands={wire: server.command_line(wire) for wire in server.extra},
                versions=versions[server.name],
            )
            for server in servers
        },
        scenarios={scenario.name: results.of(scenario) for scenario in scenarios},
    )


def processor_in_cpuinfo(cpuinfo: str) -> str:
    """Return the processor's name from the text of ``/proc/cpuinfo``, else its architecture."""
    found = _MODEL.search(cpuinfo)
    return found[1] if found else platform.machine()


def _install(servers: Sequence[Server]) -> dict[str, str]:
    """Install what the servers need, and return by server why one cannot be had."""
    unusable: dict[str, str] = {}
    for environment in dict.fromkeys(server.environment for server in servers):
        try:
            environments.prepare(environment)
        except Failed as failure:
            users = (server for server in servers if server.environment == environment)
            unusable.update((server.name, str(failure)) for server in users)
    return unusable


def _versions(servers: Sequence[Server], unusable: dict[str, str]) -> dict[str, dict[str, str]]:
    """Return by server what is installed, and add to the unusable those that lack something."""
    versions: dict[str, dict[str, str]] = {server.name: {} for server in servers}
    for server in servers:
        if server.name not in unusable:
            try:
                versions[server.name] = environments.versions(server)
            except Failed as failure:
                unusable[server.name] = str(failure)
    return versions
