"""The configuration files of "Run behind haproxy", given to haproxy, with the server behind it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.examples.proxies import haproxy
from tests.examples.serving import PATIENCE, Server, serving
from tests.examples.strangers import CLAIMS, STRANGER, Stranger

HEALTH = ("--health-path", "/health")
"""What haproxy's file checks, in HTTP mode."""


class Behind:
    """A server with some options behind haproxy, over TCP or a Unix socket."""

    def __init__(self, running: ExitStack, program: str, place: Path, unix: bool) -> None:
        self._running = running
        self._program = program
        self._place = place
        self.unix = unix
        self.url = ""
        self.server: Server

    def start(self, example: str, *options: str, version: int = 2) -> str:
        place = self._place
        where = ("-u", str(place / "http.sock")) if self.unix else ("-p", "0")
        self.server = self._running.enter_context(
            serving("--demo", *where, *HEALTH, *options, directory=place, place=place)
        )
        upstream = self.server.address.removeprefix("http://").replace("unix:", "unix@")
        proxy = haproxy(self._program, example, upstream, place, version=version)
        self.url = self._running.enter_context(proxy)
        return self.url

    def scope(self, client: Stranger, **headers: str) -> dict[str, Any]:
        return client.get(f"{self.url}/scope", headers=headers).raise_for_status().json()


@pytest.fixture(params=["TCP", "Unix"])
def behind(
    request: pytest.FixtureRequest, tool: Callable[[str], str], tmp_path: Path
) -> Iterator[Behind]:
    with ExitStack() as running:
        at = Behind(running, tool("haproxy"), tmp_path, request.param == "Unix")
        yield at
        assert "Closed a connection" not in at.server.log
        assert "Refused" not in at.server.log


def said(seen: dict[str, Any]) -> dict[str, str]:
    """What the application could take for the words of a proxy."""
    return {name: value for name, value in seen["headers"] if name.title() in CLAIMS}


def test_haproxy_tells_of_its_client_in_headers(behind: Behind) -> None:
    behind.start("http.cfg", "--proxy-headers")
    with Stranger() as client:
        seen = behind.scope(client, Host="mysite.example")
        assert seen["client"] == [STRANGER, client.port]
    assert seen["scheme"] == "http"
    assert ["host", "mysite.example"] in seen["headers"]


def test_what_a_client_claims_by_itself_is_not_believed(behind: Behind) -> None:
    behind.start("http.cfg", "--proxy-headers")
    with Stranger() as client:
        seen = behind.scope(client, **CLAIMS)
        port = client.port
    assert seen["client"] == [STRANGER, port]
    assert (seen["scheme"], seen["root_path"]) == ("http", "")
    told = {"x-forwarded-for": STRANGER, "x-forwarded-port": str(port)}
    assert said(seen) == {**told, "x-forwarded-proto": "http", "x-forwarded-user": "root"}


def test_a_client_does_not_choose_its_requests_id(behind: Behind) -> None:
    url = behind.start("http.cfg", "--request-id", "X-Request-ID")
    with Stranger() as client:
        answer = client.get(f"{url}/scope", headers={"X-Request-ID": "mine"})
    assert re.fullmatch("[0-9a-f-]{36}", answer.headers["x-request-id"])
    assert ["x-request-id", answer.headers["x-request-id"]] in answer.json()["headers"]


def test_haproxy_asks_the_health_path_and_not_the_application(behind: Behind) -> None:
    url = behind.start("http.cfg", "--proxy-headers", "--health-path", "/elsewhere")
    with Stranger() as client:
        end = time.monotonic() + PATIENCE
        while client.get(f"{url}/scope").status_code != 503 and time.monotonic() < end:
            time.sleep(0.1)
        assert client.get(f"{url}/scope").status_code == 503
    behind.server.wait_for('"GET /health" 404')


@pytest.mark.parametrize("version", [1, 2])
def test_haproxy_tells_of_its_client_by_the_proxy_protocol(behind: Behind, version: int) -> None:
    url = behind.start("tcp.cfg", "--proxy-protocol", version=version)
    with Stranger() as client:
        seen = behind.scope(client)
        assert seen["client"] == [STRANGER, client.port]
        host, _, port = url.removeprefix("http://").partition(":")
        assert seen["server"] == [host, int(port)]
        assert behind.scope(client)["client"] == [STRANGER, client.port]
    behind.server.wait_for(f"{STRANGER}:{client.port} - - ")


@pytest.mark.parametrize("headers", [(), ("--proxy-headers",)])
def test_behind_the_proxy_protocol_a_client_speaks_for_itself(
    behind: Behind, headers: tuple[str, ...]
) -> None:
    behind.start("tcp.cfg", "--proxy-protocol", *headers)
    with Stranger() as client:
        seen = behind.scope(client, **CLAIMS)
        assert (seen["client"], seen["scheme"]) == ([STRANGER, client.port], "http")
    assert said(seen) == ({} if headers else {name.lower(): v for name, v in CLAIMS.items()})


@pytest.mark.parametrize("example", ["http.cfg", "tcp.cfg"])
def test_an_upload_and_events_pass_haproxy(behind: Behind, example: str) -> None:
    option = {"http.cfg": "--proxy-headers", "tcp.cfg": "--proxy-protocol"}[example]
    url = behind.start(example, option)
    with Stranger() as client:
        answer = client.post(f"{url}/upload", content=b"x" * 3_000_000).json()
        assert answer["size"] == 3_000_000
        with client.stream("GET", f"{url}/events") as response:
            first = next(response.iter_text())
    assert '"count": 1' in first
    assert '"count": 2' not in first
