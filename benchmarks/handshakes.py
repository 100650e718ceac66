"""TLS handshakes, each followed by one request and the end of the connection.

Every handshake is a full one, of TLS 1.3: no session is offered for resumption.
"""

from __future__ import annotations

import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.model import Failed

if TYPE_CHECKING:
    from benchmarks.model import Scenario

_PATIENCE = 10.0
"""Seconds after which a step that did not come to its end is an error."""

_RIGHT = b"HTTP/1.1 %d "


@dataclass(frozen=True)
class Load:
    """What the client saw.

    Attributes:
        handshakes: how many connections were made, all of which brought the right answer.
        nanoseconds: how long that took.
        busy: for how many nanoseconds the client ran.
    """

    handshakes: int
    nanoseconds: int
    busy: int

    @property
    def per_second(self) -> float:
        """Handshakes per second."""
        return self.handshakes * 1e9 / self.nanoseconds


def send(port: int, scenario: Scenario, seconds: float) -> Load:
    """Connect again and again for some seconds, over as many connections as the scenario has.

    Raises:
        Failed: if a handshake fails, or an answer is not the right one.
    """
    began, before = time.perf_counter_ns(), time.process_time_ns()
    client = partial(_client, port, scenario, _context(), time.monotonic() + seconds)
    with ThreadPoolExecutor(scenario.connections) as pool:
        clients = [pool.submit(client) for _ in range(scenario.connections)]
    try:
        handshakes = sum(made.result() for made in clients)
    except OSError as error:
        raise Failed(f"handshake failed: {error}") from error
    return Load(handshakes, time.perf_counter_ns() - began, time.process_time_ns() - before)


def _context() -> ssl.SSLContext:
    """Return what a client cannot do without: whether the certificate is right is not its affair.

    `ask` has judged that; to judge it every time would make the client slower than servers are.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def _client(port: int, scenario: Scenario, context: ssl.SSLContext, until: float) -> int:
    """Connect at least once, and return how often."""
    request = f"GET {scenario.request.path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
    asked = f"{request}Connection: close\r\n\r\n".encode()
    right = _RIGHT % scenario.answer.status
    handshakes = 0
    while not handshakes or time.monotonic() < until:
        answer = _answer(port, context, asked)
        if not (answer.startswith(right) and answer.endswith(scenario.answer.body)):
            raise Failed("wrong answer after a handshake")
        handshakes += 1
    return handshakes


def _answer(port: int, context: ssl.SSLContext, asked: bytes) -> bytes:
    """Return all that comes until the server ends the connection."""
    with (
        socket.create_connection(("127.0.0.1", port), _PATIENCE) as plain,
        context.wrap_socket(plain) as connection,
    ):
        connection.sendall(asked)
        parts = []
        while part := connection.recv(4096):
            parts.append(part)
    return b"".join(parts)
