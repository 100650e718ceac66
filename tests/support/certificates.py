"""Certificates for tests: made by ``cryptography``, signed by an authority of the test's own."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_PEM = serialization.Encoding.PEM


class Issued(NamedTuple):
    """A certificate with those that vouch for it, and its key, in PEM."""

    chain: bytes
    key: bytes

    @property
    def own(self) -> bytes:
        """The certificate alone."""
        end = b"-----END CERTIFICATE-----\n"
        return self.chain.partition(end)[0] + end

    def encrypted(self, password: str) -> bytes:
        """The key, closed by `password`."""
        key: Any = serialization.load_pem_private_key(self.key, None)
        how = serialization.BestAvailableEncryption(password.encode())
        return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, how)

    def write(self, directory: Path, name: str = "server") -> tuple[str, str]:
        """Write both as files of their own; their paths."""
        chain, key = directory / f"{name}.crt", directory / f"{name}.key"
        chain.write_bytes(self.chain)
        key.write_bytes(self.key)
        return str(chain), str(key)

    def write_in_one(self, directory: Path, name: str = "server") -> str:
        """Write both as one file; its path."""
        path = directory / f"{name}.pem"
        path.write_bytes(self.key + self.chain)
        return str(path)


class Authority:
    """Somebody who vouches for certificates; `above` is who vouches for him."""

    def __init__(self, name: str = "authority", above: Authority | None = None) -> None:
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.chain = b""
        signer = above or self
        self.certificate = signer.sign(self.name, self.key, (), authority=True)
        self.pem = self.certificate.public_bytes(_PEM)
        if above is not None:
            self.chain = self.pem + above.chain

    def sign(
        self,
        name: x509.Name,
        key: Any,
        names: Sequence[str],
        *,
        authority: bool = False,
        days: float = 30,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(authority, None), True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), False
            )
            .add_extension(_usage(authority), True)
        )
        if names:
            alternatives = x509.SubjectAlternativeName([_general(one) for one in names])
            builder = builder.add_extension(alternatives, False)
        return builder.sign(self.key, hashes.SHA256())

    def issue(
        self, *names: str, subject: str | x509.Name | None = None, days: float = 30
    ) -> Issued:
        """A certificate for `names`; `subject` may be spelt as RFC 4514 says."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = subject or f"CN={names[0] if names else 'nobody'}"
        if isinstance(name, str):
            name = x509.Name.from_rfc4514_string(name)
        made = self.sign(name, key, names, days=days)
        secret = key.private_bytes(
            _PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return Issued(made.public_bytes(_PEM) + self.chain, secret)


def _usage(authority: bool) -> x509.KeyUsage:
    others = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    unused = dict.fromkeys((*others, "crl_sign", "encipher_only", "decipher_only"), False)
    return x509.KeyUsage(digital_signature=not authority, key_cert_sign=authority, **unused)


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@cache
def authority() -> Authority:
    """The one that most tests need; making one takes a moment."""
    return Authority()


@cache
def localhost() -> Issued:
    """What a server on this machine shows."""
    return authority().issue("localhost", "127.0.0.1", "::1")


def client_context(shown: Issued | None = None, directory: Path | None = None) -> ssl.SSLContext:
    """A client that trusts the authority, and shows a certificate if it has one."""
    context = ssl.create_default_context(cadata=authority().pem.decode())
    if shown is not None and directory is not None:
        context.load_cert_chain(*shown.write(directory, "client"))
    return context


class Client:
    """The other end of a TLS connection, in memory."""

    def __init__(self, context: ssl.SSLContext | None = None, name: str = "localhost") -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = context or client_context()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=name)

    def shake(self, received: bytes = b"") -> bool:
        """Go on with the handshake; whether it is over."""
        self.incoming.write(received)
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def sends(self) -> bytes:
        """What has to go to the server."""
        return self.outgoing.read()

    def says(self, data: bytes) -> bytes:
        """`data` as it goes to the server."""
        for start in range(0, len(data), 16384):
            self.tls.write(data[start : start + 16384])
        return self.sends()

    def ends(self) -> bytes:
        """A word that nothing follows, as it goes to the server."""
        try:
            self.tls.unwrap()
        except ssl.SSLError:
            """The server has not said so yet."""
        return self.sends()

    def reads(self, received: bytes = b"", size: int = 65536) -> bytes | None:
        """What the server has said next: nothing is its end, ``None`` that it is not all here."""
        self.incoming.write(received)
        try:
            return self.tls.read(size)
        except ssl.SSLWantReadError:
            return None
        except ssl.SSLZeroReturnError:
            return b""


def shaken(context: ssl.SSLContext, client: Client | None = None) -> tuple[ssl.SSLObject, Client]:
    """Both ends of a connection whose handshake is over, in memory."""
    client = client or Client()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(incoming, outgoing, server_side=True)
    for _ in range(3):
        client.shake(outgoing.read())
        incoming.write(client.sends())
        try:
            server.do_handshake()
        except ssl.SSLWantReadError:
            continue
    client.incoming.write(outgoing.read())
    return server, client
