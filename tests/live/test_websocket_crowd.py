"""WebSockets that do not do their part, in a crowd: each ends by its limit, others are served."""

from __future__ import annotations

import asyncio
import re
import socket
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NamedTuple

import pytest

from tests.live.raw_websocket import BINARY, LAST, PING, TEXT, Answer, answer_in, frame, handshake
from tests.live.serving import PATIENCE, Serving

PACE = 0.2
"""Seconds between two words of who says little."""

Behave = Callable[[asyncio.StreamWriter], Awaitable[None]]

LIMITS = (
    *("--head-timeout", "2", "--write-timeout", "2", "--websocket_connect_timeout", "2"),
    *("--ping-interval", "1", "--ping-timeout", "1"),
    *("--websocket_timeout", "6", "--websocket-close-timeout", "1"),
)
"""With these a crowd is soon gone; who does nothing wrong is closed last, for its age."""


async def _say_nothing(writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def _dribble_head(writer: asyncio.StreamWriter) -> None:
    for byte in handshake("/listen"):
        writer.write(bytes((byte,)))
        await asyncio.sleep(PACE)


async def _dribble_frame(writer: asyncio.StreamWriter) -> None:
    for byte in frame(LAST | BINARY, bytes(1000)):
        writer.write(bytes((byte,)))
        await asyncio.sleep(PACE)


async def _read_nothing(writer: asyncio.StreamWriter) -> None:
    """Take nothing until the connection is gone, which only who writes finds out."""
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    while not writer.is_closing():
        writer.write(frame(LAST | PING, b"still here"))
        await asyncio.sleep(PACE)


async def _flood_pings(writer: asyncio.StreamWriter) -> None:
    """The same, with as many pings as the server reads, each of which wants a pong."""
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    pings = frame(LAST | PING, bytes(125)) * 500
    while not writer.is_closing():
        writer.write(pings)
        await writer.drain()
        await asyncio.sleep(0.01)


class Kind(NamedTuple):
    """How many clients there are, how they begin and go on, and how the server ends them."""

    count: int
    asked: bytes
    behave: Behave
    status: int
    code: int | None
    """What the client gets of an answer and of a close; who reads nothing gets nothing."""
    line: str | None
    """What the server notes: the close code, or the status, and the outcome."""


KINDS = {
    "hesitates": Kind(90, b"", _dribble_head, 408, None, None),
    "unaccepted": Kind(
        90, handshake("/hesitate?unaccepted"), _say_nothing, 503, None, "503 timed out"
    ),
    "unclosed": Kind(90, handshake("/leave?unclosed"), _say_nothing, 101, 4000, "4000 complete"),
    "mute": Kind(90, handshake("/listen?mute"), _say_nothing, 101, 1011, "1006 timed out"),
    "slow": Kind(90, handshake("/listen?slow"), _dribble_frame, 101, 1001, "1001 timed out"),
    "deaf": Kind(30, handshake("/flood?deaf"), _read_nothing, 0, None, "1006 disconnected"),
    "pinging": Kind(20, handshake("/listen?pinging"), _flood_pings, 0, None, "1006 disconnected"),
}


async def _client(port: int, begin: bytes, behave: Behave) -> tuple[int, int | None]:
    """One client until its connection is over; what it has got."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.setblocking(False)
    await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=connection)
    writer.write(begin)
    behaving = asyncio.ensure_future(behave(writer))
    got = b""
    with suppress(ConnectionError):
        while piece := await reader.read(65536):
            got += piece
    behaving.cancel()
    await asyncio.wait([behaving])
    writer.transport.abort()
    with suppress(ConnectionError):
        await writer.wait_closed()
    answer = answer_in(got)
    return answer.status, answer.code


async def _probe(port: int, over: asyncio.Event) -> int:
    """Echo over one WebSocket after the other, and ask by HTTP, until it is over; how often."""
    served = 0
    while not over.is_set():
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(handshake("/echo") + frame(LAST | TEXT, b"probe"))
        got = b""
        while not answer_in(got).frames:
            piece = await reader.read(1000)
            assert piece, got
            got += piece
        assert answer_in(got) == Answer(101, [(TEXT, b"probe")])
        writer.close()
        await writer.wait_closed()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).endswith(b"hello")
        writer.close()
        await writer.wait_closed()
        served += 1
        await asyncio.sleep(PACE / 10)
    return served


async def _crowd(port: int) -> tuple[Counter[tuple[str, int, int | None]], int]:
    over = asyncio.Event()
    probing = asyncio.ensure_future(_probe(port, over))
    names = [name for name, kind in KINDS.items() for _ in range(kind.count)]
    ended = await asyncio.gather(*[_client(port, *KINDS[name][1:3]) for name in names])
    over.set()
    seen = Counter((name, *end) for name, end in zip(names, ended, strict=True))
    return seen, await probing


SEEN = Counter({(name, kind.status, kind.code): kind.count for name, kind in KINDS.items()})
NOTED = Counter({f"{name} {kind.line}": kind.count for name, kind in KINDS.items() if kind.line})


_NUMBERS = re.compile(r":\d+|\d+ oth|, and \d+ others before$")
TOLD = {
    "Refused a request from 127.0.0.1: 408 the head took too long",
    "Refused er requests",
    "WebSocket /hesitate?unaccepted of 127.0.0.1 was not accepted within 2 s"
    " (--websocket_connect_timeout): 503",
}
"""What the log says, and of the others only how many; the rest is in the access lines."""


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_500_websockets_that_misbehave_end_by_their_limits_while_others_are_served(loop):
    lines = ("--access-log-format", "%(q)s %(s)s %(outcome)s")
    with Serving("sockets:app", "--loop", loop, "--watchdog", "0", *LIMITS, *lines) as server:
        port = server.addresses[0][1]
        seen, served = asyncio.run(asyncio.wait_for(_crowd(port), 3 * PATIENCE))
        assert server.get().body == b"hello"
    assert seen == SEEN
    noted = Counter(line for line in server.stdout.lines if line.partition(" ")[0] in KINDS)
    assert noted == NOTED
    assert served > 10
    told = [_NUMBERS.sub("", line[33:]) for line in server.stderr.lines[1:]]
    assert set(told) == TOLD
