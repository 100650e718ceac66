"""Django's synchronous views in threads that are kept: `--sync-threads`."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import httpx
import pytest

from tests.frameworks.serving import ServingFramework, eventually
from tests.live.serving import PATIENCE

FOUR = {f"sync-{number}" for number in range(4)}
RESET = struct.pack("ii", 1, 0)


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def server(request: pytest.FixtureRequest) -> Iterator[ServingFramework]:
    options = "--sync-threads", "4", "--loop", request.param
    with ServingFramework("django_threads:app", *options) as running:
        yield running


def where(server: ServingFramework, count: int, *, lasting: float = 0) -> list[dict[str, object]]:
    """What `count` views said that were asked for one after the other."""
    with httpx.Client(base_url=server.url, timeout=PATIENCE) as client:
        return [client.get("/where", params={"for": lasting}).json() for _ in range(count)]


def at_once(server: ServingFramework, clients: int, each: int) -> list[dict[str, object]]:
    with ThreadPoolExecutor(clients) as pool:
        asking = [pool.submit(where, server, each, lasting=0.001) for _ in range(clients)]
        return [said for asked in asking for said in asked.result(PATIENCE)]


def test_a_thousand_requests_start_no_thread(server):
    at_once(server, 8, 10)
    before = where(server, 1)[0]["started"]
    said = at_once(server, 8, 125)
    assert len(said) == 1000
    assert {each["thread"] for each in said} <= FOUR
    assert where(server, 1)[0]["started"] == before


def test_one_that_hangs_keeps_its_thread_when_its_client_has_left(server, client):
    with closing(server.connect()) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        connection.sendall(b"GET /hang HTTP/1.1\r\nHost: localhost\r\n\r\n")
        eventually(lambda: "hanging" in client.get("/noted").json())
    left = {each["thread"] for each in at_once(server, 8, 10)}
    assert left < FOUR
    client.get("/let-go")
    eventually(lambda: {each["thread"] for each in at_once(server, 8, 10)} == FOUR)


def test_a_request_is_finished_for_django_too(server, client):
    at_once(server, 4, 5)
    facts = client.get("/facts").json()
    assert facts["started"] == facts["finished"] + 1


def test_without_the_option_threads_come_and_go():
    with ServingFramework("django_threads:app") as server:
        before, *_, after = [each["started"] for each in where(server, 20)]
        assert after - before >= 19
