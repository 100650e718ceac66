"""WebSockets through nginx and haproxy, with the configuration files of ``deploy/``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.examples.proxies import haproxy, nginx
from tests.examples.serving import CHECKOUT, PATIENCE, serving
from tests.examples.strangers import CLAIMS, STRANGER
from tests.live.conversations import LEFT, SEEN, Websockets, converse

APPS = str(CHECKOUT / "tests" / "live" / "apps")
HEADERS, PROTOCOL = ("--proxy-headers", "--health-path", "/health"), ("--proxy-protocol",)

PROXIES: dict[str, tuple[str, bool, tuple[str, ...]]] = {
    "nginx": ("tcp.conf", False, HEADERS),
    "nginx, Unix": ("unix.conf", True, HEADERS),
    "haproxy": ("http.cfg", False, HEADERS),
    "haproxy, Unix": ("http.cfg", True, HEADERS),
    "haproxy, TCP mode": ("tcp.cfg", False, PROTOCOL),
}
"""The example, whether the server listens on a Unix socket, and how it hears of its clients."""


class Proxied:
    """The server with ``sockets:app`` behind one of the proxies."""

    def __init__(self, name: str, running: ExitStack, tool: Any, place: Any) -> None:
        self.name = name
        self._running = running
        self._tool = tool
        self._place = place
        self.address = ("", 0)

    def start(self, *options: str, **proxy: Any) -> None:
        example, unix, more = PROXIES[self.name]
        where = ("-u", str(self._place / "http.sock")) if unix else ("-p", "0")
        command = ("sockets:app", "--app-dir", APPS, *where, *more, *options)
        server = serving(*command, directory=self._place, place=self._place)
        self.server = self._running.enter_context(server)
        upstream = self.server.address.removeprefix("http://")
        if example.endswith(".conf"):
            program = nginx(self._tool("nginx"), example, upstream, self._place, **proxy)
        else:
            upstream = upstream.replace("unix:", "unix@")
            program = haproxy(self._tool("haproxy"), example, upstream, self._place, **proxy)
        host, _, port = self._running.enter_context(program).partition("//")[2].partition(":")
        self.address = host, int(port)

    def connect(self, path: str, host: str = "mysite.example", **more: Any) -> Any:
        """A socket of a stranger who asks for `host`."""
        more = {"proxy": None, "source_address": (STRANGER, 0), **more}
        return connect(f"ws://{host}{path}", address=self.address, **more)


@pytest.fixture(params=PROXIES)
def proxied(
    request: pytest.FixtureRequest, tool: Callable[[str], str], tmp_path: Any
) -> Iterator[Proxied]:
    with ExitStack() as running:
        yield Proxied(request.param, running, tool, tmp_path)


def test_a_conversation_passes(proxied: Proxied) -> None:
    proxied.start("--ping-interval", "0.2")
    base = "ws://{}:{}".format(*proxied.address)
    talking = converse(Websockets, base, compressing=True)
    seen = asyncio.run(asyncio.wait_for(talking, PATIENCE))
    assert seen == SEEN | {"compressed": False, "pieces": "pieces", "served": "echo"}
    said = [line.partition(" left: ") for line in proxied.server.access]
    assert [end for name, left, end in said if left] == LEFT


def test_the_application_sees_the_client_that_the_proxy_saw(proxied: Proxied) -> None:
    proxied.start()
    with proxied.connect("/show?name=value", additional_headers=CLAIMS) as socket:
        scope = json.loads(socket.recv())
        assert scope["client"] == [STRANGER, socket.socket.getsockname()[1]]
    assert (scope["scheme"], scope["http_version"], scope["path"]) == ("ws", "1.1", "/show")
    assert ["host", "mysite.example"] in scope["headers"]


def test_only_pages_of_the_same_host_may_connect_where_that_is_asked_for(proxied: Proxied) -> None:
    proxied.start("--ws-origins", "same")
    for origin in ("http://mysite.example", "https://mysite.example"):
        with proxied.connect("/echo", origin=origin) as socket:
            socket.send("hello")
            assert socket.recv() == "hello"
    with pytest.raises(InvalidStatus, match="403"):
        proxied.connect("/echo", origin="https://elsewhere.example").__enter__()
    proxied.server.wait_for("Origin https://elsewhere.example is not in --ws-origins")
    assert f"Answered 403 to {STRANGER}:" in proxied.server.log


def test_pings_keep_open_what_the_proxy_would_close(proxied: Proxied) -> None:
    proxied.start("--ping-interval", "0.3", patience="1s")
    with proxied.connect("/echo", ping_interval=None) as socket:
        with pytest.raises(TimeoutError):
            socket.recv(timeout=1.6)
        socket.send("still here")
        assert socket.recv() == "still here"


@pytest.mark.parametrize("proxied", ["nginx", "haproxy"], indirect=True)
def test_without_pings_the_proxy_closes(proxied: Proxied) -> None:
    proxied.start("--ping-interval", "0", patience="1s")
    idle = proxied.connect("/echo?idle", ping_interval=None)
    with idle as socket, pytest.raises(ConnectionClosed):
        socket.recv(timeout=PATIENCE)
    proxied.server.wait_for("idle left: 1006")


@pytest.mark.parametrize(("said", "scheme"), [("https", "wss"), ("wss", "wss"), ("http", "ws")])
def test_a_trusted_proxy_says_how_its_client_connects(
    said: str, scheme: str, tmp_path: Any
) -> None:
    command = ("sockets:app", "--app-dir", APPS, "-p", "0", "--proxy-headers")
    with serving(*command, directory=tmp_path, place=tmp_path) as server:
        url = server.address.replace("http:", "ws:") + "/show"
        with connect(url, additional_headers={"X-Forwarded-Proto": said}) as socket:
            assert json.loads(socket.recv())["scheme"] == scheme
