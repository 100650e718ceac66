"""Browsers without a screen: one opens a page and stays until the block is left."""

from __future__ import annotations

import json
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
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


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
def browsing(program: str, page: str, certificate: bytes | None = None) -> Iterator[None]:
    """Let a browser open `page`; it takes the certificate in PEM, whoever has signed it.

    All it writes is in a directory of its own, whose name leaves room for that of a Unix socket.
    """
    shown = None if certificate is None else x509.load_pem_x509_certificate(certificate)
    with TemporaryDirectory(ignore_cleanup_errors=True) as place:
        options = BROWSERS[Path(program).name](Path(place), page, shown)
        environment = {**os.environ, "HOME": place, "TMPDIR": place}
        with (
            Path(place, "log").open("wb") as log,
            running([program, *options, page], env=environment, stdout=log, stderr=log),
        ):
            yield


# --- Each with its options, and what it finds in its directory ------------------------------

_CHROMIUM = (
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


def _chromium(place: Path, page: str, shown: x509.Certificate | None) -> list[str]:
    options = [*_CHROMIUM, f"--user-data-dir={place}"]
    if shown is not None:
        key = shown.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        known = b64encode(sha256(key).digest()).decode()
        options.append(f"--ignore-certificate-errors-spki-list={known}")
    return options


_FIREFOX = {
    # It asks nobody but this machine, whatever it would like to know.
    "network.dns.disabled": True,
    # It makes no connection that nothing needs yet, and no second one where the first is slow.
    "network.http.speculative-parallel-limit": 0,
    "network.http.connection-retry-timeout": 0,
    # It shows no page but ours.
    "browser.aboutwelcome.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage_override.mstone": "ignore",
    "datareporting.policy.dataSubmissionEnabled": False,
}


def _firefox(place: Path, page: str, shown: x509.Certificate | None) -> list[str]:
    chosen = (json.dumps(pair)[1:-1] for pair in _FIREFOX.items())
    place.joinpath("user.js").write_text("".join(f"user_pref({pair});\n" for pair in chosen))
    if shown is not None:
        # What it writes when its user makes an exception; the number is that of SHA-256.
        known, port = shown.fingerprint(SHA256()).hex(":").upper(), urlsplit(page).port
        exceptions = (
            f"{host}:{port}:\tOID.2.16.840.1.101.3.4.2.1\t{known}\t\n"
            for host in ("127.0.0.1", "localhost")
        )
        place.joinpath("cert_override.txt").write_text("".join(exceptions))
    return ["--headless", "--no-remote", "--profile", str(place)]


BROWSERS = {"chromium": _chromium, "firefox-esr": _firefox}
"""By program. Each gets its directory, its page, and the certificate it is to take."""


# --- Visits ---------------------------------------------------------------------------------

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
