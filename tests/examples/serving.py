"""The command line in a process of its own, on a port that the kernel has picked."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
EXAMPLES = CHECKOUT / "examples"
DEPLOY = CHECKOUT / "deploy"
PATIENCE = 20.0
COMMAND = (sys.executable, "-m", "daphne_like")
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
    "PYTHONDONTWRITEBYTECODE": "1",
}


class Server:
    """A running server: where it listens, what it has written, how it ended."""

    def __init__(self, process: subprocess.Popen[bytes], place: Path) -> None:
        self.process = process
        self._place = place
        self.address = ""

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    @property
    def log(self) -> str:
        """What it has written to standard error."""
        return (self._place / "log").read_text()

    @property
    def access(self) -> list[str]:
        """The lines it has written to standard output."""
        return (self._place / "access").read_text().splitlines()

    def wait_for(self, text: str) -> None:
        """Wait until its log, or its access lines, hold `text`."""
        self.wait_until(lambda: text in self.log or text in "\n".join(self.access), repr(text))

    def wait_until(self, condition: Callable[[], bool], what: str = "change") -> None:
        """Wait until `condition` holds."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert self.process.poll() is None, self.log
            assert time.monotonic() < deadline, f"no {what} in: {self.log}"
            time.sleep(0.01)

    def stop(self) -> int:
        """Stop it as systemd would; return its exit status."""
        self.process.terminate()
        return self.process.wait(PATIENCE)


@contextmanager
def serving(
    *arguments: str,
    directory: Path,
    place: Path,
    command: tuple[str, ...] = COMMAND,
    descriptors: tuple[int, ...] = (),
    environment: Mapping[str, str] = ENVIRONMENT,
) -> Iterator[Server]:
    """Run ``daphne-like arguments`` in `directory` until the block is left.

    `place` is an empty directory for what it writes; `descriptors` are left open for it.
    """
    with (place / "log").open("wb") as log, (place / "access").open("wb") as access:
        process = subprocess.Popen(
            [*command, *arguments],
            cwd=directory,
            env=environment,
            stdout=access,
            stderr=log,
            pass_fds=descriptors,
        )
    server = Server(process, place)
    try:
        server.wait_for("Listening on ")
        found = re.search(r"Listening on (\S+)\n", server.log)
        assert found is not None
        server.address = found[1]
        yield server
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
