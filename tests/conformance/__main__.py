"""The command line of the conformance test: which cases, against which server."""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import os
import platform
import re
import shlex
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tests.conformance import report, suite
from tests.conformance.groups import GROUPS
from tests.conformance.server import serving

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import NoReturn

    from tests.conformance.groups import Group
    from tests.conformance.report import Outcome

_LOOPS = ("auto", "uvloop", "asyncio")
_SECONDS = 3600.0


def main(arguments: Sequence[str]) -> int:
    """Run the suite as the arguments ask; return 1 if a case failed, or could not be run."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.server and options.output:
        parser.error("--output is for our own server")
    if not suite.WSTEST.exists():
        parser.error("the suite is not installed; `make conformance` installs it")
    signal.signal(signal.SIGTERM, _leave)
    outcomes, troubles = _run(options)
    print(f"\n{report.summary(outcomes)}\n")
    for outcome in report.shortfalls(outcomes):
        print(f"{outcome}: {os.path.relpath(outcome.detail)}")
    for trouble in troubles:
        print(trouble)
    if options.output and not troubles:
        options.output.write_text(_page(outcomes, _command(options)))
    return 1 if troubles else report.exit_code(outcomes)


def _run(options: argparse.Namespace) -> tuple[list[Outcome], list[str]]:
    """Run one group after the other, and gather the outcomes and what went wrong otherwise."""
    outcomes: list[Outcome] = []
    troubles: list[str] = []
    for group, cases in _chosen(options):
        print(f"{group.number}. {group.title}", flush=True)
        try:
            with _server(group, options) as url:
                folder = suite.BUILD / "reports" / group.number
                outcomes += suite.run(url, cases, folder, options.seconds)
        except (AssertionError, suite.Failed) as error:
            troubles.append(f"group {group.number}: {error}")
    return outcomes, troubles


def _chosen(options: argparse.Namespace) -> Iterator[tuple[Group, Sequence[str]]]:
    for group in GROUPS:
        cases = group.quick_cases if options.quick else group.all_cases
        if options.cases:
            cases = [case for case in options.cases if group.has(case)]
        if cases:
            yield group, cases


def _server(group: Group, options: argparse.Namespace) -> contextlib.AbstractContextManager[str]:
    return (
        contextlib.nullcontext(options.server) if options.server else serving(group, options.loop)
    )


def _command(options: argparse.Namespace) -> str:
    """Return the command to publish: what was run, and not where the page is written."""
    words = ["python", "-m", "tests.conformance"]
    if options.loop != "auto":
        words += ["--loop", options.loop]
    if options.quick:
        words.append("--quick")
    if options.cases:
        words += ["--cases", *options.cases]
    return shlex.join(words)


def _page(outcomes: Sequence[Outcome], command: str) -> str:
    return report.page(
        outcomes,
        command=command,
        suite=suite.version(),
        version=importlib.metadata.version("daphne-like"),
        python=platform.python_version(),
        date=datetime.now(UTC).date().isoformat(),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m tests.conformance", description=__doc__)
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--cases", nargs="+", type=_case, help="such as '1.*' or 7.1.3; default: all"
    )
    which.add_argument("--quick", action="store_true", help="only what `make test` runs")
    parser.add_argument("--server", metavar="URL", help="a server that is running, as ws://...")
    parser.add_argument("--loop", choices=_LOOPS, default="auto", help="our server's event loop")
    parser.add_argument(
        "--seconds", type=float, default=_SECONDS, help="for each group; default: %(default)g"
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="the reference page to write")
    return parser


def _case(text: str) -> str:
    numbers = "|".join(group.number for group in GROUPS)
    if not re.fullmatch(rf"(?:{numbers})\.[0-9.*]+", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a case, nor a pattern such as 1.*")
    return text


def _leave(number: int, _frame: object) -> NoReturn:
    """End as after Ctrl-C, so that the server and the suite are ended first."""
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
