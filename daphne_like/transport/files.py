"""A file on its way into a socket, copied by the kernel: its bytes never come to Python.

This module must not know what the file is part of.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

CAN_SEND_FILES = hasattr(os, "sendfile")
"""Windows has another call, which needs another event loop."""

_AT_A_TIME = 512 * 1024
"""Bytes of a file in one turn of the loop: the client that reads fastest is not served alone."""


class FileOnItsWay:
    """Sends `count` bytes of the open `file`, from `offset`, into the socket with `fileno`.

    ``over`` is called with ``None`` when all are sent, or with what went wrong. Both
    descriptors are duplicated: their owners may close them at any time, and the loop lets
    nobody else watch a socket that it watches itself.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        fileno: int,
        file: int,
        offset: int,
        count: int,
        over: Callable[[OSError | None], None],
    ) -> None:
        self._loop = loop
        self._offset = offset
        self._over = over
        self._file = os.dup(file)
        try:
            self._socket = os.dup(fileno)
        except OSError:
            os.close(self._file)
            raise
        self.left = count

    def start(self) -> None:
        """Send whenever the socket takes some."""
        self._loop.add_writer(self._socket, self._send)

    def _send(self) -> None:
        size = min(self.left, _AT_A_TIME)
        try:
            sent = os.sendfile(self._socket, self._file, self._offset, size)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._end(error)
            return
        self._offset += sent
        self.left -= sent
        if not sent:
            self._end(OSError("the file has become shorter"))
        elif not self.left:
            self._end(None)

    def _end(self, error: OSError | None) -> None:
        self.close()
        self._over(error)

    def close(self) -> None:
        """Send no more."""
        self._loop.remove_writer(self._socket)
        os.close(self._socket)
        os.close(self._file)
