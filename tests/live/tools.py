"""Programs that tests let do the talking."""

from __future__ import annotations

import subprocess

from tests.live.serving import PATIENCE


class Curl:
    """curl: called with a URL and options, it returns the status and the body."""

    def __init__(self, program: str) -> None:
        self._command = [program, "-sS", "--max-time", str(PATIENCE), "-w", "\n%{http_code}"]

    def __call__(self, url: str, *options: str) -> tuple[int, str]:
        done = subprocess.run(
            [*self._command, *options, url], capture_output=True, text=True, check=True, timeout=60
        )
        body, _, status = done.stdout.rpartition("\n")
        return int(status), body
