"""From a certificate, its key and a policy to a TLS context; and what a context's connections are.

Everything that is wrong with a file is a :class:`ConfigError` whose one line names the file and
the fix. This module must not know when files are read, nor which certificate is for whom.
"""

from __future__ import annotations

import re
import ssl
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from daphne_like.config_tls import CIPHERS
from daphne_like.errors import ConfigError

REQUIREMENTS = {
    "none": ssl.CERT_NONE,
    "optional": ssl.CERT_OPTIONAL,
    "required": ssl.CERT_REQUIRED,
}
"""What may be asked of clients, by its word."""

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
"""The oldest version that is spoken, by its word."""

_VERSION_NUMBERS = {"TLSv1.2": 0x0303, "TLSv1.3": 0x0304}
"""As they stand in a record."""

_CERTIFICATE = re.compile(
    rb"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----.+?-----END [A-Z0-9 ]+-----\n?", re.DOTALL
)
_KEY = b" PRIVATE KEY-----"
_REASONS = {
    None: "bad PEM",
    "BAD_END_LINE": "bad PEM",
    "NO_START_LINE": "it holds nothing of that in PEM form",
    "EE_KEY_TOO_SMALL": "its key is too small, RSA needs 2048 bits",
    "CA_KEY_TOO_SMALL": "the key of one that vouches for it is too small, RSA needs 2048 bits",
}
"""What OpenSSL's names mean; others are words as they are."""

_NO_CIPHER = "OpenSSL knows none of it for TLS 1.2; those of 1.3 are all good"
_OF_ANOTHER = {"KEY_VALUES_MISMATCH", "NO_CERTIFICATE_ASSIGNED"}


class Words(NamedTuple):
    """What an operator calls the things that files are named by."""

    certificate: str = "--ssl-certfile"
    key: str = "--ssl-keyfile"
    password: str = "--ssl-keyfile-password"
    chain: str = "extraCertChain"
    keyless: str = "give --ssl-keyfile"
    """What to do about a certificate with no key in its file nor in another."""
    lone: str = ""
    """What to do about a key that stands where a certificate has to."""


class Pair(NamedTuple):
    """A certificate, the key to it, and where they are not with it, those that vouch for it."""

    certificate: Path
    key: Path
    chain: Path | None = None
    words: Words = Words()


class Policy(NamedTuple):
    """What holds for every connection, whichever certificate it is shown."""

    protocols: tuple[bytes, ...] = (b"http/1.1",)
    password: str | None = None
    clients: str = "none"
    authorities: str | None = None
    ciphers: str = CIPHERS
    oldest: str = "1.2"
    dh_parameters: str | None = None


class ServerContext(ssl.SSLContext):
    """A context that knows which certificate it shows, in PEM, and its ciphers' numbers."""

    certificate: str
    suites: dict[str, int]


def context_for(pair: Pair, policy: Policy) -> ServerContext:
    """A context that shows the certificate of `pair`; raises :class:`ConfigError`."""
    context = ServerContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = VERSIONS[policy.oldest]
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    # Each costs as much as a few requests; over HTTP/2 one connection comes after another.
    context.num_tickets = 1
    context.set_alpn_protocols([name.decode() for name in policy.protocols])
    try:
        context.set_ciphers(policy.ciphers)
    except ssl.SSLError:
        raise ConfigError(f"--ssl-ciphers {policy.ciphers!r}: {_NO_CIPHER}.") from None
    if policy.dh_parameters is not None:
        _use(context.load_dh_params, "dhParameters", policy.dh_parameters)
    if policy.clients != "none":
        _ask_clients(context, policy)
    context.certificate = _load(context, pair, policy.password)
    context.suites = {suite["name"]: suite["id"] & 0xFFFF for suite in context.get_ciphers()}
    return context


def _ask_clients(context: ServerContext, policy: Policy) -> None:
    """Of clients a certificate is asked, anew by each connection.

    With a resumed session comes none, nor is it looked at whether the old one still holds. There
    is no word in Python against sessions that are resumed by their id, as TLS 1.2 does.
    """
    context.verify_mode = REQUIREMENTS[policy.clients]
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    authorities = str(policy.authorities)
    if Path(authorities).is_dir():
        context.load_verify_locations(capath=authorities)
    else:
        certificates_in("--ssl-ca-certs", Path(authorities))
        _use(context.load_verify_locations, "--ssl-ca-certs", authorities)


def _use(load: Callable[[str], None], word: str, path: str) -> None:
    read(word, Path(path))
    try:
        load(path)
    except ssl.SSLError as error:
        raise ConfigError(f"{word} {path} cannot be used: {_spelt(error)}.") from None


def _spelt(error: Exception) -> str:
    """What OpenSSL complains about, in words."""
    reason = getattr(error, "reason", None)
    return _REASONS.get(reason) or str(reason).replace("_", " ").lower()


def read(word: str, path: Path) -> bytes:
    """What the file at `path` holds, which an operator has named by `word`.

    Raises :class:`ConfigError`.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{word} {path}: {error.strerror or error}.") from None


def certificates_in(word: str, path: Path) -> list[bytes]:
    """The certificates of a file, each in PEM: one at least, or :class:`ConfigError`."""
    return _certificates(read(word, path), f"{word} {path}")


def _certificates(content: bytes, place: str, lone: str = "") -> list[bytes]:
    found: list[bytes] = _CERTIFICATE.findall(content)
    if not found:
        key = f"a key and no certificate{lone and f': {lone}'}"
        held = key if _KEY in content else "no certificate in PEM form"
        raise ConfigError(f"{place}: it holds {held}.")
    return found


def _load(context: ServerContext, pair: Pair, password: str | None) -> str:
    """Load the certificate of `pair` with its key and its chain; return it in PEM."""
    words = pair.words
    place = f"{words.certificate} {pair.certificate}"
    content = read(words.certificate, pair.certificate)
    in_one = pair.key == pair.certificate
    if _KEY in content and not in_one and not _CERTIFICATE.search(content):
        raise ConfigError(f"{place}: it holds a key: are the two swapped?")
    chain = _certificates(content, place, words.lone)
    if _KEY not in read(words.key, pair.key):
        place, fix = (place, f": {words.keyless}") if in_one else (f"{words.key} {pair.key}", "")
        raise ConfigError(f"{place}: it holds no private key in PEM form{fix}.")
    if pair.chain is None:
        _load_chain(context, pair, pair.certificate, password)
    else:
        # A context loads a chain from one file only; there is no secret in it.
        with tempfile.TemporaryDirectory(prefix="daphne-like-") as directory:
            whole = Path(directory, "chain.pem")
            whole.write_bytes(b"\n".join([*chain, *certificates_in(words.chain, pair.chain)]))
            _load_chain(context, pair, whole, password)
    return chain[0].decode("ascii", "replace")


def _load_chain(context: ServerContext, pair: Pair, chain: Path, password: str | None) -> None:
    asked = _Password(password)
    words = pair.words
    try:
        context.load_cert_chain(chain, pair.key, asked)
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None)
        if reason in _OF_ANOTHER:
            wrong = _of_another(pair)
        elif asked.times and password is None:
            wrong = f"{words.key} {pair.key} is encrypted: give {words.password}"
        elif asked.times:
            wrong = f"{words.password} does not open {words.key} {pair.key}"
        else:
            wrong = f"{words.certificate} {pair.certificate} cannot be used: {_spelt(error)}"
        raise ConfigError(f"{wrong}.") from None


def _of_another(pair: Pair) -> str:
    """That its key is another certificate's, whichever of the two is meant."""
    words = pair.words
    several = len(certificates_in(words.certificate, pair.certificate)) > 1
    order = "; the server's own certificate has to come first" if several else ""
    if pair.key == pair.certificate:
        return f"{words.certificate} {pair.certificate}: its key is not its certificate's{order}"
    return f"{words.key} {pair.key}: it is not the key of {pair.certificate}{order}"


class _Password:
    """What OpenSSL asks for the password: without this it would ask at the terminal."""

    def __init__(self, password: str | None) -> None:
        self._password = password
        self.times = 0

    def __call__(self) -> str:
        self.times += 1
        if self._password is None:
            raise ValueError("no password")
        return self._password


# --- What there is to tell of a connection ----------------------------------------------------


def facts(connection: ssl.SSLObject) -> dict[str, Any]:
    """What ASGI's extension ``tls`` has for a connection whose handshake is over."""
    context: Any = connection.context
    cipher: Any = connection.cipher()
    shown = client_chain(connection) if context.verify_mode else []
    return {
        "server_cert": context.certificate,
        "client_cert_chain": [ssl.DER_cert_to_PEM_cert(der) for der in shown],
        "client_cert_name": _subject_of(shown[0]) if shown else None,
        "client_cert_error": None,  # With one there is no connection.
        "tls_version": _VERSION_NUMBERS[str(connection.version())],
        "cipher_suite": context.suites[cipher[0]],
    }


def _subject_of(der: bytes) -> str | None:
    """A certificate's subject; OpenSSL takes some that cannot be spelt."""
    from daphne_like.transport import x509

    try:
        return x509.subject_of(der)
    except ValueError:
        return None


def client_chain(connection: ssl.SSLObject) -> list[bytes]:
    """The client's certificate, and those that vouch for it up to an authority, in DER.

    Nothing where it has shown none. Of a resumed session the authority itself is not known: OpenSSL
    keeps what the client has sent.
    """
    own = connection.getpeercert(True)
    if own is None:
        return []
    return chain_of(connection, "verified") or chain_of(connection, "unverified") or [own]


def chain_of(connection: Any, kind: str) -> list[bytes]:
    """The chain as it was ``verified``, or ``unverified``, in DER: public from Python 3.13 on.

    Before that only the object below has it, and that has stayed the same from 3.10 to 3.14.
    """
    name = f"get_{kind}_chain"
    if hasattr(connection, name):
        found: list[bytes] = getattr(connection, name)()
        return found
    kept = getattr(connection._sslobj, name)()
    return [ssl.PEM_cert_to_DER_cert(one.public_bytes()) for one in kept or ()]
