"""WebSockets with real clients: messages, pings, closes and refusals, as they see them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.live.conversations import (
    LEFT,
    SEEN,
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


@contextmanager
def running(command: list[str], **more: Any) -> Iterator[subprocess.Popen[str]]:
    """A program with all that it starts, until the block is left."""
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, text=True, start_new_session=True, **more
    ) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


# A page, and who does as pages do, closes without a code.
BY_PAGES = {"closed plainly": [1005, ""]}
LEFT_BY_PAGES = ["1005" if end == "1000" else end for end in LEFT]


def test_ws_of_node(server: Serving, compression: str, tool: Callable[[str], str]) -> None:
    folder = CHECKOUT / "build" / "node"
    assert folder.is_dir(), "`make tools` fills it"
    command = [tool("node"), str(CLIENTS / "node.mjs"), base(server), str(folder)]
    with running(command, stdout=subprocess.PIPE) as node:
        seen = json.loads(node.communicate(timeout=PATIENCE)[0])
    more = MORE | {"pong": "are you there?", "said": "ws"}
    assert seen == SEEN | {"compressed": compression == "on"} | BY_PAGES | more
    assert heard(server, "ws", len(LEFT) + 1) == [*LEFT_BY_PAGES, "1006 the client closed its side"]


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A directory for Chromium, whose name leaves room for that of a Unix socket."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as path:
        yield Path(path)


@pytest.mark.parametrize("loop", ["uvloop"], indirect=True)
def test_a_page_in_chromium(
    server: Serving, compression: str, tool: Callable[[str], str], short_path: Path
) -> None:
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    options += ["--no-first-run", "--disable-background-networking", "--disable-extensions"]
    page = base(server).replace("ws:", "http:") + "/page"
    command = [tool("chromium"), *options, f"--user-data-dir={short_path}", page]
    environment = {**os.environ, "HOME": str(short_path), "TMPDIR": str(short_path)}
    with (
        (short_path / "log").open("wb") as log,
        running(command, env=environment, stdout=log, stderr=log),
    ):
        [line] = server.stdout.wait_for("report ")
    seen = json.loads(line.removeprefix("report "))
    # A page is not told why its socket was refused.
    refused = {"/refuse": [1006, ""], "/deny": [1006, ""]}
    more = {"compressed": compression == "on", "from elsewhere": 1006}
    assert seen == SEEN | BY_PAGES | refused | more
    assert heard(server, "chromium", len(LEFT)) == LEFT_BY_PAGES
    assert "Origin http://127.0.0.1" in server.stderr.lines[-1]
