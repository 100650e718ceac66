"""A request's id: taken from a trusted peer or made, and shown to everybody who deals with it.

It is in the request's head for the application, in the response's for the client, and in
the log lines of both. This module must not know a wire, nor ASGI.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import lru_cache

from daphne_like.exchange import Exchange, Field, Fields, Open, Request, ResponseHead, Stream
from daphne_like.trust import Trusted

_GOOD = re.compile(rb"[0-9A-Za-z._~+/=:;@-]{1,128}")
"""What UUIDs, base64 and the ids of balancers are made of; nothing that acts anywhere."""


def new_id() -> str:
    """An id like nobody else's: 32 hexadecimal digits."""
    return os.urandom(16).hex()


def identified(open: Open, trusted: Trusted, name: bytes, make: Callable[[], str] = new_id) -> Open:
    """Wrap `open`: every request and every response has an id, in the field `name`.

    `name` is in lower case. A peer that is trusted may have given the id; who is not
    trusted, or gives several, or something else, gets one that `make` makes. A field whose name
    has ``_`` for ``-`` is removed: applications that know CGI's names take it for the same.
    """
    plain = name.replace(b"_", b"-")
    believed = lru_cache(1024)(trusted.peer)  # A connection has the same for all its requests.

    def open_identified(request: Request, stream: Stream) -> Exchange:
        alike = [field for field in request.headers if field[0].replace(b"_", b"-") == plain]
        values = [value for known, value in alike if known == name]
        if len(values) == 1 and _GOOD.fullmatch(values[0]) and believed(request.peer):
            field = name, values[0]
        else:
            field = name, make().encode()
        if alike != [field]:
            request.headers = [*(other for other in request.headers if other not in alike), field]
        request.request_id = field[1].decode()
        return open(request, _IdentifiedStream(stream, field))

    return open_identified


class _IdentifiedStream:
    """A stream whose response has one field more, instead of the application's own of that name."""

    __slots__ = ("_field", "_stream")

    def __init__(self, stream: Stream, field: Field) -> None:
        self._stream = stream
        self._field = field

    def respond(self, head: ResponseHead, body: bytes) -> None:
        self._stream.respond(self._identified(head), body)

    def send_head(self, head: ResponseHead, body: bytes = b"") -> None:
        self._stream.send_head(self._identified(head), body)

    def open_tunnel(self, head: ResponseHead) -> Callable[[bytes], None]:
        return self._stream.open_tunnel(self._identified(head))

    def _identified(self, head: ResponseHead) -> ResponseHead:
        """Another head: the given one may be that of many responses."""
        name = self._field[0]
        others = [field for field in head.fields if field[0].lower() != name]
        return ResponseHead(
            head.status,
            [*others, self._field],
            head.length,
            bodiless=head.bodiless,
            close=head.close,
            own=head.own,
        )

    # --- As it is -------------------------------------------------------------------------

    @property
    def supports(self) -> frozenset[str]:
        return self._stream.supports

    @property
    def full(self) -> bool:
        return self._stream.full

    def send_body(self, data: bytes) -> None:
        self._stream.send_body(data)

    def send_file(self, file: int, offset: int, count: int) -> None:
        self._stream.send_file(file, offset, count)

    def end(self, trailers: Fields | tuple[()] = ()) -> None:
        self._stream.end(trailers)

    def send_hints(self, fields: Fields) -> None:
        self._stream.send_hints(fields)

    def push(self, target: bytes, fields: Fields) -> None:
        self._stream.push(target, fields)

    def abort(self, reason: str) -> None:
        self._stream.abort(reason)

    def wanted(self) -> None:
        self._stream.wanted()

    def consumed(self, size: int) -> None:
        self._stream.consumed(size)
