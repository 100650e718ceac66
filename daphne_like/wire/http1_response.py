"""HTTP/1 responses: a head, a body and its framing (RFC 9112, sections 4, 6 and 7) as bytes.

It is the outgoing half of one connection. It must not know how requests are read: it asks
only whether the client would use the connection again and tells when a response is over.
"""

from __future__ import annotations

import http
from collections.abc import Callable, Iterable
from typing import NamedTuple

from daphne_like.errors import RemoteFault
from daphne_like.exchange import Field, Fields, ResponseHead
from daphne_like.wire.http1_state import ConnectionState

_JOIN_BELOW = 64 * 1024
"""A larger body is written beside its head: copying it would cost more than a second piece."""

_SIMPLE_TEXT = [(b"content-type", b"text/plain; charset=utf-8")]
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_LAST_CHUNK = b"0\r\n\r\n"
_CLOSE = b"connection: close\r\n"
_KEEP_ALIVE = b"connection: keep-alive\r\n"


class Support(NamedTuple):
    """What ``supports`` may be on one connection, by the client's version and by its TE."""

    http_1_0: frozenset[str]
    http_1_1: frozenset[str]
    trailers: frozenset[str]


def _support(*always: str) -> Support:
    hints = {*always, "http.response.early_hint"}
    trailers = {*hints, "http.response.trailers"}
    return Support(frozenset(always), frozenset(hints), frozenset(trailers))


WITHOUT_FILES = _support()
WITH_FILES = _support("http.response.pathsend", "http.response.zerocopysend")


class _StatusLines(dict[int, bytes]):
    """Status lines by code, made when first used."""

    def __missing__(self, status: int) -> bytes:
        phrase = _PHRASES.get(status, "")
        line = self[status] = f"HTTP/1.1 {status} {phrase}\r\n".encode("ascii")
        return line


_PHRASES = {status.value: status.phrase for status in http.HTTPStatus}
_STATUS_LINES = _StatusLines()


class _Lines(dict[Field, bytes]):
    """Lines of fields that come again and again; a few hundred are remembered, then forgotten.

    Where every response has a field of its own, an id for example, the others stay known.
    """

    def __missing__(self, field: Field) -> bytes:
        line = b"%b: %b\r\n" % field
        if len(line) < 128:
            if len(self) >= 512:
                self.clear()
            self[field] = line
        return line


_LINES = _Lines()


def _encoded(head: ResponseHead) -> bytes:
    """The status line and the fields; kept with the head, which may be used again."""
    lines = [_STATUS_LINES[head.status], *[_LINES[field] for field in head.fields]]
    encoded = head.encoded = b"".join(lines)
    return encoded


def _made_whole(head: ResponseHead, defaults: bytes) -> tuple[bytes, bytes]:
    """The whole of a head that says all of its framing, kept with the default fields of now.

    For as long as these are the same it is too.
    """
    head.whole = defaults, b"%b%b\r\n" % (head.encoded or _encoded(head), defaults)
    return head.whole


def _lines_of(first: bytes, fields: Iterable[Field]) -> bytes:
    return b"".join([first, *[b"%b: %b\r\n" % field for field in fields], b"\r\n"])


class ResponseSide(ConnectionState):
    """The way out of an HTTP/1 connection: one response at a time."""

    supports: frozenset[str]
    _write: Callable[[bytes], None]
    _write_pieces: Callable[[Iterable[bytes]], None]
    _write_file: Callable[..., None]
    """Only where ``supports`` says so."""

    _chunked = False
    _http_1_0 = False

    def respond(self, head: ResponseHead, body: bytes) -> None:
        """Send the whole response: one write, and the connection is free again."""
        lines = self._head(head, len(body))
        if len(body) < _JOIN_BELOW:
            self._write(lines + body)
        else:
            self._write_pieces((lines, body))
        self._response_over()

    def send_head(self, head: ResponseHead, body: bytes = b"") -> None:
        """Send the head and what there is of the body."""
        lines = self._head(head, None)
        self._bodiless = head.bodiless
        if body:
            self._write_body(lines, body)
        else:
            self._write(lines)

    def send_body(self, data: bytes) -> None:
        """Send a piece of the body; an empty piece sends nothing (it would end a chunked one)."""
        if not self._chunked:
            self._write(data)
        elif data:
            self._write_body(b"", data)

    def _write_body(self, before: bytes, data: bytes) -> None:
        """Write `data`, as a chunk where the body is chunked, behind what goes `before` it."""
        pieces = [before, data]
        if self._chunked:
            pieces = [b"%b%x\r\n" % (before, len(data)), data, b"\r\n"]
        if len(data) < _JOIN_BELOW:
            self._write(b"".join(pieces))
        else:
            self._write_pieces(pieces)

    def send_file(self, file: int, offset: int, count: int) -> None:
        """Send a part of a file as a piece of the body: one chunk, where there are chunks."""
        if self._chunked:
            self._write_file(file, offset, count, b"%x\r\n" % count, b"\r\n")
        else:
            self._write_file(file, offset, count)

    def end(self, trailers: Fields | tuple[()] = ()) -> None:
        """The body is complete; trailers go where there are chunks (RFC 9112, section 7.1.2)."""
        if self._chunked:
            self._write(_lines_of(b"0\r\n", trailers) if trailers else _LAST_CHUNK)
        self._response_over()

    def send_hints(self, fields: Fields) -> None:
        """Send a 103 with `fields` before the head (RFC 8297)."""
        self._write(_lines_of(b"HTTP/1.1 103 Early Hints\r\n", fields))

    def push(self, target: bytes, fields: Fields) -> None:
        """HTTP/1 has no pushes; ``supports`` never names them."""

    def wanted(self) -> None:
        """The application reads: a client that waits for a 100 gets it (RFC 9110, 10.1.1)."""
        if self._continue_due and not self._head_sent:
            self._continue_due = False
            self._write(_CONTINUE)

    def _head(self, head: ResponseHead, size: int | None) -> bytes:
        """The head's bytes, with the framing that body and client ask for.

        `size` is the whole body's, or ``None`` where more may come.
        """
        self._head_sent = True
        shared = self._shared
        if head.close or shared.leaving or not (self._settled or self._may_go_on()):
            self._keep_alive = False
        defaults = shared.defaults.lines(head.own)
        framed = head.length is not None or head.bodiless
        if framed and self._keep_alive and not self._http_1_0:
            whole = head.whole
            if whole is None or whole[0] is not defaults:
                whole = _made_whole(head, defaults)
            return whole[1]
        lines = [head.encoded or _encoded(head)]
        if not framed:
            lines.append(self._framing(size))
        if not self._keep_alive:
            lines.append(_CLOSE)
        elif self._http_1_0:
            lines.append(_KEEP_ALIVE)
        lines += (defaults, b"\r\n")
        return b"".join(lines)

    def _switching(self, first: bytes, head: ResponseHead) -> bytes:
        """The head of a 101: lines of its own, the application's and those of every response."""
        defaults = self._shared.defaults.lines(head.own)
        return b"".join([first, *[_LINES[field] for field in head.fields], defaults, b"\r\n"])

    def _framing(self, size: int | None) -> bytes:
        if size is not None:
            return b"content-length: %d\r\n" % size
        if self._http_1_0:
            # Delimited by the connection's end (RFC 9112, section 6.3, rule 8).
            self._keep_alive = False
            return b""
        self._chunked = True
        return b"transfer-encoding: chunked\r\n"

    def _refusal(self, fault: RemoteFault) -> bytes:
        """Our own answer to a request that the application never sees, and the last one."""
        self._keep_alive = self._http_1_0 = self._chunked = False
        body = f"{fault.status} {fault.reason}\n".encode()
        return (
            self._head(ResponseHead(fault.status, [*_SIMPLE_TEXT, *fault.fields]), len(body)) + body
        )
