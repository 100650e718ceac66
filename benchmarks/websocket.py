"""Load over WebSockets, from ``websocket_client.py``, and what came of it."""

from __future__ import annotations

import contextlib
import functools
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.environments import prepare, program
from benchmarks.model import Failed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.model import Scenario

_PROGRAM = Path(__file__).parent / "websocket_client.py"


@dataclass(frozen=True)
class Load:
    """What the client saw while it sent.

    Attributes:
        messages: how many echoes came, all of them right.
        nanoseconds: how long that took.
        busy: for how many nanoseconds the client ran, or waited for its core.
    """

    messages: int
    nanoseconds: int
    busy: int

    @property
    def per_second(self) -> float:
        """Echoes per second."""
        return self.messages * 1e9 / self.nanoseconds


def parse(line: bytes) -> Load:
    """Return what the client told in one line.

    Raises:
        Failed: if there was any error, or if it told nothing.
    """
    if not line:
        raise Failed("the WebSocket client ended")
    told = json.loads(line)
    if "failed" in told:
        raise Failed(told["failed"])
    return Load(**told)


class Client:
    """A client whose connections are open."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def send(self, seconds: int) -> Load:
        """Exchange messages over all connections for some seconds.

        Raises:
            Failed: if a connection was lost, or an echo was wrong or did not come.
        """
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(b"%d\n" % seconds)
        return self.told()

    def told(self) -> Load:
        """Return what the client tells next."""
        assert self._process.stdout is not None
        return parse(self._process.stdout.readline())


@contextlib.contextmanager
def connected(port: int, scenario: Scenario) -> Iterator[Client]:
    """Open the scenario's WebSockets, exchange a message over each, keep them while in the block.

    Raises:
        Failed: if one of them cannot be opened, or its echo is wrong or does not come.
    """
    with subprocess.Popen(
        _command(port, scenario), bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        client = Client(process)
        client.told()
        yield client


def _command(port: int, scenario: Scenario) -> list[str]:
    assert scenario.echo is not None
    about = (port, scenario.connections, scenario.echo.kind, scenario.echo.size)
    return [str(_python()), "-I", str(_PROGRAM), *map(str, about)]


@functools.cache
def _python() -> Path:
    """Return the interpreter of the client's environment, which is made when first asked for."""
    prepare("client")
    return program("client", "python")
