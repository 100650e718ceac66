"""A crowd of HTTP/2 clients that misbehave: each is ended by its limit, nobody else waits."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import benchmarks.apps
from benchmarks.abuse import PACE, SHORT, Sender, crowd
from tests.live.serving import PATIENCE, Serving
from tests.support.frames import (
    ACK,
    GET,
    INITIAL_WINDOW_SIZE,
    PREFACE,
    SETTINGS,
    changed,
    frame,
    headers,
    packed,
    settings,
    window_update,
)

APPS = Path(benchmarks.apps.__file__).parent
ACKNOWLEDGED = frame(SETTINGS, b"", ACK)
LARGE = packed(changed(GET, path=b"/large"))
LARGE_ON_FOUR = b"".join(headers(stream, LARGE) for stream in (1, 3, 5, 7))


async def silent(writer: asyncio.StreamWriter) -> None:
    """Say how HTTP/2 begins, and no more."""
    writer.write(PREFACE + settings() + ACKNOWLEDGED)


async def dribbling(writer: asyncio.StreamWriter) -> None:
    """Send a head that never ends, a byte at a time."""
    writer.write(PREFACE + settings() + ACKNOWLEDGED)
    for byte in headers(1, packed(GET) + bytes(5000)):
        writer.write(bytes([byte]))
        await asyncio.sleep(PACE)


async def letting_nothing_come(writer: asyncio.StreamWriter) -> None:
    """Ask for much, with windows of zero."""
    writer.write(PREFACE + settings((INITIAL_WINDOW_SIZE, 0)) + ACKNOWLEDGED + LARGE_ON_FOUR)


async def reading_nothing(writer: asyncio.StreamWriter) -> None:
    """Ask for much, with wide windows, and leave it in the network."""
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    wide = settings((INITIAL_WINDOW_SIZE, 2**31 - 1)) + window_update(0, 2**30)
    writer.write(PREFACE + wide + ACKNOWLEDGED + LARGE_ON_FOUR)
    while not writer.is_closing():
        writer.write(window_update(0, 1))
        await asyncio.sleep(PACE)


KINDS: dict[str, Sender] = {
    sender.__name__: sender for sender in (silent, dribbling, letting_nothing_come, reading_nothing)
}


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_300_misbehaving_clients_are_ended_by_their_limits_while_others_are_served(loop):
    options = ("--loop", loop, "--no-access-log", *SHORT, "--keep-alive", "1")
    environment = {"PYTHONPATH": str(APPS)}
    with Serving("crowded:app", *options, environment=environment) as server:
        port = server.addresses[0][1]
        ended, latencies = asyncio.run(asyncio.wait_for(crowd(port, 75, KINDS), 3 * PATIENCE))
    assert set(ended) == set(KINDS)
    assert len(latencies) > 10
