"""WebSockets with real clients: messages, pings, closes and refusals, as they see them."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live.browsers import BROWSERS, browsing, running
from tests.live.conversations import (
    BY_PAGES,
    LEFT,
    LEFT_BY_PAGES,
    SEEN,
    SEEN_BY_PAGES,
    Aiohttp,
    SyncWebsockets,
    Websockets,
    converse,
)
from tests.live.serving import PATIENCE, Serving

CHECKOUT = Path(__file__).parents[2]
CLIENTS = Path(__file__).with_name("clients")
QUIET = ("--watchdog", "0")
"""A busy machine is no news."""


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def loop(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", params=["off", "on"], ids=["plain", "compressed"])
def compression(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def server(loop: str, compression: str) -> Iterator[Serving]:
    options = ("--loop", loop, "--ws-compression", compression, "--ping-interval", "0.2", *QUIET)
    with Serving("sockets:app", *options, "--ws-origins", "same") as running:
        yield running
        assert running.stop() == 0
    told = [line for line in running.stderr.lines[1:] if ": 1009 more than" not in line]
    assert all("Answered 403 to 127.0.0.1" in line for line in told), told


def base(server: Serving) -> str:
    host, port = server.addresses[0]
    return f"ws://{host}:{port}"


def heard(server: Serving, name: str, count: int) -> list[str]:
    """What the application has said of the ends of the last sockets of a client."""
    prefix = f"{name} left: "
    return [line.removeprefix(prefix) for line in server.stdout.wait_for(prefix, count)]


MORE = {"pieces": "pieces", "served": "echo"}
DIFFERENTLY: dict[Any, dict[str, Any]] = {
    Websockets: MORE,
    SyncWebsockets: MORE,
    # It keeps no reason where it has closed first, and shows nothing of a refusal but its status.
    Aiohttp: {
        "closed by the client": [4002, None],
        "closed plainly": [1000, None],
        "/refuse": [403, None],
        "/deny": [401, None],
    },
}


@pytest.mark.parametrize("client", DIFFERENTLY)
def test_a_client_in_python(server: Serving, compression: str, client: Any) -> None:
    talking = converse(client, base(server), compressing=True)
    seen = asyncio.run(asyncio.wait_for(talking, PATIENCE))
    assert seen == SEEN | {"compressed": compression == "on"} | DIFFERENTLY[client]
    assert heard(server, client.__name__.lower(), len(LEFT)) == LEFT


def test_ws_of_node(server: Serving, compression: str, tool: Callable[[str], str]) -> None:
    folder = CHECKOUT / "build" / "node"
    assert folder.is_dir(), "`make tools` fills it"
    command = [tool("node"), str(CLIENTS / "node.mjs"), base(server), str(folder)]
    with running(command, stdout=subprocess.PIPE) as node:
        seen = json.loads(node.communicate(timeout=PATIENCE)[0])
    more = MORE | {"pong": "are you there?", "said": "ws"}
    assert seen == SEEN | {"compressed": compression == "on"} | BY_PAGES | more
    assert heard(server, "ws", len(LEFT) + 1) == [*LEFT_BY_PAGES, "1006 the client closed its side"]


@pytest.mark.parametrize("loop", ["uvloop"], indirect=True)
@pytest.mark.parametrize("browser", BROWSERS)
def test_a_page_in_a_browser(
    server: Serving, compression: str, browser: str, tool: Callable[[str], str]
) -> None:
    page = base(server).replace("ws:", "http:") + f"/page?name={browser}"
    with browsing(tool(browser), page):
        ends = heard(server, browser, len(LEFT) + 1)
    report = server.stdout.wait_for("report ")[-1]
    seen = json.loads(report.removeprefix("report "))
    assert seen == SEEN_BY_PAGES | {"compressed": compression == "on"}
    assert ends == [*LEFT_BY_PAGES, "1001"]
    assert "Origin http://127.0.0.1" in server.stderr.lines[-1]
