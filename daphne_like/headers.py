"""The only judge of header fields, inbound and outbound, for every wire.

Inbound: what a request's fields say about its framing, its host and its connection.
Outbound: what an application may put into a response's head. The grammar is RFC 9110's;
a wire's own parser has refused bytes that cannot be a head at all. This module must not
know how a wire spells a head, nor what an application is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple, TypeGuard

from daphne_like.errors import RemoteFault
from daphne_like.exchange import Field, Fields, ResponseHead

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_BAD_VALUE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_HOST = re.compile(
    rb"(?:\[[0-9A-Fa-f:.]+(?:%25[0-9A-Za-z._~-]+)?\]|[0-9A-Za-z._~!$&'()*+,;=%-]*)(?::[0-9]*)?"
)
_LENGTH = re.compile(rb"[0-9]{1,19}")


_REMEMBER_AT_MOST = 256
_SHORT = 256
"""Bytes of what is remembered: a client, or one who is reflected, decides how many there are."""

_good_hosts: set[bytes] = set()
"""Hosts already judged good: a server is called by few names, again and again."""


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
    if len(_good_hosts) < _REMEMBER_AT_MOST and len(value) < _SHORT:
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
    if _LENGTH.fullmatch(length) is None:
        raise RemoteFault(400, "malformed Content-Length")
    return int(length)


def is_token(value: bytes) -> bool:
    """Whether `value` is a token (RFC 9110, section 5.6.2)."""
    return _TOKEN.fullmatch(value) is not None


def listed(headers: Fields, wanted: bytes) -> list[bytes]:
    """The elements of a comma-separated list, over all fields of that name, as they are.

    Empty ones are none (RFC 9110, section 5.6.1).
    """
    values = [value for name, value in headers if name == wanted]
    elements = [element.strip(b" \t") for value in values for element in value.split(b",")]
    return [element for element in elements if element]


def is_free(name: bytes) -> bool:
    """Whether `name`, in lower case, can name a field that has no meaning for the server."""
    return _TOKEN.fullmatch(name) is not None and name not in _FRAMING_NAMES | _SPECIAL


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


# --- Outbound ---------------------------------------------------------------------------

_SERVER_OWNED = frozenset(
    (
        b"transfer-encoding",
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"upgrade",
    )
)
"""Fields of the connection, not of the response: the server writes them by itself.

"Servers should ignore any Transfer-Encoding header sent to them" (ASGI HTTP spec).
"""

DEFAULTABLE = frozenset((b"date", b"server"))
_SPECIAL = _SERVER_OWNED | DEFAULTABLE | {b"content-length"}
_NOTHING: frozenset[bytes] = frozenset()

_REMEMBERED = frozenset(
    (
        b"content-type",
        b"cache-control",
        b"vary",
        b"x-content-type-options",
        b"x-frame-options",
        b"referrer-policy",
        b"cross-origin-opener-policy",
        b"strict-transport-security",
        b"content-encoding",
        b"content-language",
        b"accept-ranges",
        b"allow",
        b"access-control-allow-origin",
    )
)
_good: set[Field] = set()
"""Fields already judged good: an application sends the same few again and again."""


_heads: dict[tuple[Any, ...], ResponseHead] = {}
"""Whole heads of nothing but such fields and a length, by status and fields: never changed."""

_BODILESS = frozenset((204, 304))


class BadField(ValueError):
    """An application's field that may not go onto the wire."""


def response_head(status: int, fields: Iterable[Iterable[bytes]], method: str) -> ResponseHead:
    """Judge what an application wants to send as the head of the response to `method`.

    Raises :class:`BadField` for a name that is no token, for a value with CR, LF, NUL or
    another control (response splitting), for types other than bytes, and for a malformed or
    contradicting Content-Length.
    """
    known = None
    if type(fields) is list and method != "HEAD":
        try:  # noqa: SIM105 - which costs more than all else here
            known = _heads.get((status, *fields))
        except TypeError:
            pass  # Pairs that are lists; they are judged one by one.
    return known or _judged_head(status, fields, method)


def _judged_head(status: int, fields: Iterable[Iterable[bytes]], method: str) -> ResponseHead:
    head = ResponseHead(status, [])
    head.bodiless = method == "HEAD" or status in _BODILESS
    add = head.fields.append
    plain = type(fields) is list and method != "HEAD"
    try:
        for field in fields:
            if type(field) is tuple and _is_known(field):
                add(field)
            elif _is_plain_length(field) and head.length is None and status != 204:
                head.length = int(field[1])
                add(field)
            else:
                plain = False
                _judge_field(head, field)
    except TypeError as error:
        raise BadField(f"headers are pairs of bytes: {error}") from None
    if plain and len(_heads) < _REMEMBER_AT_MOST:
        _heads[status, *head.fields] = head
    return head


def _is_known(field: Any) -> bool:
    try:
        return field in _good
    except TypeError:
        return False


def _is_plain_length(field: Any) -> TypeGuard[Field]:
    """A Content-Length as nearly every application writes it."""
    if type(field) is not tuple or len(field) != 2 or field[0] != b"content-length":
        return False
    value = field[1]
    return type(value) is bytes and value.isdigit() and len(value) < 19


def _judge_field(head: ResponseHead, raw: Iterable[bytes]) -> None:
    field = _checked(raw)
    name = field[0].lower()
    if name in _SPECIAL:
        _judge_special(head, name, field)
        return
    if name in _REMEMBERED and len(_good) < _REMEMBER_AT_MOST and len(field[1]) < _SHORT:
        _good.add(field)
    head.fields.append(field)


def _checked(raw: Iterable[bytes]) -> Field:
    try:
        name, value = raw
    except (TypeError, ValueError):
        raise BadField(f"a header is a pair of name and value, not {raw!r}") from None
    for part, what in ((name, "name"), (value, "value")):
        if type(part) is not bytes:
            raise BadField(f"Header {what} {part!r} expected to be `bytes`, but got `{type(part)}`")
    if _TOKEN.fullmatch(name) is None:
        raise BadField(f"header name {name!r} is not a token")
    if _BAD_VALUE.search(value) is not None:
        raise BadField(f"header {name!r} has a control character in its value")
    return name, value


_NOT_IN_HANDSHAKES = _SERVER_OWNED | {b"content-length"}
"""A 101 has no body (RFC 9110, section 8.6)."""

_OF_THE_MESSAGE = _SERVER_OWNED | {b"content-length", b"host", b"te", b"trailer"}

_NOT_IN_TRAILERS = _OF_THE_MESSAGE | frozenset(
    (b"authorization", b"content-encoding", b"content-range", b"content-type", b"set-cookie")
)
"""Fields of framing, routing and authentication (RFC 9110, section 6.5.1)."""

_NOT_IN_PUSHES = _OF_THE_MESSAGE | {b"expect"}
"""What is promised has no body (RFC 9113, section 8.4), and is asked of the same host."""


def trailer_fields(fields: Iterable[Iterable[bytes]]) -> Fields:
    """Judge what an application wants to send behind a body; raises :class:`BadField`."""
    return _without(fields, _NOT_IN_TRAILERS, "be a trailer")


def push_fields(fields: Iterable[Iterable[bytes]]) -> Fields:
    """Judge the fields of a request whose response an application wants to push.

    Their names are in lower case then. Raises :class:`BadField`.
    """
    judged = _without(fields, _NOT_IN_PUSHES, "be pushed")
    return [(name.lower(), value) for name, value in judged]


def _without(fields: Iterable[Iterable[bytes]], barred: frozenset[bytes], what: str) -> Fields:
    judged = [_checked(raw) for raw in fields]
    for name, _ in judged:
        if name.lower() in barred:
            raise BadField(f"header {name!r} may not {what}")
    return judged


def accept_fields(fields: Iterable[Iterable[bytes]]) -> tuple[Fields, frozenset[bytes]]:
    """The fields with which an application accepts a WebSocket, and the defaults among them.

    Those of the connection are left out. Raises :class:`BadField`, also for the fields of the
    handshake itself: a subprotocol has its own place in ``websocket.accept``.
    """
    judged = [_checked(raw) for raw in fields]
    own = frozenset(name.lower() for name, _ in judged)
    if ours := [name for name in own if name.startswith(b"sec-websocket-")]:
        raise BadField(f"header {ours[0]!r} belongs to the server")
    kept = [field for field in judged if field[0].lower() not in _NOT_IN_HANDSHAKES]
    return kept, own & DEFAULTABLE


def hint_fields(links: Iterable[bytes]) -> Fields:
    """The ``Link`` fields of early hints (RFC 8297); raises :class:`BadField`."""
    return [_checked((b"link", link)) for link in links]


def _judge_special(head: ResponseHead, name: bytes, field: Field) -> None:
    value = field[1]
    if name == b"connection":
        head.close = head.close or b"close" in tokens(value)
    elif name == b"content-length":
        _judge_length(head, field)
    elif name in DEFAULTABLE:
        head.own = (head.own or _NOTHING) | {name}
        head.fields.append(field)


def _judge_length(head: ResponseHead, field: Field) -> None:
    value = field[1].strip(b" \t")
    if _LENGTH.fullmatch(value) is None:
        raise BadField(f"Content-Length {field[1]!r} is not a number")
    if head.status == 204:
        return  # RFC 9110, section 8.6: no Content-Length in a 204.
    if head.length is None:
        head.length = int(value)
        head.fields.append(field)
    elif head.length != int(value):
        raise BadField("two different values of Content-Length")
