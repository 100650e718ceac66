"""A service manager, as far as a server sees it: sockets that it passes, words that it hears."""

from __future__ import annotations

import fcntl
import socket
import time
from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType

PATIENCE = 30.0
_ABOVE = 100
"""Numbers of descriptors that do not meet those from 3 on while they are put there."""


class Ear:
    """The other end of ``NOTIFY_SOCKET``, at a path or, with ``@`` in front, an abstract name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.kept: list[tuple[str, socket.socket]] = []
        """The sockets that it was given to keep, by their names; whoever takes one closes it."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(name.replace("@", "\0", 1) if name[0] == "@" else name)

    def __enter__(self) -> Ear:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._socket.close()
        for _, kept in self.kept:
            kept.close()

    def next(self) -> dict[str, str]:
        """The next words, by their names."""
        self._socket.settimeout(PATIENCE)
        return self._heard()

    def _heard(self) -> dict[str, str]:
        message, descriptors, _, _ = socket.recv_fds(self._socket, 65536, 16)
        words = self._words(message)
        self.kept += [(words["FDNAME"], socket.socket(fileno=each)) for each in descriptors]
        return words

    def waiting(self) -> list[dict[str, str]]:
        """All words that have come and were not heard yet."""
        self._socket.setblocking(False)
        heard = []
        while True:
            try:
                heard.append(self._heard())
            except BlockingIOError:
                return heard

    def until(self, word: str) -> list[dict[str, str]]:
        """What is heard up to `word`, ``READY=1`` for example, and with it."""
        name, _, value = word.partition("=")
        end, heard = time.monotonic() + PATIENCE, [self.next()]
        while heard[-1].get(name) != value:
            assert time.monotonic() < end, heard
            heard.append(self.next())
        return heard

    @staticmethod
    def _words(message: bytes) -> dict[str, str]:
        pairs = [line.partition("=") for line in message.decode().split("\n")]
        assert all(name and sign for name, sign, _ in pairs), message
        return {name: value for name, _, value in pairs}


class Passing:
    """Sockets on their way to a process, which gets them as numbers from 3 on.

    `command` in front of its own lets it be told of them; `fds` are to be left open for it.
    """

    def __init__(self, sockets: Sequence[socket.socket], names: str | None = None) -> None:
        self._open = ExitStack()
        self.fds = [fcntl.fcntl(each.fileno(), fcntl.F_DUPFD, _ABOVE) for each in sockets]
        for number in self.fds:
            self._open.callback(socket.close, number)
        moves = " ".join(f"{3 + index}<&{number}" for index, number in enumerate(self.fds))
        closes = " ".join(f"{number}<&-" for number in self.fds)
        self.command = (
            "bash",
            "-c",
            f'LISTEN_PID=$$ WATCHDOG_PID=$$ exec "$@" {moves} {closes}',
            "manager",
        )
        self.environment = {"LISTEN_FDS": str(len(sockets))}
        if names is not None:
            self.environment["LISTEN_FDNAMES"] = names

    def __enter__(self) -> Passing:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open.close()
