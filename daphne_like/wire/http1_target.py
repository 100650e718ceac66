"""Targets of HTTP/1 requests that are no path: a whole URL, ``*`` (RFC 9112, section 3.2).

This module must not know the rest of a head.
"""

from __future__ import annotations

import re

from daphne_like.errors import RemoteFault
from daphne_like.exchange import Fields
from daphne_like.headers import host_of

_ABSOLUTE = re.compile(rb"https?://([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)


def judge_other_form(
    method: bytes, target: bytes, fields: Fields, host: bytes
) -> tuple[bytes, bytes]:
    """The authority and the path of a `target` that does not begin with a slash.

    Raises :class:`RemoteFault` for what is no target; a Host among `fields` gives way to its own.
    """
    if method == b"CONNECT":
        raise RemoteFault(501, "no CONNECT here")
    if target == b"*" and method == b"OPTIONS":
        return host, target
    match = _ABSOLUTE.fullmatch(target)
    if match is None or not match[1]:
        raise RemoteFault(400, "malformed target")
    host = host_of(match[1])
    # "A server MUST ignore the received Host header field and replace it" (section 3.2.2).
    fields[:] = [field for field in fields if field[0] != b"host"]
    fields.insert(0, (b"host", host))
    return host, match[2] if match[2].startswith(b"/") else b"/" + match[2]
