"""The files that an application sends: what a message names, opened and measured.

"Path Send" and "Zero Copy Send" of the ASGI extensions. This module must not know how a
file is sent, nor where its bytes end up.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from daphne_like.asgi.scope import Message


class FilePiece(NamedTuple):
    """A part of an open file, as a piece of a body; ``more`` tells whether others follow."""

    file: int
    offset: int
    size: int
    more: bool


@contextmanager
def piece_by_path(message: Message) -> Iterator[FilePiece]:
    """The whole file at ``message["path"]``, the last piece of a body; closed afterwards.

    Raises :class:`ValueError` for what is no file, or cannot be opened.
    """
    path = message.get("path")
    if not isinstance(path, str | os.PathLike):
        raise ValueError(f"path {path!r} is not a string")
    try:
        # A pipe at this path would wait for somebody to write.
        file = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except (OSError, ValueError) as error:
        raise ValueError(f"cannot open {str(path)!r}: {error}") from None
    try:
        yield FilePiece(file, 0, _size(file), False)
    finally:
        os.close(file)


@contextmanager
def opened_piece(message: Message) -> Iterator[FilePiece]:
    """A part of an open file: of ``file``, ``count`` bytes (to its end) from ``offset`` on.

    Without an offset it is read "from the current position of the file", which moves on.
    Raises :class:`ValueError` for what is no open file, or a part that it does not have.
    """
    given = message.get("file")
    file = _descriptor(given)
    size = _size(file)
    offset, count = message.get("offset"), message.get("count")
    start = _position(given) if offset is None else offset
    if count is None and type(start) is int:
        count = max(size - start, 0)
    if type(start) is not int or type(count) is not int or min(start, count) < 0:
        raise ValueError(f"offset {offset!r} and count {count!r} are not numbers of bytes")
    if start + count > size:
        raise ValueError(f"the file has {size} bytes, not {start + count}")
    if offset is None:
        _move(given, start + count)
    yield FilePiece(file, start, count, bool(message.get("more_body", False)))


def _descriptor(given: Any) -> int:
    try:
        file = given if isinstance(given, int) else given.fileno()
        os.fstat(file)
    except (AttributeError, OSError, ValueError) as error:
        raise ValueError(f"file {given!r} is no open file: {error}") from None
    return int(file)


def _size(file: int) -> int:
    found = os.fstat(file)
    if not stat.S_ISREG(found.st_mode):
        raise ValueError("it is no regular file")
    return found.st_size


def _position(given: Any) -> int:
    """A file object may have read ahead of its own position."""
    return os.lseek(given, 0, os.SEEK_CUR) if isinstance(given, int) else int(given.tell())


def _move(given: Any, to: int) -> None:
    if isinstance(given, int):
        os.lseek(given, to, os.SEEK_SET)
    else:
        given.seek(to)
