"""How a worker is started: as a new program, or as a copy of this process.

This module must not know when one is, nor what becomes of it.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

from daphne_like.supervisor.notices import Notices

Main = Callable[[], int]
"""What a worker does that is a copy, until its exit status."""

Environment = dict[str, str]


class Program:
    """A worker that is a program of its own, started as this one was."""

    def __init__(
        self, arguments: Sequence[str], environ: Environment, descriptors: Iterable[int]
    ) -> None:
        command = [sys.executable, "-m", "daphne_like", *arguments]
        # A group of its own: what a terminal sends is for the supervisor.
        self._process = subprocess.Popen(
            command,
            env=environ,
            pass_fds=tuple(descriptors),
            process_group=0,
            stdin=subprocess.DEVNULL,
        )
        self.pid = self._process.pid

    def poll(self) -> int | None:
        """Its exit status, negative for a signal's; ``None`` while it runs."""
        return self._process.poll()

    def tell(self, number: int) -> None:
        """Send it a signal, unless it is gone."""
        self._process.send_signal(number)


class Heir:
    """Another supervisor, which outlives this one: a program that nobody here waits for at the end.

    It inherits `descriptors`.
    """

    def __init__(
        self, arguments: Sequence[str], environ: Environment, descriptors: Sequence[int]
    ) -> None:
        command = [sys.executable, "-m", "daphne_like", *arguments]
        _inherit(descriptors, True)
        try:
            self.pid = os.posix_spawn(sys.executable, command, environ)
        finally:
            _inherit(descriptors, False)
        self._lives = True

    def tell(self, number: int) -> None:
        """Send it a signal, unless it is gone."""
        if self.lives():
            os.kill(self.pid, number)

    def lives(self) -> bool:
        """Whether it has not ended yet."""
        if self._lives:
            self._lives = os.waitpid(self.pid, os.WNOHANG) == (0, 0)
        return self._lives


def _inherit(descriptors: Iterable[int], inheritable: bool) -> None:
    for descriptor in descriptors:
        os.set_inheritable(descriptor, inheritable)


class Copy:
    """A worker that is a copy of this process, with all that it has loaded; `main` is its life.

    `let_go` is called in it first: it closes what is the supervisor's alone.
    """

    def __init__(self, main: Main, environ: Environment, let_go: Callable[[], None]) -> None:
        context = multiprocessing.get_context("fork")
        self._process: BaseProcess = context.Process(target=_live, args=(main, environ, let_go))
        self._process.start()
        self.pid = self._process.pid or 0

    def poll(self) -> int | None:
        """Its exit status, negative for a signal's; ``None`` while it runs."""
        return self._process.exitcode

    def tell(self, number: int) -> None:
        """Send it a signal, unless it is gone."""
        if self.poll() is None:
            os.kill(self.pid, number)


def _live(main: Main, environ: Environment, let_go: Callable[[], None]) -> None:
    os.setpgid(0, 0)
    let_go()
    os.environ.clear()
    os.environ.update(environ)
    sys.exit(main())


class Seat:
    """A worker's process with the socket on which it is heard: a :class:`Process` of the crew.

    ``left`` is called when it is gone.
    """

    def __init__(
        self, process: Program | Copy, notices: Notices, left: Callable[[Notices], object]
    ) -> None:
        self.pid = process.pid
        self.poll = process.poll
        self.tell = process.tell
        self.notices = notices
        self._left = left

    def resident(self) -> int:
        """Bytes of memory that it has; 0 where nobody tells: ``/proc`` is Linux's."""
        try:
            pages = Path(f"/proc/{self.pid}/statm").read_text("ascii").split()[1]
        except OSError:
            return 0
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def forget(self) -> None:
        """It is gone: nothing is kept for it."""
        self._left(self.notices)
        self.notices.close()
