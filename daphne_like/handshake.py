"""The opening handshake of a WebSocket: what its request says, and what accepts it.

RFC 6455, section 4.2, for HTTP/1.1; RFC 8441, section 5, for the later ones, which have no key.
The request has been judged as HTTP before. This module must not know a wire, nor an
application.
"""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha1

from daphne_like.compression import judge_offers
from daphne_like.errors import RemoteFault
from daphne_like.exchange import Field, Fields, Request
from daphne_like.headers import is_token, listed

VERSION: Field = (b"sec-websocket-version", b"13")
"""The only version there is, as a field."""

_LISTS = {
    b"sec-websocket-protocol": "Sec-WebSocket-Protocol",
    b"sec-websocket-extensions": "Sec-WebSocket-Extensions",
}
_MOST_LISTED = 64
"""Commas and semicolons in a list: what stands between costs more time than bytes."""

_KEY = re.compile(rb"[A-Za-z0-9+/]{22}==")
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def judge_handshake(request: Request) -> None:
    """Judge a request that wants to become a WebSocket.

    Raises :class:`RemoteFault`: 426 for a version that is not 13 (RFC 6455, section 4.4), 400
    for a key that is none of 16 bytes, for names of subprotocols that are no tokens or come
    twice, for extensions that break the grammar, and for what may come once and comes more often.
    """
    versions = _values(request.headers, VERSION[0])
    if len(versions) > 1:
        raise RemoteFault(400, "Sec-WebSocket-Version more than once")
    if versions != [VERSION[1]]:
        raise RemoteFault(426, "WebSocket version 13 needed", [VERSION])
    if request.http_version == "1.1":
        keys = _values(request.headers, b"sec-websocket-key")
        if len(keys) != 1 or _KEY.fullmatch(keys[0]) is None:
            raise RemoteFault(400, "malformed Sec-WebSocket-Key")
    for name, what in _LISTS.items():
        said = b"".join(_values(request.headers, name))
        if said.count(b",") + said.count(b";") > _MOST_LISTED:
            raise RemoteFault(400, f"{what} lists too many")
    judge_offers(request.headers)
    offered = listed(request.headers, b"sec-websocket-protocol")
    if len(set(offered)) < len(offered) or not all(map(is_token, offered)):
        raise RemoteFault(400, "malformed Sec-WebSocket-Protocol")


def offered_protocols(request: Request) -> list[str]:
    """The subprotocols that a judged request offers, the preferred one first."""
    return [name.decode("ascii") for name in listed(request.headers, b"sec-websocket-protocol")]


def proof(request: Request) -> Fields:
    """The field that shows that we have understood (RFC 6455, section 4.2.2, step 5.4)."""
    if request.http_version != "1.1":
        return []
    (key,) = _values(request.headers, b"sec-websocket-key")
    digest = sha1(key + _GUID, usedforsecurity=False).digest()
    return [(b"sec-websocket-accept", b64encode(digest))]


def _values(headers: Fields, wanted: bytes) -> list[bytes]:
    return [value for name, value in headers if name == wanted]
