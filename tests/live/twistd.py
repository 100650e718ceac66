"""twistd and twist: their command lines; and twistd as a daemon.

A daemon is started, found by its pidfile, talked to, stopped, looked after:

    with Daemon(tmp_path, "served:hello") as daemon:
        assert daemon.get("/").status == 200

Leaving the block stops it by SIGTERM, if the test has not; then neither a process of its own nor
its pidfile may be left.
"""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.live.serving import APPS, LISTENING, PATIENCE, Reply, dial, wait_until

BIN = Path(sys.executable).parent
TWISTD = (sys.executable, "-X", "dev", str(BIN / "twistd"))


def command(*options: str, script: str = "twistd") -> tuple[str, ...]:
    """`twistd -n` or `twist`, which log on standard output."""
    quiet = {"twistd": ("-n", "--pidfile="), "twist": ("--log-format=text",)}[script]
    return (sys.executable, "-X", "dev", str(BIN / script), *quiet, *options, "daphne-like")


class Daemon:
    """One ``twistd daphne-like`` that goes into the background, in `place`.

    `options` are twistd's; `stays` says that its pidfile does, as of who may not remove it.
    ``status`` and ``said`` are what the command that started it has left.
    """

    def __init__(
        self,
        place: Path,
        *arguments: str,
        options: Sequence[str] = (),
        port: bool = True,
        stays: bool = False,
    ) -> None:
        self.pidfile, self._log = place / "twistd.pid", place / "twistd.log"
        self._stays = stays
        ours = [*arguments, *(["-p", "0"] if port else []), "--app-dir", str(APPS)]
        done = subprocess.run(
            [*TWISTD, f"--pidfile={self.pidfile}", *options, "daphne-like", *ours],
            cwd=place,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        self.status, self.said = done.returncode, done.stdout + done.stderr
        self.pid = int(self.pidfile.read_text()) if self.pidfile.exists() else None

    @property
    def log(self) -> list[str]:
        return self._log.read_text().splitlines()

    def told(self, words: str) -> list[str]:
        """The lines of its log that have `words` in them, once there is one."""
        wait_until(lambda: self._log.exists() and words in self._log.read_text())
        return [line for line in self.log if words in line]

    def __enter__(self) -> Daemon:
        try:
            assert (self.status, self.said) == (0, "")
            self.told("Listening on")
        except BaseException:
            self._kill()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self.stop()
        finally:
            self._kill()

    def stop(self) -> None:
        """Tell it to stop, and wait until there is nothing of it."""
        for pid in self.processes():
            os.kill(pid, signal.SIGTERM)
        self.ended()

    def ended(self) -> None:
        """Wait for its end: nothing is left of it."""
        wait_until(lambda: not self.processes())
        assert self.pidfile.exists() is self._stays
        assert not any("Traceback" in line for line in self.log), "\n".join(self.log)

    def tell(self, number: int) -> None:
        assert self.pid is not None
        os.kill(self.pid, number)

    def processes(self) -> list[int]:
        """Its processes: those that run in its directory by their command line, or below it."""
        name = f"--pidfile={self.pidfile}\0"
        found = [path.name for path in Path("/proc").iterdir() if path.name.isdecimal()]
        return [pid for pid in map(int, found) if name in _command_of(pid)]

    def _kill(self) -> None:
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def get(self, path: str = "/") -> Reply:
        """The response to a GET on a connection of its own, to where it listens first."""
        [*_, line] = self.told("Listening on")
        host, port, name = LISTENING.search(line).groups()  # type: ignore[union-attr]
        return ask(name or (host, int(port)), path)


def ask(address: Any, path: str = "/") -> Reply:
    """The response to a GET on a connection of its own."""
    client = http.client.HTTPConnection("testserver")
    client.sock = dial(address)
    try:
        client.request("GET", path)
        response = client.getresponse()
        return Reply(response.status, dict(response.getheaders()), response.read())
    finally:
        client.close()


def _command_of(pid: int) -> str:
    """Nothing where it is gone, also if nobody has asked for its status yet."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""
