"""Programs that run a server themselves, by Daphne's names for what they need."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live.serving import Serving, failure

methods = pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])

PROGRAMS = Path(__file__).with_name("programs")
INTERFACE = (sys.executable, "-X", "dev", str(PROGRAMS / "interface.py"))


def ran(program: str, *words: str, complaint: str = "", place: Path | None = None) -> list[str]:
    """The lines of a program that has ended well, and had nothing to complain of, or that.

    What it leaves for other processes is in `place`.
    """
    done = subprocess.run(
        [sys.executable, "-X", "dev", f"{PROGRAMS / program}.py", *words],
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(place or "")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    lines = [line for line in done.stderr.splitlines() if "Executing <" not in line]
    complained = any(complaint in line for line in lines)
    assert (done.returncode, complained) == (0, bool(complaint)), lines
    return done.stdout.splitlines()


def test_channels_testing_needs_no_daphne_once_the_name_is_known() -> None:
    assert ran("testing_alone") == ["ServerProcess"]


def test_a_server_runs_in_a_thread() -> None:
    assert ran("in_a_thread") == ["b'hello'", "{} []"]


def test_an_agent_can_take_the_place_of_the_application() -> None:
    assert ran("measured") == ["b'hello'", "['lifespan', 'http']"]


@methods
def test_a_process_can_be_overridden_and_tells_what_has_ended_it(method: str) -> None:
    said = ran("overridden", method, complaint="the address is in use")
    assert said == ["b'hello'", "SystemExit(1) True", "False"]


@methods
def test_an_instance_serves_for_the_length_of_a_with(method: str, tmp_path: Path) -> None:
    served = ["setup", "b'hello'", "b'noted'", "/ http.request"]
    late = "The server did not start: it has not said why"
    assert ran("instance", method, place=tmp_path) == [*served, late]


# --- The command line as a class --------------------------------------------------------------


class Interface(Serving):
    """A program of its own, whose command line has no --app-dir."""

    def __init__(self, *words: str) -> None:
        super().__init__(command=(*INTERFACE, "it", *words, "-p", "0"), port=False)


def test_a_command_line_of_ones_own_serves(tmp_path: Path) -> None:
    log = tmp_path / "access"
    with Interface("--access-log", str(log), "-s", "mine") as server:
        reply = server.get()
        assert (reply.body, reply.headers["server"]) == (b"hello", "mine")
        assert server.stderr.wait_for("Starting server at tcp:port=0:interface=127.0.0.1")
    assert server.exit_status == 0
    assert '"GET /" 200 5' in log.read_text()


def test_a_place_that_is_taken_is_status_1() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"tcp:port={taken.getsockname()[1]}:interface=127.0.0.1"
        status, errors = failure(command=(*INTERFACE, "it", "-e", place), port=False)
    assert status == 1
    assert any("CRITICAL Cannot listen on" in line for line in errors), errors
