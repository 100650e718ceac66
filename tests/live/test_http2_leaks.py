"""Nothing grows with the streams of one HTTP/2 connection, whether they end or are broken off."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from tests.frameworks.serving import eventually
from tests.live.http2_client import Client
from tests.live.measured import PLAINLY, Measured
from tests.live.serving import PATIENCE, Serving

Load = Callable[[int], None]


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def server(request: pytest.FixtureRequest) -> Iterator[Serving]:
    options = ("--loop", request.param, "--no-access-log", "--watchdog", "0")
    # Who resets more streams than that is taken for an attacker, and ended.
    patient = ("--http2-resets", "1000000")
    with Serving("leaking:app", *options, *patient, command=PLAINLY) as running:
        yield running


@pytest.fixture
def answered(server: Serving, tool: Callable[[str], str]) -> Load:
    """So many requests on one connection, fifty at a time."""
    host, port = server.addresses[0]

    def load(count: int) -> None:
        command = [tool("h2load"), "-n", str(count), "-c", "1", "-m", "50", f"http://{host}:{port}"]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=2 * PATIENCE, check=True
        )
        assert f"{count} succeeded, 0 failed" in done.stdout

    return load


@pytest.fixture
def broken_off(server: Serving) -> Load:
    """So many streams on one connection that are reset: uploads, downloads, and short ones."""
    ways = (("/upload", bytes(100)), ("/flood?size=1000000", None), ("/", None))

    def load(count: int) -> None:
        with closing(server.connect()) as connection:
            client = Client(connection)
            streams: list[int] = []
            for number in range(count):
                path, body = ways[number % len(ways)]
                streams.append(client.ask(path, body, end=path != "/upload"))
                if len(streams) == 30:
                    client.read()
                    for stream in streams:
                        client.reset(stream)
                    streams.clear()
            # While tasks of broken streams have not ended yet, there may be no room for another.
            eventually(lambda: is_served(client))

    return load


def is_served(client: Client) -> bool:
    last = client.ask("/")
    client.wait_until(lambda: last in client.closed)
    assert not client.over
    return client.bodies.get(last) == b"ok"


@pytest.mark.parametrize(("kind", "count"), [("answered", 100_000), ("broken_off", 20_000)])
def test_streams_leave_nothing_behind(
    server: Serving, request: pytest.FixtureRequest, kind: str, count: int
) -> None:
    load: Load = request.getfixturevalue(kind)
    measured = Measured(server)
    load(count // 10)
    eventually(lambda: measured.facts()["HTTP2Connection"] == 0)
    before = measured.facts()
    allowed = before | {"objects": before["objects"] + 100}

    def growth() -> int:
        memory = measured.kib("VmRSS")
        load(count)
        eventually(lambda: measured.has_no_more_than(allowed))
        return measured.kib("VmRSS") - memory

    # Bursts leave the heap larger, but not each time; a leak grows with every one.
    assert any(growth() < 256 for _ in range(3))
