"""Nothing grows with WebSockets that come and go, however they go."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.frameworks.serving import eventually
from tests.live.measured import PLAINLY, Measured
from tests.live.raw_websocket import CLOSE, LAST, TEXT, answer_in, frame, handshake
from tests.live.serving import Serving

RESET = struct.pack("ii", 1, 0)
MESSAGE = frame(LAST | TEXT, b"hello")


@pytest.fixture(params=["uvloop", "asyncio"])
def server(request: pytest.FixtureRequest) -> Iterator[Serving]:
    options = ("--loop", request.param, "--no-access-log", "--watchdog", "0")
    with Serving("leaking:app", *options, command=PLAINLY) as running:
        yield running


def say_goodbye(client: socket.socket) -> None:
    """Wait for the echo, close, and wait for the answer."""
    got = b""
    while not got or not answer_in(got).frames:
        got += client.recv(1000)
    client.sendall(frame(LAST | CLOSE, b"\x03\xe8"))
    while client.recv(1000):
        pass


def leave(client: socket.socket) -> None:
    """Leave without a word."""


def reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


def reset_when_open(client: socket.socket) -> None:
    client.recv(1000)
    reset(client)


def hear_why(client: socket.socket) -> None:
    assert client.recv(1000).startswith(b"HTTP/1.1 403 ")


WAYS: tuple[tuple[bytes, Callable[[socket.socket], None]], ...] = (
    *[(handshake() + MESSAGE, say_goodbye)] * 5,
    (handshake() + MESSAGE, leave),
    (handshake() + MESSAGE[:-1], reset_when_open),
    (handshake() + frame(TEXT, b"half"), reset_when_open),
    (handshake(), reset),
    (handshake("/refuse"), hear_why),
)
"""What each tenth of the clients says, and how it leaves."""


def come_and_go(server: Serving, count: int) -> None:
    """Ten times five clients at once, until there were `count`."""
    batch = WAYS * 5
    for _ in range(count // len(batch)):
        with ExitStack() as stack:
            clients = [stack.enter_context(server.connect()) for _ in batch]
            for client, (said, _) in zip(clients, batch, strict=True):
                client.sendall(said)
            for client, (_, go) in zip(clients, batch, strict=True):
                go(client)


def test_after_10_000_websockets_there_is_no_more_of_anything_than_before(server: Serving) -> None:
    measured = Measured(server)
    come_and_go(server, 2_000)
    eventually(lambda: measured.facts()["HTTP1Connection"] == 1)
    before = measured.facts()
    assert (before["sockets"], before["WebSocketExchange"], before["FrameReader"]) == (0, 0, 0)
    allowed = before | {"objects": before["objects"] + 100}

    def growth() -> int:
        memory = measured.kib("VmRSS")
        come_and_go(server, 2_000)
        eventually(lambda: measured.has_no_more_than(allowed))
        return measured.kib("VmRSS") - memory

    # Bursts leave the heap larger, but not each time; a leak grows with every one.
    assert min(growth() for _ in range(4)) < 256
    assert len(server.stderr.lines) == 1, "nothing of this is worth a line"
