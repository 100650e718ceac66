"""The demonstration's chat, between clients who have never heard of this server."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.live.browsers import BROWSERS, browsing, settled
from tests.live.serving import PATIENCE, Serving
from tests.live.tools import Curl


def heard(guest: ClientConnection) -> dict[str, Any]:
    """The next event that `guest` is told of."""
    event: dict[str, Any] = json.loads(guest.recv(timeout=PATIENCE))
    return event


def test_two_chat_until_the_server_stops() -> None:
    with Serving("--demo") as server:
        host, port = server.addresses[0]
        url = f"ws://{host}:{port}/chat"
        with connect(f"{url}?name=Ada") as ada, connect(f"{url}?name=Bob") as bob:
            assert heard(ada)["people"] == 1
            assert heard(bob)["people"] == 2
            assert heard(ada)["event"] == "came"
            bob.send(json.dumps({"say": "Hello, Ada!"}))
            assert heard(ada)["text"] == heard(bob)["text"] == "Hello, Ada!"
            bob.close()
            assert heard(ada) == {"event": "left", "name": "Bob", "people": 1}
            with connect(url) as newcomer:
                assert [said["text"] for said in heard(newcomer)["said"]] == ["Hello, Ada!"]
            with pytest.raises(InvalidStatus, match="403"):
                connect(url, origin="http://evil.example")  # type: ignore[arg-type]
            server.stop()
            with pytest.raises(ConnectionClosed) as closed:
                [heard(ada) for _ in range(3)]
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012
    assert server.exit_status == 0


def chatting(browser: str, curl: str, cache: Path) -> list[dict[str, Any]]:
    """The access lines of what a page in a browser asks for that chats with another client."""
    options = "--ssl-dev", "--access-log-format", "json", "--watchdog", "0"
    with Serving("--demo", *options, environment={"XDG_CACHE_HOME": str(cache)}) as server:
        certificate = cache / "daphne-like" / "development.pem"
        trusted = ssl.create_default_context(cafile=certificate)
        host, port = server.addresses[0]
        shown = Curl(curl)(f"https://{host}:{port}/", "--cacert", str(certificate))
        assert "<li>HTTP/2</li><li>https</li>" in shown[1]
        with connect(f"wss://{host}:{port}/chat?name=Ada", ssl=trusted) as ada:
            assert heard(ada)["people"] == 1
            with browsing(browser, f"https://{host}:{port}/", certificate.read_bytes()):
                assert heard(ada)["event"] == "came"
            assert heard(ada)["event"] == "left"
    lines = [json.loads(line) for line in server.stdout.lines]
    return [line for line in lines if "Mozilla" in line["user_agent"]]


@pytest.mark.parametrize("browser", BROWSERS)
def test_a_page_in_a_browser_chats_over_http2(
    browser: str, tool: Callable[[str], str], tmp_path: Path
) -> None:
    def visit() -> list[dict[str, Any]]:
        return chatting(tool(browser), tool("curl"), tmp_path)

    by_page = settled(visit, lambda lines: {line["protocol"] for line in lines} == {"HTTP/2"})
    assert {line["path"] for line in by_page} >= {"/", "/chat"}
    assert len({line["client_port"] for line in by_page}) == 1, "all is on one connection"
