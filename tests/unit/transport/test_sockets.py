"""Listening sockets: bound for real, on 127.0.0.1 and in a directory of the test's own."""

from __future__ import annotations

import errno
import os
import resource
import socket
import stat
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from daphne_like.errors import StartupError
from daphne_like.transport import sockets
from daphne_like.transport.sockets import (
    bound_unsent,
    inherited_listener,
    room_for_connections,
    tcp_listener,
    unix_listener,
)


@pytest.fixture(autouse=True)
def nothing_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close every socket that a test has made."""
    made: list[socket.socket] = []

    class Kept(socket.socket):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            made.append(self)

    monkeypatch.setattr(socket, "socket", Kept)
    yield
    for each in made:
        each.close()


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A short name: a Unix socket's has to fit into 108 bytes."""
    monkeypatch.chdir(tmp_path)
    return "app.sock"


def refuses(*words: str) -> Any:
    return pytest.raises(StartupError, match=".*".join(words))


# --- TCP --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "family", "name"),
    [
        ("127.0.0.1", socket.AF_INET, "127.0.0.1"),
        ("", socket.AF_INET, "0.0.0.0"),
        ("localhost", socket.AF_INET, "127.0.0.1"),
        ("::1", socket.AF_INET6, "::1"),
        ("[::1]", socket.AF_INET6, "::1"),
    ],
)
def test_a_tcp_listener_is_bound_to_its_host_and_listens(host: str, family: int, name: str) -> None:
    listener, closed = tcp_listener(host, 0, 5)
    assert closed is None
    assert listener.family == family
    assert listener.getsockname()[0] == name
    assert listener.getsockname()[1] > 0
    assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)


def test_elsewhere_than_on_posix_an_address_is_not_reused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets.os, "name", "nt")
    listener, _ = tcp_listener("127.0.0.1", 0, 5)
    assert not listener.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)


def test_a_port_in_use_is_named_with_what_to_do() -> None:
    port = tcp_listener("127.0.0.1", 0, 5).socket.getsockname()[1]
    with refuses(f"127.0.0.1:{port}", "in use", "--port"):
        tcp_listener("127.0.0.1", port, 5)
    with refuses("in use", "--admin-bind"):
        tcp_listener("127.0.0.1", port, 5, "--admin-bind")


@pytest.mark.parametrize("port", [-1, 65536])
def test_what_is_no_port_is_refused(port: int) -> None:
    with refuses(f"::1:{port}", "from 0 to 65535"):
        tcp_listener("[::1]", port, 5)


def test_a_host_that_is_unknown_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with refuses("nobody.example:0", "not known", "--bind"):
        tcp_listener("nobody.example", 0, 5)


def test_a_host_that_is_no_name_is_refused() -> None:
    with refuses("a" * 64, "--bind"):
        tcp_listener("a" * 64, 0, 5)


def test_an_address_of_another_machine_is_refused() -> None:
    with refuses("192.0.2.1:0", "no such address", "--bind"):
        tcp_listener("192.0.2.1", 0, 5)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.EACCES, "no"), "below 1024"),
        (OSError(errno.ENOBUFS, "No buffer space"), "No buffer space"),
        (OSError("odd"), "odd"),
    ],
)
def test_every_failure_to_bind_has_its_reason(
    monkeypatch: pytest.MonkeyPatch, error: OSError, words: str
) -> None:
    def bind(self: Any, address: Any) -> None:
        raise error

    monkeypatch.setattr(socket.socket, "bind", bind)
    with refuses(r"Cannot listen on \*:0", words):
        tcp_listener("", 0, 5)


# --- Unix sockets -----------------------------------------------------------------------------


def mode_of(path: str) -> int:
    return stat.S_IMODE(Path(path).stat().st_mode)


@pytest.mark.parametrize("mode", [0o666, 0o600])
def test_a_unix_listener_has_its_name_and_mode_whatever_the_umask(path: str, mode: int) -> None:
    before = os.umask(0o077)
    try:
        listener, closed = unix_listener(path, mode, 5)
    finally:
        os.umask(before)
    assert listener.getsockname() == path
    assert mode_of(path) == mode
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
    assert closed is not None
    closed()
    assert not Path(path).exists()
    closed()


def test_a_link_that_somebody_puts_in_its_place_does_not_lead_to_another_files_mode(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bind_and_lose(self: Any, name: str) -> None:
        bind(self, name)
        Path(name).unlink()
        Path(name).symlink_to("secret")

    bind = socket.socket.bind
    monkeypatch.setattr(socket.socket, "bind", bind_and_lose)
    Path("secret").touch(0o600)
    unix_listener(path, 0o666, 5)
    assert mode_of("secret") == 0o600


@pytest.mark.parametrize("place", ["app.sock", "nowhere/app.sock"])
def test_the_umask_is_what_it_was(path: str, place: str) -> None:
    before = os.umask(0o027)
    try:
        with suppress(StartupError):
            unix_listener(place, 0o666, 5)
    finally:
        after = os.umask(before)
    assert after == 0o027


def test_a_path_is_removed_from_another_directory_too(
    path: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _, closed = unix_listener(path, 0o666, 5)
    monkeypatch.chdir("/")
    assert closed is not None
    closed()
    assert not (tmp_path / path).exists()


def test_a_path_that_is_somebody_elses_by_now_is_not_removed(path: str) -> None:
    _, closed = unix_listener(path, 0o666, 5)
    Path(path).unlink()
    Path(path).write_text("mine")
    assert closed is not None
    closed()
    assert Path(path).read_text() == "mine"


def test_a_stale_socket_is_replaced(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(path)
    listener, _ = unix_listener(path, 0o666, 5)
    assert listener.getsockname() == path
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)


def test_a_socket_that_answers_is_left_alone(path: str) -> None:
    unix_listener(path, 0o666, 5)
    with refuses(path, "another server", "stop it"):
        unix_listener(path, 0o666, 5)
    assert stat.S_ISSOCK(Path(path).stat().st_mode)


def test_a_socket_that_cannot_be_asked_is_left_alone(path: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(path)
        with refuses(path):
            unix_listener(path, 0o666, 5)
    assert stat.S_ISSOCK(Path(path).stat().st_mode)


def test_a_file_is_left_alone(path: str) -> None:
    Path(path).write_text("precious")
    with refuses(path, "not a socket", "remove it"):
        unix_listener(path, 0o666, 5)
    assert Path(path).read_text() == "precious"


@pytest.mark.parametrize("path", ["/nowhere/app.sock", "/tmp/" + "x" * 120])
def test_a_path_that_cannot_be_bound_is_refused(path: str) -> None:
    with refuses(path, "--unix-socket"):
        unix_listener(path, 0o666, 5)


def test_a_path_in_a_directory_that_is_not_there_says_so(path: str) -> None:
    with refuses("nowhere/app.sock", "its directory does not exist", "--unix-socket"):
        unix_listener(f"nowhere/{path}", 0o666, 5)


def test_a_listener_that_fails_half_way_leaves_nothing(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listen(self: Any, backlog: int) -> None:
        raise OSError(errno.ENOBUFS, "No buffer space")

    monkeypatch.setattr(socket.socket, "listen", listen)
    with refuses(path, "No buffer space"):
        unix_listener(path, 0o666, 5)
    assert not Path(path).exists()


# --- Inherited sockets ------------------------------------------------------------------------


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6, socket.AF_UNIX])
def test_an_inherited_socket_keeps_its_family_and_its_path(family: int, path: str) -> None:
    given = socket.socket(family)
    given.bind({socket.AF_INET: ("127.0.0.1", 0), socket.AF_INET6: ("::1", 0)}.get(family, path))
    name = given.getsockname()
    listener, closed = inherited_listener(given.detach(), 5)
    assert (listener.family, listener.getsockname()) == (family, name)
    assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    assert closed is None


@pytest.mark.parametrize("fileno", [-1, 10**6, 10**30])
def test_what_is_no_open_descriptor_is_refused(fileno: int) -> None:
    with refuses(f"descriptor {fileno}", "--fd"):
        inherited_listener(fileno, 5)


def test_what_is_no_socket_is_refused_and_stays_open(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file:
        with refuses(f"descriptor {file.fileno()}", "--fd"):
            inherited_listener(file.fileno(), 5)
        file.write("still open")


def test_a_datagram_socket_is_refused_and_stays_open() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as given:
        with refuses("no stream socket", "--fd"):
            inherited_listener(given.fileno(), 5)
        given.bind(("127.0.0.1", 0))


@pytest.mark.parametrize("family", [socket.AF_UNIX, socket.AF_INET])
def test_a_connection_is_refused_and_stays_open(family: socket.AddressFamily) -> None:
    one, other = connected(family)
    with refuses(f"descriptor {one.fileno()}", "a connection already, as with Accept=yes", "--fd"):
        inherited_listener(one.fileno(), 5)
    one.send(b"x")
    assert other.recv(1) == b"x"


def connected(family: socket.AddressFamily) -> tuple[socket.socket, socket.socket]:
    if family == socket.AF_UNIX:
        return socket.socketpair()
    at = tcp_listener("127.0.0.1", 0, 5).socket
    other = socket.create_connection(at.getsockname())
    return at.accept()[0], other


def test_what_cannot_listen_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def listen(self: Any, backlog: int) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    given = socket.socket()
    monkeypatch.setattr(socket.socket, "listen", listen)
    with refuses("it is not a listening socket .Invalid argument.; check the .socket unit"):
        inherited_listener(given.fileno(), 5, option="the .socket unit")


@pytest.mark.parametrize(("domain", "found"), [("UNIX", "INET"), ("INET6", "INET")])
def test_the_domain_has_to_be_what_was_said(domain: str, found: str) -> None:
    given = socket.socket()
    given.bind(("127.0.0.1", 0))
    with refuses(f"its domain is {found}, not {domain}; check --endpoint"):
        inherited_listener(given.fileno(), 5, domain, "--endpoint")
    assert inherited_listener(given.fileno(), 5, found).socket.fileno() == given.detach()


def test_a_family_that_is_not_served_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "DOMAINS", {"UNIX": socket.AF_UNIX})
    given = socket.socket()
    with refuses("it is neither a TCP nor a Unix socket; check --fd"):
        inherited_listener(given.fileno(), 5)


def test_a_socket_is_listened_on_once_at_a_time() -> None:
    given = socket.socket()
    number = given.detach()
    listener, _ = inherited_listener(number, 5)
    with refuses(f"descriptor {number}: it is listened on already; name it once"):
        inherited_listener(number, 5, option="the .socket unit")
    listener.close()
    with refuses("Bad file descriptor"):
        inherited_listener(number, 5)


def test_no_child_inherits_what_was_inherited() -> None:
    given = socket.socket()
    given.set_inheritable(True)
    assert not inherited_listener(given.detach(), 5).socket.get_inheritable()


def test_a_port_that_is_shared_is_for_those_who_share_it() -> None:
    port = tcp_listener("127.0.0.1", 0, 5, shared=True).socket.getsockname()[1]
    assert tcp_listener("127.0.0.1", port, 5, shared=True).socket.getsockname()[1] == port
    with refuses("in use"):
        tcp_listener("127.0.0.1", port, 5)


def test_where_ports_cannot_be_shared_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "SO_REUSEPORT")
    with refuses("this system has no SO_REUSEPORT; leave out --reuse-port"):
        tcp_listener("127.0.0.1", 0, 5, shared=True)


# --- Room -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "room"),
    [(1024, 960), (64, 32), (128, 64), (1_000_000, 999_936), (resource.RLIM_INFINITY, 0)],
)
def test_connections_leave_files_for_everything_else(
    monkeypatch: pytest.MonkeyPatch, files: int, room: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (files, files))
    assert room_for_connections() == room


def test_windows_knows_no_such_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert room_for_connections() == 0


# --- What a slow client may cost ----------------------------------------------------------------

LOWAT = socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT


def test_the_kernel_keeps_little_for_a_client_that_does_not_read() -> None:
    listener = tcp_listener("127.0.0.1", 0, 5).socket
    bound_unsent(listener, 100_000)
    socket.create_connection(listener.getsockname())
    accepted, _ = listener.accept()
    assert accepted.getsockopt(*LOWAT) == 100_000


def test_where_nobody_bounds_it_the_kernel_decides(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = tcp_listener("127.0.0.1", 0, 5).socket
    before = listener.getsockopt(*LOWAT)
    bound_unsent(listener, 0)
    bound_unsent(unix_listener(path, 0o600, 5).socket, 100_000)
    monkeypatch.delattr(socket, "TCP_NOTSENT_LOWAT")
    bound_unsent(listener, 100_000)
    assert listener.getsockopt(*LOWAT) == before
