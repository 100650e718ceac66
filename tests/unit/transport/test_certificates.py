"""Certificates in files: which is shown to whom, and what happens when the files change."""

from __future__ import annotations

import logging
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from daphne_like.errors import ConfigError
from daphne_like.transport import certificates, contexts
from daphne_like.transport.certificates import Certificates, Source, chooser
from daphne_like.transport.contexts import Pair, Policy
from daphne_like.transport.validity import validity_of
from tests.support.certificates import Client, Issued, authority, client_context, localhost, shaken

FIRST = authority().issue("a.example", "*.w.example", "localhost")
SECOND = authority().issue("b.example", "localhost")


def name_shown(certificates: Certificates, name: str) -> str:
    """The first name in the certificate that a client is shown that asks for `name`."""
    context = client_context()
    context.check_hostname = False
    server, _ = shaken(certificates.context, Client(context, name))
    return first_name(certificates.facts(server)["server_cert"])


def first_name(pem: str) -> str:
    from daphne_like.transport import x509

    return x509.names_of(pem.encode())[0]


def told(caplog: Any, level: str = "WARNING") -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelname == level]


def pair(path: str) -> Pair:
    return Pair(Path(path), Path(path))


# --- Which ------------------------------------------------------------------------------------


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Two certificates, one in one file and one in two, and what does not count."""
    made = tmp_path / "sni"
    made.mkdir()
    FIRST.write_in_one(made, "1")
    SECOND.write(made, "2")
    (made / "README").write_text("not a certificate")
    return made


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("a.example", "a.example"),
        ("A.EXAMPLE", "a.example"),
        ("b.example", "b.example"),
        ("x.w.example", "a.example"),
        ("localhost", "a.example"),
        ("x.y.w.example", "default"),
        ("w.example", "default"),
        ("unknown.example", "default"),
    ],
)
def test_a_client_is_shown_the_certificate_of_the_name_it_asks_for(
    directory: Path, tmp_path: Path, asked: str, shown: str
) -> None:
    default = authority().issue("default").write_in_one(tmp_path, "default")
    certificates = Certificates(Source(pair(default), directory), Policy())
    assert name_shown(certificates, asked) == shown


def test_whatever_is_shown_the_policy_is_the_same(directory: Path) -> None:
    client = client_context()
    client.set_alpn_protocols(["http/1.1", "h2"])
    policy = Policy((b"h2", b"http/1.1"), oldest="1.3")
    certificates = Certificates(Source(directory=directory), policy)
    server, _ = shaken(certificates.context, Client(client, "b.example"))
    assert first_name(certificates.facts(server)["server_cert"]) == "b.example"
    assert (server.selected_alpn_protocol(), server.version()) == ("h2", "TLSv1.3")


def test_without_one_for_everybody_else_it_is_the_first(directory: Path) -> None:
    certificates = Certificates(Source(directory=directory), Policy())
    assert name_shown(certificates, "unknown.example") == "a.example"
    assert name_shown(certificates, "b.example") == "b.example"


def test_a_client_that_asks_for_no_name_gets_what_there_is_for_everybody() -> None:
    class Connection:
        context = "default"

    connection: Any = Connection()
    choose = chooser({"a.example": "another"})  # type: ignore[dict-item]
    choose(connection, None, None)
    assert connection.context == "default"
    choose(connection, "a.example", None)
    assert connection.context == "another"


def test_a_key_beside_a_pem_file_is_its_key(tmp_path: Path) -> None:
    (tmp_path / "a.pem").write_bytes(FIRST.chain)
    (tmp_path / "a.key").write_bytes(FIRST.encrypted("secret"))
    certificates = Certificates(Source(directory=tmp_path), Policy(password="secret"))
    assert name_shown(certificates, "localhost") == "a.example"


def test_a_certificate_without_names_is_for_everybody_else(tmp_path: Path, caplog: Any) -> None:
    authority().issue().write_in_one(tmp_path)
    certificates = Certificates(Source(directory=tmp_path), Policy())
    assert certificates.context.sni_callback is None
    place = tmp_path / "server.pem"
    named = f"--ssl-sni {place} names no host (subjectAltName): it is shown for none"
    assert told(caplog) == [named]


def test_that_a_certificate_for_everybody_names_no_host_is_said(
    tmp_path: Path, caplog: Any
) -> None:
    path = authority().issue().write_in_one(tmp_path)
    Certificates(Source(pair(path)), Policy())
    assert told(caplog) == [
        f"--ssl-certfile {path} names no host (subjectAltName): browsers refuse it"
    ]


def test_a_directory_in_which_openssl_finds_no_authority_is_told_of_until_it_does(
    tmp_path: Path, caplog: Any
) -> None:
    place = tmp_path / "authorities"
    place.mkdir()
    (place / "ca.pem").write_bytes(authority().pem)
    path = localhost().write_in_one(tmp_path)
    found = Certificates(Source(pair(path)), Policy(clients="required", authorities=str(place)))
    said = (
        f"--ssl-ca-certs {place} has no authority that OpenSSL finds there, by its hash: "
        "see openssl rehash; every client's certificate is refused"
    )
    assert told(caplog) == [said]
    (place / "0a1b2c3d.0").write_bytes(authority().pem)
    found.check()
    assert told(caplog) == [said]


def test_of_two_for_one_name_the_first_by_file_name_is_shown_which_is_said(
    directory: Path, caplog: Any
) -> None:
    certificates = Certificates(Source(directory=directory), Policy())
    assert name_shown(certificates, "localhost") == "a.example"
    first, second = directory / "1.pem", directory / "2.crt"
    lost = f"--ssl-sni {second} is not shown for localhost: {first} is, which is first"
    assert told(caplog) == [lost]


def test_one_that_does_not_hold_is_told_of_at_each_reading(
    directory: Path, tmp_path: Path, caplog: Any
) -> None:
    later = datetime.now(UTC) + timedelta(days=40)
    path = Path(localhost().write_in_one(tmp_path))
    certificates = Certificates(Source(pair(str(path)), directory), Policy(), lambda: later)
    lines = [line.partition(" ended on ") for line in told(caplog)]
    places = [f"--ssl-certfile {path}", *(f"--ssl-sni {directory}/{n}" for n in ("1.pem", "2.crt"))]
    assert [place for place, ended, _ in lines if ended] == places
    assert all(said.endswith(" UTC: clients refuse it") for _, ended, said in lines if ended)
    certificates.check()
    assert len(told(caplog)) == len(lines), "nothing has changed"
    certificates.reload()
    assert len(told(caplog)) == 2 * len(lines)


def test_one_whose_validity_cannot_be_read_is_shown_all_the_same(one, caplog, monkeypatch) -> None:
    def fail(file: Path, pem: bytes) -> Any:
        raise ValueError("odd")

    monkeypatch.setattr(certificates, "validity_of", fail)
    one[0].reload()
    assert name_shown(one[0], "localhost") == "a.example"
    assert one[0].ends == {}
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "--ssl-sni {}: No such file or directory."),
        ({}, "--ssl-sni {}: no *.pem or *.crt is in it."),
        (
            {"a.crt": FIRST.chain},
            "--ssl-sni {}/a.crt: it holds no private key in PEM form: put a.key beside it, or keep "
            "chains without a key elsewhere.",
        ),
        ({"chain.pem": b""}, "--ssl-sni {}/chain.pem: it holds no certificate in PEM form."),
        (
            {"a-key.pem": FIRST.key},
            "--ssl-sni {}/a-key.pem: it holds a key and no certificate: name it as its "
            "certificate's file, NAME.key.",
        ),
        (
            {"a.crt": FIRST.chain, "a.key": SECOND.key},
            "--ssl-sni {}/a.key: it is not the key of {}/a.crt.",
        ),
    ],
)
def test_what_is_wrong_with_a_directory_is_one_line(
    tmp_path: Path, content: dict[str, bytes] | None, said: str
) -> None:
    place = tmp_path / "sni"
    if content is not None:
        place.mkdir()
        for name, data in content.items():
            (place / name).write_bytes(data)
    with pytest.raises(ConfigError) as refusal:
        Certificates(Source(directory=place), Policy())
    assert str(refusal.value) == said.format(place, place)


def test_subdirectories_are_not_looked_into_which_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.example").mkdir()
    FIRST.write_in_one(tmp_path / "a.example")
    with pytest.raises(ConfigError) as refusal:
        Certificates(Source(directory=tmp_path, word="tls:"), Policy())
    no = "no *.pem or *.crt is in it; subdirectories are not looked into."
    assert str(refusal.value) == f"tls: {tmp_path}: {no}"


def test_a_certificate_whose_names_cannot_be_read_is_refused(directory, monkeypatch) -> None:
    from daphne_like.transport import x509

    def fail(pem: bytes) -> Any:
        raise ValueError("odd")

    monkeypatch.setattr(x509, "names_of", fail)
    with pytest.raises(ConfigError, match=r"--ssl-sni .*/1.pem: odd\."):
        Certificates(Source(directory=directory), Policy())


# --- Renewal ----------------------------------------------------------------------------------


@pytest.fixture
def one(tmp_path: Path) -> tuple[Certificates, Path]:
    """The certificate of one file, and the file."""
    path = Path(FIRST.write_in_one(tmp_path))
    return Certificates(Source(pair(str(path))), Policy()), path


def put(path: Path, issued: Issued | None) -> None:
    """Put another file in the place of one, as certbot does."""
    new = path.with_suffix(".new")
    new.write_bytes(b"broken" if issued is None else issued.key + issued.chain)
    new.replace(path)


def test_a_renewed_file_is_read_when_it_is_looked_at(one, caplog) -> None:
    caplog.set_level(logging.INFO)
    certificates, path = one
    before = certificates.context
    certificates.check()
    assert certificates.context is before
    put(path, SECOND)
    certificates.check()
    certificates.check()
    assert name_shown(certificates, "localhost") == "b.example"
    assert caplog.messages == [f"Read the certificates of {path} again"]
    assert caplog.records[0].levelname == "INFO"


def test_a_file_is_read_whenever_that_is_asked_for(one, caplog) -> None:
    caplog.set_level(logging.INFO)
    certificates, path = one
    before = certificates.context
    certificates.reload()
    certificates.check()
    assert certificates.context is not before
    assert caplog.messages == [f"Read the certificates of {path} again"]


def test_a_broken_file_changes_nothing_and_is_told_of_once(one, caplog) -> None:
    certificates, path = one
    for _ in range(2):
        put(path, None)
        certificates.check()
        certificates.check()
    path.unlink()
    certificates.check()
    certificates.check()
    assert name_shown(certificates, "localhost") == "a.example"
    kept = "Keeping the certificates of before: --ssl-certfile "
    broken = f"{kept}{path}: it holds no certificate in PEM form."
    assert caplog.messages == [broken, broken, f"{kept}{path}: No such file or directory."]
    assert {record.levelname for record in caplog.records} == {"ERROR"}
    assert certificates.reloads == {"failed": 3}
    put(path, SECOND)
    certificates.check()
    assert name_shown(certificates, "localhost") == "b.example"
    assert certificates.reloads == {"failed": 3, "complete": 1}
    end = validity_of(path, SECOND.own).end
    assert certificates.ends == {str(path): end}


def test_a_file_that_vanishes_while_it_is_read_changes_nothing(
    one: Any, caplog: Any, monkeypatch: Any
) -> None:
    def read(word: str, place: Path) -> bytes:
        data = place.read_bytes()
        seen.append(place)
        if len(seen) == 2:
            path.unlink()
        return data

    seen: list[Path] = []
    certificates, path = one
    put(path, SECOND)
    with monkeypatch.context() as patched:
        patched.setattr(contexts, "read", read)
        certificates.check()
    assert name_shown(certificates, "localhost") == "a.example"
    kept = "Keeping the certificates of before"
    assert caplog.messages == [f"{kept}: {path}: No such file or directory."]
    put(path, SECOND)
    certificates.check()
    assert name_shown(certificates, "localhost") == "b.example"


def test_a_key_that_may_not_be_looked_for_changes_nothing(
    directory: Path, caplog: Any, monkeypatch: Any
) -> None:
    def closed(path: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    certificates = Certificates(Source(directory=directory), Policy())
    monkeypatch.setattr(Path, "exists", closed)
    certificates.reload()
    kept = "Keeping the certificates of before"
    assert told(caplog, "ERROR") == [f"{kept}: {directory}: Permission denied."]


def test_connections_keep_what_they_have_begun_with(one) -> None:
    certificates, path = one
    server, _ = shaken(certificates.context)
    put(path, SECOND)
    certificates.check()
    server.write(b"still here")
    assert first_name(certificates.facts(server)["server_cert"]) == "a.example"


def test_a_directory_may_gain_and_lose_certificates(directory: Path, caplog: Any) -> None:
    certificates = Certificates(Source(directory=directory), Policy())
    authority().issue("c.example").write_in_one(directory, "3")
    certificates.check()
    assert name_shown(certificates, "c.example") == "c.example"
    (directory / "1.pem").unlink()
    certificates.check()
    assert name_shown(certificates, "a.example") == "b.example"
    before = certificates.context
    for path in directory.iterdir():
        path.unlink()
    directory.rmdir()
    certificates.check()
    certificates.check()
    assert certificates.context is before
    [line] = told(caplog, "ERROR")
    assert line.endswith(f"--ssl-sni {directory}: No such file or directory.")


def test_the_authorities_are_looked_at_too(tmp_path: Path, caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    source = Source(pair(localhost().write_in_one(tmp_path)), tmp_path)
    authorities = tmp_path / "ca"
    authorities.write_bytes(authority().pem)
    certificates = Certificates(source, Policy(clients="optional", authorities=str(authorities)))
    authorities.write_bytes(authority().pem * 2)
    certificates.check()
    place = tmp_path / "server.pem"
    assert caplog.messages == [f"Read the certificates of {place} and {tmp_path} again"]
    assert certificates.context.verify_mode == ssl.CERT_OPTIONAL


def test_those_of_a_directory_too(tmp_path: Path) -> None:
    source = Source(pair(localhost().write_in_one(tmp_path)))
    authorities = tmp_path / "ca"
    authorities.mkdir()
    (authorities / "0.0").write_bytes(authority().pem)
    certificates = Certificates(source, Policy(clients="optional", authorities=str(authorities)))
    before = certificates.context
    certificates.check()
    assert certificates.context is before
    (authorities / "0.0").write_bytes(authority().pem * 2)
    certificates.check()
    assert certificates.context is not before
