"""Access lines: one for each finished exchange, in Daphne's format.

This module must not know who serves, only the records that exchanges leave.
"""

from __future__ import annotations

import time
from typing import TextIO

from daphne_like.exchange import Record


class AccessLog:
    """Writes a line for each record to a text stream."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, record: Record) -> None:
        """Write the record's line; exchanges that never got an answer leave none."""
        if record.status is not None:
            self._stream.write(line(record))


def line(record: Record) -> str:
    """``client - - [time] "method target" status size``; every byte of it printable."""
    request = record.request
    client = "{}:{}".format(*request.client) if request.client else "None"
    ended = time.localtime(record.started + record.duration)
    return (
        f"{client} - - [{time.strftime('%d/%b/%Y:%H:%M:%S', ended)}] "
        f'"{request.method} {request.target}" {record.status} {record.bytes_out}\n'
    )
