"""Servers as processes: started on a core of their own, asked until they answer, and ended."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import resource
import shlex
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from benchmarks.ask import READY_WITHIN, ask
from benchmarks.certificate import certificate
from benchmarks.environments import program
from benchmarks.model import Failed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.model import Scenario, Server

_CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, CLIENT_CORE = _CORES[0], _CORES[-1]
"""The server has a core to itself; clients and the benchmark share another, where there is one."""

_APP_FOLDER = Path(__file__).parent
_STOP_WITHIN = 5.0
_POLL = 0.001


@dataclass(frozen=True)
class Running:
    """A server that has answered once.

    Attributes:
        pid: its process, from which all its others descend.
        port: where it listens on 127.0.0.1.
        started: seconds from its execution to its first right answer.
    """

    pid: int
    port: int
    started: float


def allow_descriptors(wanted: int) -> None:
    """Let every process started from now on open so many files, as far as the system does."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft, hard = (wanted if limit == resource.RLIM_INFINITY else limit for limit in limits)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(wanted, hard)), limits[1]))


@contextlib.contextmanager
def running(server: Server, scenario: Scenario) -> Iterator[Running]:
    """Start a server for a scenario; when the block is left, end every process it started.

    Raises:
        Failed: if it ends, stays silent, or answers wrongly.
    """
    port = _free_port()
    with tempfile.TemporaryFile() as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            _command(server, scenario, port),
            cwd=_APP_FOLDER,
            env={"PATH": os.defpath, "HOME": str(Path.home()), "LANG": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _await_answer(process, port, scenario, output)
            started = time.perf_counter() - began
            check(port, scenario)
            yield Running(process.pid, port, started)
        finally:
            _end(process)


def check(port: int, scenario: Scenario) -> None:
    """Ask the scenario's request once.

    Raises:
        Failed: if the answer is not the right one.
    """
    try:
        answer = ask(port, scenario)
    except (OSError, http.client.HTTPException) as error:
        raise Failed(f"no answer: {type(error).__name__}") from error
    if answer.status != scenario.answer.status:
        raise Failed(f"status {answer.status} instead of {scenario.answer.status}")
    if answer.body != scenario.answer.body:
        raise Failed(f"wrong body of {len(answer.body)} bytes")


def last_words(output: str) -> str:
    """Return the last line of a server's output, with the folders of paths left out."""
    lines = output.strip().splitlines() or ["it said nothing"]
    return re.sub(r"(?<!\w)/(?:[\w.@+-]+/)+", "", lines[-1].strip())


def _command(server: Server, scenario: Scenario, port: int) -> list[str]:
    known = {"port": port, "app": scenario.app} | (vars(certificate()) if scenario.tls else {})
    words = shlex.split(server.command_line(scenario.wire))
    name, *arguments = (word.format_map(known) for word in words)
    executable = str(program(server.environment, name))
    return ["taskset", "--cpu-list", str(SERVER_CORE), executable, *arguments]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _await_answer(
    process: subprocess.Popen[bytes], port: int, scenario: Scenario, output: IO[bytes]
) -> None:
    deadline = time.perf_counter() + READY_WITHIN
    while time.perf_counter() < deadline:
        try:
            ask(port, scenario)
        except (OSError, http.client.HTTPException):
            time.sleep(_POLL)
        else:
            return
        if process.poll() is not None:
            output.seek(0)
            words = last_words(output.read().decode(errors="replace"))
            raise Failed(f"it ended with code {process.returncode}: {words}")
    raise Failed(f"no answer within {READY_WITHIN:.0f} s")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask the server's process group to end, then end what is left of it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_WITHIN)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
