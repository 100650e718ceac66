"""twistd in the background: it serves, stops, leaves nothing; and gives up its privileges."""

from __future__ import annotations

import os
import pwd
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.live.serving import APPS, PATIENCE, Serving, dial, wait_until
from tests.live.twistd import TWISTD, Daemon, ask
from tests.support.certificates import client_context, localhost

NOBODY = "nobody"


@pytest.mark.parametrize(
    ("reactor", "loop"),
    [([], "uvloop"), ([], "asyncio"), (["--reactor=asyncio"], "asyncio")],
    ids=["uvloop", "asyncio", "the reactor asyncio"],
)
def test_it_serves_in_the_background_until_its_pidfile_says_whom_to_stop(
    tmp_path: Path, reactor: list[str], loop: str
) -> None:
    with Daemon(tmp_path, "speaking:who", "--loop", loop, options=reactor) as daemon:
        for _ in range(3):
            answer = f"{os.getuid()} {tmp_path.name} a thread {loop}"
            assert daemon.get().body.decode() == answer
        assert daemon.processes() == [daemon.pid]
        daemon.stop()
    assert "Received SIGTERM" in "\n".join(daemon.log)


def test_the_application_starts_and_ends_in_the_background(tmp_path: Path) -> None:
    with Daemon(tmp_path, "served:lifespan") as daemon:
        assert daemon.get().body == b"started"
    text = "\n".join(daemon.log)
    assert text.index("] startup") < text.index('"GET /" 200 7') < text.index("] shutdown")


def test_the_watchdog_s_thread_is_there_in_the_background(tmp_path: Path) -> None:
    with Daemon(tmp_path, "served:blocking", "--watchdog", "0.1") as daemon:
        daemon.get("/0.5")
        assert daemon.told("The event loop has been blocked for")


def test_a_start_that_fails_in_the_background_leaves_a_line_and_nothing_else(
    tmp_path: Path,
) -> None:
    daemon = Daemon(tmp_path, "served:failing_startup")
    assert (daemon.status, daemon.said) == (0, ""), "it has bound, and gone into the background"
    daemon.told("Server Shut Down")
    daemon.ended()
    assert len(daemon.told("daphne-like: The application failed to start: no database.")) == 1


def test_what_cannot_be_bound_is_told_before_it_goes_into_the_background(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        daemon = Daemon(tmp_path, "served:lifespan", "-p", port, port=False)
    assert daemon.status == 1
    assert f"StartupError: Cannot listen on 127.0.0.1:{port}: the address is in use" in daemon.said
    daemon.ended()
    [line] = daemon.told("daphne-like: ")
    assert line.endswith("the address is in use; stop the other server or choose another --port.")
    assert "startup" not in "\n".join(daemon.log)


# --- The process ------------------------------------------------------------------------------


def foreground(*options: str) -> tuple[str, ...]:
    return (*TWISTD, "-n", *options, "daphne-like")


def test_there_is_a_pidfile_unless_it_is_said_otherwise(tmp_path: Path) -> None:
    with Serving("served:hello", command=foreground(), cwd=tmp_path, log="stdout") as server:
        assert (tmp_path / "twistd.pid").read_text().isdecimal()
        server.stop()
    assert list(tmp_path.iterdir()) == []
    line = foreground("--pidfile=")
    with Serving("served:hello", command=line, cwd=tmp_path, log="stdout"):
        assert list(tmp_path.iterdir()) == []


def test_a_pidfile_of_nobody_s_is_replaced_and_one_of_a_server_s_respected(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    pidfile = tmp_path / "twistd.pid"
    pidfile.write_text(str(ended.pid))
    with Serving("served:hello", command=foreground(), cwd=tmp_path, log="stdout") as server:
        assert server.stderr.lines + server.stdout.lines
        server.stdout.wait_for(f"Removing stale pidfile {pidfile}")
        other = Serving("served:hello", command=foreground(), cwd=tmp_path, noise=True)
        assert other.wait() == 1
        assert (
            other.stderr.lines[0] == f"Another twistd server is running, PID {pidfile.read_text()}"
        )


def test_the_application_and_every_path_is_found_in_the_directory_of_the_process(
    tmp_path: Path,
) -> None:
    place = tmp_path / "site"
    place.mkdir()
    (place / "mysite.py").write_text(
        f"import sys; sys.path.append({str(APPS)!r})\nfrom speaking import who\n"
    )
    ours = ["-u", "s.sock", "--access-log", "access.log", "--app-dir", "."]
    line = [*foreground("--pidfile=", "--rundir=site", "--umask=027"), "mysite:who", *ours]
    process = subprocess.Popen(line, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: (place / "access.log").exists() and (place / "s.sock").exists())
        assert ask(str(place / "s.sock")).body.split()[1] == b"site"
        assert stat.S_IMODE((place / "access.log").stat().st_mode) == 0o640
        assert stat.S_IMODE((place / "s.sock").stat().st_mode) == 0o666, "its mode is an option"
    finally:
        process.terminate()
        text, _ = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in text
    assert not (place / "s.sock").exists()


def test_who_comes_between_the_binding_and_the_start_waits(tmp_path: Path) -> None:
    path = str(tmp_path / "s.sock")
    ours = ["speaking:gated", "-u", path]
    line = foreground("--pidfile=")
    with Serving(*ours, command=line, cwd=tmp_path, port=False, listens=0) as server:
        server.stdout.wait_for("] starting")
        with dial(path) as client, client.makefile("rb") as answer:
            client.sendall(b"GET / HTTP/1.0\r\nHost: x\r\n\r\n")
            assert not [line for line in server.stdout.lines if "Listening" in line]
            (tmp_path / "open").touch()
            assert answer.read().endswith(b"\r\n\r\nlet in")


# --- Privileges -------------------------------------------------------------------------------


def low_port() -> int:
    """A port below 1024 that nobody has; the kernel picks none of those."""
    for port in range(1023, 600, -1):
        with socket.socket() as tried:
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("all are taken")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has privileges to give up")
def test_what_only_root_may_do_is_done_before_privileges_are_given_up(
    tmp_path: Path,
) -> None:
    nobody = pwd.getpwnam(NOBODY)
    ours = tmp_path / "of root"
    ours.mkdir(mode=0o700)
    certificate = Path(localhost().write_in_one(ours))
    certificate.chmod(0o600)
    port, path = low_port(), str(ours / "s.sock")
    tls = ["-b", "127.0.0.1", "-p", str(port), "--ssl-certfile", str(certificate)]
    listens = [*tls, "-e", f"unix:{path}", "--insecure-bind", f"unix:{ours}/r.sock"]
    become = [f"--uid={NOBODY}", f"--gid={nobody.pw_gid}"]
    for _ in range(2):  # Sockets that nobody may remove are there the second time.
        with Daemon(
            tmp_path, "speaking:who", *listens, options=become, port=False, stays=True
        ) as daemon:
            assert ask(path).body.decode().split()[0] == str(nobody.pw_uid)
            assert ask(f"{ours}/r.sock").status == 308
            assert f" {nobody.pw_uid} ".encode() in b" " + over_tls(port)
            daemon.tell(signal.SIGHUP)
            line = daemon.told("Keeping the certificates of before")[-1]
            assert "Permission denied" in line
        daemon.pidfile.unlink()  # Who has ended may have its number until somebody asks for it.
    assert len(daemon.told(f"set uid/gid {nobody.pw_uid}/{nobody.pw_gid}")) == 2


def over_tls(port: int) -> bytes:
    """The body of the answer to a GET."""
    with (
        dial(("127.0.0.1", port)) as plain,
        client_context().wrap_socket(plain, server_hostname="localhost") as client,
    ):
        client.sendall(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
        with client.makefile("rb") as answer:
            return answer.read().partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("script", ["twistd", "twist"])
def test_where_the_plugin_cache_cannot_be_written_it_serves_all_the_same(
    tmp_path: Path, tool: Callable[[str], str], script: str
) -> None:
    plugins = tmp_path / "twisted" / "plugins"
    plugins.mkdir(parents=True)
    (plugins / "another_plugin.py").write_text('"""A plugin that no cache knows."""\n')
    plugins.chmod(0o555)
    # What a directory's mode forbids root is let do all the same, unless it has no such power.
    bounds = [tool("setpriv"), "--bounding-set=-dac_override,-dac_read_search"]
    plain = {"twistd": ["-n", "--pidfile="], "twist": ["--log-format=text"]}[script]
    twisted = [sys.executable, str(Path(sys.executable).parent / script), *plain, "daphne-like"]
    with Serving(
        "served:hello",
        command=[*(bounds if os.geteuid() == 0 else []), *twisted],
        log="stdout",
        cwd=tmp_path,
        environment={"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
    ) as server:
        assert server.get().body == b"hello"
        assert server.stdout.wait_for("Unable to write to plugin cache")
    assert [path.name for path in plugins.iterdir()] == ["another_plugin.py"]
