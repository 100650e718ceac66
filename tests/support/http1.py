"""HTTP/1 over memory: a connection with all that is around it, and h11 as its client."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import h11
from twisted.internet.task import Clock

from daphne_like.exchange import Field, Request
from daphne_like.limits import Limits
from daphne_like.testing import MemoryWire, RecordedExchange, RecordingOpen
from daphne_like.wire.http1 import HTTP1Connection
from daphne_like.wire.shared import DefaultFields, Shared

REQUEST = (
    "method",
    "raw_path",
    "query",
    "headers",
    "http_version",
    "scheme",
    "authority",
    "client",
    "server",
    "tls",
    "upgrade",
    "root_path",
)
"""What a request says."""

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"

END = b"\r\n\r\n"


def upgrade(target: bytes = b"/", *fields: Field) -> bytes:
    """A request that wants to become a WebSocket."""
    asking = [
        (b"Host", b"a.example"),
        (b"Upgrade", b"websocket"),
        (b"Connection", b"Upgrade"),
        (b"Sec-WebSocket-Version", b"13"),
        (b"Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ=="),
        *fields,
    ]
    lines = [b"GET %b HTTP/1.1" % target, *[b"%b: %b" % field for field in asking]]
    return b"\r\n".join(lines) + END


@dataclass
class Response:
    """One response as h11 reads it; ``complete`` is false where it breaks off."""

    status: int
    headers: list[Field]
    body: bytes = b""
    complete: bool = False
    interim: list[int] = field(default_factory=list)

    def __getitem__(self, name: bytes) -> bytes:
        (value,) = (value for at, value in self.headers if at == name)
        return value

    def __contains__(self, name: bytes) -> bool:
        return any(at == name for at, _ in self.headers)


def read_responses(raw: bytes, methods: Sequence[str] = (), *, eof: bool = False) -> list[Response]:
    """All responses in `raw`, the first ones to `methods`, the rest to GET.

    What is no response raises h11's error: the server never sends such a thing.
    """
    responses: list[Response] = []
    while raw:
        method = methods[len(responses)] if len(responses) < len(methods) else "GET"
        client = h11.Connection(h11.CLIENT)
        client.send(h11.Request(method=method, target="/", headers=[("host", "a")]))
        client.send(h11.EndOfMessage())
        client.receive_data(raw)
        if eof:
            client.receive_data(b"")
        response = _read_response(client)
        if response is not None:
            responses.append(response)
        raw = client.trailing_data[0] if response is not None and response.complete else b""
    return responses


def _read_response(client: h11.Connection) -> Response | None:
    response: Response | None = None
    interim: list[int] = []
    while True:
        try:
            event = client.next_event()
        except h11.RemoteProtocolError:
            if response is None or client.trailing_data != (b"", True):
                raise
            return response  # It breaks off.
        if isinstance(event, h11.InformationalResponse):
            interim.append(event.status_code)
        elif isinstance(event, h11.Response):
            fields = list(event.headers.raw_items())
            lower = [(bytes(name).lower(), bytes(value)) for name, value in fields]
            response = Response(event.status_code, lower, interim=interim)
        elif isinstance(event, h11.Data) and response is not None:
            response.body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage) and response is not None:
            response.complete = True
            return response
        else:
            return response


class Served:
    """One client's connection to a server whose application is a :class:`RecordingOpen`.

    ``wire`` is the connection in memory, ``clock`` its time, ``open`` the application.
    """

    speaks: Any = HTTP1Connection

    def __init__(
        self,
        *,
        opened: Callable[[RecordedExchange], None] | None = None,
        ended: Callable[[RecordedExchange], None] | None = None,
        reads: bool = True,
        date: bool = False,
        write_budget: int = 64 * 1024,
        **limits: Any,
    ) -> None:
        self.clock = Clock()
        self.limits = Limits(write_budget=write_budget, **limits)
        self.open = RecordingOpen(opened=opened, ended=ended, reads=reads)
        defaults = DefaultFields(None, date, now=self.clock.seconds)
        self.shared = Shared(self.open, self.clock, self.limits, defaults)
        self.connection = self.speaks(self.shared)
        self.wire = MemoryWire(self.connection, self.clock, write_budget=write_budget)

    # --- The client -----------------------------------------------------------------------

    def send(self, *segments: bytes) -> Served:
        """Send, and let everything happen that can happen now."""
        for segment in segments:
            self.wire.send(segment)
            self.turn()
        return self

    def send_eof(self) -> Served:
        self.wire.send_eof()
        self.turn()
        return self

    def turn(self) -> None:
        """Let everything happen that can happen now."""
        self.clock.advance(0)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.turn()
        self.clock.advance(seconds)
        self.turn()

    @property
    def raw(self) -> bytes:
        """All bytes that the client has read."""
        return bytes(self.wire.received)

    @property
    def responses(self) -> list[Response]:
        """All responses that the client has read."""
        methods = [request.method for request in self.open.requests]
        return read_responses(self.raw, methods, eof=self.wire.eof and not self.wire.aborted)

    @property
    def response(self) -> Response:
        """The only response."""
        (response,) = self.responses
        return response

    # --- The application ------------------------------------------------------------------

    @property
    def requests(self) -> list[Request]:
        return self.open.requests

    @property
    def last(self) -> RecordedExchange:
        return self.open.last

    @property
    def targets(self) -> list[str]:
        return [request.target for request in self.requests]


def answering(body: bytes = b"", status: int = 200, fields: Iterable[Field] = ()) -> Any:
    """An application that answers when it has the whole request."""
    return lambda exchange: exchange.answer(body, status, list(fields))


def echoing(exchange: RecordedExchange) -> None:
    """An application that answers with the method, the target and the body that it got."""
    request = exchange.request
    exchange.answer(b"%b %b %b" % (request.method.encode(), request.target.encode(), exchange.body))


GONE = "disconnected"


def expect_clean_end(served: Served) -> None:
    assert served.wire.closed
    assert not served.wire.aborted


def seconds_until_it_is_over(served: Served, each_second: Any, most: int = 1000) -> int:
    """How long the application still has its client, with `each_second` done in between."""
    for second in range(most):
        if served.last.events[-1:] == [GONE]:
            return second
        each_second()
        served.wait(1)
    return most


def nothing() -> None:
    """The client does nothing."""


def splits(raw: bytes) -> Iterable[tuple[bytes, ...]]:
    """`raw` whole, byte by byte, in pieces of 2 to 5 bytes, and split at every offset.

    The pieces begin at every offset too. What is long is split near its ends only.
    """
    yield (raw,)
    long = len(raw) > 1000
    for size in range(1, 6):
        for first in range(1, 2 if long else size + 1):
            yield raw[:first], *[raw[at : at + size] for at in range(first, len(raw), size)]
    for at in [*range(1, 100), *range(len(raw) - 100, len(raw))] if long else range(1, len(raw)):
        yield raw[:at], raw[at:]
