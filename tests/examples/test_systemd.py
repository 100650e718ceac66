"""The units of "Run under systemd": checked by systemd, and their commands run as it would."""

from __future__ import annotations

import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.examples.serving import DEPLOY, EXAMPLES, PATIENCE, serving

UNITS = DEPLOY / "systemd"
PROGRAM = "/srv/mysite/.venv/bin/daphne-like"
FRAMEWORKS = EXAMPLES / "frameworks"


def setting(unit: Path, name: str) -> str:
    """The value of a unit's only setting of that name."""
    (value,) = re.findall(rf"^{name}=(.*)$", unit.read_text(), re.MULTILINE)
    return value


@pytest.mark.parametrize("kind", ["alone", "socket"])
def test_systemd_accepts_the_units(kind: str, tmp_path: Path, tool: Callable[[str], str]) -> None:
    here = {PROGRAM: sys.executable, "/srv/mysite": str(tmp_path)}
    units = []
    for unit in sorted((UNITS / kind).iterdir()):
        text = unit.read_text()
        for there, replacement in here.items():
            text = text.replace(there, replacement)
        units.append(tmp_path / unit.name)
        units[-1].write_text(text)
    verify = [tool("systemd-analyze"), "verify", "--man=no", *map(str, units)]
    checked = subprocess.run(verify, capture_output=True, text=True, timeout=PATIENCE, check=False)
    complaints = [line for line in checked.stderr.splitlines() if str(tmp_path) in line]
    assert complaints == []
    assert checked.returncode == 0, checked.stderr


def test_the_service_serves_and_stops_with_success(tmp_path: Path) -> None:
    program, *words = shlex.split(setting(UNITS / "alone/mysite.service", "ExecStart"))
    assert program == PROGRAM
    with serving(*words, "-p", "0", directory=FRAMEWORKS, place=tmp_path) as server:
        answer = httpx.get(f"{server.address}/hello/unit", timeout=PATIENCE)
        status = server.stop()
    assert answer.text == "Hello, unit!\n"
    assert status == 0


def test_the_service_takes_the_socket_that_systemd_passes_and_leaves_its_path(
    tmp_path: Path,
) -> None:
    program, *words = shlex.split(setting(UNITS / "socket/mysite.service", "ExecStart"))
    assert program == PROGRAM
    path = tmp_path / Path(setting(UNITS / "socket/mysite.socket", "ListenStream")).name
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        number = listener.fileno()
        command = ("bash", "-c", f'exec "$@" 3<&{number}', "as-number-3", sys.executable, "-m")
        with serving(
            "daphne_like",
            *words,
            command=command,
            descriptors=(number,),
            directory=FRAMEWORKS,
            place=tmp_path,
        ) as server:
            transport = httpx.HTTPTransport(uds=str(path))
            with httpx.Client(transport=transport, timeout=PATIENCE) as client:
                answer = client.get("http://localhost/hello/socket")
            status = server.stop()
    assert answer.text == "Hello, socket!\n"
    assert status == 0
    assert path.is_socket()


@pytest.mark.parametrize("kind", ["alone", "socket"])
def test_systemd_waits_longer_than_a_stop_may_take(kind: str) -> None:
    from daphne_like.limits import Limits

    limits = Limits()
    application = 2 * limits.application_close_timeout + limits.shutdown_timeout
    longest = limits.graceful_timeout + application
    assert float(setting(UNITS / kind / "mysite.service", "TimeoutStopSec")) > longest
