"""How many connections each worker has, in memory that all of them see.

The kernel wakes whom it likes for a connection, and who is awake would take a whole crowd. So each
writes down how many it has, and who has more than another lets that one go first. This module must
not know how connections are accepted.
"""

from __future__ import annotations

import mmap
from pathlib import Path

_PLACES = 256
"""Workers that can be there at the same time; further ones are not heard of."""

_NOBODY = -1

_AHEAD = 1
"""Connections that one may have more than another, and still take the next."""


class Shares:
    """The numbers of all workers, in a file at `path`; the one at `place` is our own."""

    def __init__(self, path: Path, place: int) -> None:
        size = 4 * _PLACES
        with path.open("a+b") as file:
            if not file.tell():
                file.write(_NOBODY.to_bytes(4, "little", signed=True) * _PLACES)
                file.flush()
            self._counts = memoryview(mmap.mmap(file.fileno(), size)).cast("i")
        self._place = place % _PLACES

    def leave(self, place: int | None = None) -> None:
        """We accept nobody any more, or the worker at `place` does not."""
        self._counts[self._place if place is None else place % _PLACES] = _NOBODY

    def is_ahead(self, count: int) -> bool:
        """Whether we, who have `count` connections, have more than another that accepts."""
        counts, place = self._counts, self._place
        counts[place] = count
        least = min((one for one in counts if one != _NOBODY), default=count)
        return count > least + _AHEAD
