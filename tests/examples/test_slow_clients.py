"""What "Limit slow clients" says of each kind of slow client, with times cut short."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.examples.serving import EXAMPLES, PATIENCE, Server, serving

CHECKSUM = ("checksum:application", "-p", "0")
HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    times = ("--head-timeout", "0.2", "--keep-alive", "0.2", "--http-timeout", "0.2")
    with serving(*CHECKSUM, *times, directory=EXAMPLES / "tutorial", place=tmp_path) as server:
        yield server


def all_that_comes(server: Server, sent: bytes) -> bytes:
    """Send, then only listen, until the server closes."""
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as client:
        client.sendall(sent)
        return b"".join(iter(lambda: client.recv(65536), b""))


def test_a_client_that_says_nothing_is_closed(server: Server) -> None:
    assert all_that_comes(server, b"") == b""


def test_a_head_that_does_not_come_to_its_end_is_answered_408(server: Server) -> None:
    assert all_that_comes(server, HEAD[:10]).startswith(b"HTTP/1.1 408 ")


def test_a_head_without_end_is_answered_431(server: Server) -> None:
    head = HEAD[:-2] + b"".join(b"field-%d: %d\r\n" % (n, n) for n in range(300)) + b"\r\n"
    assert all_that_comes(server, head).startswith(b"HTTP/1.1 431 ")


def test_an_idle_connection_is_closed_after_its_response(server: Server) -> None:
    answer = all_that_comes(server, HEAD + b"ten bytes!")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close" not in answer


def test_a_body_that_takes_too_long_is_answered_503(server: Server) -> None:
    assert all_that_comes(server, HEAD + b"ten").startswith(b"HTTP/1.1 503 ")
    assert "took longer than --http-timeout" in server.log
