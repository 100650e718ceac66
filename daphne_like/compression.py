"""permessage-deflate: what a client offers, and what we agree to (RFC 7692, section 7.1).

This module must not know how anything is compressed, nor who asks.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from daphne_like.errors import RemoteFault
from daphne_like.exchange import Field, Fields
from daphne_like.headers import is_token, listed

_NAME = b"permessage-deflate"
_FIELD = b"sec-websocket-extensions"
_BITS = re.compile(rb"[89]|1[0-5]")
_MOST_BITS = 15
_LEAST_BITS = 9
"""zlib compresses with no smaller window."""

_Parameters = dict[bytes, bytes | None]

_SERVER_BITS = b"server_max_window_bits"
_CLIENT_BITS = b"client_max_window_bits"
_SERVER_FORGETS = b"server_no_context_takeover"
_CLIENT_FORGETS = b"client_no_context_takeover"


class Compression(NamedTuple):
    """What the operator allows.

    ``window_bits`` (9 to 15) bounds the window of both directions, ``takeover`` lets a message
    refer to earlier ones, ``memory_level`` (1 to 9) is zlib's; messages of less than
    ``min_size`` bytes are sent as they are.
    """

    window_bits: int
    takeover: bool
    memory_level: int
    min_size: int


class Deflate(NamedTuple):
    """What client and server have agreed to, in the words of :class:`Compression`."""

    server_bits: int
    client_bits: int
    server_takeover: bool
    client_takeover: bool
    memory_level: int
    min_size: int
    field: Field
    """What tells the client."""


def judge_offers(headers: Fields) -> None:
    """Raise :class:`RemoteFault` (400) for extensions that break the grammar (RFC 6455, 9.1)."""
    for offer in listed(headers, _FIELD):
        _parsed(offer)


def agree(headers: Fields, ours: Compression) -> Deflate | None:
    """Take the first offer of judged fields that can be taken; ``None`` where there is none."""
    offers = [_parsed(offer) for offer in listed(headers, _FIELD)]
    agreed = (_taken(offer, ours) for name, offer in offers if name == _NAME)
    return next((deflate for deflate in agreed if deflate is not None), None)


def _parsed(offer: bytes) -> tuple[bytes, _Parameters | None]:
    """An offer's name and parameters; ``None`` where one of them comes twice."""
    name, *rest = [part.strip(b" \t") for part in offer.split(b";")]
    parameters: _Parameters = {}
    for part in rest:
        key, is_given, value = part.partition(b"=")
        value = _unquoted(value)
        if not is_token(key) or (is_given and not is_token(value)):
            raise _malformed()
        parameters[key] = value if is_given else None
    if not is_token(name):
        raise _malformed()
    return name, parameters if len(parameters) == len(rest) else None


def _unquoted(value: bytes) -> bytes:
    """A quoted value has to be a token too (RFC 6455, section 9.1)."""
    quoted = len(value) > 2 and value[:1] == value[-1:] == b'"'
    return value[1:-1] if quoted else value


def _malformed() -> RemoteFault:
    return RemoteFault(400, "malformed Sec-WebSocket-Extensions")


def _taken(offer: _Parameters | None, ours: Compression) -> Deflate | None:
    """What an offer becomes; "a server MUST decline" a malformed one (section 7.1)."""
    if offer is None or not _is_valid(offer):
        return None
    server_bits = min(ours.window_bits, _bits(offer.get(_SERVER_BITS)))
    if server_bits < _LEAST_BITS:
        return None
    client_bits = min(ours.window_bits, _bits(offer.get(_CLIENT_BITS)))
    if _CLIENT_BITS not in offer or client_bits < _LEAST_BITS:
        client_bits = _MOST_BITS
    server_takeover = ours.takeover and _SERVER_FORGETS not in offer
    client_takeover = ours.takeover and _CLIENT_FORGETS not in offer
    # Who asks for a window of ours has to be told which, even the largest (section 7.1.2.1).
    says_bits = server_bits < _MOST_BITS or _SERVER_BITS in offer
    said = [
        _NAME,
        *[_SERVER_FORGETS] * (not server_takeover),
        *[_CLIENT_FORGETS] * (not client_takeover),
        *[b"%b=%d" % (_SERVER_BITS, server_bits)] * says_bits,
        *[b"%b=%d" % (_CLIENT_BITS, client_bits)] * (client_bits < _MOST_BITS),
    ]
    field = _FIELD, b"; ".join(said)
    return Deflate(
        server_bits,
        client_bits,
        server_takeover,
        client_takeover,
        ours.memory_level,
        ours.min_size,
        field,
    )


def _is_valid(offer: _Parameters) -> bool:
    return all(name in _VALUES and _VALUES[name](value) for name, value in offer.items())


def _is_bits(value: bytes | None) -> bool:
    return value is not None and _BITS.fullmatch(value) is not None


def _is_nothing(value: bytes | None) -> bool:
    return value is None


_VALUES: dict[bytes, Callable[[bytes | None], bool]] = {
    _SERVER_FORGETS: _is_nothing,
    _CLIENT_FORGETS: _is_nothing,
    _SERVER_BITS: _is_bits,
    _CLIENT_BITS: lambda value: value is None or _is_bits(value),
}
"""What a parameter of an offer may say (section 7.1)."""


def _bits(value: bytes | None) -> int:
    return _MOST_BITS if value is None else int(value)
