"""What a service manager hears of a whole server, and when."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live.serving import DAPHNE_LIKE, Serving, failure
from tests.live.test_twistd import command
from tests.support.certificates import localhost
from tests.support.manager import Ear

PROGRAMS = pytest.mark.parametrize(
    ("program", "log"), [(DAPHNE_LIKE, "stderr"), (command(), "stdout")], ids=["alone", "twistd"]
)


@pytest.fixture(params=["path", "abstract"])
def ear(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ear]:
    place = f"{tmp_path}/n"
    with Ear(f"@{place}" if request.param == "abstract" else place) as listening:
        yield listening


def told(ear: Ear, **more: str) -> dict[str, str]:
    return {"NOTIFY_SOCKET": ear.name, **more}


@PROGRAMS
def test_it_hears_that_the_server_is_ready_reloads_and_stops(
    program: Any, log: str, ear: Ear, tmp_path: Path
) -> None:
    options = ["--ssl-certfile", localhost().write_in_one(tmp_path)]
    asked: dict[str, Any] = {"command": program, "log": log, "environment": told(ear)}
    with Serving("served:lifespan", *options, **asked) as server:
        [starting, ready] = ear.until("READY=1")
        assert starting["STATUS"] == "Starting the application"
        assert int(starting["EXTEND_TIMEOUT_USEC"]) > 60_000_000
        assert ready == {"READY": "1", "STATUS": "Serving"}
        text = "\n".join(server.stdout.lines)
        assert "startup" in text, "only then is it ready"
        server.tell(signal.SIGHUP)
        [reloading, again] = ear.until("READY=1")
        assert reloading["RELOADING"] == "1"
        assert int(reloading["MONOTONIC_USEC"]) > 0
        assert again == ready
        assert server.log.wait_for("Read the certificates of")
        assert server.stop() in (0, -signal.SIGTERM)
    [stopping, shutting] = ear.waiting()
    assert (stopping["STOPPING"], stopping["STATUS"]) == ("1", "Stopping")
    assert int(stopping["EXTEND_TIMEOUT_USEC"]) > 20_000_000
    assert shutting["STATUS"] == "Shutting the application down"


def test_it_hears_what_a_stop_waits_for(tmp_path: Path) -> None:
    with Ear(f"{tmp_path}/n") as ear:
        options = ["--graceful-timeout", "300"]
        with Serving("served:forever", *options, environment=told(ear)) as server:
            ear.until("READY=1")
            with server.connect() as client:
                client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                assert client.recv(10)
                server.tell(signal.SIGTERM)
                heard = ear.until("STATUS=Stopping: waiting up to 300 s for 1 request")
                assert heard[0]["STOPPING"] == "1"
                server.tell(signal.SIGTERM)
                assert server.wait() == 0


def test_it_hears_why_a_start_fails(tmp_path: Path) -> None:
    with Ear(f"{tmp_path}/n") as ear:
        code, lines = failure("served:failing_startup", environment=told(ear))
        assert code == 3
        [_, failed, *_] = ear.waiting()
    assert lines[-1].removeprefix("daphne-like: ") in failed["STATUS"]
    assert "no database" in failed["STATUS"]


@PROGRAMS
def test_it_hears_from_the_event_loop_and_not_while_that_is_blocked(
    program: Any, log: str, tmp_path: Path
) -> None:
    with Ear(f"{tmp_path}/n") as ear:
        pulse = told(ear, WATCHDOG_USEC="200000")
        options = ["--watchdog", "0"]
        with Serving(
            "served:blocking", *options, command=program, log=log, environment=pulse
        ) as server:
            ear.until("READY=1")
            ear.until("WATCHDOG=1")
            ear.until("WATCHDOG=1")
            asking = threading.Thread(target=server.get, args=("/2",))
            ear.waiting()
            asking.start()
            asking.join()
            # There would be 20 from a thread: some come before the loop is blocked, or after it.
            assert len(ear.waiting()) < 15
            ear.until("WATCHDOG=1")
            assert server.stop() in (0, -signal.SIGTERM)


def test_a_pulse_that_is_another_processs_is_left_to_it(tmp_path: Path) -> None:
    with Ear(f"{tmp_path}/n") as ear:
        pulse = told(ear, WATCHDOG_USEC="20000", WATCHDOG_PID="1")
        with Serving("served:hello", environment=pulse) as server:
            assert server.get().body == b"hello"
        assert not [words for words in ear.waiting() if "WATCHDOG" in words]


def test_a_manager_that_is_gone_is_complained_of_once(tmp_path: Path) -> None:
    gone = {"NOTIFY_SOCKET": f"{tmp_path}/gone", "WATCHDOG_USEC": "20000"}
    with Serving("served:hello", environment=gone) as server:
        assert server.get().body == b"hello"
    lines = [line for line in server.stderr.lines if "service manager" in line]
    assert len(lines) == 1
    assert lines[0].endswith("Cannot tell the service manager: No such file or directory")
