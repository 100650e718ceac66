"""Workers under load: what is lost when they are replaced, killed and upgraded, and what two do.

``python -m benchmarks.workers``. Clients ask at a steady rate, each on a connection that it keeps,
while the supervisor gets its signals; afterwards one worker and two compute as fast as they can.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

APPS = Path(__file__).with_name("apps")
CLIENTS = 50
REQUEST = b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n"


# --- The server -------------------------------------------------------------------------------


class Server:
    """A supervisor with workers, and what its log says."""

    def __init__(self, *options: str) -> None:
        command = [sys.executable, "-m", "daphne_like", "workers:app", "--app-dir", str(APPS)]
        quiet = ["-p", "0", "--no-access-log", "--watchdog", "0"]
        self.process = subprocess.Popen(
            [*command, *quiet, *options], stderr=subprocess.PIPE, text=True
        )
        self.pid = self.process.pid
        self.log: list[str] = []
        self.changed = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()
        [line] = self.wait_for("Listening on")[:1]
        self.port = int(line.rpartition(":")[2])

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self.changed:
                self.log.append(line.rstrip())
                self.changed.notify_all()

    def wait_for(self, words: str, count: int = 1) -> list[str]:
        """The lines that have `words` in them, once there are `count`."""

        def found() -> list[str]:
            return [line for line in self.log if words in line]

        with self.changed:
            if not self.changed.wait_for(lambda: len(found()) >= count, 60):
                raise TimeoutError("\n".join(self.log[-20:]))
            return found()

    def workers(self) -> list[int]:
        """The processes of the workers."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text("ascii")
        return [int(pid) for pid in children.split()]


@contextmanager
def serving(*options: str) -> Iterator[Server]:
    """A server until the block is left; the last of those that have followed each other."""
    server = Server(*options)
    try:
        yield server
    finally:
        os.kill(server.pid, signal.SIGTERM)
        while Path(f"/proc/{server.pid}").exists() and server.process.poll() is None:
            time.sleep(0.05)


# --- The load ---------------------------------------------------------------------------------


class Load:
    """Clients that each ask `rate` times a second; ``seen`` counts what came of it.

    A connection that is closed between two requests is made anew, and the request that was on its
    way is asked again, as every client does (RFC 9112, section 9.5).
    """

    def __init__(self, port: int, rate: float) -> None:
        self._port = port
        self._pause = 1 / rate
        self.seen: Counter[str] = Counter()
        self.over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()

    def end(self) -> None:
        """Ask no more."""
        self.over.set()
        self._thread.join()

    async def _run(self) -> None:
        await asyncio.gather(*(self._client(index / CLIENTS) for index in range(CLIENTS)))

    async def _client(self, offset: float) -> None:
        due = time.monotonic() + offset * self._pause
        connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        while not self.over.is_set():
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            due += self._pause
            connection = await self._ask(connection)
        if connection is not None:
            connection[1].close()

    async def _ask(
        self, connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        if connection is not None and connection[0].at_eof():
            connection[1].close()
            connection = None
        reused = connection is not None
        try:
            reader, writer = connection or await asyncio.open_connection("127.0.0.1", self._port)
            writer.write(REQUEST % b"/")
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(re.findall(rb"(?i)content-length: (\d+)", head)[0]))
        except (OSError, asyncio.IncompleteReadError) as error:
            if reused and not getattr(error, "partial", b""):
                self.seen["asked again"] += 1
                return await self._ask(None)
            self.seen[type(error).__name__] += 1
            return None
        self.seen[head[9:12].decode()] += 1
        if b"connection: close" in head.lower():
            writer.close()
            return None
        return reader, writer


# --- What is tried ----------------------------------------------------------------------------


def reloads(server: Server, times: int) -> None:
    """Replace all workers, again and again."""
    for _ in range(times):
        before = len(server.wait_for("is ready"))
        os.kill(server.pid, signal.SIGHUP)
        server.wait_for("is ready", before + 2)
        time.sleep(0.2)


def kills(server: Server, times: int) -> None:
    """Kill a worker, again and again."""
    for _ in range(times):
        before = len(server.wait_for("is ready"))
        os.kill(server.workers()[0], signal.SIGKILL)
        server.wait_for("is ready", before + 1)
        time.sleep(1)


def upgrades(server: Server, times: int) -> None:
    """Let another supervisor take over, again and again."""
    for done in range(times):
        os.kill(server.pid, signal.SIGUSR2)
        line = server.wait_for("takes over when it serves", done + 1)[-1]
        server.wait_for("Taking over from process", done + 1)
        server.pid = int(line.partition("Upgrade: process ")[2].split()[0])
        time.sleep(0.5)


TRIED = {"reloads": (reloads, 20), "kills": (kills, 5), "upgrades": (upgrades, 3)}


def lost(rate: int) -> None:
    """Print what came of the requests through each of what is tried."""
    for name, (try_, times) in TRIED.items():
        with serving("--workers", "2", "--graceful-timeout", "5") as server:
            load = Load(server.port, rate / CLIENTS)
            started = time.monotonic()
            time.sleep(1)
            try_(server, times)
            time.sleep(1)
            load.end()
            seconds = time.monotonic() - started
        asked = sum(load.seen.values()) - load.seen["asked again"]
        print(f"{times} {name}: {asked} requests, {asked / seconds:.0f}/s: {dict(load.seen)}")


def computed(workers: int, seconds: float) -> float:
    """Requests a second that each compute for a few milliseconds: the clients cost next to none."""
    with serving("--workers", str(workers)) as server:
        command = [
            "wrk",
            "-t1",
            "-c16",
            f"-d{seconds:g}",
            f"http://127.0.0.1:{server.port}/compute",
        ]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return float(re.findall(r"Requests/sec:\s+([\d.]+)", said)[0])


def scaled(rounds: int, seconds: float) -> None:
    """Print how much more two workers do than one."""
    ratios = []
    for _ in range(rounds):
        one, two = computed(1, seconds), computed(2, seconds)
        ratios.append(two / one)
        print(f"computing: {one:.0f}/s by one worker, {two:.0f}/s by two: {two / one:.2f}")
    print(f"median {sorted(ratios)[len(ratios) // 2]:.2f}")


def spread(workers: int, connections: int, seconds: float) -> None:
    """Print how many requests of a crowd that comes at once each worker gets."""
    with serving("--workers", str(workers), "--admin-bind", "127.0.0.1:0") as server:
        [line] = server.wait_for("Admin pages on")[:1]
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}"]
        subprocess.run(
            [*command, f"http://127.0.0.1:{server.port}/"], capture_output=True, check=True
        )
        page = subprocess.run(
            ["curl", "-s", line.rpartition(" ")[2] + "/metrics"],
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        found = re.findall(r'connections_accepted_total{worker="(\d)"} (\d+)', page)
    print(f"{connections} connections at once, {workers} workers: {dict(found)}")


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.workers")
    parser.add_argument("--rate", type=int, default=2000, help="requests a second")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3)
    given = parser.parse_args()
    lost(given.rate)
    for workers in (2, 4):
        spread(workers, 64, 1)
    scaled(given.rounds, given.seconds)


if __name__ == "__main__":
    main()
