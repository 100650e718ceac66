"""How long an HTTP/1 connection waits for its client, and what becomes of it afterwards.

Two deadlines and no more: one for the phase that the connection is in, one for the progress
that the client owes while a request is served. Both are moved by writing a number. This
module must not know how anything is read or written.
"""

from __future__ import annotations

from daphne_like.errors import RemoteFault
from daphne_like.exchange import Snapshot
from daphne_like.wire.http1_state import BODY, Phase
from daphne_like.wire.http1_tunnel import Tunnel

_DOING = {phase: "idle" if phase in (Phase.HEAD, Phase.AHEAD) else "ending" for phase in Phase}
"""What a connection without an exchange does, by its phase."""


class Patience(Tunnel):
    """The deadlines of one connection, and what happens when they have passed."""

    _arrived = 0
    """Bytes of the body that have come."""
    _counted_from = 0
    """As many of them had come when the time for the next part began."""
    _unsent_before = 0
    """Bytes that waited for the client when the time to take some began."""

    def _deadline_passed(self) -> None:
        if self._responding:
            # Without a limit it is the idle time of before, which no longer matters.
            if self._shared.limits.http_timeout is not None and self._exchange is not None:
                self._exchange.timed_out()
        elif self._phase is Phase.HEAD and self._head_begun:
            self._refuse(RemoteFault(408, "the head took too long"))
        elif self._phase is Phase.HEAD:
            self._close()
        elif self._phase is not Phase.AHEAD:
            self.abort()

    def _expect_body(self) -> None:
        """The next part of the body has to come from now on."""
        self._counted_from = self._arrived
        self._patience.set(self._shared.limits.body_timeout)

    def _expect_reading(self) -> None:
        """The client has to take something of what waits for it from now on."""
        self._unsent_before = self._unsent()
        self._patience.set(self._shared.limits.write_timeout)

    def _expect_answer(self) -> None:
        """The client has closed its side: perhaps nobody waits for the answer any more."""
        self._patience.set(self._shared.limits.half_close_grace)

    def _patience_over(self) -> None:
        if self.full:
            self._check_reading()
        elif self._responding and self._phase in BODY:
            self._check_body()
        elif self._responding and self._eof and (self._bodiless or not self._head_sent):
            # No write will meet the reset of a client that has left.
            self.cut("the client closed its side and waited too long")

    def _check_reading(self) -> None:
        if self._unsent() < self._unsent_before:
            self._expect_reading()
        else:
            self.cut("the client takes nothing of the response")

    def _check_body(self) -> None:
        limits = self._shared.limits
        came = self._arrived - self._counted_from
        enough = came > 0 and came >= limits.body_rate * limits.body_timeout
        # What the server does not read, or has not asked for, cannot come.
        if enough or self._paused or self._continue_due:
            self._expect_body()
        else:
            self._body_broke(RemoteFault(408, "the body came too slowly"))

    def snapshot(self) -> Snapshot:
        """What the connection does now."""
        exchange = self._exchange
        progress = None if exchange is None else exchange.progress()
        state = "request" if exchange else "head" if self._head_begun else _DOING[self._phase]
        served = self._shared.limits.connection_requests - self._left
        return Snapshot(self._opened, served, state, () if progress is None else (progress,))
