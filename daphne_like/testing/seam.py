"""Doubles of both sides of the seam: a stream, an exchange and an ``open`` that write down.

This module must not know a wire format, ASGI, nor Twisted.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from daphne_like.exchange import Fields, Progress, Request, ResponseHead, Stream
from daphne_like.headers_sent import response_head


class SeamBroken(AssertionError):
    """One side of the seam did what the rules in ``daphne_like.exchange`` forbid."""


# --- Instead of a wire --------------------------------------------------------------------


class FakeStream:
    """A ``Stream`` that writes down what an exchange does with it.

    ``head`` and ``body`` are what the client would have got; ``outcome`` is ``None`` while
    the stream is open, then ``"complete"`` or ``"aborted"``. ``pushes`` are targets and fields.
    ``wants`` counts calls of
    ``wanted``, ``credit`` adds up what was ``consumed``. Set ``full`` to play a slow client.
    ``tunnel`` tells that an upgrade was granted, with ``head``; ``body`` is then what was sent
    through it.
    """

    def __init__(self, *supports: str) -> None:
        self.supports = frozenset(supports)
        self.full = False
        self.tunnel = False
        self.head: ResponseHead | None = None
        self.body = b""
        self.hints: Fields = []
        self.pushes: list[tuple[bytes, Fields]] = []
        self.trailers: Fields = []
        self.outcome: str | None = None
        self.reason: str | None = None
        self.wants = 0
        self.credit = 0

    def respond(self, head: ResponseHead, body: bytes) -> None:
        self.send_head(head, body)
        self.end()

    def send_head(self, head: ResponseHead, body: bytes = b"") -> None:
        self._begin(head)
        if body:
            self.send_body(body)

    def open_tunnel(self, head: ResponseHead) -> Callable[[bytes], None]:
        self._begin(head)
        self.tunnel = True
        return self.send_body

    def send_body(self, data: bytes) -> None:
        head = self._must_be_headed()
        if head.bodiless and data:
            raise SeamBroken("a body where none may be")
        self.body += data

    def send_file(self, file: int, offset: int, count: int) -> None:
        self._must_be_headed()
        if "http.response.pathsend" not in self.supports:
            raise SeamBroken("a file where none can be sent")
        self.send_body(os.pread(file, count, offset))

    def end(self, trailers: Fields | tuple[()] = ()) -> None:
        self._must_be_headed()
        self.trailers = list(trailers)
        self.outcome = "complete"

    def send_hints(self, fields: Fields) -> None:
        self._must_be_open()
        if self.head is not None:
            raise SeamBroken("hints after the head")
        self.hints += fields

    def push(self, target: bytes, fields: Fields) -> None:
        self._must_be_open()
        if "http.response.push" not in self.supports:
            raise SeamBroken("a push where none can be made")
        self.pushes.append((target, fields))

    def abort(self, reason: str) -> None:
        self._must_be_open()
        self.outcome = "aborted"
        self.reason = reason

    def wanted(self) -> None:
        self._must_be_open()
        self.wants += 1

    def consumed(self, size: int) -> None:
        self._must_be_open()
        self.credit += size

    def _begin(self, head: ResponseHead) -> None:
        self._must_be_open()
        if self.head is not None:
            raise SeamBroken("a second head")
        self.head = head

    def _must_be_open(self) -> None:
        if self.outcome is not None:
            raise SeamBroken(f"the stream is over: {self.outcome}")

    def _must_be_headed(self) -> ResponseHead:
        self._must_be_open()
        if self.head is None:
            raise SeamBroken("a body before the head")
        return self.head


# --- Instead of an application ------------------------------------------------------------


class RecordedExchange:
    """An ``Exchange`` that writes down what a wire delivers, and answers when it is told.

    ``body`` is what has come of the body, ``pieces`` its pieces; ``events`` are the names of
    the methods that were called, in order, ``body_received`` left out; ``over`` is the reason
    why the stream is no longer its own, ``refused`` and ``unsent`` what the wire said of that.
    With `reads` it pays for the body at once, as a fast application does. ``accepted`` tells
    that it has granted an upgrade; what comes through the tunnel is in ``pieces`` too. Set
    ``lingers`` to play an application that goes on when the stream is over.
    """

    def __init__(
        self,
        request: Request,
        stream: Stream,
        *,
        reads: bool = True,
        ended: Callable[[RecordedExchange], None] | None = None,
    ) -> None:
        self.request = request
        self.stream = stream
        self.pieces: list[bytes] = []
        self.events: list[str] = []
        self.over: str | None = None
        self.refused: int | None = None
        self.unsent = 0
        self.accepted = False
        self.lingers = False
        self._reads = reads
        self._ended = ended

    @property
    def body(self) -> bytes:
        """All that has come of the body."""
        return b"".join(self.pieces)

    # --- For a test to call ---------------------------------------------------------------

    def answer(self, body: bytes = b"", status: int = 200, fields: Fields | None = None) -> None:
        """Send a whole response."""
        head = response_head(status, fields or [], self.request.method)
        self.over = "answered"
        self.stream.respond(head, b"" if head.bodiless else body)

    def start(self, body: bytes = b"", status: int = 200, fields: Fields | None = None) -> None:
        """Send a head, and more to come."""
        self.stream.send_head(response_head(status, fields or [], self.request.method), body)

    def accept(self, fields: Fields | None = None) -> None:
        """Grant the upgrade that the request asks for."""
        self.accepted = True
        self.stream.open_tunnel(ResponseHead(101, fields or []))

    def send(self, data: bytes) -> None:
        """Send a piece of what was started, or through the tunnel."""
        self.stream.send_body(data)

    def end(self) -> None:
        """Complete what was started."""
        self.over = "ended"
        self.stream.end()

    def abort(self) -> None:
        """Break off what was started."""
        self.over = "aborted"
        self.stream.abort("the test says so")

    # --- For the wire to call -------------------------------------------------------------

    def body_received(self, data: bytes) -> None:
        ended = "body_ended" in self.events and not self.accepted
        if not data or self.over or ended:
            raise SeamBroken("an empty piece, or one after the end")
        self.pieces.append(data)
        if self._reads:
            self.stream.consumed(len(data))

    def body_ended(self) -> None:
        if "body_ended" in self.events:
            raise SeamBroken("a body that ends twice")
        self._note("body_ended")
        if self._ended is not None:
            self._ended(self)

    def disconnected(self, reason: str, *, refused: int | None = None, unsent: int = 0) -> None:
        self._note("disconnected")
        self.over, self.refused, self.unsent = reason, refused, unsent

    def drained(self) -> None:
        self._note("drained")

    def timed_out(self) -> None:
        self._note("timed_out")

    def drain(self) -> None:
        self._note("drain")

    def progress(self) -> Progress:
        return Progress(self.request, None, self.over or "open")

    @property
    def finished(self) -> bool:
        """Whether its application would have ended."""
        return self.over is not None and not self.lingers

    def _note(self, event: str) -> None:
        if self.over:
            raise SeamBroken(f"{event} when the exchange is over: {self.over}")
        self.events.append(event)


class RecordingOpen:
    """An ``open`` that keeps every exchange in ``exchanges``.

    `opened` is called with an exchange as soon as it is there, `ended` when its body is
    complete; either may answer. Without them the test answers by itself. `reads` is the
    exchanges'.
    """

    def __init__(
        self,
        *,
        opened: Callable[[RecordedExchange], None] | None = None,
        ended: Callable[[RecordedExchange], None] | None = None,
        reads: bool = True,
    ) -> None:
        self.exchanges: list[RecordedExchange] = []
        self._opened = opened
        self._ended = ended
        self._reads = reads

    def __call__(self, request: Request, stream: Stream) -> RecordedExchange:
        exchange = RecordedExchange(request, stream, reads=self._reads, ended=self._ended)
        self.exchanges.append(exchange)
        if self._opened is not None:
            self._opened(exchange)
        return exchange

    @property
    def requests(self) -> list[Request]:
        """The requests of all exchanges."""
        return [exchange.request for exchange in self.exchanges]

    @property
    def last(self) -> RecordedExchange:
        """The newest exchange."""
        return self.exchanges[-1]
