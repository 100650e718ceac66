"""Certificates that are renewed while a server runs, in the ways in which that is done."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.live.serving import Serving, wait_until
from tests.live.test_tls import connected, shown, told
from tests.support.certificates import Authority, Issued, authority, client_context, localhost

OFTEN = ("--certificate-check", "0.05")


def issued(name: str) -> Issued:
    """A certificate of this machine's that can be told from others."""
    return authority().issue("localhost", name)


# --- How files come to be others --------------------------------------------------------------


def overwritten(place: Path, name: str) -> None:
    """One file, then the other, each where it was."""
    issued(name).write(place)


def linked(place: Path, name: str) -> None:
    """Kept aside, and linked to: certbot's way."""
    aside = place / "archive" / name
    aside.mkdir(parents=True)
    for path in issued(name).write(aside):
        link = place / "new"
        link.symlink_to(path)
        link.replace(place / Path(path).name)


def mounted(place: Path, name: str) -> None:
    """In a directory that is linked to, by all of its files at once: Kubernetes' way."""
    aside = place / f"..{name}"
    aside.mkdir()
    for path in issued(name).write(aside):
        file = place / Path(path).name
        if not file.is_symlink():
            file.symlink_to(Path("..data", file.name))
    link = place / "new"
    link.symlink_to(aside.name)
    link.replace(place / "..data")


WAYS = pytest.mark.parametrize("renew", [overwritten, linked, mounted])


@WAYS
@pytest.mark.parametrize("word", ["--ssl-certfile", "--ssl-sni"])
def test_a_new_one_is_shown_and_nobody_is_dropped(
    tmp_path: Path, renew: Callable[[Path, str], None], word: str
) -> None:
    place = tmp_path / "tls"
    place.mkdir()
    renew(place, "first")
    pair = [word, str(place / "server.crt"), "--ssl-keyfile", str(place / "server.key")]
    options = pair if word == "--ssl-certfile" else [word, str(place)]
    with Serving("encrypted:told", *OFTEN, *options) as server, connected(server) as client:
        before = told(client)["tls"]["server_cert"]
        for name in ("second", "third"):
            renew(place, name)
            wait_until(lambda: shown(server) == ["localhost", name])  # noqa: B023
            assert told(client)["tls"]["server_cert"] == before


def test_a_directory_gets_others_and_loses_some(tmp_path: Path) -> None:
    authority().issue("a.example", "*.a.example", "first").write_in_one(tmp_path, "a")
    authority().issue("b.example").write_in_one(tmp_path, "b")
    server = Serving("encrypted:told", *OFTEN, "--ssl-sni", str(tmp_path))
    with server, connected(server, name="a.example") as client:
        told(client)
        authority().issue("a.example", "*.a.example", "second").write_in_one(tmp_path, "a")
        authority().issue("c.example").write(tmp_path, "c")
        (tmp_path / "b.pem").unlink()
        wait_until(lambda: shown(server, "x.a.example")[-1] == "second")
        wait_until(lambda: shown(server, "c.example") == ["c.example"])
        wait_until(lambda: shown(server, "b.example")[-1] == "second")
        assert told(client)["scheme"] == "https"


def test_half_a_file_changes_nothing(tmp_path: Path) -> None:
    path = Path(issued("first").write_in_one(tmp_path))
    with (
        Serving("encrypted:told", *OFTEN, "--ssl-certfile", str(path)) as server,
        connected(server) as client,
    ):
        told(client)
        whole = issued("second")
        content = whole.key + whole.chain
        for part in (0, 100, len(whole.key), len(whole.key) + 100, len(content) - 30):
            count = len(server.stderr.wait_for("Keeping the certificates of before", 0))
            path.write_bytes(content[:part])
            server.stderr.wait_for("Keeping the certificates of before", count + 1)
            assert shown(server) == ["localhost", "first"]
        path.write_bytes(content)
        wait_until(lambda: shown(server) == ["localhost", "second"])
        assert told(client)["scheme"] == "https"


# --- Those who vouch for clients --------------------------------------------------------------


def is_let_in(server: Serving, context: ssl.SSLContext) -> bool:
    try:
        with connected(server, context=context) as client:
            return told(client)["tls"]["client_cert_name"] == "CN=client"
    except OSError:
        return False


@pytest.mark.parametrize("kind", ["a file", "a directory"])
def test_other_authorities_vouch_for_new_clients(
    tmp_path: Path, tool: Callable[[str], str], kind: str
) -> None:
    chain, key = localhost().write(tmp_path)
    # Of the same name: in a directory they have the same file, too.
    before, after = Authority("clients"), Authority("clients")
    old, new = (client_context(each.issue("client"), tmp_path) for each in (before, after))
    place = tmp_path / "ca"
    file = place
    if kind == "a directory":
        place.mkdir()
        hashing = [tool("openssl"), "x509", "-noout", "-hash"]
        done = subprocess.run(hashing, input=before.pem, capture_output=True, check=True)
        file = place / f"{done.stdout.decode().strip()}.0"
    file.write_bytes(before.pem)
    options = ["--ssl-certfile", chain, "--ssl-keyfile", key, "--ssl-ca-certs", str(place)]
    with (
        Serving("encrypted:told", *OFTEN, *options, "--ssl-cert-reqs", "required") as server,
        connected(server, context=old) as client,
    ):
        told(client)
        assert not is_let_in(server, new)
        file.write_bytes(after.pem)
        wait_until(lambda: is_let_in(server, new))
        assert not is_let_in(server, old)
        assert told(client)["tls"]["client_cert_name"] == "CN=client"
