"""Listening sockets: TCP, Unix and inherited ones, bound and ready to accept.

Every failure is a :class:`StartupError` whose one line names what to do. This module must
not know the event loop or Twisted.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from daphne_like.errors import StartupError

_RESERVE = 64
"""Open files for the application, the log and the listening sockets."""


_TCP = (socket.AF_INET, socket.AF_INET6)


class Listener(NamedTuple):
    """A bound socket and what to do when it is closed for good."""

    socket: socket.socket
    closed: Callable[[], None] | None = None


def room_for_connections() -> int:
    """How many connections the process may have open, with files left for everything else.

    0 where there is no limit.
    """
    if sys.platform == "win32":
        return 0
    import resource  # Windows has none.

    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 0 if files == resource.RLIM_INFINITY else max(files // 2, files - _RESERVE)


def bound_unsent(listener: socket.socket, size: int) -> None:
    """Let the kernel take no more than `size` bytes for a client beside what is on the network.

    Connections of a TCP listener inherit it, on Linux and macOS; elsewhere, and for 0, the
    kernel decides.
    """
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    if option is not None and size and listener.family in _TCP:
        listener.setsockopt(socket.IPPROTO_TCP, option, size)


def tcp_listener(host: str, port: int, backlog: int, option: str = "--bind") -> Listener:
    """Bind `host` (a name, an IPv4 or IPv6 literal, or "" for all of IPv4) and `port`.

    `option` is where an operator has given them.
    """
    host = host.strip("[]")
    what = f"{host or '*'}:{port}"
    if not 0 <= port <= 65535:
        raise StartupError(f"Cannot listen on {what}: a port is a number from 0 to 65535.")
    try:
        found = socket.getaddrinfo(
            host or "0.0.0.0",
            port,
            type=socket.SOCK_STREAM,
            flags=socket.AI_PASSIVE,
        )
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise StartupError(f"Cannot listen on {what}: {reason}; check {option}.") from None
    family, kind, protocol, _, address = min(found, key=lambda info: info[0] != socket.AF_INET)
    listener = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(backlog)
    except OSError as error:
        listener.close()
        raise StartupError(_why_not(what, error, option)) from None
    return Listener(listener)


def _why_not(what: str, error: OSError, option: str) -> str:
    port = "--port" if option == "--bind" else option
    reasons = {
        errno.EADDRINUSE: f"the address is in use; stop the other server or choose another {port}",
        errno.EACCES: "permission denied; ports below 1024 need privileges",
        errno.EADDRNOTAVAIL: f"this machine has no such address; check {option}",
    }
    reason = reasons.get(error.errno or 0, error.strerror or str(error))
    return f"Cannot listen on {what}: {reason}."


def unix_listener(path: str, mode: int, backlog: int, option: str = "--unix-socket") -> Listener:
    """Bind a Unix socket at `path` with the permission bits `mode`.

    A stale socket, one that nobody answers on, is replaced; anything else at `path` is left
    alone and refused. The path is removed when the listener is closed, if it is still ours.
    `option` is where an operator has given it.
    """
    target = Path(path)
    _clear(target)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    closed = None
    try:
        listener.bind(path)
        closed = partial(_remove, target.absolute(), _identity(target))
        # Nobody can connect before listen(), so nobody meets the mode that the umask left.
        target.chmod(mode)
        listener.listen(backlog)
    except OSError as error:
        listener.close()
        if closed is not None:
            closed()
        missing = error.errno == errno.ENOENT
        reason = "its directory does not exist" if missing else error.strerror or str(error)
        raise StartupError(f"Cannot listen on {path}: {reason}; check {option}.") from None
    return Listener(listener, closed)


def _clear(path: Path) -> None:
    """Remove a stale socket; raise :class:`StartupError` for anything else at `path`."""
    try:
        found = path.lstat()
    except OSError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise StartupError(f"Cannot listen on {path}: it exists and is not a socket; remove it.")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            _remove(path, (found.st_dev, found.st_ino))
            return
        except OSError as error:
            raise StartupError(f"Cannot listen on {path}: {error.strerror or error}.") from None
    raise StartupError(f"Cannot listen on {path}: another server answers there; stop it first.")


def _identity(path: Path) -> tuple[int, int]:
    found = path.lstat()
    return found.st_dev, found.st_ino


def _remove(path: Path, identity: tuple[int, int]) -> None:
    """Remove what is at `path`, if it is still the one with `identity`."""
    with suppress(OSError):
        if _identity(path) == identity:
            path.unlink()


def inherited_listener(fileno: int, backlog: int) -> Listener:
    """Take over the stream socket `fileno`, of whatever family it is.

    A Unix socket's path stays when we stop: whoever made it owns it.
    """
    try:
        listener = socket.socket(fileno=fileno)
    except (OSError, ValueError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise StartupError(
            f"Cannot listen on file descriptor {fileno}: {reason}; "
            "--fd needs the number of an inherited socket."
        ) from None
    if listener.type != socket.SOCK_STREAM:
        listener.detach()
        raise StartupError(
            f"Cannot listen on file descriptor {fileno}: it is no stream socket; check --fd."
        )
    try:
        listener.listen(backlog)
    except OSError as error:
        listener.detach()
        raise StartupError(
            f"Cannot listen on file descriptor {fileno}: it is not a listening socket "
            f"({error.strerror}); check --fd."
        ) from None
    return Listener(listener)
