"""What one worker says, in the words of sd_notify(3): datagrams on a Unix socket.

This module must not know what follows from a word.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path

_MOST = 4096
"""Bytes of one notice; systemd takes as many."""


class Notices:
    """A socket at `path`, on which a worker's words are heard."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind(str(path))

    def fileno(self) -> int:
        """For a selector."""
        return self.socket.fileno()

    def heard(self) -> list[dict[str, str]]:
        """What was said since this was last asked, notice by notice."""
        found = []
        with suppress(BlockingIOError):
            while True:
                found.append(_words(self.socket.recv(_MOST)))
        return found

    def close(self) -> None:
        """Hear no more."""
        self.socket.close()
        self.path.unlink(missing_ok=True)


def _words(notice: bytes) -> dict[str, str]:
    """``NAME=value`` line by line; what is no such line says nothing."""
    lines = notice.decode("utf-8", "replace").split("\n")
    return dict(line.split("=", 1) for line in lines if "=" in line)
