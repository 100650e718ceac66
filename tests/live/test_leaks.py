"""Nothing grows: not with requests, nor with clients that leave, nor with what is slow."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.frameworks.serving import eventually
from tests.live.measured import PLAINLY, Measured
from tests.live.serving import Serving

MIB = 1024 * 1024
GIB = 1024 * MIB
RESET = struct.pack("ii", 1, 0)
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
MIXED = (
    GET,
    b"GET /pieces HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcde",
    b"POST /upload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
)


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def server(request: pytest.FixtureRequest) -> Iterator[Serving]:
    arguments = ("leaking:app", "--loop", request.param, "--no-access-log")
    with Serving(*arguments, command=PLAINLY) as running:
        yield running


@pytest.fixture
def measured(server: Serving) -> Measured:
    return Measured(server)


def pipelined(server: Serving, count: int) -> None:
    """Send `count` requests of all kinds on ten connections, fifty at a time."""
    batch = b"".join(MIXED[number % len(MIXED)] for number in range(50))
    for _ in range(10):
        with closing(server.connect()) as connection:
            for _ in range(count // 500):
                connection.sendall(batch)
                answers = b""
                while answers.count(b"HTTP/1.1 200") < 50:
                    data = connection.recv(1 << 16)
                    assert data
                    answers += data


def aborted_uploads(server: Serving, count: int) -> None:
    """Leave in the middle of the body, politely and not."""
    head = b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
    for number in range(count):
        with closing(server.connect()) as connection:
            connection.sendall(head + bytes(10_000))
            if number % 2:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


def connection_storm(server: Serving, count: int) -> None:
    """Come and go, with nothing said, half a head, or a question whose answer nobody awaits."""
    said = (b"", GET[:20], GET)
    for number in range(count):
        with closing(server.connect()) as connection:
            connection.sendall(said[number % len(said)])
            if number % 2:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


@pytest.mark.parametrize(
    ("load", "count"), [(pipelined, 20_000), (aborted_uploads, 1_000), (connection_storm, 3_000)]
)
def test_after_a_load_there_is_no_more_of_anything_than_before(server, measured, load, count):
    load(server, 1_000)
    eventually(lambda: measured.facts()["HTTP1Connection"] == 1)
    before = measured.facts()
    allowed = before | {"objects": before["objects"] + 100}

    def growth() -> int:
        memory = measured.kib("VmRSS")
        load(server, count)
        eventually(lambda: measured.has_no_more_than(allowed))
        return measured.kib("VmRSS") - memory

    # Bursts leave the heap larger, but not each time; a leak grows with every one.
    assert any(growth() < 256 for _ in range(5))


def upload(server: Serving, size: int) -> bytes:
    """Send `size` bytes as fast as the application takes them; return its answer."""
    piece = memoryview(bytes(4 * MIB))
    head = "POST /upload?pause=0.02 HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n"
    with closing(server.connect()) as connection:
        connection.sendall(head.format(size).encode())
        for _ in range(size // len(piece)):
            connection.sendall(piece)
        return connection.recv(1 << 16)


@pytest.mark.parametrize(
    ("server", "size", "kib"),
    # asyncio's own loop reads into fresh memory, a quarter of a MiB each time.
    [("uvloop", 4 * GIB, 1024), ("asyncio", GIB, 4096)],
    indirect=["server"],
)
def test_a_large_upload_to_an_application_that_pauses_needs_no_memory(server, measured, size, kib):
    upload(server, 128 * MIB)
    before = measured.kib("VmRSS")
    measured.forget_the_peak()
    assert upload(server, size).endswith(b"\r\n\r\n%d" % size)
    assert measured.kib("VmHWM") - before < kib


def leave_in_the_middle(server: Serving, asked: bytes, count: int) -> None:
    for _ in range(count):
        with closing(server.connect()) as connection:
            connection.sendall(asked)
            connection.recv(1024)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


def test_a_large_file_needs_no_memory_and_leaves_nothing_open(server, measured, tmp_path):
    (tmp_path / "file").touch()
    os.truncate(tmp_path / "file", GIB)
    asked = f"GET /file?path={tmp_path / 'file'} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    leave_in_the_middle(server, asked, 10)
    before, facts = measured.kib("VmRSS"), measured.facts()
    measured.forget_the_peak()
    with closing(server.connect()) as connection:
        connection.sendall(asked)
        head = connection.recv(1024).partition(b"\r\n\r\n")
        assert b"content-length: %d\r\n" % GIB in head[0]
        read_for(connection, GIB - len(head[2]))
    leave_in_the_middle(server, asked, 20)
    assert measured.kib("VmHWM") - before < 1024
    eventually(lambda: measured.has_no_more_than(facts | {"objects": facts["objects"] + 100}))


def read_for(connection: socket.socket, size: int) -> None:
    while size > 0:
        size -= len(connection.recv(size))


@pytest.mark.parametrize("politely", [True, False])
def test_who_leaves_an_endless_response_takes_nobody_along(server, measured, politely):
    before = measured.facts()
    for already_read in (0, 1, 300, 100_000, 10_000_000) * 2:
        with closing(server.connect()) as connection:
            connection.sendall(b"GET /flood?size=%d HTTP/1.1\r\nHost: x\r\n\r\n" % (1 << 50))
            read_for(connection, already_read)
            if not politely:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        assert server.get("/").body == b"ok"
    eventually(lambda: measured.has_no_more_than(before | {"objects": before["objects"] + 100}))


def test_a_client_that_does_not_read_makes_send_wait(server, measured):
    size = 64 * MIB
    seen = [-1, -2]

    def stands_still() -> bool:
        seen.append(int(server.get("/written").body))
        return seen[-1] == seen[-2] == seen[-3] > 0

    before = measured.kib("VmRSS")
    measured.forget_the_peak()
    with closing(server.connect()) as connection:
        connection.sendall(b"GET /flood?size=%d HTTP/1.0\r\n\r\n" % size)
        eventually(stands_still)
        assert seen[-1] < size / 2
        got = 0
        while data := connection.recv(MIB):
            got += len(data.partition(b"\r\n\r\n")[2] if got == 0 else data)
    assert got == size
    assert measured.kib("VmHWM") - before < 1024
