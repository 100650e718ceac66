"""One HTTP/2 stream: a request and its response among others (RFC 9113, section 5).

It is the ``Stream`` of one exchange, and outlives it until both sides have ended it. Here is the
way in, the stream's time and its ends; the way out is its ``ResponseSide``. It must not know
frames, sockets, ASGI or coroutines.
"""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from daphne_like.errors import RemoteFault
from daphne_like.exchange import Exchange, Progress, ResponseHead
from daphne_like.wire.http2_engine import CANCEL, NO_ERROR, NGH2Error
from daphne_like.wire.http2_file import CAN_READ_FILES
from daphne_like.wire.http2_response import ResponseSide

if TYPE_CHECKING:
    from daphne_like.wire.http2 import HTTP2Connection

_TEXT = [(b"content-type", b"text/plain; charset=utf-8")]


class HTTP2Stream(ResponseSide):
    """One stream, from its request's head until it is closed both ways.

    ``live`` says that it belongs to an exchange; ``ended`` that the client has ended its side;
    ``size`` is what its head counts, ``owed`` what has come and was not taken yet.
    """

    __slots__ = (
        "_ahead",
        "_answer_due",
        "_arrived",
        "_body_due",
        "_counted_from",
        "_discarded",
        "_linger_due",
        "authority",
        "ended",
        "owed",
        "size",
    )

    def __init__(self, connection: HTTP2Connection, number: int, supports: frozenset[str]) -> None:
        self._connection = connection
        self._engine = connection.engine
        self._id = number
        self.supports = supports
        self.size = 0
        self.authority = b""
        self.exchange = None
        self.live = True
        self.ended = False
        self._head_sent = self._continue_due = self._stalled = self._tunnel = False
        self._ahead: bytearray | None = None
        self._file = None
        self.owed = self._arrived = self._counted_from = self._discarded = self._queued = 0
        self._answer_due: float | None = None
        self._body_due: float | None = None
        self._linger_due: float | None = None
        self._write_due = None

    @property
    def busy(self) -> bool:
        """Whether an application has it, or something is to be sent: else it waits for its end."""
        return self.live or self.unsent() > 0

    # --- The body -------------------------------------------------------------------------

    def expect(self, length: int | None, waits: bool) -> None:
        """A body comes, of `length` if that is known; its client may wait to be asked for it."""
        self._continue_due = waits and length != 0
        self._expect_body()

    def data_received(self, data: bytes) -> None:
        """A piece of the body, or of the tunnel."""
        if not self.live:
            self._discard(len(data))
            return
        self.owed += len(data)
        if self._ahead is not None:
            self._ahead += data
            return
        self._arrived += len(data)
        if 0 < self._connection.limits.body_size < self._arrived and not self._tunnel:
            self.broke(RemoteFault(413, "the body is too large"))
        else:
            cast(Exchange, self.exchange).body_received(data)

    def request_ended(self) -> None:
        """The client has ended its side."""
        self.ended = True
        self._body_due = self._linger_due = None
        if not self.live:
            return
        if self._tunnel:
            self._tunnel_ended()
        elif self._ahead is None:
            cast(Exchange, self.exchange).body_ended()

    def consumed(self, size: int) -> None:
        """The application has taken `size` bytes: so much may come again."""
        self.owed -= size
        self._credit(size)

    def _credit(self, size: int) -> None:
        try:
            self._engine.acknowledge_received_data(size, self._id)
            if self._engine.want_write:
                self._connection.written()
        except NGH2Error:
            pass  # The connection is at its end.

    def _pay(self) -> None:
        """Nobody takes what is left: its room belongs to the other streams."""
        owed, self.owed = self.owed, 0
        if owed:
            self._credit(owed)

    def _discard(self, size: int) -> None:
        """Throw away what nobody waits for, within bounds."""
        self._discarded += size
        if self._discarded <= self._connection.limits.discard_size:
            self._credit(size)
        else:
            self.owed += size
            self._linger_due = self._connection.in_time(0)

    def _turn_away(self) -> None:
        """Ask the client to stop, behind a complete response (RFC 9113, section 8.1)."""
        connection = self._connection
        if connection.flush_due:
            connection.flush()
        if self.unsent() or connection.full:
            self._linger_due = connection.in_time(connection.limits.linger)
        else:
            self._linger_due = None
            self.reset(NO_ERROR)

    def broke(self, fault: RemoteFault) -> None:
        """The request turned bad: the application learns, the client too if it can still."""
        refused = None if self._head_sent else fault.status
        self.lose(fault.reason, refused)
        if self._head_sent:
            self._connection.refused(fault)
            self.reset(CANCEL)
        else:
            self.refuse(fault)
        self._connection.count_reset()

    def refuse(self, fault: RemoteFault, *, bodiless: bool = False) -> None:
        """Answer by ourselves; to a HEAD without a body (RFC 9110, section 9.3.2)."""
        self._connection.refused(fault)
        head = ResponseHead(fault.status, [*_TEXT, *fault.fields], bodiless=bodiless)
        self.respond(head, b"" if bodiless else f"{fault.status} {fault.reason}\n".encode())

    # --- The tunnel -----------------------------------------------------------------------

    def await_tunnel(self) -> None:
        """The request asks for an upgrade: what comes before it is granted has to wait."""
        self._ahead = bytearray()

    def _deliver_ahead(self) -> None:
        ahead, self._ahead = self._ahead, None
        if ahead and self.live:
            cast(Exchange, self.exchange).body_received(bytes(ahead))
        if self.live and self._connection.draining:
            self.drain()
        if self.ended:
            self._tunnel_ended()

    def _tunnel_ended(self) -> None:
        """There is no half of a tunnel; what the client has sent before comes first."""
        if self._ahead is not None or not self.live:
            return
        self.lose("the client closed its side")
        with suppress(NGH2Error):
            self._engine.end_stream(self._id)
        self._connection.written()

    # --- The ends -------------------------------------------------------------------------

    def _response_over(self) -> None:
        """The stream belongs to no exchange any more; the rest of the request is not awaited."""
        self.exchange = None
        self.live = self._stalled = False
        self._answer_due = self._body_due = None
        connection = self._connection
        if not self.ended:
            # In a tunnel that both sides have left, or that was refused, nothing more is said. Some
            # clients never end their side of it, and count it as ended: Firefox 153.
            goes_at_once = self._tunnel or self._ahead is not None
            self._linger_due = connection.in_time(0 if goes_at_once else connection.limits.linger)
            self._discarded = 0
        if self.owed:
            self._pay()
        if not connection.flush_due:
            connection.written()

    def closed(self, reason: str) -> None:
        """The stream is closed, by whoever: an exchange that is still there has lost its client."""
        if self.live:
            self.lose(reason)
        self._pay()

    def lose(self, reason: str, refused: int | None = None) -> None:
        """The exchange has lost its client."""
        unsent = self.unsent()
        self._release().disconnected(reason, refused=refused, unsent=unsent)

    def _release(self) -> Exchange:
        """The stream belongs to no exchange from now on."""
        exchange = self.exchange
        self.exchange = None
        self.live = self._stalled = False
        self._answer_due = self._body_due = None
        self.drop_file()
        self._pay()
        if exchange is not None:
            self._connection.left(exchange)
        return cast(Exchange, exchange)

    def drain(self) -> None:
        """The server stops."""
        if self.exchange is not None:
            self.exchange.drain()

    def progress(self) -> Progress | None:
        """How far its exchange is."""
        return None if self.exchange is None else self.exchange.progress()

    # --- Time -----------------------------------------------------------------------------

    def limit_time(self, seconds: float) -> None:
        """The whole exchange has to be over in `seconds`."""
        self._answer_due = self._connection.in_time(seconds)

    def _expect_body(self) -> None:
        self._counted_from = self._arrived
        self._body_due = self._connection.in_time(self._connection.limits.body_timeout)

    def look_round(self, now: float) -> float:
        """See what is overdue; return when something is next, or infinity."""
        for name, look in _DUES:
            due = getattr(self, name)
            if due is not None and due <= now:
                look(self)
        times = [getattr(self, name) for name, _ in _DUES]
        return min((time for time in times if time is not None), default=math.inf)

    def _look_at_answer(self) -> None:
        self._answer_due = None
        cast(Exchange, self.exchange).timed_out()

    def _look_at_body(self) -> None:
        limits = self._connection.limits
        came = self._arrived - self._counted_from
        enough = came > 0 and came >= limits.body_rate * limits.body_timeout
        # What the server has no room for, or has not asked for, cannot come.
        if enough or self.owed * 2 >= limits.read_budget or self._continue_due:
            self._expect_body()
        else:
            self.broke(RemoteFault(408, "the body came too slowly"))

    def _look_at_reader(self) -> None:
        """Nothing of what waits has left for a while: is it the client's window?"""
        connection = self._connection
        if connection.waits_for_others(self._id):
            self._write_due = connection.in_time(connection.limits.write_timeout)
            return
        self._write_due = None
        self.closed("the client takes nothing of the response")
        self.reset(CANCEL)


_DUES = (
    ("_answer_due", HTTP2Stream._look_at_answer),
    ("_body_due", HTTP2Stream._look_at_body),
    ("_linger_due", HTTP2Stream._turn_away),
    ("_write_due", HTTP2Stream._look_at_reader),
)
"""What a stream may wait for, each until a moment. One that is over may end another."""

NOTHING: frozenset[str] = frozenset()

PUSHED = frozenset(("http.response.pathsend", "http.response.zerocopysend") * CAN_READ_FILES)
"""Works on every stream. Nothing is pushed, nor hinted at, for what was pushed itself (RFC 9113,
section 8.4)."""


def _supports(pushes: bool, trailers: bool) -> frozenset[str]:
    """What works on a stream, by what the client has said of itself and of the request."""
    there = {
        "http.response.early_hint": True,
        "http.response.push": pushes,
        "http.response.trailers": trailers,
    }
    return PUSHED.union(name for name, is_there in there.items() if is_there)


SUPPORTS = {
    (pushes, trailers): _supports(pushes, trailers)
    for pushes in (False, True)
    for trailers in (False, True)
}
