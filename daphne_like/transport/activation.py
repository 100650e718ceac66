"""Sockets that a service manager has bound and passed: socket activation.

The environment tells of them, as sd_listen_fds(3) says, and tells it to one process. This module
must not know what is done with a socket, nor Twisted, whose own reader wants a name for each
and keeps one of several with the same.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, MutableMapping
from contextlib import suppress
from typing import NamedTuple

from daphne_like.errors import StartupError

_FIRST = 3
"""The number of the first descriptor; the others follow."""

_UNNAMED = "unknown"
"""What systemd calls a socket without a name."""

_MOST = 65536
"""Descriptors that are believed to have been passed, where the system allows even more."""

VARIABLES = _PID, _COUNT, _NAMES = "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"


KEPT = "daphne-like."
"""Before the names of sockets that are none of a unit's: the manager has kept them for us."""


class Passed(NamedTuple):
    """One descriptor, and its ``FileDescriptorName=``."""

    fileno: int
    name: str


_known: list[tuple[Passed, ...]] = []
"""What was passed, once it is known."""


def passed() -> tuple[Passed, ...]:
    """What was passed to this process; it is read once, and the environment says it no more.

    Raises :class:`StartupError` where it is for another process.
    """
    if not _known:
        twisted = "twisted.internet.endpoints" in sys.modules
        _known.append(read(os.environ, os.getpid(), twisted=twisted))
    return _known[0]


def kept() -> list[Passed]:
    """What a manager has kept for us; nothing, where what was passed is for another process."""
    try:
        return [each for each in passed() if each.name.startswith(KEPT)]
    except StartupError:
        return []


def known() -> list[tuple[int, str]]:
    """What was passed, as far as anybody has asked."""
    return [(each.fileno, each.name) for found in _known for each in found]


def know(found: Iterable[tuple[int, str]]) -> None:
    """A supervisor was passed these, and has them for us."""
    _known[:] = [tuple(Passed(*each) for each in found)]


def read(
    environ: MutableMapping[str, str], pid: int, *, twisted: bool = False
) -> tuple[Passed, ...]:
    """What `environ` says that was passed to the process `pid`; nothing if it says nothing.

    Then no child is told of it, nor inherits it. `twisted` tells that Twisted's reader was loaded:
    it takes all but the names out of the environment. Raises :class:`StartupError`.
    """
    meant, names = environ.get(_PID), environ.get(_NAMES, "").split(":")
    if meant is not None and meant != str(pid):
        raise StartupError(
            f"The sockets that {_PID} tells of are for process {meant}, and this one is {pid}: "
            "start the server by exec where a shell starts it, and twistd with --nodaemon."
        )
    taken = twisted and meant is None and names != [""]
    count = len(names) if taken else _number(environ.get(_COUNT, "0") if meant else "0")
    for variable in (_PID, _COUNT, _NAMES):
        environ.pop(variable, None)
    names += [_UNNAMED] * count
    found = [Passed(_FIRST + index, names[index] or _UNNAMED) for index in range(count)]
    for each in found:
        with suppress(OSError):  # One that is not open is met when it is listened on.
            os.set_inheritable(each.fileno, False)
    return tuple(found)


def _number(text: str) -> int:
    if not text.isdecimal():
        raise StartupError(f"{_COUNT}={text!r} is not a number of sockets.")
    count, most = int(text[:20]), _most()
    if count > most:
        raise StartupError(
            f"{_COUNT}={text[:20]} is more than the {most} open files that a process may have "
            "(ulimit -n): who passes the sockets has miscounted."
        )
    return count


def _most() -> int:
    """How many descriptors a process can have been passed."""
    if sys.platform == "win32":
        return _MOST
    import resource  # Windows has none.

    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST if files == resource.RLIM_INFINITY else min(files, _MOST)


def chosen(
    name: str | None = None,
    index: int | None = None,
    passed: Callable[[], tuple[Passed, ...]] = passed,
) -> list[int]:
    """The descriptors with `name`, or at `index`, or all; raises :class:`StartupError` for none."""
    there = tuple(each for each in passed() if not each.name.startswith(KEPT))
    if not there:
        raise StartupError(
            f"No sockets were passed ({_COUNT} is not set): start the .socket unit, "
            "and let the .service unit belong to it."
        )
    if index is not None:
        if index >= len(there):
            raise StartupError(f"There is no socket {index}: {len(there)} were passed, from 0 on.")
        return [there[index].fileno]
    found = [each.fileno for each in there if name in (None, each.name)]
    if not found:
        names = ", ".join(sorted({each.name for each in there}))
        raise StartupError(f"No socket is named {name!r}: FileDescriptorName= says {names}.")
    return found
