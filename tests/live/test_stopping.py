"""How a server stops: in order, completely, and without a word too many."""

from __future__ import annotations

import signal
import socket
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.live.serving import Serving, is_open, wait_until

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LOOPS = pytest.mark.parametrize("loop", ["uvloop", "asyncio"])


def read_until(client: socket.socket, words: bytes) -> bytes:
    received = b""
    while words not in received:
        piece = client.recv(65536)
        assert piece, received
        received += piece
    return received


@pytest.fixture
def begun() -> Iterator[list[socket.socket]]:
    """Connections to close when the test is over."""
    clients: list[socket.socket] = []
    yield clients
    for client in clients:
        client.close()


def begin(server: Serving, clients: list[socket.socket]) -> socket.socket:
    """A connection whose request is being answered and never will be."""
    client = server.connect()
    clients.append(client)
    client.sendall(REQUEST)
    read_until(client, b"begun")
    return client


@LOOPS
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_what_is_in_flight_finishes_and_nothing_new_begins(loop: str, number: int) -> None:
    with Serving("served:echo", "--loop", loop) as server:
        with server.connect() as idle, server.connect() as busy:
            idle.sendall(REQUEST)
            assert b"200 OK" in read_until(idle, b"\r\n\r\n")
            busy.sendall(
                b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
            )
            assert read_until(busy, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            server.tell(number)
            assert idle.recv(100) == b""
            wait_until(lambda: not is_open(server.addresses[0]))
            assert server.exit_status is None
            busy.sendall(b"after")
            answer = read_until(busy, b"after")
            assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
            assert b"connection: close\r\n" in answer
            assert busy.recv(100) == b""
        assert server.wait() == 0


@LOOPS
def test_who_still_comes_is_served_while_readiness_fails(loop: str, tmp_path: Path) -> None:
    admin = tmp_path / "admin"
    options = ["--drain-delay", "300", "--health-path", "/health", "--admin-bind", f"unix:{admin}"]
    with Serving("served:process", "--loop", loop, *options) as server:
        assert server.get("/health").status == 200
        server.tell(signal.SIGTERM)
        [line] = server.stderr.wait_for("Stopping: serving on for 300 s, while readiness fails;")
        assert line.endswith("a second signal ends it at once")
        assert server.get("/health").status == 503
        server.addresses.append(str(admin))
        ready = server.get("/readyz", index=1)
        assert (ready.status, ready.body) == (503, b"draining\n")
        served = server.get()
        assert (served.status, served.headers["connection"]) == (200, "close")
        assert server.stop(signal.SIGINT) == 0


@LOOPS
def test_when_that_time_is_over_it_stops_by_itself(loop: str) -> None:
    with Serving("served:hello", "--loop", loop, "--drain-delay", "0.5") as server:
        server.tell(signal.SIGTERM)
        server.stderr.wait_for("Stopping: serving on for 0.5 s")
        assert server.wait() == 0


def test_a_response_that_is_still_on_its_way_arrives_whole() -> None:
    with Serving("served:large") as server, server.connect() as slow:
        slow.sendall(REQUEST)
        received = len(slow.recv(1000).partition(b"\r\n\r\n")[2])
        server.tell(signal.SIGTERM)
        wait_until(lambda: not is_open(server.addresses[0]))
        while piece := slow.recv(1_000_000):
            received += len(piece)
        assert received == 8_000_000


@LOOPS
def test_a_request_that_does_not_finish_in_time_is_cancelled(
    loop: str, begun: list[socket.socket]
) -> None:
    with Serving("served:forever", "--loop", loop, "--graceful-timeout", "0.1") as server:
        client = begin(server, begun)
        assert server.stop() == 0
    assert "cancelled" in server.stdout.lines
    assert sum("1 request did not finish in time" in line for line in server.stderr.lines) == 1
    with pytest.raises(ConnectionResetError):
        client.recv(100)


@LOOPS
def test_an_application_that_will_not_be_cancelled_does_not_keep_the_server(
    loop: str, begun: list[socket.socket]
) -> None:
    options = ["--graceful-timeout", "0.1", "--application-close-timeout", "0.1"]
    with Serving("served:stubborn", "--loop", loop, *options) as server:
        begin(server, begun)
        assert server.stop() == 0
    assert "cancelled" in server.stdout.lines


def test_a_thread_that_does_not_end_does_not_keep_the_server(begun: list[socket.socket]) -> None:
    options = ["--graceful-timeout", "0.1", "--application-close-timeout", "0.1"]
    with Serving("served:thread", *options) as server:
        begin(server, begun)
        assert server.stop() == 0
    assert "leaving without it" in server.stderr.lines[-1]


@LOOPS
def test_a_second_signal_forces(loop: str, begun: list[socket.socket]) -> None:
    with Serving("served:touchy", "--loop", loop, "--graceful-timeout", "300") as server:
        begin(server, begun)
        server.tell(signal.SIGTERM)
        [line] = server.stderr.wait_for("Stopping: waiting up to 300 s for 1 request;")
        assert line.endswith("a second signal ends it at once")
        assert server.stop(signal.SIGINT) == 0
    assert "cancelled" in server.stdout.lines
    assert server.stderr.lines[-1] == line, "it ends without another word"


def test_a_second_signal_does_not_wait_for_a_thread_either(begun: list[socket.socket]) -> None:
    options = ["--graceful-timeout", "300", "--application-close-timeout", "300"]
    with Serving("served:thread", *options) as server:
        begin(server, begun)
        server.tell(signal.SIGINT)
        server.stderr.wait_for("Stopping: waiting")
        assert server.stop(signal.SIGINT) == 0
    assert "leaving without it" in server.stderr.lines[-1]


@LOOPS
def test_a_second_signal_does_not_wait_for_the_lifespan_either(loop: str) -> None:
    options = ["--loop", loop, "--shutdown-timeout", "300"]
    with Serving("served:endless_shutdown", *options) as server:
        server.tell(signal.SIGTERM)
        server.stdout.wait_for("shutting down")
        assert server.stop(signal.SIGTERM) == 0


@LOOPS
def test_the_lifespan_ends_last_and_what_it_left_ends_quietly(loop: str) -> None:
    with Serving("served:lifespan", "--loop", loop) as server:
        assert server.get().body == b"started"
        assert server.stop() == 0
    assert not any("Stopping" in line for line in server.stderr.lines), "nothing had to wait"
    assert server.stdout.lines[0] == "startup"
    assert server.stdout.lines[-1] == "shutdown"


def test_a_shutdown_that_does_not_end_is_told_of() -> None:
    with Serving("served:endless_shutdown", "--shutdown-timeout", "0.1") as server:
        assert server.stop() == 0
    assert "--shutdown-timeout" in server.stderr.lines[-1]


@LOOPS
def test_a_server_that_is_still_starting_stops_at_once(loop: str) -> None:
    server = Serving("served:endless_startup", "--loop", loop, "--shutdown-timeout", "300")
    server.stdout.wait_for("starting")
    assert server.stop() == 0
    assert server.stderr.lines == []


@pytest.mark.parametrize("pause", [0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_signal_at_any_moment_of_the_start_ends_it_with_success(
    number: int, pause: float
) -> None:
    server = Serving("served:hello", command=(sys.executable, "-m", "daphne_like"))
    wait_until(lambda: server.handles(signal.SIGTERM))
    time.sleep(pause)
    assert server.stop(number) == 0
    assert all("Listening on" in line for line in server.stderr.lines)


def test_a_process_that_has_served_enough_stops_by_itself_and_loses_nothing() -> None:
    with Serving("served:hello", "--limit-max-requests", "3") as server:
        with server.connect() as busy:
            for number in range(3):
                busy.sendall(REQUEST)
                head = read_until(busy, b"hello")
                assert (b"connection: close" in head) is (number == 2)
            assert busy.recv(100) == b""
        wait_until(lambda: server.exit_status is not None)
    assert server.exit_status == 0
    assert server.stderr.wait_for("as many requests as --limit-max-requests")


class _Importing(Serving):
    """A server that never listens, for the import of its application does not end."""

    says = "importing"

    def listen_on(self, lines: Iterable[str]) -> None:
        pass


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_an_import_that_never_ends_is_ended_by_asking_again(number: int) -> None:
    def asked_again() -> bool:
        server.tell(number)
        return server.exit_status is not None

    with _Importing("hanging:application", log="stdout") as server:
        wait_until(asked_again)
        assert server.exit_status == -number
