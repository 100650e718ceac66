"""The seam: the small types through which the wire and the application meet.

A wire connection turns bytes into a :class:`Request` and a :class:`Stream` and calls
``open(request, stream)``, which returns an :class:`Exchange`. The wire side is synchronous
callbacks, the application side is coroutines. Nothing here may know a wire format, ASGI,
Twisted or asyncio.

The rules both sides keep:

* A stream belongs to one exchange, from ``open`` until ``end``, ``abort`` or
  ``disconnected``; after any of them neither side calls the other again.
* ``respond``, or ``send_head`` and then ``send_body`` any number of times and ``end``.
* What the wire delivers by ``body_received`` the exchange pays back by ``consumed``.
* Where the request asks for an upgrade, ``open_tunnel`` is another beginning: from then on
  ``body_received`` and what it returns carry bytes as they are, and the body never ends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

Field = tuple[bytes, bytes]
"""One header field: name and value."""

Fields = list[Field]
"""Header fields in their order, duplicates kept."""

Address = tuple[str, int | None]
"""A host and its port, or the path of a Unix socket and ``None``."""


class Request:
    """The head of one request, judged and valid, the same for every wire.

    ``headers`` have lower-case names; ``raw_path`` is the target as received, without the
    query; ``authority`` is what ``Host`` or ``:authority`` said; ``upgrade`` is
    ``"websocket"`` for an HTTP/1.1 Upgrade and for an extended CONNECT alike; ``tls`` is what
    the ASGI extension of that name says of the connection, ``None`` where it is not encrypted.
    """

    _id: str
    _peer: Address | None

    __slots__ = (
        "_id",
        "_peer",
        "authority",
        "client",
        "headers",
        "http_version",
        "method",
        "query",
        "raw_path",
        "root_path",
        "scheme",
        "server",
        "tls",
        "upgrade",
    )

    def __init__(  # noqa: PLR0913, PLR0917 - one for each slot, by position, on the hot path
        self,
        method: str,
        raw_path: bytes,
        query: bytes,
        headers: Fields,
        http_version: str,
        scheme: str,
        authority: bytes,
        client: Address | None,
        server: Address | None,
        tls: dict[str, Any] | None = None,
        upgrade: str | None = None,
        root_path: str | None = None,
    ) -> None:
        self.method = method
        self.raw_path = raw_path
        self.query = query
        self.headers = headers
        self.http_version = http_version
        self.scheme = scheme
        self.authority = authority
        self.client = client
        self.server = server
        self.tls = tls
        self.upgrade = upgrade
        self.root_path = root_path

    # Most requests have neither, and no slot of theirs costs time that is never set.

    @property
    def peer(self) -> Address | None:
        """Who the connection is with: a proxy, where `client` is what it says."""
        return getattr(self, "_peer", self.client)

    def on_behalf_of(self, client: Address) -> None:
        """The peer has asked for `client`."""
        if not hasattr(self, "_peer"):
            self._peer = self.client
        self.client = client

    @property
    def request_id(self) -> str | None:
        """The request's name in logs, where it has one."""
        return getattr(self, "_id", None)

    @request_id.setter
    def request_id(self, name: str) -> None:
        self._id = name

    @property
    def target(self) -> str:
        """Path and query for a log line: escaped, so that no byte can act on a terminal."""
        return escaped(self.raw_target)

    @property
    def raw_target(self) -> bytes:
        """Path and query."""
        return self.raw_path + b"?" + self.query if self.query else self.raw_path

    @property
    def label(self) -> str:
        """The request for a log line: its method and target, and its id where it has one."""
        name = self.request_id
        what = self.method if self.upgrade is None else "WebSocket"
        return f"{what} {self.target}" + (f" [{name}]" if name else "")


def escaped(raw: bytes, most: int = 2048) -> str:
    r"""Bytes from the network as printable ASCII; the rest as ``\xNN`` (CVE-2020-7694).

    So are ``"`` and the backslash: nothing ends the quotes of a log line, or looks escaped.
    Of more than `most` bytes the rest is left out, because a client decides how many there are.
    """
    shown = raw[:most]
    text = shown.decode("latin-1")
    if shown.translate(None, _PLAIN):
        text = text.translate(_ESCAPES)
    return text if len(raw) <= most else text + "..."


def spelled(host: str, port: int | None) -> str:
    """An address as people write it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def unmapped(host: str) -> str:
    """The IPv4 address that an IPv4 client has on a dual-stack socket: ``::ffff:192.0.2.1``."""
    return host.removeprefix("::ffff:") if "." in host else host


def printable(text: str) -> str:
    """A name from outside, a host or a path for example, escaped as its bytes are."""
    return escaped(text.encode("utf-8", "backslashreplace"))


def peer_name(client: Address | None) -> str:
    """A client for a log line; a Unix client may have bound any path."""
    if client is None:
        return "a Unix socket"
    host, port = printable(client[0]), client[1]
    if port is None:
        return host
    return spelled(host, port)


_PLAIN = bytes(byte for byte in range(32, 127) if byte not in b'"\\')
_ESCAPES = {byte: f"\\x{byte:02x}" for byte in range(256) if byte not in _PLAIN}


class ResponseHead:
    """The head of one response, judged and valid; it may be used for many.

    ``length`` is the application's Content-Length or ``None``; ``bodiless`` says that no
    body may follow (HEAD, 204, 304: RFC 9110, section 6.4.1); ``close`` that the
    application asked for the connection's end; ``own`` names the default fields (Date,
    Server) that the application has set itself. ``encoded`` and ``whole`` are HTTP/1's: what it
    has made of the head, and with what; ``listed`` is that of the other wires.
    """

    __slots__ = (
        "bodiless",
        "close",
        "encoded",
        "fields",
        "length",
        "listed",
        "own",
        "status",
        "whole",
    )

    def __init__(
        self,
        status: int,
        fields: Fields,
        length: int | None = None,
        *,
        bodiless: bool = False,
        close: bool = False,
        own: frozenset[bytes] = frozenset(),
    ) -> None:
        self.status = status
        self.fields = fields
        self.length = length
        self.bodiless = bodiless
        self.close = close
        self.own = own
        self.encoded: bytes | None = None
        self.whole: tuple[bytes, bytes] | None = None
        self.listed: tuple[Fields, Fields] | None = None


class Stream(Protocol):
    """What the wire gives to an exchange: the way out, and the credit for the way in."""

    @property
    def supports(self) -> frozenset[str]:
        """Names of the ASGI extensions that work on this stream."""

    @property
    def full(self) -> bool:
        """True while the peer reads too slowly: await ``Exchange.drained`` before a write."""

    def respond(self, head: ResponseHead, body: bytes) -> None:
        """Send a whole response and end: one write where the wire can."""

    def send_head(self, head: ResponseHead, body: bytes = b"") -> None:
        """Send the head, with the first piece of the body where there is one."""

    def send_body(self, data: bytes) -> None:
        """Send one piece of the body."""

    def send_file(self, file: int, offset: int, count: int) -> None:
        """Send `count` bytes of the open `file` as a piece of the body, if ``supports`` has files.

        Until they are sent the stream is ``full``. The descriptor may be closed at once.
        """

    def end(self, trailers: Fields | tuple[()] = ()) -> None:
        """The response is complete; `trailers` are sent where ``supports`` names them."""

    def open_tunnel(self, head: ResponseHead) -> Callable[[bytes], None]:
        """Grant the upgrade that the request asks for, with the fields of `head`.

        Returns what sends through it: ``send_body``, or what is nearer to the network.

        101 on HTTP/1.1 (RFC 9110, section 7.8), 200 to an extended CONNECT (RFC 8441). Bytes
        that the client has sent already are delivered in a later turn.
        """

    def send_hints(self, fields: Fields) -> None:
        """Send what the client may fetch while it waits for the head."""

    def push(self, target: bytes, fields: Fields) -> None:
        """Promise the response to a GET of `target`, and open it as a request of its own.

        Only where ``supports`` has pushes, and before the end (RFC 9113, section 8.4).
        """

    def abort(self, reason: str) -> None:
        """Break the stream off so that the peer can tell that the response is not whole."""

    def wanted(self) -> None:
        """The application reads for the first time: a 100-continue goes out if asked for."""

    def consumed(self, size: int) -> None:
        """The application has taken `size` bytes of the body: credit to read on."""


class Exchange(Protocol):
    """What the application side gives to the wire: one request's other end."""

    def body_received(self, data: bytes) -> None:
        """A piece of the request's body has come; it is paid back by ``stream.consumed``."""

    def body_ended(self) -> None:
        """The request's body is complete."""

    def disconnected(self, reason: str, *, refused: int | None = None, unsent: int = 0) -> None:
        """The stream is gone: the peer left, or broke the protocol in the body.

        Where the peer still listens and nothing was sent, the wire answers by itself, with
        the status `refused`. Of what was sent, `unsent` bytes never left.
        """

    def drained(self) -> None:
        """The stream is no longer ``full``."""

    def timed_out(self) -> None:
        """The time for the whole exchange (``--http-timeout``) is over."""

    def drain(self) -> None:
        """The server is stopping: finish soon."""

    def progress(self) -> Progress | None:
        """How far it is, for who looks on; ``None`` where there is nothing to tell."""

    @property
    def finished(self) -> bool:
        """Whether its application has ended: it may go on for a while after the stream."""


class Progress(NamedTuple):
    """How far a live exchange is: for an operator who looks on.

    ``age`` is in seconds, ``None`` where nobody has looked at the clock when it began.
    ``state`` is a word for how far the response is.
    """

    request: Request
    age: float | None
    state: str


class Snapshot(NamedTuple):
    """A connection at one moment, for an operator who looks on.

    ``opened`` is a time of the server's clock; ``requests`` are the current ones too. ``state``
    is ``"preamble"`` while a proxy has to say for whom it comes, ``"handshake"`` while TLS is
    agreed on, ``"idle"``, ``"head"`` while a
    request comes in, ``"request"`` while one is served, or ``"ending"``.
    """

    opened: float
    requests: int
    state: str
    current: tuple[Progress, ...]


Open = Callable[[Request, Stream], Exchange]
"""How a wire hands a request over; observers wrap it."""


class Record(NamedTuple):
    """What one finished exchange leaves behind for access log and metrics.

    Times are seconds: ``started`` since the epoch, ``first_byte`` and ``duration`` since
    then. ``outcome`` is ``"complete"``, ``"disconnected"``, ``"failed"``, ``"timed out"``, or
    ``"refused"``: the wire did not like its body.
    ``head`` is what the application has answered, ``None`` with ``status``.
    """

    kind: str
    request: Request
    status: int | None
    bytes_in: int
    bytes_out: int
    started: float
    first_byte: float | None
    duration: float
    outcome: str
    head: ResponseHead | None = None


Observer = Callable[[Record], None]
"""What hears of a finished exchange."""

Beginning = Callable[[Request, str], None]
"""What hears of a WebSocket that is ``"connecting"``, and of one that is ``"connected"``."""
