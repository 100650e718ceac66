"""Access lines: one for each finished exchange, and where they go.

This module must not know who serves, nor what a line says, only the records that exchanges
leave.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any, TextIO

from daphne_like.access_format import (
    Line,
    daphne,
    daphne_action,
    daphne_beginning,
    daphne_in_colour,
    details,
)
from daphne_like.errors import StartupError
from daphne_like.exchange import Record, Request

_logger = logging.getLogger("daphne_like.access")


class AccessLog:
    """An observer that leaves the line of each record somewhere."""

    def __call__(self, record: Record) -> None:
        """Leave the record's line, if it has one."""
        raise NotImplementedError

    def began(self, request: Request, step: str) -> None:
        """Leave the line of a WebSocket that begins, where the format has one: Daphne's alone."""

    def reopen(self) -> None:
        """Let go of a file that was moved away; there is none."""

    def close(self) -> None:
        """There is nothing that is ours."""


class AccessStream(AccessLog):
    """Writes lines to a text stream."""

    def __init__(self, stream: TextIO, line: Line) -> None:
        self._stream = stream
        self._line = line
        self._failing = False

    def __call__(self, record: Record) -> None:
        """Write the record's line, if it has one.

        A stream that cannot be written to, a full disk for example, is told of once.
        """
        text = self._line(record)
        if text is not None:
            self._write(text)

    def began(self, request: Request, step: str) -> None:
        """Write the line of a WebSocket that begins, in Daphne's format."""
        if self._line in (daphne, daphne_in_colour):
            self._write(daphne_beginning(request, step, time.time()))

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text + "\n")
            self._failing = False
        except (OSError, ValueError) as error:
            if not self._failing:
                _logger.error("Cannot write access lines: %s", error)
            self._failing = True


class AccessFile(AccessStream):
    """Appends lines to the file at `path`, each at once.

    Raises :class:`StartupError` where it cannot be opened.
    """

    def __init__(self, path: str, line: Line) -> None:
        self._path = path
        try:
            stream = self._open()
        except OSError as error:
            raise StartupError(f"Cannot write to --access-log {path}: {error.strerror}.") from None
        super().__init__(stream, line)

    def _open(self) -> TextIO:
        return Path(self._path).open("a", buffering=1, encoding="ascii")

    def reopen(self) -> None:
        """Go on in a new file where the old one was moved away (logrotate), else in the old."""
        try:
            stream = self._open()
        except OSError as error:
            _logger.error("Cannot reopen --access-log %s: %s", self._path, error.strerror)
            return
        self._stream.close()
        self._stream = stream

    def close(self) -> None:
        """No line comes any more."""
        self._stream.close()


class AccessLogger(AccessLog):
    """Hands lines over to ``logging``, at level info; the records' details are ``extra``."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def __call__(self, record: Record) -> None:
        """Log the record's line, if it has one and somebody wants it."""
        if not _logger.isEnabledFor(logging.INFO):
            return
        text = self._line(record)
        if text is not None:
            _logger.info("%s", text, extra=details(record))


class AccessLogGenerator:
    """Daphne's own: writes a line to a text stream for each action that it is called with."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def __call__(self, protocol: str, action: str, details: dict[str, Any]) -> None:
        """Write the action's line, if it has one."""
        text = daphne_action(protocol, action, details, time.time())
        if text is not None:
            self.stream.write(text + "\n")
