"""The certificate that every server is given for TLS, made anew for each run of the benchmark."""

from __future__ import annotations

import atexit
import functools
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.model import Failed

_COMMAND = (
    *("openssl", "req", "-x509", "-nodes", "-days=2"),
    *("-newkey=ec", "-pkeyopt=ec_paramgen_curve:prime256v1"),
    *("-subj=/CN=127.0.0.1", "-addext=subjectAltName=IP:127.0.0.1"),
)


@dataclass(frozen=True)
class Certificate:
    """Two files in PEM; the certificate is signed by its own key, which is on P-256 (PKCS #8)."""

    certificate: Path
    key: Path


@functools.cache
def certificate() -> Certificate:
    """Return the files, which are made when first asked for, and removed when the program ends.

    Raises:
        Failed: if ``openssl`` cannot make them.
    """
    folder = Path(tempfile.mkdtemp(prefix="benchmarks-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    made = Certificate(folder / "certificate.pem", folder / "key.pem")
    files = ["-out", str(made.certificate), "-keyout", str(made.key)]
    ended = subprocess.run([*_COMMAND, *files], capture_output=True, text=True, check=False)
    if ended.returncode:
        raise Failed(f"no certificate: {ended.stderr.strip().splitlines()[-1]}")
    return made
