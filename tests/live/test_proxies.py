"""The PROXY protocol in front of whole servers, spoken by hand; and whom a server believes."""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.live.serving import PATIENCE, Serving

LOOPS = pytest.mark.parametrize("loop", ["uvloop", "asyncio"])

VERSION_1 = b"PROXY TCP4 192.0.2.1 192.0.2.2 11 22\r\n"
VERSION_2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x01\xc0\x00\x02\x02\x00\x0b\x00\x16"
GET = b"GET /scope HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"


def answer(server: Serving, sent: bytes, index: int = 0, source: str = "127.0.0.1") -> bytes:
    """Everything that comes back on a connection of its own from the address `source`."""
    address = server.addresses[index]
    if isinstance(address, str):
        client = server.connect(index)
    else:
        client = socket.create_connection(address[:2], PATIENCE, (source, 0))
    with client, suppress(ConnectionResetError):
        client.sendall(sent)
        got = b""
        while piece := client.recv(65536):
            got += piece
        return got
    return b""


def scope(server: Serving, before: bytes = b"", claims: bytes = b"", **more: Any) -> dict[str, Any]:
    """The scope of a request that comes behind a preamble and with some fields."""
    sent = before + GET + claims + b"\r\n"
    head, _, body = answer(server, sent, **more).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), head
    seen: dict[str, Any] = json.loads(body)
    return seen


@LOOPS
@pytest.mark.parametrize("preamble", [VERSION_1, VERSION_2])
def test_an_endpoint_behind_a_proxy(loop: str, preamble: bytes, tmp_path: Path) -> None:
    strings = ["-e", "haproxy:tcp:0", "-e", f"haproxy:unix:{tmp_path}/a.sock"]
    with Serving("--demo", "--loop", loop, *strings, port=False, listens=2) as server:
        assert server.log.wait_for("PROXY protocol: required from everybody on haproxy:", 2)
        for index in range(2):
            seen = scope(server, preamble, index=index)
            assert (seen["client"], seen["server"]) == (["192.0.2.1", 11], ["192.0.2.2", 22])
            assert answer(server, GET + b"\r\n", index) == b""
    assert "its PROXY preamble is missing" in "\n".join(server.log.lines)
    assert server.stdout.lines[0].startswith("192.0.2.1:11 - - ")


@LOOPS
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6, socket.AF_UNIX])
def test_an_inherited_socket_behind_a_proxy(loop: str, family: int, tmp_path: Path) -> None:
    source = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}.get(family, "")
    with socket.socket(family) as given:
        given.bind((source, 0) if source else str(tmp_path / "s"))
        fd = given.fileno()
        options = ["--loop", loop, "-e", f"haproxy:fd:{fd}"]
        with Serving("--demo", *options, port=False, fds=[fd]) as server:
            given.close()
            for preamble in (VERSION_1, VERSION_2):
                seen = scope(server, preamble, source=source)
                assert (seen["client"], seen["server"]) == (["192.0.2.1", 11], ["192.0.2.2", 22])


def test_a_foreign_endpoint_behind_a_proxy_is_twisteds() -> None:
    with Serving("--demo", "-e", "haproxy:haproxy:tcp:0", port=False) as server:
        assert scope(server, VERSION_1 + VERSION_1)["type"] == "http"


@LOOPS
def test_a_preamble_is_required_of_trusted_peers_and_is_bad_input_of_others(
    loop: str, tmp_path: Path
) -> None:
    options = ["--proxy-protocol", "--proxy-protocol-allow-ips", "127.0.0.2", "-u"]
    with Serving("--demo", "--loop", loop, *options, str(tmp_path / "a.sock"), listens=2) as server:
        assert server.log.wait_for("PROXY protocol: required from 127.0.0.2")
        assert scope(server, VERSION_2, source="127.0.0.2")["client"] == ["192.0.2.1", 11]
        assert answer(server, GET + b"\r\n", source="127.0.0.2") == b""
        assert scope(server)["client"][0] == "127.0.0.1"
        assert scope(server, index=1)["client"] is None
        for preamble in (VERSION_1, VERSION_2):
            assert answer(server, preamble + GET + b"\r\n").startswith(b"HTTP/1.1 400 ")
            assert answer(server, preamble + GET + b"\r\n", 1).startswith(b"HTTP/1.1 400 ")


@LOOPS
def test_the_connections_of_a_client_are_counted_behind_its_proxy(loop: str) -> None:
    options = ["--loop", loop, "--proxy-protocol", "--client-connections", "1"]
    other = VERSION_1.replace(b".0.2.1", b".0.2.3")
    with Serving("served:hello", *options) as server, server.connect() as client:
        client.sendall(VERSION_1 + b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 200 ")
        assert answer(server, VERSION_2 + GET + b"\r\n") == b""
        assert answer(server, other + GET + b"\r\n").startswith(b"HTTP/1.1 200 ")


@LOOPS
def test_who_waits_for_a_preamble_is_one_of_the_connections(loop: str) -> None:
    options = ["--loop", loop, "--proxy-protocol", "--connections", "2", "--head-timeout", "1"]
    with Serving("served:hello", *options) as server, server.connect(), server.connect():
        server.log.wait_for("2 connections: more have to wait")
        assert answer(server, VERSION_1 + GET + b"\r\n").startswith(b"HTTP/1.1 200 ")
        assert server.log.wait_for("its PROXY preamble did not come in time", 2)


@LOOPS
def test_a_stop_does_not_wait_long_for_a_preamble(loop: str) -> None:
    options = ["--loop", loop, "--proxy-protocol", "--graceful-timeout", "300"]
    with Serving("served:hello", *options) as server, server.connect() as client:
        client.sendall(VERSION_1[:9])
        assert answer(server, VERSION_1 + GET + b"\r\n").startswith(b"HTTP/1.1 200 ")
        assert server.stop() == 0


CLAIMS = (
    b"X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: b\r\n"
    b'X_Forwarded_For: 192.0.2.7\r\nX-Forwarded-User: me\r\nForwarded: for="192.0.2.8:9"\r\n'
    b"Daphne-Root-Path: /r\r\n"
)


def headers(seen: dict[str, Any]) -> list[Any]:
    return [field for field in seen["headers"] if field[0] not in ("host", "connection")]


def test_nothing_that_a_client_claims_reaches_the_application() -> None:
    claims = [line.split(": ") for line in CLAIMS.decode().splitlines()]
    claims = [[name.lower(), value] for name, value in claims]
    with Serving("--demo") as server:
        assert headers(scope(server, claims=CLAIMS)) == claims
    with Serving("--demo", "--proxy-headers") as server:
        seen = scope(server, claims=CLAIMS, source="127.0.0.2")
        assert headers(seen) == []
        assert (seen["client"][0], seen["scheme"], seen["root_path"]) == ("127.0.0.2", "http", "")
        seen = scope(server, claims=CLAIMS)
        assert headers(seen) == [claims[0], claims[1], claims[4]]
        assert (seen["client"], seen["scheme"]) == (["192.0.2.7", 0], "https")
    with Serving("--demo", "--proxy-headers", "--forwarded-style", "forwarded") as server:
        seen = scope(server, claims=CLAIMS)
        assert headers(seen) == [claims[4], claims[5]]
        assert (seen["client"], seen["scheme"]) == (["192.0.2.8", 9], "http")
    with Serving("--demo", "--proxy-headers", "--proxy-protocol") as server:
        seen = scope(server, VERSION_1, CLAIMS)
        assert headers(seen) == []
        assert (seen["client"], seen["scheme"]) == (["192.0.2.1", 11], "http")
