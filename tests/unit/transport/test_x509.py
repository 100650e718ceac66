"""What a certificate says, against what it was made with; and the one that is made for itself."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509 as library
from cryptography.x509.oid import NameOID

from daphne_like.transport import x509
from tests.support.certificates import Client, authority, localhost, shaken

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEY_END = b"-----END PRIVATE KEY-----\n"


def shown_subject(pem: bytes) -> str:
    return x509.subject_of(ssl.PEM_cert_to_DER_cert(pem.decode()))


def test_a_certificate_is_for_the_names_in_its_extension() -> None:
    issued = authority().issue("a.example", "*.B.example", "192.0.2.1", "::1")
    assert x509.names_of(issued.own) == ["a.example", "*.b.example", "192.0.2.1", "::1"]
    assert x509.names_of(issued.chain) == x509.names_of(issued.own)
    assert x509.names_of(authority().issue().own) == [], "a subject is no host"


def test_what_is_no_certificate_is_refused() -> None:
    for read in (x509.names_of, x509.times_of):
        with pytest.raises(ValueError, match="PEM"):
            read(b"nothing")


VERSION_3, VERSION_100 = b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x63"
CONSTRAINTS, NAMES = b"\x06\x03\x55\x1d\x13", b"\x06\x03\x55\x1d\x11"


@pytest.mark.parametrize(
    ("part", "other", "readers"),
    [
        (VERSION_3, VERSION_100, [x509.names_of, x509.times_of, shown_subject]),
        (CONSTRAINTS, NAMES, [x509.names_of]),
    ],
    ids=["its version", "names twice"],
)
def test_an_odd_one_is_refused_in_the_same_way(part: bytes, other: bytes, readers: Any) -> None:
    pem = x509.self_signed(["a.example"], NOW).partition(KEY_END)[2]
    der = ssl.PEM_cert_to_DER_cert(pem.decode())
    assert part in der
    odd = ssl.DER_cert_to_PEM_cert(der.replace(part, other, 1)).encode()
    for read in readers:
        with pytest.raises(ValueError, match=r"version|extension"):
            read(odd)


def subject_of(subject: str | library.Name) -> str:
    return shown_subject(authority().issue(subject=subject).own)


@pytest.mark.parametrize(
    "subject",
    [
        "CN=one",
        "CN=a\\, b,O=c\\+d,C=NO",
        "OU=two+CN=at once,O=x",
        'CN=\\#first\\ ,O=\\ \\"\\<\\>\\;\\\\',
        "UID=jane,DC=a,DC=example,STREET=s,L=l,ST=st",
        "CN=\u00fc\u4e2d",
    ],
)
def test_a_subject_is_spelt_as_the_rfc_says(subject: str) -> None:
    assert subject_of(subject) == subject


def test_what_has_a_name_there_is_spelt_by_it() -> None:
    named = [
        library.NameAttribute(NameOID.EMAIL_ADDRESS, "jane@a.example"),
        library.NameAttribute(NameOID.SURNAME, "Doe"),
        library.NameAttribute(NameOID.SERIAL_NUMBER, "12"),
    ]
    name = library.Name([library.RelativeDistinguishedName([one]) for one in named])
    assert subject_of(name) == "serialNumber=12,sn=Doe,emailAddress=jane@a.example"


def test_what_has_none_is_in_figures() -> None:
    """RFC 4514, section 2.4: a value whose type is a number is its encoding, in hexadecimal."""
    kind = library.ObjectIdentifier("1.2.3.4")
    name = library.Name([library.NameAttribute(kind, text) for text in ("\u00fc" * 100, "a")])
    encoded = (b"\x0c\x81\xc8" + "\u00fc".encode() * 100).hex()
    assert subject_of(name) == f"1.2.3.4=#0c0161,1.2.3.4=#{encoded}"


def test_a_certificate_ends_when_it_says() -> None:
    left = x509.times_of(localhost().own)[1] - datetime.now(UTC)
    assert timedelta(days=29) < left <= timedelta(days=30)


def test_one_for_development_serves_its_names_and_signs_nothing(tmp_path: Path) -> None:
    pem = x509.self_signed(["localhost", "127.0.0.1", "::1"], NOW)
    assert x509.names_of(pem) == ["localhost", "127.0.0.1", "::1"]
    assert x509.times_of(pem) == (NOW - timedelta(hours=1), NOW + timedelta(days=397))
    made = library.load_pem_x509_certificate(pem)
    assert not made.extensions.get_extension_for_class(library.BasicConstraints).value.ca
    made.verify_directly_issued_by(made)
    (tmp_path / "one.pem").write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "one.pem")
    now = x509.self_signed(["localhost"], datetime.now(UTC))
    (tmp_path / "now.pem").write_bytes(now)
    context.load_cert_chain(tmp_path / "now.pem")
    trusting = ssl.create_default_context(cafile=tmp_path / "now.pem")
    trusting.verify_flags |= ssl.VERIFY_X509_STRICT
    assert shaken(context, Client(trusting))[0].version() == "TLSv1.3"
    assert x509.self_signed(["localhost"], NOW) != x509.self_signed(["localhost"], NOW)
