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
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple
from weakref import WeakValueDictionary

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


def tcp_listener(
    host: str, port: int, backlog: int, option: str = "--bind", *, shared: bool = False
) -> Listener:
    """Bind `host` (a name, an IPv4 or IPv6 literal, or "" for all of IPv4) and `port`.

    `option` is where an operator has given them. `shared` lets other processes of the same user
    listen there as well, if they all say so.
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
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, _reuse_port(), 1)
        listener.bind(address)
        listener.listen(backlog)
    except OSError as error:
        listener.close()
        raise StartupError(_why_not(what, error, option)) from None
    return Listener(listener)


def _reuse_port() -> int:
    option: int | None = getattr(socket, "SO_REUSEPORT", None)
    if option is None:
        raise OSError(errno.ENOPROTOOPT, "this system has no SO_REUSEPORT; leave out --reuse-port")
    return option


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
        with _umask(0o777 & ~mode):
            listener.bind(path)
        closed = partial(_remove, target.absolute(), _identity(target))
        listener.listen(backlog)
    except OSError as error:
        listener.close()
        if closed is not None:
            closed()
        missing = error.errno == errno.ENOENT
        reason = "its directory does not exist" if missing else error.strerror or str(error)
        raise StartupError(f"Cannot listen on {path}: {reason}; check {option}.") from None
    return Listener(listener, closed)


@contextmanager
def _umask(mask: int) -> Iterator[None]:
    """Let what is made meanwhile lack the permission bits of `mask`: in every thread.

    A later chmod would follow the symbolic link that somebody may have put in the place.
    """
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def beside(listener: Listener, backlog: int, handed: int | None) -> Listener:
    """One more socket at the place of a TCP `listener`, which says so by SO_REUSEPORT.

    It is `handed` over as a descriptor, where there is one already.
    """
    if handed is not None:
        return inherited_listener(handed, backlog)
    more = socket.socket(listener.socket.family, socket.SOCK_STREAM)
    for option in (socket.SO_REUSEADDR, _reuse_port()):
        more.setsockopt(socket.SOL_SOCKET, option, 1)
    more.bind(listener.socket.getsockname())
    more.listen(backlog)
    return Listener(more)


def owning(listener: Listener, path: str) -> Listener:
    """The Unix socket at `path`, which was bound by who has gone: from now on it is ours."""
    target = Path(path)
    with suppress(OSError):
        return listener._replace(closed=partial(_remove, target.absolute(), _identity(target)))
    return listener


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


DOMAINS = {
    "INET": socket.AF_INET,
    "INET6": socket.AF_INET6,
    "UNIX": getattr(socket, "AF_UNIX", None),
}
"""Families of sockets that are served, by their names in endpoint strings."""


_taken: WeakValueDictionary[int, socket.socket] = WeakValueDictionary()
"""Inherited sockets that are listened on, by their descriptors."""


def inherited_listener(
    fileno: int, backlog: int, domain: str | None = None, option: str = "--fd"
) -> Listener:
    """Take over the stream socket `fileno`, of whatever family it is, or of `domain` if given.

    A Unix socket's path stays when we stop: whoever made it owns it. No child inherits the socket.
    `option` is where an operator has given it.
    """
    what = f"Cannot listen on file descriptor {fileno}"
    taken = _taken.get(fileno)
    if taken is not None and taken.fileno() == fileno:
        raise StartupError(f"{what}: it is listened on already; name it once.")
    try:
        listener = socket.socket(fileno=fileno)
    except (OSError, ValueError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise StartupError(
            f"{what}: {reason}; {option} needs the number of an inherited socket."
        ) from None
    reason = _unfit(listener, domain)
    if not reason:
        try:
            listener.listen(backlog)
        except OSError as error:
            reason = f"it is not a listening socket ({error.strerror})"
    if reason:
        listener.detach()
        raise StartupError(f"{what}: {reason}; check {option}.")
    listener.set_inheritable(False)
    _taken[fileno] = listener
    return Listener(listener)


def _unfit(listener: socket.socket, domain: str | None) -> str:
    """Why `listener` cannot be listened on, if that is to be seen."""
    if listener.type != socket.SOCK_STREAM:
        return "it is no stream socket"
    found = next((name for name, each in DOMAINS.items() if each == listener.family), None)
    if found is None:
        return "it is neither a TCP nor a Unix socket"
    if domain not in {None, found}:
        return f"its domain is {found}, not {domain}"
    try:
        listener.getpeername()
    except OSError:
        return ""
    return "it is a connection already, as with Accept=yes in a .socket unit"
