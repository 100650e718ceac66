"""One HTTP/2 client who writes its frames by hand, and the server that has to put up with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.task import Clock

from daphne_like.exchange import Field
from daphne_like.limits import Limits
from daphne_like.testing import MemoryWire, RecordedExchange, RecordingOpen
from daphne_like.wire.http2 import HTTP2Connection
from daphne_like.wire.shared import DefaultFields, Shared
from tests.support.frames import (
    ACK,
    DATA,
    END_STREAM,
    GET,
    GOAWAY,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    Frame,
    frame,
    headers,
    packed,
    read_frames,
    read_heads,
    settings,
)

WRITE_BUDGET = 64 * 1024


class Attacker:
    """A client in memory; ``open`` is the application, ``clock`` the time.

    It has sent the preface and `said`, its SETTINGS.
    """

    def __init__(
        self,
        *,
        said: bytes = PREFACE + settings() + frame(SETTINGS, b"", ACK),
        opened: Callable[[RecordedExchange], None] | None = None,
        ended: Callable[[RecordedExchange], None] | None = None,
        reads: bool = True,
        **limits: Any,
    ) -> None:
        self.clock = Clock()
        self.limits = Limits(**limits)
        self.open = RecordingOpen(opened=opened, ended=ended, reads=reads)
        defaults = DefaultFields(None, False)
        self.shared = Shared(self.open, self.clock, self.limits, defaults)
        self.connection = HTTP2Connection(self.shared)
        self.wire = MemoryWire(self.connection, self.clock, write_budget=WRITE_BUDGET)
        self._next = 1
        self.send(said)

    # --- What it does ---------------------------------------------------------------------

    def send(self, *segments: bytes) -> Attacker:
        """Send, and let everything happen that can happen now."""
        for segment in segments:
            self.wire.send(segment)
            self.clock.advance(0)
        return self

    def next(self) -> int:
        """The number of the next stream."""
        self._next += 2
        return self._next - 2

    def ask(self, head: Sequence[Field] = GET, *, end: bool = True) -> int:
        """Send a head on the next stream; its number."""
        stream = self.next()
        self.send(headers(stream, packed(head), end=end))
        return stream

    def is_answered(self) -> bool:
        """Ask for something more, and see whether there is an answer."""
        return self.ask() in self.statuses

    def read(self) -> None:
        """Read all that is there, and all that comes."""
        self.wire.read()
        self.clock.advance(0)

    def wait(self, seconds: float) -> None:
        """Let time pass, a second at a time: what follows from what happens in it happens."""
        for _ in range(round(seconds)):
            self.clock.advance(1)

    def leave(self) -> None:
        """Vanish; nothing may be left of the connection."""
        self.wire.vanish()
        self.clock.advance(0)
        self.shared.abort()
        assert self.clock.getDelayedCalls() == []
        assert self.shared.connections == set()

    # --- What it sees ---------------------------------------------------------------------

    @property
    def frames(self) -> list[Frame]:
        """All that it has read."""
        return list(read_frames(bytes(self.wire.received)))

    @property
    def goaways(self) -> list[int]:
        """The reasons for which the connection was ended."""
        return [one.number for one in self.frames if one.kind == GOAWAY]

    @property
    def resets(self) -> dict[int, int]:
        """The streams that the server has reset, with the reasons."""
        return {one.stream: one.number for one in self.frames if one.kind == RST_STREAM}

    @property
    def statuses(self) -> dict[int, int]:
        """The streams that were answered, with the status of each."""
        return {stream: int(head[b":status"]) for stream, head in read_heads(self.frames)}

    def body(self, stream: int) -> bytes:
        """What has come of the response on `stream`."""
        return b"".join(
            one.payload for one in self.frames if (one.kind, one.stream) == (DATA, stream)
        )

    def complete(self, stream: int) -> bool:
        """Whether the response on `stream` is whole."""
        return any(one.stream == stream and one.flags & END_STREAM for one in self.frames[1:])

    def is_ended_for(self, code: int) -> bool:
        """It was told why the connection ends, and every exchange that it has ended, once."""
        exchanges = list(self.open.exchanges)
        assert all(exchange.over for exchange in exchanges)
        assert all(exchange.events.count("disconnected") < 2 for exchange in exchanges)
        self.ask()
        assert self.open.exchanges == exchanges
        return self.wire.eof and self.goaways == [code]

    # --- The application --------------------------------------------------------------------

    @property
    def targets(self) -> list[str]:
        """What the application was asked for."""
        return [request.target for request in self.open.requests]

    def told(self, reason: str = "disconnected") -> int:
        """How many exchanges have heard of their client's end."""
        return sum(reason in exchange.events for exchange in self.open.exchanges)
