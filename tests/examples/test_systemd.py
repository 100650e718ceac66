"""The units of "Run under systemd": checked by systemd, and their commands run as it would."""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.examples.proxies import nginx
from tests.examples.serving import COMMAND, ENVIRONMENT, PATIENCE
from tests.examples.units import (
    FRAMEWORKS,
    PROGRAM,
    UNITS,
    SocketUnit,
    StoredSockets,
    running,
    unit,
)


@pytest.mark.parametrize("kind", ["alone", "socket", "workers"])
def test_systemd_accepts_the_units(kind: str, tmp_path: Path, tool: Callable[[str], str]) -> None:
    here = {PROGRAM: sys.executable, "/srv/mysite": str(tmp_path)}
    units = []
    for each in sorted((UNITS / kind).iterdir()):
        text = each.read_text()
        for there, replacement in here.items():
            text = text.replace(there, replacement)
        units.append(tmp_path / each.name)
        units[-1].write_text(text)
    verify = [tool("systemd-analyze"), "verify", "--man=no", *map(str, units)]
    checked = subprocess.run(verify, capture_output=True, text=True, timeout=PATIENCE, check=False)
    complaints = [line for line in checked.stderr.splitlines() if str(tmp_path) in line]
    assert complaints == []
    assert checked.returncode == 0, checked.stderr


def test_the_service_is_ready_reloads_and_stops_with_success(tmp_path: Path) -> None:
    with running(unit(UNITS / "alone/mysite.service"), tmp_path, None, "-p", "0") as service:
        assert service.started[0] == {"WATCHDOG": "1"}
        answer = httpx.get(f"{service.server.address}/hello/unit", timeout=PATIENCE)
        service.reload()
        [reloading, _] = service.ear.until("READY=1")
        assert service.stop() == 0
        [stopping, *_] = service.ear.waiting()
    assert answer.text == "Hello, unit!\n"
    assert reloading["RELOADING"] == stopping["STOPPING"] == "1"


def get(path: Path, target: str) -> str:
    transport = httpx.HTTPTransport(uds=str(path))
    with httpx.Client(transport=transport, timeout=PATIENCE) as client:
        return client.get(f"http://localhost{target}").raise_for_status().text


SOCKETS = {
    "as it stands": {},
    "named": {"SocketMode=": "FileDescriptorName=http\nSocketMode="},
    "TCP too": {"SocketMode=": "ListenStream=127.0.0.1:8000\nSocketMode="},
}


@pytest.mark.parametrize("changes", SOCKETS.values(), ids=SOCKETS)
def test_the_service_takes_the_sockets_that_systemd_passes_and_leaves_their_paths(
    changes: dict[str, str], tmp_path: Path
) -> None:
    service = unit(UNITS / "socket/mysite.service")
    with SocketUnit(unit(UNITS / "socket/mysite.socket", changes), tmp_path) as sockets:
        [path] = sockets.paths
        for restarted in ("first", "second"):
            with running(service, tmp_path / restarted, sockets) as at:
                assert get(path, "/hello/socket") == "Hello, socket!\n"
                assert at.server.log.count("Listening on") == len(sockets.sockets)
                assert at.stop() == 0
            assert path.is_socket()


def test_who_comes_while_the_service_restarts_waits_for_it(tmp_path: Path) -> None:
    service = unit(UNITS / "socket/mysite.service")
    with SocketUnit(unit(UNITS / "socket/mysite.socket"), tmp_path) as sockets:
        [path] = sockets.paths
        with running(service, tmp_path / "first", sockets) as at:
            assert at.stop() == 0
        with ThreadPoolExecutor() as clients:
            waiting = [clients.submit(get, path, f"/hello/{index}") for index in range(5)]
            with running(service, tmp_path / "second", sockets):
                answers = [each.result(PATIENCE) for each in waiting]
    assert answers == [f"Hello, {index}!\n" for index in range(5)]


def test_systemd_itself_passes_the_socket(tmp_path: Path, tool: Callable[[str], str]) -> None:
    """By its own program, which starts the service with the first client."""
    program, *words = shlex.split(unit(UNITS / "socket/mysite.service").one("ExecStart"))
    assert program == PROGRAM
    path = tmp_path / "s"
    activate = [tool("systemd-socket-activate"), "-l", str(path), *COMMAND, *words]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            activate, cwd=FRAMEWORKS, env=ENVIRONMENT, stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + PATIENCE
        while b"Listening on" not in (tmp_path / "log").read_bytes():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert get(path, "/hello/systemd") == "Hello, systemd!\n"
    finally:
        process.terminate()
        status = process.wait(PATIENCE)
    assert status == 0, (tmp_path / "log").read_text()
    assert path.is_socket()


def test_a_client_behind_nginx_sees_nothing_of_a_restart(
    tmp_path: Path, tool: Callable[[str], str]
) -> None:
    service = unit(UNITS / "socket/mysite.service")
    front = tmp_path / "nginx"
    front.mkdir()
    with ExitStack() as open:
        at = SocketUnit(unit(UNITS / "socket/mysite.socket"), tmp_path)
        sockets = open.enter_context(at)
        proxy = nginx(tool("nginx"), "unix.conf", f"unix:{sockets.paths[0]}", front)
        url = open.enter_context(proxy)

        def ask(number: int) -> str:
            answer = httpx.get(f"{url}/hello/{number}", timeout=PATIENCE)
            return answer.raise_for_status().text

        with running(service, tmp_path / "first", sockets) as first:
            assert ask(0) == "Hello, 0!\n"
            assert first.stop() == 0
        clients = open.enter_context(ThreadPoolExecutor())
        waiting = [clients.submit(ask, number) for number in range(1, 5)]
        with running(service, tmp_path / "second", sockets):
            answers = [each.result(PATIENCE) for each in waiting]
    assert answers == [f"Hello, {number}!\n" for number in range(1, 5)]


@pytest.mark.parametrize("kind", ["alone", "socket"])
def test_systemd_waits_longer_than_a_stop_may_take(kind: str) -> None:
    from daphne_like.limits import Limits

    limits = Limits()
    application = 2 * limits.application_close_timeout + limits.shutdown_timeout
    longest = limits.graceful_timeout + application
    assert float(unit(UNITS / kind / "mysite.service").one("TimeoutStopSec")) > longest


def test_workers_find_their_sockets_again_that_systemd_has_kept(tmp_path: Path) -> None:
    service = unit(UNITS / "workers/mysite.service")
    assert int(service.one("FileDescriptorStoreMax")) > 1
    with running(service, tmp_path / "first", None, "-p", "0") as at:
        address = at.server.address
        at.reload()
        at.ear.until("RELOADING=1")
        at.ear.until("READY=1")
        assert at.stop() == 0
        stored = StoredSockets([at.ear.kept.pop()])
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(httpx.get, f"{address}/hello/workers", timeout=PATIENCE)
        with running(service, tmp_path / "second", stored, "-p", "0") as at:
            assert waiting.result().text == "Hello, workers!\n"
            assert at.server.address == address
            assert at.stop() == 0
    stored.close()
