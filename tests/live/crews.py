"""Supervisors with their workers: who they are, asked for over what they serve."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.live.serving import Serving, is_open, wait_until

QUIET = ("--no-access-log", "--watchdog", "0")


class Crew(Serving):
    """A server with workers; the block is entered when all of them are ready."""

    def __init__(self, application: str, *options: str, workers: int = 2, **more: Any) -> None:
        self._workers = workers
        admin = ["--admin-bind", "127.0.0.1:0"]
        wanted = ["--workers", str(workers), *admin, *QUIET]
        places = 1 + ("-u" in options)
        super().__init__(application, *wanted, *options, listens=workers * places, **more)

    def __enter__(self) -> Crew:
        super().__enter__()
        self.log.wait_for("is ready", self._workers)
        return self

    @property
    def unix(self) -> int:
        """The index of the Unix socket among the addresses."""
        return next(at for at, each in enumerate(self.addresses) if isinstance(each, str))

    @property
    def pid(self) -> int:
        """The supervisor's."""
        return self._process.pid

    @property
    def pids(self) -> list[int]:
        """The workers', as the system has them: children of the supervisor."""
        return children(self._process.pid)

    def answers(self, count: int = 1, path: str = "/") -> list[int]:
        """The processes that have answered as many requests."""
        return [int(self.get(path).body) for _ in range(count)]

    def admin(self, path: str) -> bytes:
        """A page of the admin listener."""
        [line] = self.log.wait_for("Admin pages on")[:1]
        host, _, port = line.rpartition("http://")[2].partition(":")
        self.addresses.append((host, int(port)))
        try:
            return self.get(path, index=-1).body
        finally:
            self.addresses.pop()

    def workers(self) -> dict[int, str]:
        """The stages of the workers, by their numbers, as ``/connections`` says."""
        page = json.loads(self.admin("/connections"))
        return {worker["worker"]: worker["stage"] for worker in page["workers"]}

    @contextmanager
    def under_load(self, clients: int = 4) -> Iterator[Counter[str]]:
        """Ask again and again, on new connections and on old ones; what has come of it."""
        load = Load(self, clients)
        try:
            yield load.seen
        finally:
            load.end()


class Load:
    """Clients that ask one after the other and count what comes of it."""

    def __init__(self, server: Serving, clients: int) -> None:
        self.seen: Counter[str] = Counter()
        self._server = server
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]
        for thread in self._threads:
            thread.start()
        wait_until(lambda: self.seen["200"] > clients)

    def _ask(self) -> None:
        while not self._over.is_set():
            try:
                self.seen[str(self._server.get().status)] += 1
            except Exception as error:
                self.seen[repr(error)] += 1

    def end(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


def children(parent: int) -> list[int]:
    """The processes whose parent that one is, as Linux tells."""
    try:
        text = Path(f"/proc/{parent}/task/{parent}/children").read_text()
    except OSError:
        return []
    return [int(pid) for pid in text.split() if is_alive(int(pid))]


def is_alive(pid: int) -> bool:
    """Whether a process runs, or is stopped."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in ("Z", "X")


def nothing_is_left(server: Crew, pids: list[int]) -> bool:
    """Whether a server, of which these processes were, is gone with all of them."""
    return not any(map(is_alive, pids)) and not any(map(is_open, server.addresses))


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    """Send a signal to a process that is there."""
    os.kill(pid, number)
