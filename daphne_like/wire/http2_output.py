"""The way out of an HTTP/2 connection: what all streams have to send, in few writes.

The engine is asked for bytes only while the transport takes them: until then their order can
still change. This module must not know what is sent, nor what is read.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

from daphne_like.wire.protocol import TransportProtocol

if TYPE_CHECKING:
    from daphne_like.limits import Limits
    from daphne_like.wire.http2_engine import Connection
    from daphne_like.wire.http2_stream import HTTP2Stream
    from daphne_like.wire.shared import Shared

_AT_A_TIME = 60 * 1024
"""Bytes that the engine is asked for at once: more would be new memory for each."""


class Output(TransportProtocol):
    """The outgoing half of one connection, and the first of its parts."""

    engine: Connection
    limits: Limits
    full = False
    """The transport takes no more for now."""
    backlog = False
    """Something waits for the client's windows."""
    awaited = False
    """An application waits for room."""
    flush_due = False
    """The next turn of the loop writes."""
    _shared: Shared
    _streams: dict[int, HTTP2Stream]
    _opened: float
    _unsent: Callable[[], int]
    """How many bytes wait for the client."""
    _over = False
    """The connection is ending: what comes now is thrown away."""
    _dead = False
    """The engine has given up."""
    _reading = False
    """Events are being handed out: what they bring about is written afterwards."""
    _flushing = False
    _mid_frame = False
    """The last write may have ended in the middle of a frame."""

    @abstractmethod
    def _heard(self) -> None:
        """The client has given a sign of life."""

    @abstractmethod
    def _expect_reading(self) -> None:
        """The client has to take something of what waits for it."""

    @abstractmethod
    def _take_events(self) -> None:
        """Hand out what the engine has to tell."""

    @abstractmethod
    def _end_streams(self, reason: str) -> None:
        """Tell all exchanges that their client is gone."""

    @abstractmethod
    def _linger(self) -> None:
        """End our side, and wait for the client's."""

    def written(self) -> None:
        """A stream has something to send: with what the others have, where there are others."""
        if self._reading or self.flush_due:
            return
        if len(self._streams) < 2 and not self._flushing:
            self.flush()
        else:
            self._flush_later()

    def _flush_later(self) -> None:
        if not self.flush_due:
            self.flush_due = True
            self._shared.clock.callLater(0, self._flush_soon)

    def _flush_soon(self) -> None:
        if self.flush_due:
            self.flush()

    def flush(self) -> None:
        """Write what the engine has, as far as the transport takes it now."""
        self.flush_due = False
        if self._over:
            return
        in_portions = self.awaited
        self._write_out(in_portions=in_portions)
        queued = self.engine.queued_body_size()
        if queued or self.backlog:
            self._look_at_queues(queued > 0)
        if in_portions and self._mid_frame and not self.full:
            # Whoever is most urgent sends on before others have the room that it has left.
            self._flush_later()
        if not self._reading:
            self._take_events()

    def _look_at_queues(self, backlog: bool) -> None:
        self.backlog = backlog
        self.awaited = False
        self._flushing = True
        for stream in list(self._streams.values()):
            stream.look_at_queue()
        self._flushing = False

    def _write_out(self, *, in_portions: bool = False) -> None:
        engine, write = self.engine, self.transport.write
        while not self.full and not self._dead:
            data = engine.data_to_send(_AT_A_TIME)
            if not data:
                return
            write(data)
            self._mid_frame = len(data) == _AT_A_TIME
            if in_portions or not self._mid_frame:
                return

    def later(self, call: Callable[[], object]) -> None:
        """Call in the loop's next turn."""
        self._shared.clock.callLater(0, call)

    # --- The transport --------------------------------------------------------------------

    def pauseProducing(self) -> None:
        """The transport's buffer is full: the client reads too slowly."""
        self.full = True
        self._expect_reading()

    def resumeProducing(self) -> None:
        """The transport's buffer has drained."""
        self.full = False
        self._heard()
        if self._over:
            self._write_out()
            self._linger()
            return
        self.flush()
