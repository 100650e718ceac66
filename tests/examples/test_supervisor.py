"""The files of "Run under supervisor", given to supervisor itself, with nginx in front of one."""

from __future__ import annotations

import getpass
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from daphne_like.limits import Limits
from tests.examples.proxies import nginx
from tests.examples.serving import COMMAND, DEPLOY, ENVIRONMENT, PATIENCE
from tests.examples.units import FRAMEWORKS, PROGRAM

FILES = DEPLOY / "supervisor"
MAIN = """
[supervisord]
nodaemon=true
user={user}
logfile={place}/supervisord.log
pidfile={place}/supervisord.pid
childlogdir={place}
[unix_http_server]
file={place}/supervisor.sock
[supervisorctl]
serverurl=unix://{place}/supervisor.sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[include]
files = {place}/mysite.conf
"""
MODULE = "supervisor.supervisor{}"


class Supervisor:
    """A supervisor that runs; `place` has all its files."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def control(self, *words: str) -> str:
        """What supervisorctl says."""
        command = [*module("ctl"), "-c", str(self.place / "supervisord.conf"), *words]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, check=False, env=ENVIRONMENT
        )
        return done.stdout

    def log(self, number: int) -> str:
        return (self.place / f"{number}.log").read_text()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, (self.place / "supervisord.log").read_text()
            time.sleep(0.02)


def module(kind: str) -> list[str]:
    return [sys.executable, "-W", "ignore", "-m", MODULE.format(kind)]


@contextmanager
def supervising(example: str, place: Path) -> Iterator[Supervisor]:
    """Run supervisor with an example; paths, the user and the port are this machine's."""
    changes = {
        PROGRAM: " ".join(COMMAND),
        "directory=/srv/mysite": f"directory={FRAMEWORKS}",
        "user=mysite": f"user={getpass.getuser()}",
        "startsecs=5": "startsecs=1",
        "/var/log/mysite": str(place),
        "/run/mysite": str(place),
        "tcp://127.0.0.1:8000": f"unix://{place}/shared.sock",
    }
    text = (FILES / example).read_text()
    for shown, meant in changes.items():
        text = text.replace(shown, meant)
    (place / "mysite.conf").write_text(text)
    (place / "supervisord.conf").write_text(MAIN.format(place=place, user=getpass.getuser()))
    with (place / "out").open("wb") as out:
        process = subprocess.Popen(
            [*module("d"), "-c", str(place / "supervisord.conf")],
            env=ENVIRONMENT,
            stdout=out,
            stderr=out,
        )
    at = Supervisor(place)
    try:
        at.wait_for(lambda: at.control("status").count("RUNNING") == 2)
        for number in range(2):
            at.wait_for(lambda number=number: "Listening on" in at.log(number))  # type: ignore[misc]
        yield at
    finally:
        process.terminate()
        process.wait(PATIENCE)


def get(path: Path, target: str) -> str:
    transport = httpx.HTTPTransport(uds=str(path))
    with httpx.Client(transport=transport, timeout=PATIENCE) as client:
        return client.get(f"http://localhost{target}").raise_for_status().text


class Clients:
    """Ask all the time, each time by a connection of its own, until they are told to stop."""

    def __init__(self, path: Path) -> None:
        self.answers: list[str] = []
        self.failures: list[Exception] = []
        self._path = path
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(4)]

    def _ask(self) -> None:
        while not self._over.is_set():
            try:
                self.answers.append(get(self._path, "/hello/all"))
            except httpx.HTTPError as error:
                self.failures.append(error)

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(PATIENCE)


def test_two_processes_on_one_socket_are_restarted_and_nothing_is_lost(tmp_path: Path) -> None:
    with supervising("shared.conf", tmp_path) as at:
        path = tmp_path / "shared.sock"
        with Clients(path) as clients:
            for number in range(2):
                said = at.control("restart", f"mysite:mysite_{number}")
                assert f"mysite:mysite_{number}: stopped" in said
                assert f"mysite:mysite_{number}: started" in said
            before = len(clients.answers)
            at.wait_for(lambda: len(clients.answers) > before + 20)
        assert set(clients.answers) == {"Hello, all!\n"}
        assert clients.failures == []
        for number in range(2):
            at.wait_for(lambda number=number: at.log(number).count("Listening on unix:") == 2)  # type: ignore[misc]
            assert "Traceback" not in at.log(number)


def test_processes_with_sockets_of_their_own_behind_nginx(
    tmp_path: Path, tool: Callable[[str], str]
) -> None:
    upstream = (DEPLOY / "nginx/several.conf").read_text().partition("\n\n")[2]
    [shown] = re.findall(
        r"upstream mysite \{.*?\n\}\n", (DEPLOY / "nginx/unix.conf").read_text(), re.DOTALL
    )
    changes = {shown: upstream, "/run/mysite/": f"{tmp_path}/"}
    front = tmp_path / "nginx"
    front.mkdir()
    with ExitStack() as running:
        at = running.enter_context(supervising("alone.conf", tmp_path))
        assert {(tmp_path / f"{number}.sock").stat().st_mode & 0o777 for number in range(2)} == {
            0o660
        }
        url = running.enter_context(nginx(tool("nginx"), "unix.conf", "", front, changes=changes))
        for _ in range(2):
            assert httpx.get(f"{url}/hello/nginx", timeout=PATIENCE).text == "Hello, nginx!\n"
        at.control("stop", "mysite:mysite_0")
        assert not (tmp_path / "0.sock").exists()
        for _ in range(3):
            assert httpx.get(f"{url}/hello/one", timeout=PATIENCE).text == "Hello, one!\n"


@pytest.mark.parametrize("example", ["shared.conf", "alone.conf"])
def test_supervisor_waits_longer_than_a_stop_may_take(example: str) -> None:
    limits = Limits()
    application = 2 * limits.application_close_timeout + limits.shutdown_timeout
    [seconds] = re.findall(r"^stopwaitsecs=(\d+)$", (FILES / example).read_text(), re.MULTILINE)
    assert float(seconds) > limits.graceful_timeout + application


def test_an_application_that_cannot_start_is_given_up(tmp_path: Path) -> None:
    with supervising("shared.conf", tmp_path) as at:
        text = (tmp_path / "mysite.conf").read_text()
        (tmp_path / "mysite.conf").write_text(text.replace("mysite.asgi:", "no_such_module:"))
        at.control("update")
        at.wait_for(lambda: len(re.findall("EXITED|FATAL", at.control("status"))) == 2)
        assert "there is no module 'no_such_module'" in at.log(0)
