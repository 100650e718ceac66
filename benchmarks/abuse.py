"""A crowd of slow clients, and what somebody else notices of it: ``python -m benchmarks.abuse``.

Each kind of client does one thing as slowly as it can, until the server has had enough of it.
A probe asks for a small page all the while; its latencies are what the crowd costs.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path

PACE = 0.2
"""Seconds between two bytes of who sends slowly, and between two questions of the probe."""

_HEAD = b"GET / HTTP/1.1\r\nHost: a\r\nX: "
_BODY = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n"
_LARGE = b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n" * 100

Sender = Callable[[asyncio.StreamWriter], Coroutine[None, None, None]]


async def _idle(writer: asyncio.StreamWriter) -> None:
    """Say nothing."""


async def _dribble(writer: asyncio.StreamWriter, first: bytes) -> None:
    writer.write(first)
    while not writer.is_closing():
        writer.write(b"x")
        await asyncio.sleep(PACE)


async def _slow_head(writer: asyncio.StreamWriter) -> None:
    await _dribble(writer, _HEAD)


async def _slow_body(writer: asyncio.StreamWriter) -> None:
    await _dribble(writer, _BODY)


async def _slow_reader(writer: asyncio.StreamWriter) -> None:
    """Ask for much, and take nothing of it until the connection is gone."""
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(_LARGE)
    while not writer.is_closing():
        writer.write(b"\r\n")
        await asyncio.sleep(PACE)


KINDS: dict[str, Sender] = {
    "says nothing": _idle,
    "sends a head slowly": _slow_head,
    "sends a body slowly": _slow_body,
    "reads nothing": _slow_reader,
}


async def _narrow(port: int) -> socket.socket:
    """A connection that takes little at a time: what a slow reader announces as its window."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.setblocking(False)
    await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
    return connection


async def _client(port: int, send: Sender) -> bytes:
    """One client, until its connection is over; the first line that it got."""
    reader, writer = await asyncio.open_connection(sock=await _narrow(port), limit=1024)
    sending = asyncio.ensure_future(send(writer))
    try:
        got = await reader.read(64)
        while await reader.read(65536):
            pass
    except ConnectionError:
        got = b""
    finally:
        sending.cancel()
        await asyncio.wait([sending])
        writer.transport.abort()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    return got.partition(b"\r\n")[0]


async def _probe(port: int, latencies: list[float], over: asyncio.Event) -> None:
    """Ask again and again until it is over, each time on a connection of its own."""
    while not over.is_set():
        began = time.perf_counter()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        answer = await reader.read()
        latencies.append(time.perf_counter() - began)
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n"), answer[:100]
        writer.close()
        await writer.wait_closed()
        await asyncio.sleep(PACE / 10)


async def crowd(
    port: int, each: int, kinds: dict[str, Sender] = KINDS
) -> tuple[dict[str, set[bytes]], list[float]]:
    """Let `each` clients of all `kinds` come at once; how they ended, and the probe's latencies.

    Returns when the server has closed every connection.
    """
    latencies: list[float] = []
    over = asyncio.Event()
    probing = asyncio.ensure_future(_probe(port, latencies, over))
    clients = [_client(port, send) for send in kinds.values() for _ in range(each)]
    ended = await asyncio.gather(*clients)
    over.set()
    await probing
    seen = {name: set(ended[at * each : (at + 1) * each]) for at, name in enumerate(kinds)}
    return seen, latencies


SHORT = ("--head-timeout", "3", "--body-timeout", "3", "--write-timeout", "3", "--linger", "1")
"""Limits with which a crowd is soon gone."""


@contextlib.contextmanager
def _server(*options: str) -> Iterator[int]:
    """Our server, with the benchmark's application and `options`; its port."""
    command = [sys.executable, "-m", "daphne_like", "apps.crowded:app", "-p", "0", *options]
    with subprocess.Popen(
        [*command, "--no-access-log", "--app-dir", str(Path(__file__).parent)],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        found = re.search(r":(\d+)\n", process.stderr.readline())
        assert found is not None
        try:
            yield int(found[1])
        finally:
            process.terminate()
            process.communicate(timeout=30)


def main() -> None:
    """Print what the probe notices, alone and in a crowd of 500."""
    for each in (0, 125):
        with _server(*SHORT) as port:
            ended, latencies = asyncio.run(asyncio.wait_for(_measured(port, each), 120))
        shown = {name: sorted(map(bytes.decode, lines)) for name, lines in ended.items()}
        cuts = statistics.quantiles(latencies, n=100)
        print(f"{4 * each} slow clients, {len(latencies)} probes: ", end="")
        print(f"median {cuts[49] * 1e3:.1f} ms, p99 {cuts[98] * 1e3:.1f} ms", shown if each else "")


async def _measured(port: int, each: int) -> tuple[dict[str, set[bytes]], list[float]]:
    if each:
        return await crowd(port, each)
    latencies: list[float] = []
    over = asyncio.Event()
    asyncio.get_running_loop().call_later(5, over.set)
    await _probe(port, latencies, over)
    return {}, latencies


if __name__ == "__main__":
    main()
