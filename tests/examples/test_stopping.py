"""What "Stop and deploy without losing requests" and the table of exit codes promise."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from tests.examples.pages import DOCS
from tests.examples.serving import COMMAND, ENVIRONMENT, EXAMPLES, PATIENCE, serving

TUTORIAL = EXAMPLES / "tutorial"
COUNTDOWN = "3\n2\n1\nLift off!\n"


def wait_until_refused(port: int) -> None:
    """Wait until nobody listens any more."""
    for _ in range(int(PATIENCE / 0.01)):
        try:
            socket.create_connection(("127.0.0.1", port), PATIENCE).close()
        except ConnectionRefusedError:
            return
        time.sleep(0.01)
    pytest.fail("the server still listens")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_in_flight_is_finished_and_nobody_else_can_connect(
    number: signal.Signals, tmp_path: Path
) -> None:
    with serving("countdown:application", "-p", "0", directory=TUTORIAL, place=tmp_path) as server:
        with httpx.stream("GET", server.address, timeout=PATIENCE) as response:
            lines = response.iter_text()
            first = next(lines)
            server.process.send_signal(number)
            wait_until_refused(server.port)
            whole = first + "".join(lines)
        assert server.process.wait(PATIENCE) == 0
    assert whole == COUNTDOWN


def test_a_second_signal_waits_for_nothing(tmp_path: Path) -> None:
    with serving("ticks:application", "-p", "0", directory=TUTORIAL, place=tmp_path) as server:
        with httpx.stream("GET", server.address, timeout=PATIENCE) as response:
            events = response.iter_text()
            next(events)
            server.process.terminate()
            wait_until_refused(server.port)
            server.process.terminate()
            with pytest.raises(httpx.TransportError):
                list(events)
        assert server.process.wait(PATIENCE) == 0


def test_a_request_that_does_not_end_is_cancelled_after_the_graceful_timeout(
    tmp_path: Path,
) -> None:
    options = ("-p", "0", "--graceful-timeout", "0.1")
    with serving("ticks:application", *options, directory=TUTORIAL, place=tmp_path) as server:
        with httpx.stream("GET", server.address, timeout=PATIENCE) as response:
            events = response.iter_text()
            next(events)
            assert server.stop() == 0
            with pytest.raises(httpx.TransportError):
                list(events)
        assert "1 request did not finish in time" in server.log


def test_clients_wait_for_the_new_server_at_a_socket_that_outlives_the_old(tmp_path: Path) -> None:
    def deployed(name: str, application: str):
        place = tmp_path / name
        place.mkdir()
        number = listener.fileno()
        return serving(
            application,
            *("--fd", str(number)),
            descriptors=(number,),
            directory=TUTORIAL,
            place=place,
        )

    with socket.create_server(("127.0.0.1", 0)) as listener:
        host, port = listener.getsockname()
        with deployed("old", "hello:application") as old:
            answer = httpx.get(f"http://{host}:{port}/old", timeout=PATIENCE)
            assert answer.text == "Hello, old!\n"
            assert old.stop() == 0
            between = socket.create_connection((host, port), PATIENCE)
        with between:
            between.sendall(b"GET /new HTTP/1.0\r\n\r\n")
            with deployed("new", "hello:application"):
                answered = b"".join(iter(lambda: between.recv(4096), b""))
    assert answered.endswith(b"Hello, new!\n")


# --- Exit codes -------------------------------------------------------------------------------


def exit_code(*arguments: str, directory: Path) -> int:
    """Run the command line to its end, which it has to find by itself."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=directory,
        env=ENVIRONMENT,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    ).returncode


def test_the_page_lists_the_exit_codes_that_there_are(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("raise RuntimeError\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        found = {
            0: exit_code("--version", directory=TUTORIAL),
            1: exit_code("hello:application", "-p", port, directory=TUTORIAL),
            2: exit_code("hello:nothing", directory=TUTORIAL),
            3: exit_code("broken:application", directory=tmp_path),
        }
    assert found == {code: code for code in found}
    page = (DOCS / "reference/command-line.md").read_text()
    assert set(map(int, re.findall(r"^\| (\d) \|", page, re.MULTILINE))) == set(found)
