"""A crowd of clients as slow as they can be: each is closed by its limit, nobody else waits."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import benchmarks.apps
from benchmarks.abuse import SHORT, crowd
from tests.live.serving import PATIENCE, Serving

APPS = Path(benchmarks.apps.__file__).parent

KIND = {
    "says nothing": b"",
    "sends a head slowly": b"HTTP/1.1 408 Request Timeout",
    "sends a body slowly": b"HTTP/1.1 408 Request Timeout",
    "reads nothing": b"",
}
"""What each kind of client gets before its connection is closed."""


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_500_slow_clients_are_closed_by_their_limits_while_others_are_served(loop):
    options = ("--loop", loop, "--no-access-log", *SHORT)
    environment = {"PYTHONPATH": str(APPS)}
    with Serving("crowded:app", *options, environment=environment) as server:
        port = server.addresses[0][1]
        ended, latencies = asyncio.run(asyncio.wait_for(crowd(port, 125), 3 * PATIENCE))
        refused = server.stderr.wait_for("Refused a request from 127.0.0.1", count=20)
    assert ended == {name: {line} for name, line in KIND.items()}
    assert len(latencies) > 10
    assert all(": 408 the " in line for line in refused)
