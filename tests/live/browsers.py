"""Chromium without a screen: it opens a page and stays until the block is left."""

from __future__ import annotations

import os
import signal
import subprocess
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-extensions",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # It asks nobody but this machine, whatever it would like to know.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
)


@contextmanager
def running(command: list[str], **more: Any) -> Iterator[subprocess.Popen[str]]:
    """A program with all that it starts, until the block is left."""
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, text=True, start_new_session=True, **more
    ) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def browsing(program: str, page: str, *options: str) -> Iterator[None]:
    """Let Chromium open `page`.

    All it writes is in a directory of its own, whose name leaves room for that of a Unix socket.
    """
    with TemporaryDirectory(ignore_cleanup_errors=True) as place:
        command = [program, *_OPTIONS, *options, f"--user-data-dir={place}", page]
        environment = {**os.environ, "HOME": place, "TMPDIR": place}
        with (
            Path(place, "log").open("wb") as log,
            running(command, env=environment, stdout=log, stderr=log),
        ):
            yield


def trusting(certificate: bytes) -> str:
    """The option by which Chromium takes this certificate in PEM, whoever has signed it."""
    key = x509.load_pem_x509_certificate(certificate).public_key()
    spelt = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    known = b64encode(sha256(spelt).digest()).decode()
    return f"--ignore-certificate-errors-spki-list={known}"


_VISITS = 3

Seen = TypeVar("Seen")


def settled(visit: Callable[[], Seen], fits: Callable[[Seen], bool]) -> Seen:
    """What `visit` has seen that `fits`, in three visits at the most.

    A Chromium that has just started makes new connections when it has read its settings and its
    certificates, between any two requests: what it does on one connection may take two.
    """
    for _ in range(_VISITS):
        seen = visit()
        if fits(seen):
            return seen
    raise AssertionError(seen)
