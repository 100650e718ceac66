"""How a request's target is spelled: in ASCII, the rest percent-encoded (RFC 9112, section 3.2).

This module must not know who asks, nor for what.
"""

from __future__ import annotations

import re
from binascii import a2b_qp
from urllib.parse import quote_from_bytes, unquote_to_bytes

_KEPT = "!$%&'()*+,-./:;=?@[]^_`{|}~"
"""Letters and digits are kept anyway.

Clients send more as it is than RFC 3986 has; but these end a target, or are taken for a slash.
"""

_NEVER = re.compile(r"[\x00-\x1f#\x7f\ud800-\udfff]")
"""Nobody means these: a fragment is the client's own, and half a character is none."""


_NO_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


class BadTarget(ValueError):
    """An application's path that is no target."""


def ascii_target(raw: bytes) -> bytes:
    """The target `raw`, or a part of one, with escapes for what may not stand in it."""
    return quote_from_bytes(raw, safe=_KEPT).encode("ascii")


def unescaped(raw: bytes) -> bytes:
    """The bytes that `raw` has escapes for; what is no escape stays as it is.

    A byte of HTTP/2 can stand for thousands of escapes. The library takes them one by one; those
    of MIME differ in their first character only, and are taken in C.
    """
    if b"%" not in raw:
        return raw
    if _NO_ESCAPE.search(raw):
        return unquote_to_bytes(raw)
    return a2b_qp(raw.replace(b"=", b"=3D").replace(b"%", b"="))


def target_of(path: object) -> bytes:
    """The target that an application means by `path`; its own escapes stay as they are.

    Raises :class:`BadTarget` for what is no text, does not begin with a slash, or has a control
    character or a fragment in it.
    """
    if not isinstance(path, str) or not path.startswith("/"):
        raise BadTarget(f"path {path!r} is no text that begins with a slash")
    if found := _NEVER.search(path):
        raise BadTarget(f"path {path!r} has {found[0]!r} in it")
    return ascii_target(path.encode())
