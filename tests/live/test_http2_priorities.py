"""Priorities where they count: responses that are made piece by piece, to a client that is slow."""

from __future__ import annotations

import socket
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from tests.live.http2_ways import IN_THE_CLEAR, encrypted
from tests.live.serving import Serving
from tests.support.frames import (
    ACK,
    DATA,
    GET,
    INITIAL_WINDOW_SIZE,
    PREFACE,
    SETTINGS,
    changed,
    frame,
    headers,
    packed,
    priority_update,
    read_frames,
    settings,
    window_update,
)

KIB = 1024
WHOLE = 8 * 1024 * KIB
WIDE = settings((INITIAL_WINDOW_SIZE, 2**30)) + window_update(0, 2**30)


def large(stream: int, scheme: str, urgency: int) -> bytes:
    """Ask for much on a stream."""
    head = changed(GET, path=b"/large", scheme=scheme.encode())
    return headers(stream, packed([*head, (b"priority", b"u=%d" % urgency)]))


class SlowReader:
    """A client that reads slowly; ``come`` has the bytes of each stream."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._rest = b""
        self.come: Counter[int] = Counter()

    def read(self) -> None:
        time.sleep(0.002)
        data = self._connection.recv(64 * KIB)
        assert data
        self._rest += data
        for one in read_frames(self._rest):
            self._rest = self._rest[9 + len(one.payload) :]
            if one.kind == DATA:
                self.come[one.stream] += len(one.payload)


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("first", [1, 3])
def test_the_most_urgent_one_has_the_connection(
    tmp_path: Path, loop: str, scheme: str, first: int
) -> None:
    """By its request, and by what its client says of it later."""
    way = encrypted(tmp_path) if scheme == "https" else IN_THE_CLEAR
    options = ("--loop", loop, "--no-access-log", *way.server)
    with (
        Serving("multiplexed:app", *options) as server,
        closing(way.connect(server)) as connection,
    ):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * KIB)
        asked = large(1, scheme, 5) + large(3, scheme, 2)
        later = priority_update(1, b"u=0") if first == 1 else b""
        connection.sendall(PREFACE + WIDE + frame(SETTINGS, b"", ACK) + asked + later)
        reader = SlowReader(connection)
        while reader.come[first] < WHOLE:
            reader.read()
        assert reader.come[4 - first] < WHOLE // 2
        while reader.come[4 - first] < WHOLE:
            reader.read()
