"""The only judge of outbound header fields: what an application may put on the wire.

Heads of responses, trailers, early hints, pushes and what accepts a WebSocket. This module must
not know how a wire spells a head, nor what an application is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final, TypeGuard

from daphne_like.exchange import Field, Fields, ResponseHead
from daphne_like.headers import (
    DEFAULTABLE,
    LENGTH,
    REMEMBER_AT_MOST,
    SERVER_OWNED,
    SHORT,
    SPECIAL,
    TOKEN,
    tokens,
)

_BAD_VALUE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
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


_heads: Final[dict[tuple[Any, ...], ResponseHead]] = {}
"""Whole heads of nothing but such fields and a length, by status and fields: never changed."""

_BODILESS = frozenset((204, 304))


class BadField(ValueError):
    """An application's field that may not go onto the wire."""


def response_head(status: int, fields: Any, method: str) -> ResponseHead:
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


def _judged_head(status: int, fields: Any, method: str) -> ResponseHead:
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
    if plain and len(_heads) < REMEMBER_AT_MOST:
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


def _judge_field(head: ResponseHead, raw: Any) -> None:
    field = _checked(raw)
    name = field[0].lower()
    if name in SPECIAL:
        _judge_special(head, name, field)
        return
    if name in _REMEMBERED and len(_good) < REMEMBER_AT_MOST and len(field[1]) < SHORT:
        _good.add(field)
    head.fields.append(field)


def _checked(raw: Any) -> Field:
    try:
        name, value = raw
    except (TypeError, ValueError):
        raise BadField(f"a header is a pair of name and value, not {raw!r}") from None
    for part, what in ((name, "name"), (value, "value")):
        if type(part) is not bytes:
            raise BadField(f"Header {what} {part!r} expected to be `bytes`, but got `{type(part)}`")
    if TOKEN.fullmatch(name) is None:
        raise BadField(f"header name {name!r} is not a token")
    if _BAD_VALUE.search(value) is not None:
        raise BadField(f"header {name!r} has a control character in its value")
    return name, value


_NOT_IN_HANDSHAKES = SERVER_OWNED | {b"content-length"}
"""A 101 has no body (RFC 9110, section 8.6)."""

_OF_THE_MESSAGE = SERVER_OWNED | {b"content-length", b"host", b"trailer"}

_NOT_IN_TRAILERS = _OF_THE_MESSAGE | frozenset(
    (b"authorization", b"content-encoding", b"content-range", b"content-type", b"set-cookie")
)
"""Fields of framing, routing and authentication (RFC 9110, section 6.5.1)."""

_NOT_IN_PUSHES = _OF_THE_MESSAGE | {b"expect"}
"""What is promised has no body (RFC 9113, section 8.4), and is asked of the same host."""


def trailer_fields(fields: Iterable[Any]) -> Fields:
    """Judge what an application wants to send behind a body; raises :class:`BadField`."""
    return _without(fields, _NOT_IN_TRAILERS, "be a trailer")


def push_fields(fields: Iterable[Any]) -> Fields:
    """Judge the fields of a request whose response an application wants to push.

    Their names are in lower case then. Raises :class:`BadField`.
    """
    judged = _without(fields, _NOT_IN_PUSHES, "be pushed")
    return [(name.lower(), value) for name, value in judged]


def _without(fields: Iterable[Any], barred: frozenset[bytes], what: str) -> Fields:
    judged = [_checked(raw) for raw in fields]
    for name, _ in judged:
        if name.lower() in barred:
            raise BadField(f"header {name!r} may not {what}")
    return judged


def accept_fields(fields: Iterable[Any]) -> tuple[Fields, frozenset[bytes]]:
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


def hint_fields(links: Iterable[Any]) -> Fields:
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
    if LENGTH.fullmatch(value) is None:
        raise BadField(f"Content-Length {field[1]!r} is not a number")
    if head.status == 204:
        return  # RFC 9110, section 8.6: no Content-Length in a 204.
    if head.length is None:
        head.length = int(value)
        head.fields.append(field)
    elif head.length != int(value):
        raise BadField("two different values of Content-Length")
