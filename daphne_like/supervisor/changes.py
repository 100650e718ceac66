"""Which files have changed, for development: by ``watchfiles``, or by looking now and then.

This module must not know what follows from a change.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

_LOOK = 0.4
"""Seconds between two looks, where nobody tells of a change."""

Times = dict[Path, tuple[int, int]]
"""When files were changed, and how large they are."""


class Wanted(NamedTuple):
    """Which files count: those in `directories` whose names `includes` has, and not `excludes`."""

    directories: tuple[str, ...]
    includes: tuple[str, ...]
    excludes: tuple[str, ...]

    def has(self, path: Path) -> bool:
        """Whether a file counts."""
        return _named(path.name, self.includes) and not self.leaves_out(path)

    def leaves_out(self, path: Path) -> bool:
        """Whether a part of the path, below its directory, does not count."""
        return any(_named(part, self.excludes) for part in self._below(path).parts)

    def _below(self, path: Path) -> Path:
        for directory in self.directories:
            if path.is_relative_to(directory):
                return path.relative_to(directory)
        return path


def _named(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def changes(wanted: Wanted, delay: float, ended: threading.Event) -> Iterator[set[Path]]:
    """Files that have changed, each time that nothing has for `delay` seconds, until `ended`."""
    try:
        from watchfiles import watch
    except ImportError:
        yield from _polled(wanted, delay, ended)
        return
    for found in watch(
        *wanted.directories,
        watch_filter=lambda _, path: wanted.has(Path(path)),
        step=max(1, int(delay * 1000)),
        stop_event=ended,
        raise_interrupt=False,
    ):
        yield {Path(path) for _, path in found}


def _polled(wanted: Wanted, delay: float, ended: threading.Event) -> Iterator[set[Path]]:
    before = times(wanted)
    while not ended.wait(_LOOK):
        found = times(wanted)
        changed = differing(before, found)
        if changed:
            while not ended.wait(delay) and (more := differing(found, times(wanted))):
                changed |= more
                found = times(wanted)
            yield changed
        before = found


def times(wanted: Wanted) -> Times:
    """Every file that counts."""
    found: Times = {}
    for path in _files(wanted):
        try:
            state = path.stat()
        except OSError:
            continue  # It went away in this moment.
        found[path] = state.st_mtime_ns, state.st_size
    return found


def _files(wanted: Wanted) -> Iterator[Path]:
    for top in wanted.directories:
        for place, directories, names in os.walk(top):
            there = Path(place)
            directories[:] = [one for one in directories if not wanted.leaves_out(there / one)]
            yield from filter(wanted.has, (there / name for name in names))


def differing(before: Times, after: Times) -> set[Path]:
    """Files that were changed, made or removed."""
    return {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}


def watched(
    wanted: Wanted, delay: float, tell: Callable[[set[Path]], object]
) -> Callable[[], None]:
    """Let a thread `tell` of changes; what is returned ends it."""
    ended = threading.Event()

    def watch_all() -> None:
        for found in changes(wanted, delay, ended):
            tell(found)

    threading.Thread(target=watch_all, name="daphne_like.changes", daemon=True).start()
    return ended.set
