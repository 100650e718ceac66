"""HTTP/1 requests: whole heads and chunked bodies, parsed and judged (RFC 9112).

httptools (llhttp) judges the grammar, ``headers`` judges what the fields say, this module
what remains: the request line's version and target, and where a chunked message ends. It
must not know the connection that the bytes come from. httptools is imported here and
nowhere else.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from daphne_like.errors import RemoteFault
from daphne_like.exchange import Address, Fields, Request
from daphne_like.handshake import judge_handshake
from daphne_like.headers import Framing, judge_request
from daphne_like.limits import Limits
from daphne_like.wire.http1_known import NAMES, PLAIN_LINES
from daphne_like.wire.http1_target import judge_other_form
from daphne_like.wire.shared import METHODS

_BLANK_LINES = re.compile(rb"(?:\r\n)+")
_HOPELESS = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)|\x00")
_HALF_A_LINE_END = b"\r"

END = b"\r\n\r\n"
"""What ends a head and a chunked body; nothing else does."""

PREFACE = b"PRI * HTTP/2.0\r\n\r\n"
"""What HTTP/2 begins with, as far as it looks like a head (RFC 9113, section 3.4)."""

_VERSIONS = {b" HTTP/1.1": "1.1", b" HTTP/1.0": "1.0"}
_OTHER_VERSION = re.compile(rb" HTTP/(?!1\.[01])[0-9]\.[0-9]\Z")
_NOT_ASCII = bytes(range(128)) + b"~" * 128
_REMEMBER_BELOW = 2048
_CHUNKED_HEAD = b"POST / HTTP/1.1\r\nhost:\r\ntransfer-encoding: chunked\r\n\r\n"


class _Said(NamedTuple):
    """What a client has said of itself below a request line, with what we made of it.

    It says the same with most of its requests.
    """

    lines: bytes
    fields: Fields
    host: bytes
    framing: Framing


_NOTHING_SAID = _Said(END * 2, [], b"", Framing(0, True, False, None))
"""No head ends so."""


_BEGINS_OTHERWISE = {0x16: "TLS, where none is spoken: ask for http://"}
"""What is no head, by its first byte: a handshake (RFC 8446, section 5.1)."""


class PriorKnowledge(RemoteFault):
    """A request that is no request: the client speaks HTTP/2 from the start.

    ``rest`` is what has come behind it.
    """

    def __init__(self, rest: bytes) -> None:
        super().__init__(505, "not HTTP/1.0 or HTTP/1.1")
        self.rest = rest


class RequestReader:
    """The requests of one connection, one after the other.

    ``framing`` is what the last head said; ``pieces`` are the decoded pieces of a chunked
    body, for the caller to take; ``complete`` tells that its message has ended.
    """

    __slots__ = (
        "_client",
        "_fields",
        "_limits",
        "_overhead",
        "_parser",
        "_partial",
        "_said",
        "_scheme",
        "_server",
        "_tail",
        "_tls",
        "_unbounded",
        "complete",
        "framing",
        "on_body",
        "pieces",
    )

    framing: Framing

    def __init__(
        self,
        limits: Limits,
        client: Address | None,
        server: Address | None,
        scheme: str,
        tls: dict[str, Any] | None = None,
    ) -> None:
        self._limits = limits
        # A head of no more bytes than its line may have is within all limits.
        self._unbounded = min(limits.line_size, limits.head_size)
        self._client = client
        self._server = server
        self._scheme = scheme
        self._tls = tls
        self._fields: Fields = []
        self._tail = b""
        self._overhead = 0
        self.complete = False
        self._partial = bytearray()
        self.pieces: list[bytes] = []
        self.on_body = self.pieces.append
        self._parser = HttpRequestParser(self)
        self._said = _NOTHING_SAID

    # --- Called by the parser -------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        """One field; the parser leaves white space behind a value (RFC 9110, section 5.5)."""
        self._fields.append((NAMES[name], value.rstrip()))

    def on_message_complete(self) -> None:
        """The message has ended."""
        self.complete = True

    def close(self) -> None:
        """Nothing comes any more: let go of the parser, which holds the reader."""
        self._parser = None  # type: ignore[assignment] # no request comes any more

    # --- Heads ----------------------------------------------------------------------------

    def take(self, data: bytes) -> tuple[Request | None, bytes]:
        """Take the next request out of the input; return it, once it is whole, and what follows.

        Raises :class:`RemoteFault` with the status to answer.
        """
        head, rest = self.take_head(data)
        if head == PREFACE:
            raise PriorKnowledge(rest)
        return (self.request(head) if head else None), rest

    def take_head(self, data: bytes) -> tuple[bytes | None, bytes]:
        """Take the next head out of the input; return it, once it is whole, and what follows.

        Raises :class:`RemoteFault` early for what can become no head: it would wait for its
        timeout otherwise.
        """
        if not self._partial:
            if data[0] == 13 and (blank := _BLANK_LINES.match(data)) is not None:
                # "SHOULD ignore at least one empty line" (RFC 9112, section 2.2).
                return None, data[blank.end() :]
            end = data.find(END) + 4
            if end > 3:
                return (data, b"") if end == len(data) else (data[:end], data[end:])
        return self._collect_head(data)

    def _collect_head(self, data: bytes) -> tuple[bytes | None, bytes]:
        partial = self._partial
        if partial == _HALF_A_LINE_END and data[0] == 10:
            partial.clear()
            return None, data[1:]
        searched = max(len(partial) - 3, 0)
        partial += data
        end = partial.find(END, searched) + 4
        if end > 3:
            head, rest = bytes(partial[:end]), bytes(partial[end:])
            partial.clear()
            return head, rest
        self._bound(partial)
        begins_otherwise = partial[0] < 33 and partial != _HALF_A_LINE_END
        if begins_otherwise or _HOPELESS.search(partial, searched) is not None:
            raise RemoteFault(400, _BEGINS_OTHERWISE.get(partial[0], "malformed head"))
        return None, b""

    def _bound(self, head: bytes | bytearray) -> None:
        """Refuse a head, or what has come of it, that is over its limits."""
        size = len(head)
        if size <= self._unbounded:
            return
        ends = head.find(b"\r\n", 0, self._unbounded + 2) >= 0
        may_end = size == self._unbounded + 1 and head.endswith(_HALF_A_LINE_END)
        if not ends and not may_end:
            raise RemoteFault(414, "the request line is too long")
        if size > self._limits.head_size:
            raise RemoteFault(431, "the head is too large")

    @property
    def begun(self) -> bool:
        """Whether a part of a head has come; an empty line before it is none."""
        return bool(self._partial) and self._partial != _HALF_A_LINE_END

    def request(self, head: bytes) -> Request:
        """Parse and judge one whole head, from its first byte to the empty line.

        Raises :class:`RemoteFault` with the status to answer.
        """
        self._bound(head)
        if (request := self.again(head)) is not None:
            return request
        upgraded = self._feed_head(head)
        method = self._parser.get_method()
        end_of_line = head.index(b"\r\n")
        # A line may be short, and mypyc takes no slice that ends before it begins.
        line = head[:end_of_line]
        version = _VERSIONS.get(line[-9:])
        if version is None:
            raise _not_spoken()
        fields = self._fields
        if len(fields) > self._limits.head_fields:
            raise RemoteFault(431, "too many header fields")
        host, framing = judge_request(fields, version)
        self.framing = framing
        if framing.length and 0 < self._limits.body_size < framing.length:
            raise RemoteFault(413, "the body is too large")
        target = line[:-9][len(method) + 1 :]
        if upgraded or framing.length != 0 or not self.complete:
            self._expect_body(framing.length, upgraded)
        if not target.startswith(b"/"):
            host, target = judge_other_form(method, target, fields, host)
        elif version == "1.1" and framing.length is not None and not upgraded:
            self._remember(_Said(head[end_of_line:], fields.copy(), host, framing))
        if b" " in target or b"#" in target:
            raise RemoteFault(400, "malformed target")
        path, _, query = target.partition(b"?")
        name = METHODS.get(method) or method.decode("ascii")
        if framing.upgrade is None:
            return self._request(name, path, query, fields, version, host)
        return self._upgrading(name, path, query, fields, version, host)

    def _upgrading(
        self, method: str, path: bytes, query: bytes, fields: Fields, version: str, host: bytes
    ) -> Request:
        """A WebSocket begins with a GET; otherwise "a server MAY ignore" it (RFC 9110, 7.8)."""
        is_good = method == "GET" and self.framing.length == 0
        if not is_good:
            self.framing = self.framing._replace(upgrade=None)
        request = self._request(method, path, query, fields, version, host)
        if is_good:
            judge_handshake(request)
            # Where it is refused, what follows may be meant as frames: it is no next request.
            self.framing = self.framing._replace(keep_alive=False)
        return request

    def _remember(self, said: _Said) -> None:
        if len(said.lines) < _REMEMBER_BELOW:
            self._said = said

    def again(self, head: bytes) -> Request | None:
        """The request of one whole head whose fields are those of an earlier one, to the byte.

        Nothing in them has to be parsed or judged again. ``None`` where the request line is
        not plain, or the head not one, or not whole: then `take` knows.
        """
        lines, fields, host, framing = self._said
        size = len(head)
        if size > self._unbounded or self._partial or not head.endswith(lines):
            return None
        line = PLAIN_LINES[head[: size - len(lines)]]
        if line is None:
            return None
        self.framing = framing
        method, path, query = line
        # As _request() does, without its call: most requests pass here.
        return Request(
            method,
            path,
            query,
            fields.copy(),
            "1.1",
            self._scheme,
            host,
            self._client,
            self._server,
            self._tls,
            framing.upgrade,
        )

    def _request(
        self, method: str, path: bytes, query: bytes, fields: Fields, version: str, host: bytes
    ) -> Request:
        return Request(
            method,
            path,
            query,
            fields,
            version,
            self._scheme,
            host,
            self._client,
            self._server,
            self._tls,
            self.framing.upgrade,
        )

    def _feed_head(self, head: bytes) -> bool:
        """Let the parser judge the head; tell whether it takes what follows for an upgrade."""
        self._fields = []
        self.complete = False
        try:
            self._parser.feed_data(head)
        except HttpParserUpgrade:
            return True
        except HttpParserError as error:
            line, rest = head.split(b"\r\n", 1)
            if _OTHER_VERSION.search(line) is not None:
                raise _not_spoken() from None
            if line.isascii():
                raise RemoteFault(400, str(error)) from None
            # The parser refuses raw UTF-8 in a target, which browsers never send but others do.
            self._parser = HttpRequestParser(self)
            return self._feed_head(line.translate(_NOT_ASCII) + b"\r\n" + rest)
        return False

    def _expect_body(self, length: int | None, upgraded: bool) -> None:
        """Parser and fields must say the same of what follows, or nobody knows what it is.

        After an upgrade that we ignore, and before a counted body, which does not pass
        through it, the parser is at the wrong place: the next message gets a new one.
        """
        if not upgraded and self.complete != (length == 0):
            raise RemoteFault(400, "ambiguous framing")
        if length is None:
            self.complete = False
            # What comes from here on are trailers; they are not merged into the request's fields.
            self._fields = []
            self._tail = b""
            self._overhead = 0
        if upgraded or length:
            self._parser = HttpRequestParser(self)
        if upgraded and length is None:
            self._parser.feed_data(_CHUNKED_HEAD)

    # --- Chunked bodies -------------------------------------------------------------------

    def chunked(self, data: bytes) -> int:
        """Read a chunked body on; return how much of `data` belongs to it.

        The parser is fed up to each place where the message can end, and not beyond: what
        follows the message it has not seen. Raises :class:`RemoteFault`.
        """
        view = memoryview(data)
        size = len(data)
        start, end = 0, self._end_across(data)
        try:
            while True:
                self._parser.feed_data(view[start:end])
                start = end
                if start == size or self.complete:
                    break
                end = data.find(END, start)
                end = size if end < 0 else end + 4
        except HttpParserError as error:
            raise RemoteFault(400, str(error)) from None
        self._tail = (self._tail + data[-3:])[-3:]
        self._bound_overhead(start)
        return start

    def _end_across(self, data: bytes) -> int:
        """The first place in `data` where the message can end, earlier segments considered."""
        end = (self._tail + data[:3]).find(END)
        if end >= 0:
            return end + 4 - len(self._tail)
        end = data.find(END)
        return len(data) if end < 0 else end + 4

    def _bound_overhead(self, fed: int) -> None:
        """Chunk extensions and trailers are bounded like a head: nobody is waiting for them.

        Data makes up for some: a chunk of one byte takes six, or more with a padded size.
        """
        data = sum(map(len, self.pieces))
        self._overhead = max(self._overhead + fed - 16 * data, 0)
        if self._overhead > self._limits.head_size:
            raise RemoteFault(400, "chunk extensions or trailers too large")

    def take_pieces(self) -> bytes:
        """The decoded body since the last call."""
        pieces = self.pieces
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        return data


def _not_spoken() -> RemoteFault:
    return RemoteFault(505, "not HTTP/1.0 or HTTP/1.1")
