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


class OpenSSL:
    """openssl s_client: called with an address and options, it returns all that it prints.

    It sends the bytes, and then the end of them; a `command` is its own, and it goes on after it.
    """

    def __init__(self, program: str) -> None:
        self._command = [program, "s_client"]

    def __call__(
        self, address: tuple[str, int], *options: str, send: bytes = b"", command: bytes = b""
    ) -> str:
        where = ["-connect", "{}:{}".format(*address)]
        with subprocess.Popen(
            [*self._command, *where, *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process:
            try:
                if command and process.stdin is not None:
                    process.stdin.write(command)
                    process.stdin.flush()
                    process.wait(PATIENCE)
                return process.communicate(send or None, PATIENCE)[0].decode("latin-1")
            finally:
                process.kill()
