"""The command line of the benchmark: what to measure, how long, and where the outcome goes."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import signal
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.model import Pace
from benchmarks.plot import plot
from benchmarks.processes import CLIENT_CORE, allow_descriptors
from benchmarks.record import updated
from benchmarks.scenarios import SCENARIOS
from benchmarks.servers import SERVERS
from benchmarks.survey import survey
from benchmarks.tables import page, summary, tables

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

    from benchmarks.record import Record

_DOCS = Path(__file__).parents[1] / "docs"
_BEGIN, _END = "<!-- benchmarks -->\n", "<!-- /benchmarks -->"
_TOOLS = {
    "curl": "curl",
    "h2load": "nghttp2-client",
    "openssl": "openssl",
    "taskset": "util-linux",
    "wrk": "wrk",
}
"""The programs that it runs, with the Debian packages that have them."""

_QUICK = Pace(rounds=1, seconds=1, starts=1)


def main(arguments: Sequence[str]) -> int:
    """Run the benchmark as the arguments ask, and return the exit code."""
    options = _options(arguments)
    if lacking := [package for tool, package in _TOOLS.items() if shutil.which(tool) is None]:
        print(f"needed, and not here: apt install {' '.join(lacking)}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, _leave)
    os.sched_setaffinity(0, {CLIENT_CORE})
    allow_descriptors(2 * max(scenario.connections for scenario in SCENARIOS))
    record = survey(
        [server for server in SERVERS if server.name in options.servers],
        [scenario for scenario in SCENARIOS if scenario.name in options.scenarios],
        _pace(options),
        _command(options),
        partial(print, flush=True),
    )
    print(f"\n{tables(record)}")
    if docs := _docs(options):
        records = updated(read(docs), record) if options.update else [record]
        write(records, docs)
        if docs == _DOCS:
            into_readme(records, _DOCS.parent / "README.md")
    return 0


def read(docs: Path) -> list[Record]:
    """Return the records that a folder of documentation has."""
    records: list[Record] = json.loads((docs / "benchmarks.json").read_text())
    return records


def write(records: Sequence[Record], docs: Path) -> None:
    """Write the records, the page and the plot into a folder of documentation."""
    reference = docs / "reference"
    reference.mkdir(parents=True, exist_ok=True)
    (docs / "benchmarks.json").write_text(json.dumps(records, indent=1) + "\n")
    (reference / "benchmarks.md").write_text(page(records))
    (reference / "benchmarks.svg").write_text(plot(records))


def into_readme(records: Sequence[Record], readme: Path) -> None:
    """Put the summary between the two marks in the README."""
    before, rest = readme.read_text().split(_BEGIN)
    after = rest.partition(_END)[2]
    readme.write_text(f"{before}{_BEGIN}\n{summary(records)}\n\n{_END}{after}")


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.update and (options.quick or len(options.servers) < len(SERVERS)):
        parser.error("--update takes all servers, and no --quick: each scenario is replaced whole")
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    servers = [server.name for server in SERVERS]
    scenarios = [scenario.name for scenario in SCENARIOS]
    parser.add_argument("--servers", nargs="+", choices=servers, default=servers)
    parser.add_argument("--scenarios", nargs="+", choices=scenarios, default=scenarios)
    parser.add_argument("--rounds", type=_positive, help=f"default: {Pace.rounds}")
    parser.add_argument("--seconds", type=_positive, help=f"of each load; default: {Pace.seconds}")
    parser.add_argument("--quick", action="store_true", help="one short round, to see it work")
    parser.add_argument(
        "--update",
        action="store_true",
        help="write, and keep what is on record of scenarios that are not measured now",
    )
    parser.add_argument(
        "--output",
        type=Path,
        help="folder to write to; default: docs, and for a part of the benchmark none",
    )
    return parser


def _positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _pace(options: argparse.Namespace) -> Pace:
    asked = {"rounds": options.rounds, "seconds": options.seconds}
    return replace(
        _QUICK if options.quick else Pace(),
        **{name: number for name, number in asked.items() if number is not None},
    )


def _command(options: argparse.Namespace) -> str:
    """Return the command to publish: what decides the figures, and not where they are written."""
    pace = _pace(options)
    words = ["--rounds", str(pace.rounds), "--seconds", str(pace.seconds)]
    for option, chosen, rows in (
        ("--servers", options.servers, SERVERS),
        ("--scenarios", options.scenarios, SCENARIOS),
    ):
        if len(chosen) < len(rows):
            words += [option, *chosen]
    if options.quick:
        words.append("--quick")
    return shlex.join(["python", "-m", "benchmarks", *words])


def _docs(options: argparse.Namespace) -> Path | None:
    """Return the folder to write to: figures of a part must not replace those of the whole."""
    whole = len(options.servers) == len(SERVERS) and len(options.scenarios) == len(SCENARIOS)
    default = _DOCS if options.update or (whole and not options.quick) else None
    return options.output or default


def _leave(number: int, _frame: object) -> NoReturn:
    """End as after Ctrl-C, so that every server is ended first."""
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
