"""The only judge of inbound header fields, for every wire.

What a request's fields say about its framing, its host and its connection. The grammar is RFC
9110's; a wire's own parser has refused bytes that cannot be a head at all. What an application
sends is judged in ``headers_sent``. This module must not know how a wire spells a head.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from daphne_like.errors import RemoteFault
from daphne_like.exchange import Fields

TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_HOST = re.compile(
    rb"(?:\[[0-9A-Fa-f:.]+(?:%25[0-9A-Za-z._~-]+)?\]|[0-9A-Za-z._~!$&'()*+,;=%-]*)(?::[0-9]*)?"
)
LENGTH = re.compile(rb"[0-9]{1,19}")


REMEMBER_AT_MOST = 256
SHORT = 256
"""Bytes of what is remembered: a client, or one who is reflected, decides how many there are."""

_good_hosts: set[bytes] = set()
"""Hosts already judged good: a server is called by few names, again and again."""


SERVER_OWNED = frozenset(
    (
        b"transfer-encoding",
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"upgrade",
        b"te",
    )
)
"""Fields of the connection, not of the response: the server writes them by itself.

"Servers should ignore any Transfer-Encoding header sent to them" (ASGI HTTP spec). Over HTTP/2 a
response with one of them is malformed (RFC 9113, section 8.2.2).
"""

DEFAULTABLE = frozenset((b"date", b"server"))
SPECIAL = SERVER_OWNED | DEFAULTABLE | {b"content-length"}


class Framing(NamedTuple):
    """What the head says about the bytes that follow it, both ways.

    ``length`` is the body's size, ``None`` for a chunked body; ``keep_alive`` whether the
    client would use the connection again; ``expect`` whether it waits for a 100;
    ``trailers`` whether it reads them (RFC 9110, section 10.1.4).
    """

    length: int | None
    keep_alive: bool
    expect: bool
    upgrade: str | None
    trailers: bool = False


_FRAMING_NAMES = frozenset(
    (
        b"host",
        b"content-length",
        b"transfer-encoding",
        b"connection",
        b"expect",
        b"te",
        b"upgrade",
    )
)


_PLAIN = Framing(0, True, False, None)
"""What nearly every request says."""

_NEUTRAL = (b"connection", b"keep-alive")
"""Says in HTTP/1.1 what is so anyway."""


def judge_request(headers: Fields, http_version: str) -> tuple[bytes, Framing]:
    """Judge the fields (names in lower case) of an HTTP/1 request: its host, its framing.

    Raises :class:`RemoteFault` with the status to answer: 400 for a missing, repeated or
    malformed Host (RFC 9112, section 3.2), for contradicting or malformed framing (section
    6), 417 for an unknown expectation, 501 for an unknown transfer coding.
    """
    found = [field for field in headers if field[0] in _FRAMING_NAMES]
    if http_version == "1.1" and found and found[0][0] == b"host":
        count = len(found)
        if count == 1 or (count == 2 and found[1] == _NEUTRAL):
            return host_of(found[0][1]), _PLAIN
    said = dict(found)
    if len(said) < len(found):
        _refuse_repeated(found)
    if b"host" in said:
        host = host_of(said[b"host"])
    elif http_version == "1.1":
        raise RemoteFault(400, "no Host")
    else:
        host = b""
    tokens = _tokens_of(found, b"connection")
    return host, Framing(
        _length_of(said, http_version),
        _keeps_alive(tokens, http_version),
        _expects(said.get(b"expect"), http_version),
        _upgrade_of(found, tokens, http_version),
        http_version == "1.1" and b"trailers" in _tokens_of(found, b"te"),
    )


def judge_multiplexed(headers: Fields) -> Framing:
    """Judge the fields (names in lower case) of a request on a stream of its own: its framing.

    There a body ends with its stream, and the connection is nobody's business (RFC 9113, section
    8.2.2). ``length`` is what Content-Length says, ``None`` without one. Raises
    :class:`RemoteFault`: 400 for a malformed or repeated one, 417 for an unknown expectation.
    """
    found = [field for field in headers if field[0] in _FRAMING_NAMES]
    said = dict(found)
    if len(said) < len(found):
        _refuse_repeated(found)
    length = _length_of(said, "2") if b"content-length" in said else None
    expect = _expects(said.get(b"expect"), "1.1")
    return Framing(length, True, expect, None, b"trailers" in _tokens_of(found, b"te"))


def _refuse_repeated(found: Fields) -> None:
    names = [name for name, _ in found]
    for name in (b"host", b"content-length", b"transfer-encoding", b"expect"):
        if names.count(name) > 1:
            raise RemoteFault(400, f"{name.decode().title()} more than once")


def host_of(value: bytes) -> bytes:
    """The value of Host, if it is a ``uri-host [":" port]`` (RFC 9110, section 7.2)."""
    if value in _good_hosts:
        return value
    if _HOST.fullmatch(value) is None:
        raise RemoteFault(400, "malformed Host")
    if len(_good_hosts) < REMEMBER_AT_MOST and len(value) < SHORT:
        _good_hosts.add(value)
    return value


def _length_of(said: dict[bytes, bytes], http_version: str) -> int | None:
    coding = said.get(b"transfer-encoding")
    length = said.get(b"content-length")
    if coding is not None:
        if http_version != "1.1":
            raise RemoteFault(400, "Transfer-Encoding before HTTP/1.1")
        if length is not None:
            raise RemoteFault(400, "Content-Length and Transfer-Encoding")
        if coding.lower() != b"chunked":
            raise RemoteFault(501, "unknown transfer coding")
        return None
    if length is None:
        return 0
    if LENGTH.fullmatch(length) is None:
        raise RemoteFault(400, "malformed Content-Length")
    return int(length)


def is_token(value: bytes) -> bool:
    """Whether `value` is a token (RFC 9110, section 5.6.2)."""
    return TOKEN.fullmatch(value) is not None


def listed(headers: Fields, wanted: bytes) -> list[bytes]:
    """The elements of a comma-separated list, over all fields of that name, as they are.

    Empty ones are none (RFC 9110, section 5.6.1).
    """
    values = [value for name, value in headers if name == wanted]
    elements = [element.strip(b" \t") for value in values for element in value.split(b",")]
    return [element for element in elements if element]


def is_free(name: bytes) -> bool:
    """Whether `name`, in lower case, can name a field that has no meaning for the server."""
    return TOKEN.fullmatch(name) is not None and name not in _FRAMING_NAMES | SPECIAL


def tokens(value: bytes) -> list[bytes]:
    """The lower-case tokens of a comma-separated field value."""
    return [token.strip(b" \t").lower() for token in value.split(b",")]


def _tokens_of(found: Fields, wanted: bytes) -> list[bytes]:
    return [token for name, value in found if name == wanted for token in tokens(value)]


def _keeps_alive(tokens: list[bytes], http_version: str) -> bool:
    if b"close" in tokens:
        return False
    return http_version == "1.1" or b"keep-alive" in tokens


def _expects(value: bytes | None, http_version: str) -> bool:
    if value is None or http_version != "1.1":
        return False
    if value.lower() != b"100-continue":
        raise RemoteFault(417, "unknown expectation")
    return True


def _upgrade_of(found: Fields, tokens: list[bytes], http_version: str) -> str | None:
    if b"upgrade" not in tokens or http_version != "1.1":
        return None
    return "websocket" if b"websocket" in _tokens_of(found, b"upgrade") else None
