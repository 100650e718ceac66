"""From when until when a certificate holds, what there is to say of that, and if it names a host.

This module must not know whose certificate it is, nor what is done about it.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

_AHEAD = timedelta(days=14)
"""Who renews by himself has done it by then: certbot does with 30 days left."""

_HOSTS = ("DNS", "IP Address")

# What Python's own tests read certificates with, since 2.6 and up to 3.14. `cryptography`, which
# does it else, takes 9 MB and 19 ms that a server with one certificate has no other use for.
_decoded: Any = getattr(getattr(ssl, "_ssl", None), "_test_decode_cert", None)


class Validity(NamedTuple):
    """Two moments, between which it holds."""

    begin: datetime
    end: datetime

    def doubt(self, now: datetime) -> str | None:
        """What is wrong with it `now`, or soon will be."""
        if now < self.begin:
            return f"is not valid before {_spelt(self.begin)}: until then clients refuse it"
        if now >= self.end:
            return f"ended on {_spelt(self.end)}: clients refuse it"
        if self.end - now < _AHEAD:
            return f"ends on {_spelt(self.end)}: renew it"
        return None


def validity_of(file: Path, pem: bytes) -> Validity:
    """That of the first certificate of `file`, which is `pem`.

    Raises :class:`ValueError` for one that cannot be read.
    """
    try:
        found = _decoded(str(file))
        times = [ssl.cert_time_to_seconds(found[name]) for name in ("notBefore", "notAfter")]
        return Validity(*(datetime.fromtimestamp(seconds, UTC) for seconds in times))
    except (TypeError, ssl.SSLError, ValueError, OverflowError):
        from daphne_like.transport import x509

        return Validity(*x509.times_of(pem))


def names_a_host(file: Path, pem: bytes) -> bool:
    """Whether the first certificate of `file`, which is `pem`, is for any host, or any address.

    Its list of names counts and nothing else (RFC 9525, section 2). Raises :class:`ValueError` for
    one that cannot be read.
    """
    try:
        listed = _decoded(str(file)).get("subjectAltName", ())
        return any(kind in _HOSTS for kind, _ in listed)
    except (TypeError, ssl.SSLError):
        from daphne_like.transport import x509

        return bool(x509.names_of(pem))


def _spelt(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
