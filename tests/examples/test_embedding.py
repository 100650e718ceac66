"""The server in a Twisted program: beside other services, under twistd, with Deferreds."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.examples.serving import COMMAND, ENVIRONMENT, EXAMPLES, PATIENCE, Server, serving

EMBEDDING = EXAMPLES / "embedding"
TWISTD = str(Path(sys.executable).parent / "twistd")


def test_the_server_runs_beside_another_service(tmp_path: Path) -> None:
    command = (sys.executable, "beside.py")
    with serving(command=command, directory=EMBEDDING, place=tmp_path) as server:
        server.wait_for("another minute")
        assert httpx.get(server.address, timeout=PATIENCE).text == "Hello from a service!\n"
        assert server.stop() == 0


@contextmanager
def visiting(path: Path) -> Iterator[socket.socket]:
    """A connection to the board's lines."""
    with socket.socket(socket.AF_UNIX) as visitor:
        visitor.settimeout(PATIENCE)
        visitor.connect(str(path))
        yield visitor


@pytest.mark.parametrize(
    "command",
    [
        (sys.executable, "board.py"),
        (sys.executable, TWISTD, "--pidfile=", "--logfile={place}/log", "-ny", "board.tac"),
    ],
    ids=["python", "twistd"],
)
def test_two_protocols_share_a_board(tmp_path: Path, command: tuple[str, ...]) -> None:
    lines = tmp_path / "lines.sock"
    environment = {**ENVIRONMENT, "BOARD_PORT": "0", "BOARD_LINES": f"unix:{lines}"}
    command = tuple(word.format(place=tmp_path) for word in command)
    with serving(
        command=command, directory=EMBEDDING, place=tmp_path, environment=environment
    ) as server:
        with visiting(lines) as one, visiting(lines) as other, one.makefile("rb") as answers:
            one.sendall(b"a line\r\n")
            assert answers.readline() == b"a line\r\n"
            assert (
                httpx.post(server.address, content=b"of HTTP", timeout=PATIENCE).text
                == "a line\nof HTTP\n"
            )
            assert answers.readline() == b"of HTTP\r\n"
            other.sendall(b"another\r\n")
            assert answers.readline() == b"another\r\n"
        assert httpx.get(server.address, timeout=PATIENCE).text == "a line\nof HTTP\nanother\n"
        stopped(server)
    assert not lines.exists()


def stopped(server: Server) -> None:
    """Stop it; twistd ends by the signal that it got."""
    assert server.stop() in (0, -15)
    assert "Traceback" not in server.log


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_an_application_waits_for_deferreds(tmp_path: Path, loop: str) -> None:
    ours = ("deferreds:application", "-p", "0", "--loop", loop)
    with serving(*ours, command=COMMAND, directory=EMBEDDING, place=tmp_path) as server:
        assert httpx.get(server.address, timeout=PATIENCE).text == "first\none\ntwo\n"
        assert server.stop() == 0
        assert "Traceback" not in server.log


def test_under_twistd_too(tmp_path: Path) -> None:
    quiet = ("--pidfile=", f"--logfile={tmp_path / 'log'}")
    command = (sys.executable, TWISTD, "-n", *quiet, "daphne-like")
    ours = ("deferreds:application", "-p", "0")
    with serving(*ours, command=command, directory=EMBEDDING, place=tmp_path) as server:
        assert httpx.get(server.address, timeout=PATIENCE).text == "first\none\ntwo\n"
        stopped(server)


def test_a_reactor_that_is_none_of_ours_is_refused_by_the_tac_file_too(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, TWISTD, "--pidfile=", "--reactor=epoll", "-ny", "board.tac"],
        cwd=EMBEDDING,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 1
    assert "start twistd, or twist, with --reactor=asyncio" in done.stdout + done.stderr
