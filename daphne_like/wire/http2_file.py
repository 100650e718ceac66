"""A part of an open file, read piece by piece where the kernel cannot send it by itself.

This module must not know what the file is part of.
"""

from __future__ import annotations

import os

CAN_READ_FILES = hasattr(os, "pread")
"""Windows has no call that reads from a place and moves nothing."""


class Reading:
    """`count` bytes of the open `file`, from `offset` on; ``left`` of them are not read yet.

    The descriptor is duplicated: its owner may close it at any time. Raises :class:`OSError`
    where there are none left.
    """

    def __init__(self, file: int, offset: int, count: int) -> None:
        self._file = os.dup(file)
        self._offset = offset
        self.left = count

    def read(self, size: int) -> bytes:
        """The next `size` bytes, or what is left; raises :class:`OSError` for a shorter file."""
        data = os.pread(self._file, min(size, self.left), self._offset)
        if not data:
            raise OSError("the file has become shorter")
        self._offset += len(data)
        self.left -= len(data)
        return data

    def close(self) -> None:
        """Read no more."""
        os.close(self._file)
