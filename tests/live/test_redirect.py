"""Listeners that redirect to https, as curl and raw sockets see them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.live.raw_websocket import handshake
from tests.live.serving import PATIENCE, Serving, dial, is_open
from tests.live.test_stopping import read_until

LOOPS = pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
INSECURE = ("--insecure-bind", "127.0.0.1:0", "--https-port", "8443")


def insecure(server: Serving) -> str:
    """The URL of what redirects."""
    [line] = server.stderr.wait_for("Redirecting to https from")
    return line.rpartition(" ")[2]


@pytest.fixture(scope="module")
def server() -> Iterator[Serving]:
    with Serving("served:hello", *INSECURE, "--health-path", "/up") as running:
        yield running


@pytest.fixture
def shown(server: Serving, tool: Callable[[str], str]) -> Callable[..., list[str]]:
    """The lines that curl gets of a path: the head, an empty line, the body."""

    def run(path: str, *options: str) -> list[str]:
        asked = [*options, insecure(server) + path]
        command = [tool("curl"), "-sS", "-i", "--max-time", str(PATIENCE), *asked]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split(
            "\n"
        )

    return run


def test_every_request_is_sent_to_its_twin(shown: Callable[..., list[str]]) -> None:
    head = shown("/a/b?c=d&e", "-H", "Host: shop.example:80")
    assert head[0] == "HTTP/1.1 308 Permanent Redirect"
    assert "location: https://shop.example:8443/a/b?c=d&e" in head
    assert head[-2] == "308 Permanent Redirect"
    assert shown("/", "--head")[-2:] == ["", ""]


def test_a_body_is_not_waited_for_and_the_connection_lives_on(shown) -> None:
    got = shown("/{a,b}", "-d", "x" * 3000, "-w", "connections: %{num_connects}\n")
    assert got.count("HTTP/1.1 308 Permanent Redirect") == 2
    assert [line for line in got if line.startswith("conn")] == ["connections: 1", "connections: 0"]


def test_the_health_path_is_still_there(shown: Callable[..., list[str]]) -> None:
    assert shown("/up")[0] == "HTTP/1.1 200 OK"


@pytest.mark.parametrize(
    ("sent", "got"),
    [
        (handshake("/chat?a=b"), b"location: wss://x:8443/chat?a=b\r\n"),
        (b"GET /caf\xc3\xa9\\ HTTP/1.1\r\nHost: x\r\n\r\n", b": https://x:8443/caf%C3%A9%5C\r\n"),
        (b"GET http://y:80/a HTTP/1.1\r\nHost: x\r\n\r\n", b"location: https://y:8443/a\r\n"),
        (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", b"location: https://x:8443\r\n"),
        (b"GET / HTTP/1.0\r\n\r\n", b"HTTP/1.1 400 "),
        (b"GET / HTTP/1.1\r\nHost: x@y\r\n\r\n", b"HTTP/1.1 400 "),
        (b"GET / HTTP/1.1\r\nHost: x/y\r\n\r\n", b"HTTP/1.1 400 "),
        (b"GET / HTTP/1.1\r\nHost: x\\y\r\n\r\n", b"HTTP/1.1 400 "),
        (b"GET /\rset-cookie:a HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 400 "),
    ],
)
def test_what_curl_does_not_send(server: Serving, sent: bytes, got: bytes) -> None:
    host, port = insecure(server).removeprefix("http://").split(":")
    with dial((host, int(port))) as client:
        client.sendall(sent)
        read_until(client, got)


@LOOPS
def test_they_are_the_servers_connections_and_end_with_it(loop: str, tmp_path: Path) -> None:
    path = tmp_path / "http.sock"
    options = ("--loop", loop, "--admin-bind", "127.0.0.1:0", "--insecure-bind", f"unix:{path}")
    with Serving("served:hello", *INSECURE, *options) as server:
        [line] = server.stderr.wait_for("Admin pages on")
        server.stderr.wait_for("Redirecting to https from", 2)
        with dial(str(path)) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            read_until(client, b"308 Permanent Redirect\n")
            host, port = line.rpartition("http://")[2].split(":")
            with dial((host, int(port))) as admin:
                admin.sendall(b"GET /connections HTTP/1.0\r\n\r\n")
                page = read_until(admin, b"}\n")
            assert json.loads(page.partition(b"\r\n\r\n")[2])["totals"]["open"] == 1
        assert server.stop() == 0
    assert not is_open(str(path))
    assert not path.exists()
    assert server.stdout.lines == []


def test_without_https_there_is_nothing_to_redirect_to() -> None:
    server = Serving("served:hello", "--insecure-bind", "127.0.0.1:0", noise=True)
    assert server.wait() == 2
    assert any("no https to redirect to" in line for line in server.stderr.whole())
