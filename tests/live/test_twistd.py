"""The same server as a twistd plugin: its reactor, its log, and how it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live.serving import APPS, PATIENCE, Serving, is_open, wait_until
from tests.live.twistd import ask, command
from tests.support.certificates import localhost

OWN = pytest.param([], id="no reactor")
ASYNCIO = pytest.param(["--reactor=asyncio"], id="asyncio")
UVLOOP = pytest.param(["--reactor=uvloop"], id="uvloop")
SCRIPTS = pytest.mark.parametrize("script", ["twistd", "twist"])


@pytest.mark.parametrize("options", [OWN, ASYNCIO, UVLOOP])
@SCRIPTS
def test_it_serves_and_stops(script: str, options: list[str]) -> None:
    line = command(*options, script=script)
    with Serving("served:lifespan", command=line, log="stdout") as server:
        assert server.get().body == b"started"
        # Twisted ends by the signal that it got, once everything is shut down.
        assert server.stop() in (0, -signal.SIGTERM)
    text = "\n".join(server.stdout.lines)
    assert text.index("] startup") < text.index('"GET /" 200 7') < text.index("] shutdown")
    assert server.stderr.lines == []


def test_a_hangup_lets_certificates_be_read_again(tmp_path: Path) -> None:
    pair = ["--ssl-certfile", localhost().write_in_one(tmp_path)]
    with Serving("served:hello", *pair, command=command(), log="stdout") as server:
        server.tell(signal.SIGHUP)
        assert server.stdout.wait_for(f"Read the certificates of {tmp_path}/server.pem again")
        assert server.stop() in (0, -signal.SIGTERM)


@SCRIPTS
def test_options_may_stand_in_the_environment_and_in_files(tmp_path: Path, script: str) -> None:
    (tmp_path / "mysite.toml").write_text("server-name = 'of the file'\nheader = ['x-one: 1']\n")
    (tmp_path / ".env").write_text("DAPHNE_LIKE_APPLICATION=served:hello\n")
    with Serving(
        *("--config", "mysite.toml", "--env-file", ".env"),
        command=command(script=script),
        log="stdout",
        cwd=tmp_path,
        environment={"DAPHNE_LIKE_SERVER_NAME": "of the environment"},
    ) as server:
        reply = server.get()
        assert reply.body == b"hello"
        assert (reply.headers["server"], reply.headers["x-one"]) == ("of the environment", "1")


# --- In a program of one's own ------------------------------------------------------------------


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_a_service_is_stopped_and_started_again(tmp_path: Path, loop: str) -> None:
    line = [sys.executable, "-X", "dev", str(APPS / "restarting.py")]
    more = ["-e", f"unix:{tmp_path / 's'}", "--admin-bind", f"unix:{tmp_path / 'admin'}"]
    with Serving("restarting:app", "--loop", loop, *more, command=line, listens=2) as server:
        for count, restart in enumerate([signal.SIGUSR2, signal.SIGALRM, signal.SIGUSR2], 2):
            assert server.get().body == server.get(index=1).body == b"started"
            server.tell(restart)
            lines = server.stderr.wait_for("Listening on", 2 * count)
            server.listen_on(lines[-2:])
            assert server.stdout.wait_for("shutdown", count - 1)
        assert server.get().body == b"started"
        assert ask(str(tmp_path / "admin"), "/readyz").body == b"ready\n"
        assert server.stop() == 0
    said = [line for line in server.stdout.lines if line in {"startup", "shutdown"}]
    assert said == ["startup", "shutdown"] * 4


# --- What cannot be -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (["--reactor=epoll"], [], ["EPollReactor is installed already", "--reactor=asyncio"]),
        ([], ["--bogus"], ["unknown option --bogus"]),
        ([], ["--log-config", "nowhere.toml"], ["--log-config nowhere.toml: "]),
    ],
    ids=["reactor", "option", "log"],
)
@SCRIPTS
def test_what_is_refused_is_said_in_one_line(
    script: str, before: list[str], after: list[str], words: list[str]
) -> None:
    line = command(*before, script=script)
    server = Serving("served:hello", *after, command=line, noise=True)
    assert server.wait() == 2
    [line] = server.stderr.lines
    assert line.startswith("daphne-like: ")
    assert all(word in line for word in words)
    assert server.stdout.lines == []


@pytest.mark.parametrize(
    ("application", "status", "words"),
    [
        ("served:failing_startup", 3, "The application failed to start: no database."),
        ("nowhere:app", 2, "Cannot import 'nowhere': there is no module 'nowhere'"),
        ("served:nothing", 2, "nothing"),
        ("served:pair", 2, "served:pair"),
    ],
)
@SCRIPTS
def test_a_start_that_fails_is_one_line_of_the_log_and_sets_the_status(
    script: str, application: str, status: int, words: str
) -> None:
    server = Serving(application, command=command(script=script), noise=True)
    assert server.wait() == status
    [line] = [line for line in server.stdout.lines if "daphne-like: " in line]
    assert words in line
    assert "Traceback" not in "\n".join(server.stdout.lines)
    assert server.stderr.lines == []


@SCRIPTS
def test_what_cannot_be_bound_is_one_line_of_the_log_and_status_1(script: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ours = ["served:hello", "-p", port]
        server = Serving(*ours, command=command(script=script), noise=True, port=False)
        assert server.wait() == 1
    [line] = [line for line in server.stdout.lines if "daphne-like: " in line]
    assert f"Cannot listen on 127.0.0.1:{port}: the address is in use" in line
    assert "Traceback" not in "\n".join(server.stdout.lines)


@SCRIPTS
def test_a_certificate_that_cannot_be_used_has_the_status_of_a_wrong_configuration(
    script: str,
) -> None:
    ours = ["served:hello", "--ssl-certfile", "/nowhere.pem"]
    server = Serving(*ours, command=command(script=script), noise=True)
    assert server.wait() == 2
    [line] = [line for line in server.stdout.lines if "daphne-like: " in line]
    assert "--ssl-certfile /nowhere.pem: No such file or directory." in line
    assert "Traceback" not in "\n".join(server.stdout.lines)


# --- The reactor uvloop ---------------------------------------------------------------------------


@SCRIPTS
def test_the_reactor_uvloop_is_one(script: str) -> None:
    line = command("--reactor=uvloop", script=script)
    with Serving("served:loop", command=line, log="stdout") as server:
        assert server.get().body == b"uvloop"


@SCRIPTS
def test_the_reactor_uvloop_is_for_any_program(tmp_path: Path, script: str) -> None:
    (tmp_path / "page.txt").write_text("a page")
    place = tmp_path / "s"
    line = command("--reactor=uvloop", script=script)[:-1]
    web = [*line, "web", f"--listen=unix:{place}", "--path", str(tmp_path)]
    process = subprocess.Popen(web, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: is_open(str(place)))
        assert ask(str(place), "/page.txt").body == b"a page"
    finally:
        process.terminate()
        text, _ = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in text


@SCRIPTS
def test_where_uvloop_is_missing_a_line_says_so(tmp_path: Path, script: str) -> None:
    (tmp_path / "uvloop.py").write_text("raise ImportError('not installed')\n")
    done = subprocess.run(
        command("--reactor=uvloop", script=script),
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "The reactor uvloop needs the package of that name: pip install uvloop.\n"
    assert done.stdout == ""
