"""What "Serve https" says of renewal: its hook for certbot, run as certbot does, and the signal."""

from __future__ import annotations

import os
import re
import signal
import ssl
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.examples.pages import DOCS
from tests.examples.serving import DEPLOY, EXAMPLES, PATIENCE, serving
from tests.support.certificates import Issued, authority, client_context

PAGE = DOCS / "how-to/tls.md"
HOOK = DEPLOY / "certbot/mysite"


def renewed(tmp_path: Path, issued: Issued) -> Path:
    """Let certbot have got a certificate, and run its hook; return the file that it makes."""
    lineage = tmp_path / "live/example.org"
    certificates = tmp_path / "certificates"
    for directory in (lineage, certificates):
        directory.mkdir(parents=True, exist_ok=True)
    (lineage / "privkey.pem").write_bytes(issued.key)
    (lineage / "fullchain.pem").write_bytes(issued.chain)
    given = {"RENEWED_LINEAGE": str(lineage), "CERTIFICATES": str(certificates)}
    subprocess.run([HOOK], check=True, env={**os.environ, **given}, timeout=PATIENCE)
    assert [path.name for path in certificates.iterdir()] == ["example.org.pem"]
    return certificates / "example.org.pem"


def names_shown(url: str) -> list[str]:
    """The names in the certificate that is shown for ``example.org`` there."""
    where = urlsplit(url)
    address = str(where.hostname), where.port or 443
    pem = ssl.get_server_certificate(address, timeout=PATIENCE)
    from cryptography import x509

    found = x509.load_pem_x509_certificate(pem.encode()).extensions
    names = found.get_extension_for_class(x509.SubjectAlternativeName).value
    return names.get_values_for_type(x509.DNSName)


def test_the_hook_makes_a_file_for_the_server_alone(tmp_path: Path) -> None:
    made = renewed(tmp_path, authority().issue("example.org"))
    assert made.stat().st_mode & 0o777 == 0o600
    assert made.stat().st_uid == made.parent.stat().st_uid


@pytest.mark.parametrize("by_signal", [True, False])
def test_a_server_takes_what_it_makes(tmp_path: Path, by_signal: bool) -> None:
    [name] = re.findall(r"^\$ systemctl kill -s (\w+) mysite$", PAGE.read_text(), re.MULTILINE)
    made = renewed(tmp_path, authority().issue("127.0.0.1", "example.org"))
    seconds = "0" if by_signal else "0.05"
    options = ["--ssl-sni", str(made.parent), "--certificate-check", seconds]
    words = ("hello:application", "-p", "0", *options)
    with serving(*words, directory=EXAMPLES / "tutorial", place=tmp_path) as server:
        with httpx.Client(verify=client_context(), timeout=PATIENCE) as client:
            assert client.get(server.address).status_code == 200
            assert names_shown(server.address) == ["example.org"]
            renewed(tmp_path, authority().issue("127.0.0.1", "renewed.example.org"))
            if by_signal:
                server.process.send_signal(signal.Signals[f"SIG{name}"])
            server.wait_for("Read the certificates of ")
            assert names_shown(server.address) == ["renewed.example.org"]
            assert client.get(server.address).status_code == 200, "on the connection of before"
        assert server.stop() == 0
