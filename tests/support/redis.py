"""A Redis of a test's own, on a Unix socket, that keeps nothing."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.live.serving import PATIENCE, dial, wait_until


@contextmanager
def redis(program: str, place: Path) -> Iterator[str]:
    """Run ``redis-server``, the `program`, in an empty directory; its address."""
    path = place / "redis"
    nothing = ["--port", "0", "--save", "", "--appendonly", "no", "--dir", str(place)]
    with subprocess.Popen(
        [program, *nothing, "--unixsocket", str(path)], stdout=subprocess.DEVNULL
    ) as process:
        try:
            wait_until(lambda: path.exists() or process.poll() is not None)
            dial(str(path)).close()
            yield f"unix://{path}"
        finally:
            process.terminate()
            process.wait(PATIENCE)
