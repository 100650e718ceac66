"""Where a server listens: inherited sockets of every family, Unix sockets, several at once."""

from __future__ import annotations

import json
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.live.serving import Serving, failure

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
@pytest.mark.parametrize("listening", [False, True], ids=["bound", "listening"])
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6, socket.AF_UNIX])
def test_an_inherited_socket_of_every_family(
    loop: str, family: int, listening: bool, tmp_path: Path
) -> None:
    with bound(family, tmp_path) as given:
        name = given.getsockname()
        expected: Any = name if isinstance(name, str) else name[:2]
        if listening:
            given.listen()
        fd = given.fileno()
        arguments = ["served:scope", "--loop", loop, "--fd", str(fd)]
        with Serving(*arguments, port=False, fds=[fd]) as server:
            given.close()
            assert server.addresses == [expected]
            scope = json.loads(server.get().body)
            assert scope["server"] == ([name, None] if isinstance(name, str) else list(name[:2]))
    assert (tmp_path / "given.sock").exists() is (family == socket.AF_UNIX)


@LOOPS
def test_a_unix_socket_of_its_own(loop: str, tmp_path: Path) -> None:
    path = tmp_path / "own.sock"
    with Serving("served:scope", "--loop", loop, "--uds", str(path), port=False) as server:
        assert stat.S_IMODE(path.stat().st_mode) == 0o666
        scope = json.loads(server.get().body)
        assert (scope["server"], scope["client"]) == ([str(path), None], None)
    assert list(tmp_path.iterdir()) == []


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
