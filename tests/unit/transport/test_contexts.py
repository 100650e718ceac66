"""From files to contexts: what a server shows, what it asks for, and what is wrong with a file."""

from __future__ import annotations

import ssl
import sys
from pathlib import Path
from typing import Any

import pytest

from daphne_like.errors import ConfigError
from daphne_like.transport import x509
from daphne_like.transport.contexts import (
    Pair,
    Policy,
    chain_of,
    client_chain,
    context_for,
    facts,
)
from tests.support.certificates import (
    Authority,
    Client,
    Issued,
    authority,
    client_context,
    localhost,
    shaken,
)


def pair_of(issued: Issued, directory: Path, **more: Any) -> Pair:
    return Pair(*map(Path, issued.write(directory)), **more)


# --- What is agreed on ------------------------------------------------------------------------


def test_what_is_old_or_weak_is_left_out(tmp_path: Path) -> None:
    context = context_for(pair_of(localhost(), tmp_path), Policy())
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.options & ssl.OP_NO_RENEGOTIATION
    assert context.options & ssl.OP_NO_COMPRESSION
    assert context.verify_mode == ssl.CERT_NONE
    names = {suite["name"] for suite in context.get_ciphers()}
    assert all("GCM" in name or "CHACHA20" in name for name in names)
    assert all(name.startswith(("TLS_", "ECDHE-", "DHE-")) for name in names)


def test_the_oldest_version_and_the_ciphers_are_the_operators(tmp_path: Path) -> None:
    policy = Policy(oldest="1.3", ciphers="ECDHE-ECDSA-AES128-GCM-SHA256")
    context = context_for(pair_of(localhost(), tmp_path), policy)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_3
    of_1_2 = [suite["name"] for suite in context.get_ciphers() if suite["protocol"] == "TLSv1.2"]
    assert of_1_2 == ["ECDHE-ECDSA-AES128-GCM-SHA256"]


@pytest.mark.parametrize("offered", [["http/1.1"], ["h2", "http/1.1"]])
def test_the_protocols_are_the_callers(tmp_path: Path, offered: list[str]) -> None:
    context = context_for(pair_of(localhost(), tmp_path), Policy((b"h2", b"http/1.1")))
    client = client_context()
    client.set_alpn_protocols(offered)
    assert shaken(context, Client(client))[0].selected_alpn_protocol() == offered[0]


def test_what_there_is_to_tell_of_a_connection(tmp_path: Path) -> None:
    context = context_for(pair_of(localhost(), tmp_path), Policy())
    assert facts(shaken(context)[0]) == {
        "server_cert": localhost().own.decode(),
        "client_cert_chain": [],
        "client_cert_name": None,
        "client_cert_error": None,
        "tls_version": 0x0304,
        "cipher_suite": 0x1302,
    }
    client = client_context()
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    told = facts(shaken(context, Client(client))[0])
    assert (told["tls_version"], told["cipher_suite"]) == (0x0303, 0xC02B)


def test_parameters_for_diffie_hellman_are_used(tmp_path: Path) -> None:
    (tmp_path / "dh.pem").write_text(_FFDHE2048)
    policy = Policy(ciphers="DHE+AESGCM", dh_parameters=str(tmp_path / "dh.pem"))
    assert context_for(pair_of(localhost(), tmp_path), policy).certificate


_FFDHE2048 = """
-----BEGIN DH PARAMETERS-----
MIIBCAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEoXJf//////////wIBAg==
-----END DH PARAMETERS-----
"""
"""RFC 7919, appendix A.1; `cryptography` is about to forget such groups."""


# --- Clients ----------------------------------------------------------------------------------


@pytest.fixture
def asking(tmp_path: Path) -> ssl.SSLContext:
    """What asks its clients for a certificate, and lets them do without."""
    (tmp_path / "ca.pem").write_bytes(authority().pem)
    policy = Policy(clients="optional", authorities=str(tmp_path / "ca.pem"))
    return context_for(pair_of(localhost(), tmp_path), policy)


def test_a_clients_certificate_is_told_with_its_chain_and_its_name(asking, tmp_path) -> None:
    between = Authority("between", authority())
    shown = between.issue("client", subject="CN=a\\, b,O=c")
    told = facts(shaken(asking, Client(client_context(shown, tmp_path)))[0])
    expected = [shown.own.decode(), between.pem.decode(), authority().pem.decode()]
    assert told["client_cert_chain"] == expected
    assert told["client_cert_name"] == "CN=a\\, b,O=c"
    assert told["client_cert_error"] is None


def test_a_name_that_cannot_be_spelt_is_none(asking, tmp_path, monkeypatch) -> None:
    def fail(der: bytes) -> str:
        raise ValueError("odd")

    monkeypatch.setattr(x509, "subject_of", fail)
    shown = authority().issue("client")
    told = facts(shaken(asking, Client(client_context(shown, tmp_path)))[0])
    assert told["client_cert_chain"][0] == shown.own.decode()
    assert told["client_cert_name"] is None


def test_a_client_may_have_none_where_it_need_not(asking: ssl.SSLContext) -> None:
    told = facts(shaken(asking)[0])
    assert told["client_cert_chain"] == []
    assert told["client_cert_name"] is None


@pytest.mark.parametrize("shown", [None, Authority("a stranger").issue("client")])
def test_a_client_is_refused_where_it_has_none_that_counts(
    tmp_path: Path, shown: Issued | None
) -> None:
    (tmp_path / "ca.pem").write_bytes(authority().pem)
    policy = Policy(clients="required", authorities=str(tmp_path / "ca.pem"))
    context = context_for(pair_of(localhost(), tmp_path), policy)
    with pytest.raises(ssl.SSLError, match=r"(?i)certificate"):
        shaken(context, Client(client_context(shown, tmp_path)))


def test_authorities_may_be_a_directory(tmp_path: Path) -> None:
    policy = Policy(clients="required", authorities=str(tmp_path))
    context = context_for(pair_of(localhost(), tmp_path), policy)
    assert context.verify_mode == ssl.CERT_REQUIRED


def test_clients_that_are_asked_shake_hands_anew_each_time(asking, tmp_path) -> None:
    """A resumed session would bring no chain, and would not ask whether it still holds."""
    context = client_context(authority().issue("client"), tmp_path)
    context.maximum_version = ssl.TLSVersion.TLSv1_3
    _, client = shaken(asking, Client(context))
    client.reads()
    assert client.tls.session is None or not client.tls.session.has_ticket


def test_of_a_chain_that_was_not_kept_the_clients_own_is_left(monkeypatch) -> None:
    class Resumed:
        sent: tuple[bytes, ...] = ()

        def getpeercert(self, binary_form: bool) -> bytes:
            return b"own"

        def get_verified_chain(self) -> list[bytes]:
            return []

        def get_unverified_chain(self) -> list[bytes]:
            return list(self.sent)

    resumed: Any = Resumed()
    assert client_chain(resumed) == [b"own"]
    resumed.sent = b"own", b"between"
    assert client_chain(resumed) == [b"own", b"between"]


def test_before_it_was_public_the_chain_is_where_it_was_seen(asking, tmp_path) -> None:
    """When this fails on a new Python, ``chain_of`` has to be looked at again."""
    shown = authority().issue("client")
    server, _ = shaken(asking, Client(client_context(shown, tmp_path)))
    assert hasattr(server, "get_verified_chain") == (sys.version_info >= (3, 13))

    class Before313:
        _sslobj = server._sslobj  # type: ignore[attr-defined]

    expected = [ssl.PEM_cert_to_DER_cert(pem.decode()) for pem in (shown.own, authority().pem)]
    assert chain_of(Before313(), "verified") == chain_of(server, "verified") == expected
    assert chain_of(Before313(), "unverified") == chain_of(server, "unverified") == expected


def test_from_then_on_it_is_public() -> None:
    class From313:
        def get_verified_chain(self) -> list[bytes]:
            return [b"der"]

    assert chain_of(From313(), "verified") == [b"der"]


# --- Files ------------------------------------------------------------------------------------


def test_a_key_may_be_in_the_certificates_file_and_a_chain_behind_it(tmp_path: Path) -> None:
    between = Authority("between", authority())
    issued = between.issue("localhost")
    path = Path(issued.write_in_one(tmp_path))
    context = context_for(Pair(path, path), Policy())
    assert context.certificate == issued.own.decode()
    shaken(context)


def test_a_chain_may_have_a_file_of_its_own_which_may_hold_a_key_beside(tmp_path: Path) -> None:
    between = Authority("between", authority())
    issued = between.issue("localhost")
    own = Issued(issued.own, issued.key)
    one = Path(own.write_in_one(tmp_path))
    (tmp_path / "chain.pem").write_bytes(b"text\n" + between.pem)
    shaken(context_for(Pair(one, one, tmp_path / "chain.pem"), Policy()))
    with pytest.raises(ssl.SSLError, match="unable to get local issuer"):
        shaken(context_for(Pair(one, one), Policy()))


def test_a_password_opens_a_key(tmp_path: Path) -> None:
    pair = pair_of(localhost(), tmp_path)
    pair.key.write_bytes(localhost().encrypted("secret"))
    assert context_for(pair, Policy(password="secret")).certificate


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current directory, with files that are good and others that are not."""
    monkeypatch.chdir(tmp_path)
    issued = localhost()
    contents = {
        "good.crt": issued.chain,
        "good.key": issued.key,
        "turned.crt": authority().pem + issued.chain,
        "other.key": authority().issue("x").key,
        "mixed.pem": authority().issue("x").key + issued.chain,
        "closed.key": issued.encrypted("secret"),
        "empty": b"",
        "bad.crt": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "bad.key": b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    }
    for name, content in contents.items():
        Path(name).write_bytes(content)


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    ("names", "policy", "said"),
    [
        ("no.crt good.key", {}, "--ssl-certfile no.crt: No such file or directory."),
        ("good.crt no.key", {}, "--ssl-keyfile no.key: No such file or directory."),
        ("good.crt .", {}, "--ssl-keyfile .: Is a directory."),
        ("empty good.key", {}, "--ssl-certfile empty: it holds no certificate in PEM form."),
        ("good.crt empty", {}, "--ssl-keyfile empty: it holds no private key in PEM form."),
        ("good.crt other.key", {}, "--ssl-keyfile other.key: it is not the key of good.crt."),
        (
            "turned.crt good.key",
            {},
            "--ssl-keyfile good.key: it is not the key of turned.crt; the server's own certificate "
            "has to come first.",
        ),
        (
            "mixed.pem mixed.pem",
            {},
            "--ssl-certfile mixed.pem: its key is not its certificate's.",
        ),
        (
            "good.crt good.crt",
            {},
            "--ssl-certfile good.crt: it holds no private key in PEM form: give --ssl-keyfile.",
        ),
        ("good.key good.crt", {}, "--ssl-certfile good.key: it holds a key: are the two swapped?"),
        ("good.key good.key", {}, "--ssl-certfile good.key: it holds a key and no certificate."),
        (
            "good.crt closed.key",
            {},
            "--ssl-keyfile closed.key is encrypted: give --ssl-keyfile-password.",
        ),
        (
            "good.crt closed.key",
            {"password": "wrong"},
            "--ssl-keyfile-password does not open --ssl-keyfile closed.key.",
        ),
        (
            "good.crt closed.key",
            {"password": "x" * 2000},
            "--ssl-keyfile-password does not open --ssl-keyfile closed.key.",
        ),
        ("bad.crt good.key", {}, "--ssl-certfile bad.crt cannot be used: bad PEM."),
        ("good.crt bad.key", {}, "--ssl-certfile good.crt cannot be used: bad PEM."),
        ("good.crt good.key no", {}, "extraCertChain no: No such file or directory."),
        (
            "good.crt good.key empty",
            {},
            "extraCertChain empty: it holds no certificate in PEM form.",
        ),
        (
            "good.crt good.key",
            {"ciphers": "NONE"},
            "--ssl-ciphers 'NONE': OpenSSL knows none of it for TLS 1.2; "
            "those of 1.3 are all good.",
        ),
        (
            "good.crt good.key",
            {"clients": "required", "authorities": "no"},
            "--ssl-ca-certs no: No such file or directory.",
        ),
        (
            "good.crt good.key",
            {"clients": "required", "authorities": "empty"},
            "--ssl-ca-certs empty: it holds no certificate in PEM form.",
        ),
        (
            "good.crt good.key",
            {"clients": "required", "authorities": "bad.crt"},
            "--ssl-ca-certs bad.crt cannot be used: bad PEM.",
        ),
        (
            "good.crt good.key",
            {"dh_parameters": "empty"},
            "dhParameters empty cannot be used: it holds nothing of that in PEM form.",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line_that_names_the_file(
    names: str, policy: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError) as refusal:
        context_for(Pair(*map(Path, names.split())), Policy(**policy))
    assert str(refusal.value) == said


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("EE_KEY_TOO_SMALL", "its key is too small, RSA needs 2048 bits"),
        ("BAD_END_LINE", "bad PEM"),
        ("TLSV1_ALERT_ODD", "tlsv1 alert odd"),
    ],
)
def test_what_openssl_says_is_said_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: str, said: str
) -> None:
    def fail(*_: Any) -> None:
        error = ssl.SSLError()
        error.reason = reason
        raise error

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", fail)
    with pytest.raises(ConfigError, match=f"server.crt cannot be used: {said}\\.$"):
        context_for(pair_of(localhost(), tmp_path), Policy())
