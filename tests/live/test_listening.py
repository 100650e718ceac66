"""Where a server listens: inherited sockets of every family, Unix sockets, several at once."""

from __future__ import annotations

import json
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.live.serving import APPS, Serving, failure

LOOPS = pytest.mark.parametrize("loop", ["uvloop", "asyncio"])


def bound(family: int, directory: Path) -> socket.socket:
    made = socket.socket(family)
    made.bind(
        {socket.AF_INET: ("127.0.0.1", 0), socket.AF_INET6: ("::1", 0)}.get(
            family, str(directory / "given.sock")
        )
    )
    return made


@LOOPS
@pytest.mark.parametrize("spelled", ["--fd", "fd:"])
@pytest.mark.parametrize("listening", [False, True], ids=["bound", "listening"])
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6, socket.AF_UNIX])
def test_an_inherited_socket_of_every_family(
    loop: str, family: int, listening: bool, spelled: str, tmp_path: Path
) -> None:
    with bound(family, tmp_path) as given:
        name = given.getsockname()
        expected: Any = name if isinstance(name, str) else name[:2]
        if listening:
            given.listen()
        fd = given.fileno()
        way = {"--fd": ["--fd", str(fd)], "fd:": ["-e", f"fd:{fd}"]}[spelled]
        arguments = ["served:scope", "--loop", loop, *way]
        with Serving(*arguments, port=False, fds=[fd]) as server:
            given.close()
            assert server.addresses == [expected]
            scope, peer = asked(server)
            assert scope["server"] == ([name, None] if isinstance(name, str) else list(name[:2]))
            assert scope["client"] == (None if isinstance(name, str) else list(peer[:2]))
    assert (tmp_path / "given.sock").exists() is (family == socket.AF_UNIX)


def asked(server: Serving, fields: bytes = b"") -> tuple[dict[str, Any], Any]:
    """The scope of a request to ``served:scope``, and the address that it was sent from."""
    with server.connect() as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + fields + b"\r\n")
        peer, got = client.getsockname(), b""
        while piece := client.recv(65536):
            got += piece
    scope: dict[str, Any] = json.loads(got.partition(b"\r\n\r\n")[2])
    return scope, peer


@LOOPS
def test_a_unix_socket_of_its_own(loop: str, tmp_path: Path) -> None:
    path = tmp_path / "own.sock"
    with Serving("served:scope", "--loop", loop, "--uds", str(path), port=False) as server:
        assert stat.S_IMODE(path.stat().st_mode) == 0o666
        scope = json.loads(server.get().body)
        assert (scope["server"], scope["client"]) == ([str(path), None], None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", ["660", "0600"])
def test_a_unix_socket_is_for_whom_the_option_says(mode: str, tmp_path: Path) -> None:
    path = tmp_path / "own.sock"
    with Serving("served:hello", "-u", str(path), "--unix-mode", mode, port=False) as server:
        assert stat.S_IMODE(path.stat().st_mode) == int(mode, 8)
        assert server.get().status == 200
    assert list(tmp_path.iterdir()) == []


@LOOPS
def test_two_processes_share_a_port_and_both_are_connected_to(loop: str) -> None:
    options = ["served:process", "--loop", loop, "--reuse-port"]
    with Serving(*options) as one:
        port = str(one.addresses[0][1])
        with Serving(*options, "-p", port, port=False) as other:
            seen = {one.get().body}
            for _ in range(200):
                seen.add(one.get().body)
                if len(seen) == 2:
                    break
            assert len(seen) == 2
            assert other.stop() == 0
            assert {one.get().body for _ in range(20)} < seen
    code, [line] = failure("served:hello", "--reuse-port", "-u", "x", port=False)
    assert (code, "--reuse-port is for --bind and --port" in line) == (2, True)


def test_who_does_not_share_a_port_does_not_get_it() -> None:
    with Serving("served:hello", "--reuse-port") as server:
        port = str(server.addresses[0][1])
        code, [line] = failure("served:hello", "-p", port, port=False)
        assert (code, "the address is in use" in line) == (1, True)


@LOOPS
@pytest.mark.parametrize("place", [["-b", "::"], ["-e", "tcp6:0"]], ids=["option", "string"])
def test_an_ipv4_client_is_one_on_a_socket_for_both(loop: str, place: list[str]) -> None:
    options = ["--loop", loop, "--proxy-headers", "--client-connections", "1"]
    with Serving("served:scope", *options, *place, port="-b" in place) as server:
        server.addresses = [("127.0.0.1", server.addresses[0][1])]
        scope, peer = asked(server)
        assert (scope["client"], scope["server"]) == (list(peer), list(server.addresses[0]))
        scope, _ = asked(server, b"X-Forwarded-For: 192.0.2.7\r\n")
        assert scope["client"][0] == "192.0.2.7", "127.0.0.1 is trusted"
        with server.connect() as first, server.connect() as second:
            assert second.recv(1) == b"", "they are of one client"
            first.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert first.recv(1)
    assert server.stdout.lines[0].startswith(f"127.0.0.1:{peer[1]} - - ")


def test_a_string_of_a_kind_that_somebody_else_has_made() -> None:
    plugins = {"PYTHONPATH": str(APPS / "plugins")}
    with Serving("served:scope", "-e", "foreign:0", port=False, environment=plugins) as server:
        scope, peer = asked(server)
        assert (scope["client"], scope["server"]) == (list(peer), list(server.addresses[0]))


def test_nothing_is_loaded_that_is_not_used(tmp_path: Path) -> None:
    """Each of these is megabytes, and Twisted would load them by itself."""
    path = tmp_path / "own.sock"
    with Serving("served:modules", "--uds", str(path), "-p", "0", port=False, listens=2) as server:
        loaded = set(server.get().body.decode().split())
    assert "twisted.internet.asyncioreactor" in loaded
    assert not loaded & {"OpenSSL", "cryptography", "autobahn", "twisted.internet.endpoints"}


def test_a_stale_unix_socket_is_replaced_and_a_live_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "own.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    with Serving("served:hello", "-u", str(path), port=False) as server:
        code, [line] = failure("served:hello", "-u", str(path), port=False)
        assert (code, "another server answers there" in line) == (1, True)
        assert server.get().status == 200


def test_a_file_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("data")
    code, [line] = failure("served:hello", "-u", str(path), port=False)
    assert (code, "is not a socket" in line) == (1, True)
    assert path.read_text() == "data"


def test_a_relative_unix_socket_is_removed(tmp_path: Path) -> None:
    with Serving("served:hello", "-u", "own.sock", port=False, cwd=tmp_path) as server:
        assert (tmp_path / "own.sock").exists()
        server.addresses.clear()
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_stream_socket_is_refused(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram:
        fd = datagram.fileno()
        code, [line] = failure("served:hello", "--fd", str(fd), port=False, fds=[fd])
    assert (code, "no stream socket" in line) == (1, True)


@LOOPS
def test_several_sockets_at_once(loop: str, tmp_path: Path) -> None:
    path = tmp_path / "own.sock"
    with bound(socket.AF_INET, tmp_path) as given:
        fd = given.fileno()
        options = f"--fd {fd} -u {path} -b ::1 -e tcp:0:interface=127.0.0.1 -e tcp6:0".split()
        with Serving("served:hello", "--loop", loop, *options, listens=5, fds=[fd]) as server:
            given.close()
            assert len({str(address) for address in server.addresses}) == 5
            for index in range(5):
                assert server.get(index=index).body == b"hello"
