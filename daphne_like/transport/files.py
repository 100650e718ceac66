"""Files on their way into a socket, copied by the kernel: their bytes never come to Python.

This module must not know what a file is part of.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from functools import partial
from typing import Any, cast

_logger = logging.getLogger("daphne_like.server")

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


class SendsFiles:
    """The part of a native transport that sends files."""

    write: Callable[[bytes], None]
    disconnecting: bool
    abortConnection: Callable[[], None]
    getHandle: Callable[[], Any]
    pause_writing: Callable[[], None]
    resume_writing: Callable[[], None]

    _native: asyncio.Transport
    _loop: asyncio.AbstractEventLoop
    _write_budget: int
    _congested: bool
    _half_closing: bool
    _mute: bool
    _close: Callable[[], None]

    sends_files = CAN_SEND_FILES
    """Whether ``send_file`` can be called."""

    _file: FileOnItsWay | None = None
    _left_behind = 0
    """Bytes of a file that will never be sent."""

    def send_file(
        self, file: int, offset: int, count: int, before: bytes = b"", after: bytes = b""
    ) -> None:
        """Send a part of the open `file` behind what is written, between `before` and `after`.

        The producer is paused meanwhile, and writes nothing. A file that turns out to be
        shorter breaks the connection off. Raises :class:`OSError` where there are no
        descriptors left; then nothing is written.
        """
        if self._mute:
            return
        native = self._native
        socket = self.getHandle().fileno()
        sent = partial(self._file_sent, after)
        self._file = FileOnItsWay(self._loop, socket, file, offset, count, sent)
        if before:
            self.write(before)
        if not self._congested:
            self.pause_writing()
        # Low enough that we hear of the moment in which nothing is before the file.
        native.set_write_buffer_limits(high=0)
        if not native.get_write_buffer_size():
            self._file.start()

    def _file_sent(self, after: bytes, error: OSError | None) -> None:
        file, self._file = self._file, None
        if error is not None:
            self._left_behind = cast(FileOnItsWay, file).left
            if not isinstance(error, ConnectionError):
                _logger.error("Cannot send the rest of a file: %s", error)
            self.abortConnection()
            return
        self._native.set_write_buffer_limits(high=self._write_budget)
        if after:
            self.write(after)
        self.resume_writing()
        if self.disconnecting or self._half_closing:
            self._loop.call_soon(self._close)

    def _drop_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._left_behind = self._file.left
            self._file = None
