"""What a WSGI application reads from, complains to and wraps its files in.

PEP 3333, "Input and Error Streams" and "Optional Platform-Specific File Handling". This module
must not know a response, nor how a thread speaks to the loop.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any

_logger = logging.getLogger("daphne_like.wsgi")

_BLOCK = 64 * 1024


class Body(io.RawIOBase):
    """The request's body as it comes, raw: `piece` waits for the next bytes, none at the end."""

    def __init__(self, piece: Callable[[], bytes]) -> None:
        self._piece = piece
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """As much as there is, and at least one byte before the end."""
        rest = self._rest or memoryview(self._piece())
        size = min(len(buffer), len(rest))
        buffer[:size] = rest[:size]
        self._rest = rest[size:]
        return size

    def readall(self) -> bytes:
        """Everything that is still to come."""
        pieces = [bytes(self._rest)]
        self._rest = memoryview(b"")
        while piece := self._piece():
            pieces.append(piece)
        return b"".join(pieces)


class Errors:
    """``wsgi.errors``: each line is a line of the log."""

    __slots__ = ("_begun",)

    def __init__(self) -> None:
        self._begun = ""

    def write(self, text: str) -> int:
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            self._log(line)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """A line that has no end yet gets one."""
        begun, self._begun = self._begun, ""
        self._log(begun)

    def _log(self, line: str) -> None:
        if line.strip():
            _logger.error("%s", line.rstrip())


class FileWrapper:
    """``wsgi.file_wrapper``: an iterable of a file's blocks, which the server may know better."""

    def __init__(self, file: Any, block: int = _BLOCK) -> None:
        self.file = file
        self._block = block

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self.file.read(self._block), b"")

    def close(self) -> None:
        """Close the file, if it can be closed."""
        close = getattr(self.file, "close", None)
        if close is not None:
            close()

    @property
    def rest(self) -> int | None:
        """The bytes from its position to its end, where it is a file of the system, as it is.

        Anything else may have a descriptor and read something else than what is in there: what
        inflates a compressed file, for example.
        """
        raw = getattr(self.file, "raw", self.file)
        if not isinstance(raw, io.FileIO) or not self.file.seekable():
            return None
        position: int = self.file.tell()
        try:
            size: int = self.file.seek(0, io.SEEK_END)
        except OSError:  # What the system makes up as it is read (/proc) has no end before.
            return None
        self.file.seek(position)
        return max(size - position, 0)
