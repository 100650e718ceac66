"""One HTTP/2 connection: many requests at once, each on a stream of its own (RFC 9113).

The engine turns bytes into events and back; this module hands each event to its stream, and sees
to it that what streams have to say leaves in few writes, as fast as the transport takes it. It
must not know ASGI, coroutines or sockets: only its Twisted transport and ``open``.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol, IPushProducer
from twisted.python.failure import Failure
from zope.interface import classImplements

from daphne_like.errors import RemoteFault
from daphne_like.exchange import Address, Exchange, Fields, Open, Request, Snapshot
from daphne_like.headers import Framing
from daphne_like.limits import A_TURN
from daphne_like.tally import Bucket
from daphne_like.wire import http2_engine as engine_room
from daphne_like.wire.http2_engine import (
    ConnectionClosed,
    DataReceived,
    Event,
    GoAwayReceived,
    NGH2Error,
    PingAcknowledged,
    PingReceived,
    PriorityUpdateReceived,
    RequestReceived,
    SettingsReceived,
    StreamClosed,
    TrailersReceived,
    WindowUpdated,
)
from daphne_like.wire.http2_request import Head, HeadReader
from daphne_like.wire.http2_stream import NOTHING, PUSHED, SUPPORTS, HTTP2Stream
from daphne_like.wire.http2_time import Patience
from daphne_like.wire.shared import Shared, address_of, nobody_knows, security_of


class _Promised(NamedTuple):
    """A request that the client has not made."""

    stream_id: int
    headers: Head
    end_stream: bool


class HTTP2Connection(Patience):
    """One client's connection, and its streams."""

    def __init__(self, shared: Shared, open: Open | None = None) -> None:
        limits = self.limits = shared.limits
        self._shared = shared
        self._open = open or shared.open
        self.defaults = shared.defaults
        self.write_budget = limits.write_budget
        self.engine = engine_room.made_engine(limits)
        self._streams = {}
        self.client: Address | None = None
        self._leaving: list[Exchange] = []
        self._heads = 0
        self._most_heads, self._most_streams = limits.http2_heads, limits.http2_streams
        self._served = 0
        self._newest = 0
        self._pushes = 0
        self._resets = Bucket(shared.clock.seconds, limits.http2_resets, limits.http2_reset_rate)
        self._control = Bucket(
            shared.clock.seconds, limits.http2_control_frames, limits.http2_control_rate
        )
        self._set_up_time()

    # --- Requests -------------------------------------------------------------------------

    def _request_received(self, event: RequestReceived | _Promised) -> None:
        number, ended, reader = event.stream_id, event.end_stream, self._reader
        if number % 2:
            self._newest = number
        try:
            request = reader.request(event.headers)
        except RemoteFault as fault:
            self._refuse(event, fault)
            return
        supports = SUPPORTS[self._pushes > 0, reader.framing.trailers] if number % 2 else PUSHED
        stream = HTTP2Stream(self, number, supports)
        heads = self._heads + reader.size
        full = heads > self._most_heads or len(self._streams) >= self._most_streams
        if (full or self._leaving) and not self._has_room(heads):
            stream.reset(engine_room.REFUSED_STREAM)
            return
        self._streams[number] = stream
        self._heads = heads
        self._served += 1
        stream.size = reader.size
        stream.authority = request.authority
        stream.ended = ended
        if not ended or self.limits.http_timeout is not None:
            self._expect_more(stream, request, reader.framing)
        if not self._beating:
            self._begin_pulse()
        if self._served == self.limits.connection_requests:
            self._begin_goodbye()
        exchange = self._open(request, stream)
        # An application that starts at once may have answered already.
        if stream.live:
            stream.exchange = exchange
            if ended or request.upgrade is not None:
                exchange.body_ended()

    def _expect_more(self, stream: HTTP2Stream, request: Request, framing: Framing) -> None:
        """The stream has a time, a body, or wants to be a tunnel."""
        if request.upgrade is not None:
            stream.await_tunnel()
            return
        if self.limits.http_timeout is not None:
            stream.limit_time(self.limits.http_timeout)
        if not stream.ended:
            stream.expect(framing.length, framing.expect)

    def _refuse(self, event: RequestReceived | _Promised, fault: RemoteFault) -> None:
        """Answer in the application's place; what follows on the stream is thrown away."""
        number = event.stream_id
        stream = self._streams[number] = HTTP2Stream(self, number, NOTHING)
        stream.ended = event.end_stream
        stream.refuse(fault, bodiless=(b":method", b"HEAD") in event.headers)

    def _has_room(self, heads: int) -> bool:
        """Whether the client may have one more stream; those whose application goes on count.

        Those do not that only wait for the client's end.
        """
        self._leaving = [exchange for exchange in self._leaving if not exchange.finished]
        busy = sum(stream.busy for stream in self._streams.values())
        if busy + len(self._leaving) >= self._most_streams:
            if busy >= self._most_streams:
                self.count_reset()
            self.refused(RemoteFault(503, "too many streams of one connection"))
        elif heads > self._most_heads:
            self.refused(RemoteFault(503, "too large heads of one connection's streams"))
        else:
            return True
        return False

    def push(self, parent: int, target: bytes, fields: Fields) -> None:
        """Promise the response to a GET of `target` on the stream `parent`, and open it.

        Nothing is promised beyond what the client takes at a time, which would wait for it, nor
        beyond what it may have of streams.
        """
        pushed = sum(1 for number in self._streams if not number % 2)
        if pushed >= self._pushes or len(self._streams) >= self._most_streams:
            return
        reader = self._reader
        head = reader.pushed(target, fields, self._streams[parent].authority)
        try:
            number = self.engine.send_push_promise(parent, head)
        except NGH2Error:
            return  # The client has gone.
        self._request_received(_Promised(number, head, True))
        self.written()

    # --- Events of streams ------------------------------------------------------------------

    def _data_received(self, event: DataReceived) -> None:
        stream, data = self._streams.get(event.stream_id), event.data
        if stream is None:  # It was turned away in the same segment.
            with suppress(NGH2Error):
                self.engine.acknowledge_received_data(len(data), event.stream_id)
            return
        if data:
            stream.data_received(data)
        elif not event.end_stream:
            self._count_control(event)
        if event.end_stream:
            stream.request_ended()

    def _trailers_received(self, event: TrailersReceived) -> None:
        """A body's trailers end it; ASGI has no place for them."""
        stream = self._streams.get(event.stream_id)
        if stream is not None:
            stream.request_ended()

    def _stream_closed(self, event: StreamClosed) -> None:
        stream = self._streams.pop(event.stream_id, None)
        if stream is None:
            if event.error_code and event.stream_id > self._newest and event.stream_id % 2:
                # The engine has reset it before it was a request.
                self._newest = event.stream_id
                self.refused(RemoteFault(400, "malformed head"))
                self.count_reset()
            return
        self._heads -= stream.size
        reason = "the client has reset the stream"
        if event.local_error is not None:
            reason = "more fields than can be sent"
            self.refused(RemoteFault(500, reason))
        elif stream.live or self.full:
            # An answer that waits for the transport ends by a reset only; the engine counts those
            # too, but we would hear of it when it writes.
            self.count_reset()
        if stream.live or stream.owed:
            stream.closed(reason)
        if not self._streams:
            self._all_closed()

    def left(self, exchange: Exchange) -> None:
        """An exchange has lost its stream: its application may go on for a while."""
        if not exchange.finished:
            self._leaving.append(exchange)

    def _all_closed(self) -> None:
        if self._goodbye_said:
            self._close()
        elif not self._leaving_in_steps:
            self._deadline.set(self.limits.keep_alive)

    # --- Events of the connection -------------------------------------------------------------

    def _settings_received(self, event: SettingsReceived) -> None:
        with suppress(NGH2Error):  # The engine may have ended it meanwhile.
            self._pushes = engine_room.pushes_at_once(self.engine)
        self._count_control(event)

    def _count_control(self, event: Event) -> None:
        if not self._control.take():
            self._end_abuse("too many frames that carry nothing")

    def count_reset(self) -> None:
        if not self._resets.take():
            self._end_abuse("too many streams reset")

    def _priority_updated(self, event: PriorityUpdateReceived) -> None:
        """The engine schedules by it; of no stream it would not mind (RFC 9218, section 7.1)."""
        if event.prioritized_stream_id:
            self._count_control(event)
        else:
            self._end_abuse("a priority for no stream", engine_room.PROTOCOL_ERROR)

    def _end_abuse(self, reason: str, code: int = engine_room.ENHANCE_YOUR_CALM) -> None:
        """A client that costs more than it asks for: GOAWAY, and no stream survives it."""
        with suppress(NGH2Error):  # The engine may be about to end it by itself.
            self.engine.terminate_connection(code)
        self._lost_protocol(reason)

    def _goaway_received(self, event: GoAwayReceived) -> None:
        """The client gives up. Its debug data is its own: none of it is for our log."""
        if event.error_code:
            self._lost_protocol(f"the client says {engine_room.named(event.error_code)}")

    def _connection_closed(self, event: ConnectionClosed) -> None:
        """The engine has ended the connection: in order, or because the rules were broken."""
        if event.error_code:
            said = event.debug_data.decode("latin-1") or engine_room.named(event.error_code)
            self._lost_protocol(said)
        else:
            self._close()

    def _lost_protocol(self, reason: str) -> None:
        """Nothing more can be understood: what waits may leave, then the connection ends."""
        self.refused(RemoteFault(400, f"HTTP/2: {reason}"))
        self._end_streams(f"HTTP/2: {reason}")
        self._write_out()
        self._close()

    def _engine_failed(self, error: NGH2Error) -> None:
        """The engine has given up, and writes no more: the GOAWAY is ours."""
        if not self._mid_frame:
            self.transport.write(engine_room.last_words(error, self._newest))
        self._dead = True
        self._lost_protocol(str(error))

    def _end_streams(self, reason: str) -> None:
        streams, self._streams = self._streams, {}
        for stream in streams.values():
            stream.closed(reason)

    # --- What streams need --------------------------------------------------------------------

    @property
    def draining(self) -> bool:
        """Whether the server stops."""
        return self._shared.draining

    def refused(self, fault: RemoteFault) -> None:
        """Count and log what was refused."""
        self._shared.refused(self.client, fault, left=False)

    # --- Reading ------------------------------------------------------------------------------

    def _take_events(self) -> None:
        events = self.engine.events()
        if not events:
            return
        was_reading, self._reading = self._reading, True
        for event in events:
            if self._over:
                break  # What had come already has lost its meaning.
            react = _REACTIONS.get(type(event))
            if react is not None:
                react(self, event)
        self._reading = was_reading
        if not (was_reading or self._over) and self.engine.want_write:
            self._flush_later()

    def snapshot(self) -> Snapshot:
        """What the connection does now."""
        found = [stream.progress() for stream in self._streams.values()]
        current = tuple(progress for progress in found if progress is not None)
        state = "ending" if self._over else "request" if current else "idle"
        return Snapshot(self._opened, self._served, state, current)

    # --- Twisted --------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        transport, shared = self.transport, self._shared
        self.client = address_of(transport.getPeer())
        server = address_of(transport.getHost())
        self._reader = HeadReader(self.limits, self.client, server, *security_of(transport))
        self._unsent = getattr(transport, "unsent", nobody_knows)
        transport.registerProducer(self, True)
        self._opened = shared.clock.seconds()
        shared.opened(self)
        self._deadline.set(self.limits.head_timeout)
        transport.write(engine_room.greeting(self.engine, self.limits))
        if shared.draining:
            self._begin_goodbye()

    def dataReceived(self, data: bytes) -> None:
        if self._over:
            return
        self._heard()
        self._reading = True
        try:
            self.engine.receive_data(data)
        except NGH2Error as error:
            self._reading = False
            self._engine_failed(error)
            return
        self._take_events()
        self._reading = False
        self.flush()
        if len(data) > A_TURN:
            self.transport.pauseProducing()
            self.later(self.transport.resumeProducing)

    def readConnectionLost(self) -> None:
        """The client sends no more: no stream can go on without its windows."""
        self._end_streams("the client closed the connection")
        self._over = True
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def connectionLost(self, reason: Failure) -> None:
        self._stop_time()
        self._over = True
        self._end_streams(reason.getErrorMessage())
        self._leaving.clear()  # They have us, and no stream comes any more.
        self._shared.closed(self)


classImplements(HTTP2Connection, IProtocol, IHalfCloseableProtocol, IPushProducer)

_REACTIONS: dict[type[Event], Callable[[HTTP2Connection, Any], None]] = {
    RequestReceived: HTTP2Connection._request_received,
    DataReceived: HTTP2Connection._data_received,
    TrailersReceived: HTTP2Connection._trailers_received,
    StreamClosed: HTTP2Connection._stream_closed,
    SettingsReceived: HTTP2Connection._settings_received,
    PingReceived: HTTP2Connection._count_control,
    PriorityUpdateReceived: HTTP2Connection._priority_updated,
    PingAcknowledged: HTTP2Connection._ping_acknowledged,
    WindowUpdated: HTTP2Connection._window_updated,
    GoAwayReceived: HTTP2Connection._goaway_received,
    ConnectionClosed: HTTP2Connection._connection_closed,
}
