"""A server in a process of its own: started, waited for, talked to, stopped, looked after.

    with Serving("served:hello") as server:
        assert server.get("/").status == 200
    assert server.exit_status == 0

Leaving the block stops it by SIGTERM, if the test has not, and then nothing may be left of it,
and nothing on its standard error that no operator should see.
"""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

PATIENCE = 30.0
"""Seconds to wait for anything; on a machine that is not overloaded nothing takes one."""

APPS = Path(__file__).with_name("apps")
DAPHNE_LIKE = (sys.executable, "-X", "dev", "-m", "daphne_like")

NOISE = re.compile(
    r"Traceback|Task was destroyed|never awaited|never retrieved|Unhandled|Exception ignored"
    r"|Exception in callback|Logging error|Warning:|Fatal|Segmentation"
)
LISTENING = re.compile(r"Listening on (?:https?://(\S+):(\d+)|unix:(\S+))")


class Output:
    """The lines that a process writes to one of its pipes, as they come."""

    def __init__(self, pipe: IO[str]) -> None:
        self.lines: list[str] = []
        self._ended = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, args=(pipe,), daemon=True)
        self._thread.start()

    def _read(self, pipe: IO[str]) -> None:
        for line in pipe:
            if "Executing <" in line:
                continue  # How asyncio's debug mode speaks of a busy machine.
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        pipe.close()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def wait_for(self, words: str, count: int = 1) -> list[str]:
        """Wait for `count` lines that have `words` in them, or for the end; return them."""

        def found() -> list[str]:
            return [line for line in self.lines if words in line]

        with self._changed:
            waited = self._changed.wait_for(lambda: self._ended or len(found()) >= count, PATIENCE)
            assert waited, f"no {words!r} in {self.lines}"
            return found()

    def whole(self) -> list[str]:
        """All lines, once the process has closed the pipe."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        return self.lines


class Serving:
    """One server process.

    `listens` is how many lines "Listening on" to wait for, none where they are elsewhere, and
    `log` the name of the output that has them; `noise` is allowed where a test wants to see a
    failure; without `port` the command line has no ``-p 0``.
    """

    says = "Listening on"
    listening = LISTENING

    def __init__(
        self,
        *arguments: str,
        command: Sequence[str] = DAPHNE_LIKE,
        listens: int = 1,
        port: bool = True,
        noise: bool = False,
        log: str = "stderr",
        cwd: Path | None = None,
        fds: Sequence[int] = (),
        environment: dict[str, str] | None = None,
    ) -> None:
        self.command = self.command_line(command, arguments, port=port)
        self.addresses: list[Any] = []
        self._listens = listens
        self._noise = noise
        self._process: subprocess.Popen[str] = subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=cwd,
            pass_fds=fds,
            env={**os.environ, "PYTHONUNBUFFERED": "", **(environment or {})},
            start_new_session=True,
        )
        self.stdout = Output(self._process.stdout)  # type: ignore[arg-type]
        self.stderr = Output(self._process.stderr)  # type: ignore[arg-type]
        self.log: Output = getattr(self, log)

    def command_line(
        self, command: Sequence[str], arguments: Sequence[str], *, port: bool
    ) -> list[str]:
        place = ["-p", "0"] if port else []
        return [*command, *arguments, *place, "--app-dir", str(APPS)]

    def __enter__(self) -> Self:
        try:
            lines = self.log.wait_for(self.says, self._listens)
            assert len(lines) == self._listens, self.log.lines
        except BaseException:
            self._kill()
            raise
        self.listen_on(lines)
        return self

    def listen_on(self, lines: Iterable[str]) -> None:
        """Talk from now on to where these lines of its log say that it listens."""
        found = [self.listening.search(line).groups() for line in lines]  # type: ignore[union-attr]
        self.addresses = [path or (host.strip("[]"), int(port)) for host, port, path in found]

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._kill()
            return
        if self._process.poll() is None:
            self.tell(signal.SIGTERM)
        self.wait()

    def wait(self) -> int:
        """Wait for its end and see that it was a clean one; the exit status."""
        try:
            self._process.wait(PATIENCE)
            errors = [*self.stderr.whole(), *self.stdout.whole()]
        finally:
            self._kill()
        if not self._noise:
            assert [line for line in errors if NOISE.search(line)] == [], "\n".join(errors)
        for address in self.addresses:
            # A port may be somebody else's by now: only a path is ours for good.
            assert not isinstance(address, str) or not is_open(address), f"{address} is open"
        return self._process.returncode

    def _kill(self) -> None:
        """Whatever happens, no process of this server's stays."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        finally:
            self._process.wait()

    def tell(self, number: int) -> None:
        self._process.send_signal(number)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Tell it to stop, and wait until it has: the exit status."""
        self.tell(number)
        return self.wait()

    def handles(self, number: int) -> bool:
        """Whether it has a handler of its own for the signal, as far as Linux tells."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        caught = re.search(r"^SigCgt:\s*(\w+)$", status, re.MULTILINE)
        return caught is not None and bool(int(caught[1], 16) >> (number - 1) & 1)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_status(self) -> int | None:
        return self._process.poll()

    # --- Talking to it ------------------------------------------------------------------------

    def connect(self, index: int = 0) -> socket.socket:
        """A connection to the address with that index."""
        return dial(self.addresses[index])

    def get(self, path: str = "/", headers: dict[str, str] | None = None, index: int = 0) -> Reply:
        """The response to a GET on a connection of its own."""
        return self.request("GET", path, headers=headers, index=index)

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        index: int = 0,
    ) -> Reply:
        """The response to one request on a connection of its own."""
        client = http.client.HTTPConnection("testserver")
        client.sock = self.connect(index)
        try:
            client.request(method, path, body, headers or {})
            response = client.getresponse()
            return Reply(response.status, dict(response.getheaders()), response.read())
        finally:
            client.close()


class Reply:
    """A response that was read to its end."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.body = body


def dial(address: Any) -> socket.socket:
    """A connected socket whose every wait is bounded."""
    if not isinstance(address, str):
        return socket.create_connection(address[:2], PATIENCE)
    made = socket.socket(socket.AF_UNIX)
    made.settimeout(PATIENCE)
    try:
        made.connect(address)
    except OSError:
        made.close()
        raise
    return made


def is_open(address: Any) -> bool:
    """Whether anybody listens there."""
    try:
        dial(address).close()
    except OSError:
        return False
    return True


def wait_until(condition: Callable[[], object]) -> None:
    """Ask until `condition` holds; for what cannot be waited for in another way."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.01)


def failure(*arguments: str, **more: Any) -> tuple[int, list[str]]:
    """The exit status and the standard error of a server that does not come up."""
    server = Serving(*arguments, noise=True, **more)
    return server.wait(), server.stderr.whole()
