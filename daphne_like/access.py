"""Access lines: one for each finished exchange, in Daphne's format.

This module must not know who serves, only the records that exchanges leave.
"""

from __future__ import annotations

import logging
import time
from typing import TextIO

from daphne_like.exchange import Record

_logger = logging.getLogger("daphne_like.access")


class AccessLog:
    """Writes a line for each record to a text stream."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._failing = False

    def __call__(self, record: Record) -> None:
        """Write the record's line; exchanges that never got an answer leave none.

        A stream that cannot be written to, a full disk for example, is told of once.
        """
        if record.status is None:
            return
        try:
            self._stream.write(line(record))
            self._failing = False
        except (OSError, ValueError) as error:
            if not self._failing:
                _logger.error("Cannot write access lines: %s", error)
            self._failing = True


def line(record: Record) -> str:
    """``client - - [time] "method target" status size``; every byte of it printable."""
    request = record.request
    host, port = request.client or ("", None)
    client = "None" if port is None else f"{host}:{port}"
    ended = time.localtime(record.started + record.duration)
    return (
        f"{client} - - [{time.strftime('%d/%b/%Y:%H:%M:%S', ended)}] "
        f'"{request.method} {request.target}" {record.status} {record.bytes_out}\n'
    )
