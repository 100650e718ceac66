"""One HTTP/1 connection: requests in order, one at a time (RFC 9112).

This module finds where each part of the input ends and whose turn it is: the next request is
not looked at before the one in front has been answered. It must not know ASGI, coroutines
or sockets: only its Twisted transport and ``open``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol, IPushProducer
from twisted.python.failure import Failure
from zope.interface import classImplements

from daphne_like.clock import ROUND_TRIP, Deadline
from daphne_like.errors import RemoteFault
from daphne_like.exchange import Exchange, Open, Request
from daphne_like.headers import Framing
from daphne_like.wire.http1_body import BodySide
from daphne_like.wire.http1_request import PriorKnowledge, RequestReader
from daphne_like.wire.http1_response import WITH_FILES, WITHOUT_FILES
from daphne_like.wire.http1_state import BODY, Phase
from daphne_like.wire.shared import Shared, address_of, nobody_knows, security_of

# A name of the module is found at once, a member of an enum by search: this is the hot path.
_HEAD: Final = Phase.HEAD
_COUNTED: Final = Phase.COUNTED
_CHUNKED: Final = Phase.CHUNKED
_AHEAD: Final = Phase.AHEAD
_DROPPED: Final = Phase.DROPPED
_TUNNEL: Final = Phase.TUNNEL


class HTTP1Connection(BodySide):
    """One client's connection, and the stream of the exchange that it carries at the time.

    `switch` carries on a transport whose client begins with HTTP/2's preface, and is given what
    has come behind it; without it such a client is refused. `open` takes the place of what the
    server opens requests with.
    """

    def __init__(
        self,
        shared: Shared,
        switch: Callable[[Any, bytes], None] | None = None,
        open: Open | None = None,
    ) -> None:
        self._shared = shared
        self._switch = switch
        self._open = open or shared.open
        self._deadline = Deadline(shared.clock, self._deadline_passed)
        self._patience = Deadline(shared.clock, self._patience_over)
        self._phase = _HEAD
        self._exchange = None
        self._head_begun = False
        self._ahead = b""
        self._remaining = 0
        self._owed = 0
        self._discarded = 0
        self._left = shared.limits.connection_requests
        self._paused = False
        self._eof = False
        self._replaying = False
        self.supports = WITHOUT_FILES.http_1_0
        self.client = None

    # --- Heads --------------------------------------------------------------------------

    def _read_head(self, data: bytes) -> bytes:
        reader = self._reader
        request, rest = reader.again(data), b""
        if request is None:
            try:
                request, rest = reader.take(data)
            except RemoteFault as fault:
                self._not_understood(fault)
                return b""
        if request is not None:
            self._request_received(request, reader.framing)
        elif reader.begun and not self._head_begun:
            self._head_begun = True
            self._deadline.set(self._shared.limits.head_timeout)
        return rest

    def _not_understood(self, fault: RemoteFault) -> None:
        """Refuse what is no request, unless the connection was never meant for HTTP/1."""
        switch = self._switch
        if switch is None or not (isinstance(fault, PriorKnowledge) and self._is_new()):
            self._refuse(fault)
            return
        self._phase = _DROPPED
        self._deadline.end()
        self._patience.end()
        self._reader.close()
        self.transport.unregisterProducer()
        # It is the same connection: for a moment, or for the limit, there are not two.
        self._shared.connections.discard(self)
        switch(self.transport, fault.rest)
        self._shared.closed(self)

    def _request_received(self, request: Request, framing: Framing) -> None:
        self._head_begun = False
        length = framing.length
        self._left -= 1
        self._keep_alive = framing.keep_alive and self._left != 0
        self._continue_due = framing.expect and length != 0
        self._http_1_0 = request.http_version == "1.0"
        support = self._support
        if self._http_1_0:
            self.supports = support.http_1_0
        else:
            self.supports = support.trailers if framing.trailers else support.http_1_1
        self._head_sent = self._bodiless = self._chunked = False
        self._remaining = length or 0
        self._settled = length == 0 and not self._eof
        self._phase = _PHASE_AFTER.get(length, _COUNTED)
        self._responding = True
        limit = self._shared.limits.http_timeout
        if limit is not None:
            # A WebSocket has times of its own; those of before are over.
            self._deadline.set(limit if request.upgrade is None else None)
        if length != 0:
            self._arrived = 0
            self._expect_body()
        exchange = self._open(request, self)
        # An application that starts at once may have answered already.
        if self._responding:
            self._exchange = exchange
            if length == 0:
                exchange.body_ended()

    # --- Between requests ---------------------------------------------------------------

    def _read_ahead(self, data: bytes) -> bytes:
        """A pipelined request: it waits unread, and so does whatever follows it."""
        self._ahead += data
        self._pause_reading()
        return b""

    def _read_dropped(self, data: bytes) -> bytes:
        return b""

    def _may_go_on(self) -> bool:
        if self._eof:
            return bool(self._ahead)
        # A client that waits for a 100 may send the body or the next request: nobody knows.
        return not self._continue_due and self._remaining <= self._shared.limits.discard_size

    def _response_over(self) -> None:
        # As _release() does, without its call: every response passes here.
        self._exchange = None
        self._responding = False
        self._owed = 0
        if self._phase is _AHEAD:
            if self._keep_alive:
                self._take_next()
            else:
                self._close()
        elif self._keep_alive:
            self._discarded = 0
            self._deadline.set(self._shared.limits.linger)
            self._resume_reading()
        else:
            self._linger()

    def _release(self) -> Exchange:
        """The stream belongs to no exchange from now on."""
        exchange = cast(Exchange, self._exchange)
        self._exchange = None
        self._responding = False
        self._owed = 0
        return exchange

    def _take_next(self) -> None:
        """The request in front is done with: the next one may come, or is there already."""
        if self.full:
            # A client that reads no responses gets no more requests read; drained, we go on.
            self._pause_reading()
        elif self._ahead:
            self._replaying = True
            self._shared.clock.callLater(0, self._replay)
        elif self._eof or self._shared.draining:
            self._close()
        else:
            self._phase = _HEAD
            self._deadline.set(self._shared.limits.keep_alive)
            if self._paused:
                self._resume_reading()

    def _replay(self) -> None:
        """Read what came ahead of its time."""
        self._replaying = False
        if self._phase is not _AHEAD:
            return
        data, self._ahead = self._ahead, b""
        self._phase = _HEAD
        self._deadline.set(self._shared.limits.keep_alive)
        self._resume_reading()
        self.dataReceived(data)
        if self._phase is _HEAD and (self._eof or self._shared.draining):
            self._close()
        elif self._eof and self._responding:
            self._expect_answer()

    def _pause_reading(self) -> None:
        if not self._paused:
            self._paused = True
            self.transport.pauseProducing()

    def _resume_reading(self) -> None:
        if self._paused:
            self._paused = False
            self.transport.resumeProducing()
            if self._phase in BODY:
                self._expect_body()

    # --- The end ------------------------------------------------------------------------

    def _refuse(self, fault: RemoteFault) -> None:
        """Answer by ourselves, and take nothing more: what follows a fault has no meaning."""
        self._shared.refused(self.client, fault, left=self._eof)
        self._write(self._refusal(fault))
        self._linger()

    def _linger(self) -> None:
        """Close, but not with unread input: the reset would destroy the response in flight."""
        self._phase = _DROPPED
        if self._eof:
            self._close()
            return
        self._resume_reading()
        if self.full:
            # The time for it begins when the response is on its way: see resumeProducing.
            self._deadline.clear()
            return
        self._deadline.set(self._shared.limits.linger)
        self.transport.unregisterProducer()
        self.transport.loseWriteConnection()

    def _close(self) -> None:
        if self._paused and not self._eof:
            self._ahead = b""
            self._linger()
            return
        self._phase = _DROPPED
        self._deadline.clear()
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def abort(self, reason: str = "") -> None:
        """Break off: the client sees a reset, never an end that looks whole."""
        self._phase = _DROPPED
        if self._responding:
            self._release()
        self.transport.abortConnection()

    def cut(self, reason: str) -> None:
        """Close at once; the exchange, if there is one, is told that its client is gone."""
        if self._responding:
            self._release().disconnected(reason, unsent=self._unsent())
        self.abort()

    def drain(self) -> None:
        """The server stops: an idle connection closes, a busy one after its response.

        The first request of a new one may be on its way already: it would be lost.
        """
        if self._exchange is not None:
            self._exchange.drain()
        elif self._phase is _HEAD and not self._head_begun:
            if self._is_new():
                self._deadline.set(ROUND_TRIP)
            else:
                self._close()

    def _is_new(self) -> bool:
        return self._left == self._shared.limits.connection_requests

    # --- Twisted ------------------------------------------------------------------------

    def connectionMade(self) -> None:
        transport = self.transport
        self._write = transport.write
        self._write_pieces = transport.writeSequence
        self.client = address_of(transport.getPeer())
        server = address_of(transport.getHost())
        security = security_of(transport)
        if security[0] == "https":
            self._switch = None  # There it is for ALPN to say (RFC 9113, section 3.2).
        self._reader = RequestReader(self._shared.limits, self.client, server, *security)
        # Twisted's own transports send no files, and do not tell what is not sent yet: there,
        # only what has been taken whole counts.
        self._support = WITH_FILES if getattr(transport, "sends_files", False) else WITHOUT_FILES
        if self._support is WITH_FILES:
            self._write_file = transport.send_file
        self._unsent = getattr(transport, "unsent", nobody_knows)
        transport.registerProducer(self, True)
        self._opened = self._shared.clock.seconds()
        self._shared.opened(self)
        # One that came when the server had been told to stop is the last of the queue.
        self._deadline.set(
            ROUND_TRIP if self._shared.draining else self._shared.limits.head_timeout
        )

    def dataReceived(self, data: bytes) -> None:
        while data:
            data = _READERS[self._phase](self, data)

    def readConnectionLost(self) -> None:
        """The client will send no more; it may still wait for its answer."""
        self._eof = True
        self._settled = False
        if self._phase in BODY:
            self._body_broke(RemoteFault(400, "the body ended early"))
        elif self._phase is _TUNNEL:
            self._tunnel_ended()
        elif self._responding:
            self._expect_answer()
        elif not self._replaying and not self.full:
            self._close()

    def connectionLost(self, reason: Failure) -> None:
        self._deadline.end()
        self._patience.end()
        self._shared.closed(self)
        self._phase = _DROPPED
        self._reader.close()
        if self._responding:
            self._release().disconnected(reason.getErrorMessage(), unsent=self._unsent())

    def pauseProducing(self) -> None:
        """The transport's buffer is full: the client reads too slowly."""
        self.full = True
        self._expect_reading()

    def resumeProducing(self) -> None:
        """The transport's buffer has drained."""
        self.full = False
        if self._phase in BODY:
            self._expect_body()
        if self._exchange is not None:
            self._exchange.drained()
        elif self._phase is _AHEAD and not self._replaying:
            self._take_next()
        elif self._phase is _DROPPED:
            self._linger()


classImplements(HTTP1Connection, IProtocol, IHalfCloseableProtocol, IPushProducer)

_PHASE_AFTER: Final = {0: _AHEAD, None: _CHUNKED}
"""The phase after a head, by the length that it announces; otherwise counted."""

_READERS: Final[dict[Phase, Callable[[HTTP1Connection, bytes], bytes]]] = {
    _HEAD: HTTP1Connection._read_head,
    _COUNTED: HTTP1Connection._read_counted,
    _CHUNKED: HTTP1Connection._read_chunked,
    _AHEAD: HTTP1Connection._read_ahead,
    _DROPPED: HTTP1Connection._read_dropped,
    _TUNNEL: HTTP1Connection._read_tunnel,
}
