"""The body of an HTTP/1 request: counted or chunked, delivered or thrown away.

What the application has not taken is bounded, and so is what nobody waits for. This module must
not know how a head is read, nor how a response is written.
"""

from __future__ import annotations

from typing import cast

from daphne_like.errors import RemoteFault
from daphne_like.exchange import Exchange
from daphne_like.wire.http1_patience import Patience
from daphne_like.wire.http1_state import Phase


class BodySide(Patience):
    """The way in of one connection, while a request has a body."""

    def _read_counted(self, data: bytes) -> bytes:
        piece = data[: self._remaining]
        self._remaining -= len(piece)
        self._deliver(piece)
        if self._remaining:
            return b""
        self._body_ended()
        return data[len(piece) :]

    def _read_chunked(self, data: bytes) -> bytes:
        reader = self._reader
        try:
            eaten = reader.chunked(data)
        except RemoteFault as fault:
            self._body_broke(fault)
            return b""
        if reader.pieces:
            self._deliver(reader.take_pieces())
        if not reader.complete:
            return b""
        self._body_ended()
        return data[eaten:]

    def _deliver(self, data: bytes) -> None:
        if not self._responding:
            self._discard(len(data))
            return
        self._arrived += len(data)
        limits = self._shared.limits
        if 0 < limits.body_size < self._arrived:
            self._body_broke(RemoteFault(413, "the body is too large"))
            return
        self._owed += len(data)
        if self._owed > limits.read_budget:
            self._pause_reading()
        cast(Exchange, self._exchange).body_received(data)

    def _discard(self, size: int) -> None:
        """Throw away a body that nobody waits for, within bounds."""
        self._discarded += size
        if self._discarded > self._shared.limits.discard_size:
            self._linger()

    def _body_ended(self) -> None:
        if self._phase is Phase.DROPPED:
            return
        self._phase = Phase.AHEAD
        self._settled = not self._eof
        self._continue_due = False
        if self._responding:
            cast(Exchange, self._exchange).body_ended()
        else:
            self._take_next()

    def _body_broke(self, fault: RemoteFault) -> None:
        """The body turned bad: the application learns, the client too if it can still."""
        if not self._responding:
            self._shared.refused(self.client, fault, left=self._eof)
            self._linger()
            return
        # Whose body ended early has left; it may hear of a 400, or not.
        refused = None if self._head_sent or self._eof else fault.status
        self._release().disconnected(fault.reason, refused=refused)
        if self._head_sent:
            self._shared.refused(self.client, fault, left=self._eof)
            self.abort()
        else:
            self._refuse(fault)

    def consumed(self, size: int) -> None:
        """The application has taken `size` bytes: read on when enough are paid back."""
        self._owed -= size
        if self._paused and not self._ahead and self._owed * 2 <= self._shared.limits.read_budget:
            self._resume_reading()
