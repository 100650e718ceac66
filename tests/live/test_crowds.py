"""Too many at once: nobody is lost, and nobody else disturbed."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from tests.live.serving import Serving

FILES = 128
ROOM = 64
GET = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
LOOPS = pytest.mark.parametrize("loop", ["uvloop", "asyncio"])


@pytest.fixture
def few_files() -> Iterator[None]:
    """What is started here may have few files open; we ourselves may go on."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def answer(connection: socket.socket) -> bytes:
    got = b""
    while data := connection.recv(65536):
        got += data
    return got


@LOOPS
def test_who_comes_when_the_files_are_used_up_waits_and_is_served(loop, few_files):
    with Serving("served:hello", "--loop", loop) as server, ExitStack() as stack:
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, before[1]))
        idle = [stack.enter_context(server.connect()) for _ in range(ROOM)]
        assert [one.send(GET[:9]) for one in idle] == [9] * ROOM
        server.log.wait_for(f"{ROOM} connections: more have to wait")
        waiting = [stack.enter_context(server.connect()) for _ in range(FILES)]
        for one in waiting:
            one.sendall(GET)
        waiting[0].settimeout(0.3)
        with pytest.raises(TimeoutError):
            waiting[0].recv(1)
        waiting[0].settimeout(10)
        for one in idle:
            one.sendall(GET[9:])
        for one in idle + waiting:
            assert answer(one).endswith(b"hello")


@LOOPS
def test_a_client_may_have_so_many_connections(loop):
    with (
        Serving("served:hello", "--loop", loop, "--client-connections", "3") as server,
        ExitStack() as stack,
    ):
        mine = [stack.enter_context(server.connect()) for _ in range(3)]
        for one in mine:
            one.sendall(GET[:9])
        with server.connect() as fourth, suppress(ConnectionError):
            fourth.sendall(GET)
            assert answer(fourth) == b""
        for one in mine:
            one.sendall(GET[9:])
            assert answer(one).endswith(b"hello")
