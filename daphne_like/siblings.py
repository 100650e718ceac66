"""The other workers of the same server: where each answers, and what it says.

Every worker has a socket of its own beside the one that they share. This module must not know
what is asked.
"""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path

_logger = logging.getLogger("daphne_like.admin")

PREFIX = b"/worker"
"""Before the path of a page of one worker alone."""

_PATIENCE = 2.0
"""Seconds for a worker to answer; one whose loop is blocked is left out."""

_MOST = 16 * 1024 * 1024
"""Bytes of one page."""


class Siblings:
    """All workers that have a socket in `directory`; ``place`` is that of worker `number`: us."""

    def __init__(self, directory: str, number: int) -> None:
        self.number = number
        self._directory = Path(directory)
        self.place = str(self._directory / f"admin.{number}.{os.getpid()}")

    async def pages(self, path: bytes) -> dict[str, bytes]:
        """The page at `path` of each worker that answers, by its number.

        Where a worker and its successor have one, it is the successor's.
        """
        places = sorted(self._directory.glob("admin.*"), key=_made_at)
        found = await asyncio.gather(*(self._page(place, path) for place in places))
        numbers = (place.name.split(".")[1] for place in places)
        return {n: page for n, page in zip(numbers, found, strict=True) if page is not None}

    async def _page(self, place: Path, path: bytes) -> bytes | None:
        try:
            async with asyncio.timeout(_PATIENCE):
                return await _asked(place, PREFIX + path)
        except (OSError, TimeoutError, ValueError) as error:
            _logger.warning("Worker %s does not tell: %r", place.name, error)
            return None


def _made_at(place: Path) -> float:
    try:
        return place.stat().st_mtime
    except OSError:
        return 0.0  # It is gone in this moment.


async def _asked(place: Path, path: bytes) -> bytes:
    """The body of the answer to a GET; raises :class:`ValueError` for any other than a 200."""
    reader, writer = await asyncio.open_unix_connection(str(place), limit=_MOST)
    try:
        writer.write(b"GET %b HTTP/1.0\r\nHost: worker\r\n\r\n" % path)
        answer = await reader.read(-1)
    finally:
        writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise ValueError(head[:_SHOWN])
    return body


_SHOWN = 40
"""Bytes of an unexpected answer, in a log line."""
