"""Socket activation: `systemd:` on sockets that were passed as systemd passes them."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.live.serving import DAPHNE_LIKE, Serving, failure
from tests.live.test_proxies import VERSION_2
from tests.live.test_proxies import scope as proxied_scope
from tests.live.twistd import TWISTD
from tests.support.manager import Passing

LOOPS = pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
NAMES = "http:http:admin"


@pytest.fixture
def three(tmp_path: Path) -> Iterator[list[socket.socket]]:
    """A socket of each family."""
    with ExitStack() as made:
        v4 = made.enter_context(socket.create_server(("127.0.0.1", 0)))
        v6 = made.enter_context(socket.create_server(("::1", 0), family=socket.AF_INET6))
        unix = made.enter_context(socket.socket(socket.AF_UNIX))
        unix.bind(str(tmp_path / "s"))
        unix.listen()
        yield [v4, v6, unix]


def activated(
    passing: Passing, *arguments: str, command: Any = DAPHNE_LIKE, **more: Any
) -> Serving:
    return Serving(
        *arguments,
        command=[*passing.command, *command],
        fds=passing.fds,
        environment=passing.environment,
        port=False,
        **more,
    )


def names(sockets: list[socket.socket]) -> list[Any]:
    found = [each.getsockname() for each in sockets]
    return [name if isinstance(name, str) else name[:2] for name in found]


@LOOPS
@pytest.mark.parametrize("named", [NAMES, None], ids=["names", "no names"])
def test_all_that_was_passed_is_served_and_left_in_place(
    loop: str, named: str | None, three: list[socket.socket], tmp_path: Path
) -> None:
    with Passing(three, named) as passing:
        arguments = ("served:scope", "--loop", loop, "-e", "systemd:")
        with activated(passing, *arguments, listens=3) as server:
            assert server.addresses == names(three)
            for index, family in enumerate(three):
                with server.connect(index) as client:
                    client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                    peer, got = client.getsockname(), b""
                    while piece := client.recv(65536):
                        got += piece
                scope = json.loads(got.partition(b"\r\n\r\n")[2])
                name = family.getsockname()
                unix = isinstance(name, str)
                assert scope["server"] == ([name, None] if unix else list(name[:2]))
                assert scope["client"] == (None if unix else list(peer[:2]))
            server.addresses.clear()  # They are ours, and stay open.
        assert (tmp_path / "s").is_socket()


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("systemd:name=http", [0, 1]),
        ("systemd:domain=UNIX:name=admin", [2]),
        ("systemd:index=1", [1]),
        ("systemd:domain=INET:index=0", [0]),
    ],
)
def test_some_of_them_are_served(text: str, chosen: list[int], three: list[socket.socket]) -> None:
    with Passing(three, NAMES) as passing:
        count = len(chosen)
        with activated(passing, "served:hello", "-e", text, listens=count) as server:
            assert server.addresses == names([three[index] for index in chosen])
            assert [server.get(index=index).status for index in range(count)] == [200] * count
            server.addresses.clear()


def test_several_strings_choose_from_them(three: list[socket.socket]) -> None:
    strings = ["-e", "systemd:index=2", "-e", "systemd:index=0", "-e", "tcp:0"]
    with (
        Passing(three) as passing,
        activated(passing, "served:hello", *strings, listens=3) as server,
    ):
        assert server.addresses[:2] == names([three[2], three[0]])
        del server.addresses[:2]


def test_no_child_is_told_of_them_or_inherits_them(
    three: list[socket.socket], tmp_path: Path
) -> None:
    with Passing(three[:2], "http:spare") as passing:
        passing.environment |= {
            "NOTIFY_SOCKET": str(tmp_path / "nobody"),
            "WATCHDOG_USEC": "60000000",
        }
        with activated(passing, "served:children", "-e", "systemd:name=http") as server:
            told = server.get().body.decode()
            assert "_" not in told, "no variable is left"
            files = [os.fstat(each.fileno()).st_ino for each in three[:2]]
            assert not [number for number in files if f"socket:[{number}]" in told]
            server.addresses.clear()


@LOOPS
def test_behind_a_proxy_addresses_are_those_that_it_tells(
    loop: str, three: list[socket.socket]
) -> None:
    arguments = ("--demo", "--loop", loop, "-e", "haproxy:systemd:")
    with Passing(three, NAMES) as passing, activated(passing, *arguments, listens=3) as server:
        assert server.log.wait_for("PROXY protocol: required from everybody on haproxy:systemd")
        for index in range(3):
            source = "::1" if index == 1 else "127.0.0.1"
            seen = proxied_scope(server, VERSION_2, index=index, source=source)
            assert (seen["client"], seen["server"]) == (["192.0.2.1", 11], ["192.0.2.2", 22])
        server.addresses.clear()


TWISTD_AFTER_TWISTED = (
    sys.executable,
    "-X",
    "dev",
    "-c",
    "import sys, twisted.internet.endpoints; from twisted.scripts.twistd import run; run()",
)


@pytest.mark.parametrize(
    "program",
    [TWISTD, TWISTD_AFTER_TWISTED],
    ids=["twistd", "after Twisted's own reader"],
)
def test_under_twistd(program: tuple[str, ...], three: list[socket.socket], tmp_path: Path) -> None:
    command = (*program, "-n", "--pidfile=", "daphne-like")
    with Passing(three, NAMES) as passing:
        arguments = ("served:hello", "-e", "systemd:")
        with activated(passing, *arguments, command=command, log="stdout", listens=3) as server:
            assert [server.get(index=index).body for index in range(3)] == [b"hello"] * 3
            server.addresses.clear()
        assert (tmp_path / "s").is_socket()


# --- What cannot be -----------------------------------------------------------------------------


def refused(passing: Passing, *arguments: str, **environment: str) -> str:
    code, [line] = failure(
        "served:hello",
        *arguments,
        port=False,
        fds=passing.fds,
        command=[*passing.command, *environment.pop("command", "").split(), *DAPHNE_LIKE],
        environment=passing.environment | environment,
    )
    assert code == 1
    return line


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("systemd:name=https", "No socket is named 'https': FileDescriptorName= says admin, http."),
        ("systemd:index=3", "There is no socket 3: 3 were passed, from 0 on."),
        ("systemd:domain=INET:index=2", "5: its domain is UNIX, not INET; check the .socket unit."),
    ],
)
def test_what_was_not_passed_is_said(text: str, said: str, three: list[socket.socket]) -> None:
    with Passing(three, NAMES) as passing:
        assert said in refused(passing, "-e", text)


def test_a_socket_that_two_strings_choose_is_refused(three: list[socket.socket]) -> None:
    with Passing(three, NAMES) as passing:
        strings = ["-e", "systemd:name=admin", "-e", "systemd:"]
        line = refused(passing, *strings)
        assert "file descriptor 5: it is listened on already; name it once." in line


def test_sockets_of_another_process_are_left_to_it(three: list[socket.socket]) -> None:
    with Passing(three) as passing:
        line = refused(passing, "-e", "systemd:", command="env LISTEN_PID=1")
        assert "are for process 1, and this one is" in line


def test_a_start_without_sockets_says_what_is_missing_and_a_check_does_not_mind() -> None:
    with Passing([]) as passing:
        assert "No sockets were passed" in refused(passing, "-e", "systemd:")
    checked = Serving("served:hello", "-e", "systemd:", "--check", port=False)
    assert checked.wait() == 0


def test_a_connection_is_no_listening_socket() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, Passing([theirs], "connection") as passing:
        said = "3: it is a connection already, as with Accept=yes in a .socket unit; check the"
        assert said in refused(passing, "-e", "systemd:")
