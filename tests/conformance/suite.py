"""The suite as a process: given cases and a server, watched, and ended when it takes too long.

It must not know which server it is.
"""

from __future__ import annotations

import ast
import contextlib
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tests.conformance import report
from tests.live.serving import Output

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BUILD = Path(__file__).parents[2] / "build" / "conformance"
WSTEST = BUILD / "suite" / "bin" / "wstest"
"""The suite's program, where the Makefile puts it."""

_ANNOUNCES = "Cases = "


class Failed(Exception):
    """The suite could not be run to its end; the message is the reason."""


def run(url: str, cases: Sequence[str], folder: Path, seconds: float) -> list[report.Outcome]:
    """Run cases against the server at a ``ws://`` URL, and leave their reports in a folder.

    `cases` are the suite's patterns: ``1.*`` stands for all that begin with ``1.``.

    Raises:
        Failed: if there are no such cases, or the suite breaks, or takes longer than `seconds`.
    """
    with _wstest(_specification(url, cases, folder)) as process:
        output = Output(process.stdout)  # type: ignore[arg-type]
        announced = _announced(output)
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"not done within {seconds:g} seconds: {output.lines[-1]}") from None
    if status:
        raise Failed(f"exit status {status}: {_last_line(output)}")
    if not (folder / report.INDEX).exists():
        raise Failed(f"no report: {_last_line(output)}")
    return report.read(folder, announced)


def version() -> str:
    """Return the suite's version."""
    command = [WSTEST, "--autobahnversion"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return told.split()[-1]


def _specification(url: str, cases: Sequence[str], folder: Path) -> Path:
    """Write what the suite is to do, and remove what an earlier run reported."""
    folder.mkdir(parents=True, exist_ok=True)
    for earlier in folder.glob("*_case_*"):
        earlier.unlink()
    (folder / report.INDEX).unlink(missing_ok=True)
    server = {"agent": "server", "url": url}
    path = folder / "specification.json"
    path.write_text(json.dumps({"outdir": str(folder), "servers": [server], "cases": cases}))
    return path


@contextlib.contextmanager
def _wstest(specification: Path) -> Iterator[subprocess.Popen[str]]:
    """Start the suite's client; when the block is left, nothing of it stays."""
    process = subprocess.Popen(
        [WSTEST, "--mode", "fuzzingclient", "--spec", specification],
        cwd=specification.parent,
        env={"PATH": os.defpath, "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _announced(output: Output) -> list[str]:
    """Return the cases that the suite says it will run; without any, it would wait for ever."""
    lines = output.wait_for(_ANNOUNCES)
    if not lines:
        raise Failed(_last_line(output))
    cases: list[str] = ast.literal_eval(lines[0].removeprefix(_ANNOUNCES))
    if not cases:
        raise Failed("there are no such cases")
    return cases


def _last_line(output: Output) -> str:
    return (output.whole() or ["it said nothing"])[-1]
