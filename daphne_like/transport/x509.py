"""What a certificate says, and how one for development is made: X.509 by ``cryptography``.

The only module that imports it; it is imported itself where one of these is needed, and not
before. It must not know what a certificate is used for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_NAMES = {
    NameOID.SURNAME: "sn",
    NameOID.GIVEN_NAME: "givenName",
    NameOID.TITLE: "title",
    NameOID.INITIALS: "initials",
    NameOID.GENERATION_QUALIFIER: "generationQualifier",
    NameOID.DN_QUALIFIER: "dnQualifier",
    NameOID.SERIAL_NUMBER: "serialNumber",
    NameOID.BUSINESS_CATEGORY: "businessCategory",
    NameOID.POSTAL_ADDRESS: "postalAddress",
    NameOID.POSTAL_CODE: "postalCode",
    NameOID.EMAIL_ADDRESS: "emailAddress",
}
"""Names of RFC 4519 that `cryptography` does not use, and one that everybody does."""

_LIFE = timedelta(days=397)
"""Longer than this no browser lets a certificate be."""

_BEFORE = timedelta(hours=1)
"""Clocks differ."""


_ODD = (x509.DuplicateExtension, x509.InvalidVersion, x509.UnsupportedGeneralNameType)


@contextmanager
def _odd_is_wrong() -> Iterator[None]:
    """Make a :class:`ValueError` of what OpenSSL takes and `cryptography` does not."""
    try:
        yield
    except _ODD as error:
        raise ValueError(str(error)) from None


@_odd_is_wrong()
def names_of(pem: bytes) -> list[str]:
    """The host names and addresses that the first certificate of `pem` is for, in lower case.

    Raises :class:`ValueError` for what is none.
    """
    certificate = x509.load_pem_x509_certificate(pem)
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    hosts = found.get_values_for_type(x509.DNSName)
    addresses = found.get_values_for_type(x509.IPAddress)
    return [host.lower() for host in hosts] + [str(address) for address in addresses]


@_odd_is_wrong()
def subject_of(der: bytes) -> str:
    """The subject of a certificate, spelt as RFC 4514 says.

    Raises :class:`ValueError` for what is none.
    """
    subject = x509.load_der_x509_certificate(der).subject
    return ",".join("+".join(map(_spelt, each)) for each in reversed(subject.rdns))


def _spelt(attribute: x509.NameAttribute[Any]) -> str:
    """By the name of its type, or, where that is a number, in hexadecimal (section 2.4)."""
    spelt = attribute.rfc4514_string(_NAMES)
    if spelt[0].isalpha():
        return spelt
    encoded = x509.Name([attribute]).public_bytes()
    for _ in "a sequence", "a set", "a sequence":
        encoded = encoded[_ahead(encoded) :]
    number = _ahead(encoded) + encoded[1]
    return f"{attribute.oid.dotted_string}=#{encoded[number:].hex()}"


def _ahead(encoded: bytes) -> int:
    """Bytes of type and length in front of what is encoded."""
    return 2 + (encoded[1] & 0x7F if encoded[1] & 0x80 else 0)


@_odd_is_wrong()
def times_of(pem: bytes) -> tuple[datetime, datetime]:
    """When the first certificate of `pem` begins and ends.

    Raises :class:`ValueError` for what is none.
    """
    certificate = x509.load_pem_x509_certificate(pem)
    return certificate.not_valid_before_utc, certificate.not_valid_after_utc


def self_signed(names: Iterable[str], now: datetime) -> bytes:
    """A key and a certificate of its own for `names`, in one: for development."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "daphne-like development")])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BEFORE)
        .not_valid_after(now + _LIFE)
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return secret + made.public_bytes(serialization.Encoding.PEM)


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
