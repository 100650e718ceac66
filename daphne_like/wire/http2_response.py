"""The way out of an HTTP/2 stream: a response, or a tunnel's bytes (RFC 9113, section 8).

What is sent here waits in the engine for the client's window; how bytes reach the transport, and
when, is the connection's. It must not know how a request is read, frames, ASGI or coroutines.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from daphne_like.exchange import Exchange, Fields, ResponseHead
from daphne_like.wire.http2_engine import CANCEL, INTERNAL_ERROR, NGH2Error, share
from daphne_like.wire.http2_file import Reading

if TYPE_CHECKING:
    from daphne_like.wire.http2 import HTTP2Connection
    from daphne_like.wire.http2_engine import Connection


class ResponseSide:
    """One stream's way out.

    A client may have reset the stream before we hear of it, and the engine then refuses: what
    becomes of the exchange is said by the event that follows.
    """

    __slots__ = (
        "_connection",
        "_continue_due",
        "_engine",
        "_file",
        "_head_sent",
        "_id",
        "_queued",
        "_stalled",
        "_tunnel",
        "_write_due",
        "exchange",
        "live",
        "supports",
    )

    _connection: HTTP2Connection
    _continue_due: bool
    _engine: Connection
    _file: Reading | None
    _head_sent: bool
    _id: int
    _queued: int
    _stalled: bool
    _tunnel: bool
    _write_due: float | None
    exchange: Exchange | None
    live: bool
    supports: frozenset[str]

    @abstractmethod
    def lose(self, reason: str, refused: int | None = None) -> None:
        """Tell the exchange, if there is one, that its client is gone."""

    @abstractmethod
    def _release(self) -> Exchange:
        """Take the stream from its exchange, which is returned."""

    @abstractmethod
    def _response_over(self) -> None:
        """The response is complete; the stream belongs to no exchange any more."""

    @abstractmethod
    def _deliver_ahead(self) -> None:
        """Hand out what has come ahead of the tunnel."""

    @property
    def full(self) -> bool:
        """Whether enough of it waits: for the client's window, or for those that go first.

        That the transport takes nothing more is not asked. The engine needs something of each
        stream to choose from, or whoever sends next would have the connection.
        """
        return self._stalled

    def respond(self, head: ResponseHead, body: bytes) -> None:
        """Send the whole response: its frames leave with those of other streams."""
        engine, number = self._engine, self._id
        listed = head.listed
        if listed is None or listed[0] is not self._connection.defaults.listed(head.own):
            listed = self._listed(head)
        fields = listed[1]
        if head.length is None and not head.bodiless:
            fields = [*fields, (b"content-length", b"%d" % len(body))]
        self._head_sent = True
        try:
            if body:
                engine.send_response(number, fields)
                engine.send_data(number, body, end_stream=True)
            else:
                engine.send_response(number, fields, end_stream=True)
        except NGH2Error:
            pass
        self._response_over()

    def send_head(self, head: ResponseHead, body: bytes = b"") -> None:
        """Send the head and what there is of the body."""
        self._send_fields(self._listed(head)[1])
        if body:
            self.send_body(body)
        else:
            self._connection.written()

    def _send_fields(self, fields: Fields) -> None:
        self._head_sent = True
        with suppress(NGH2Error):
            self._engine.send_response(self._id, fields)

    def send_body(self, data: bytes) -> None:
        """Send a piece of the body; what the client's window has no room for waits."""
        if not data:
            return
        engine, connection = self._engine, self._connection
        try:
            engine.send_data(self._id, data)
        except NGH2Error:
            return
        budget = connection.write_budget
        much = engine.queued_body_size(self._id) > budget
        if much and not connection.awaited:
            connection.flush()
        else:
            connection.written()
        if much and engine.queued_body_size(self._id) > budget:
            self._wait()

    def _wait(self) -> None:
        """There is more to send than leaves now: what is long has turns with others."""
        self._stalled = self._connection.awaited = True
        with suppress(NGH2Error):
            share(self._engine, self._id)

    def send_file(self, file: int, offset: int, count: int) -> None:
        """Send a part of a file, read piece by piece as the client takes it."""
        if not count:
            return
        self._file = Reading(file, offset, count)
        self._connection.backlog = True
        self._wait()
        self._connection.written()

    def end(self, trailers: Fields | tuple[()] = ()) -> None:
        """The response is complete; trailers end it as well (RFC 9113, section 8.1)."""
        with suppress(NGH2Error):
            if trailers:
                self._engine.send_trailers(self._id, _lowered(trailers))
            else:
                self._engine.end_stream(self._id)
        self._response_over()

    def send_hints(self, fields: Fields) -> None:
        """Send a 103 with `fields` before the head (RFC 8297)."""
        self._inform(b"103", fields)

    def wanted(self) -> None:
        """The application reads: a client that waits for a 100 gets it (RFC 9110, 10.1.1)."""
        if self._continue_due and not self._head_sent:
            self._continue_due = False
            self._inform(b"100", [])

    def _inform(self, status: bytes, fields: Fields) -> None:
        with suppress(NGH2Error):
            informed = [(b":status", status), *_lowered(fields)]
            self._engine.send_informational_response(self._id, informed)
        self._connection.written()

    def push(self, target: bytes, fields: Fields) -> None:
        """Promise a response, and open its request (RFC 9113, section 8.4)."""
        self._connection.push(self._id, target, fields)

    def open_tunnel(self, head: ResponseHead) -> Callable[[bytes], None]:
        """Grant the upgrade: 200, and DATA goes both ways as it is (RFC 8441, section 5)."""
        self._tunnel = True
        connection = self._connection
        defaults = connection.defaults.listed(head.own)
        self._send_fields([(b":status", b"200"), *_lowered(head.fields), *defaults])
        with suppress(NGH2Error):
            share(self._engine, self._id, first=True)
        connection.written()
        connection.later(self._deliver_ahead)
        return self.send_body

    def abort(self, reason: str = "") -> None:
        """Break off: the client sees a reset, never an end that looks whole."""
        self._release()
        self.reset(CANCEL if self._tunnel else INTERNAL_ERROR)

    def reset(self, code: int) -> None:
        """Reset the stream: what is not sent yet is thrown away."""
        with suppress(NGH2Error):
            self._engine.reset_stream(self._id, code)
        self._connection.written()

    def _listed(self, head: ResponseHead) -> tuple[Fields, Fields]:
        """The fields of every response, and with them those of `head`, which keeps them.

        They are good for as long as the former are the same.
        """
        defaults = self._connection.defaults.listed(head.own)
        fields = [(b":status", b"%d" % head.status), *_lowered(head.fields), *defaults]
        head.listed = defaults, fields
        return head.listed

    # --- What waits -----------------------------------------------------------------------

    def unsent(self) -> int:
        """Bytes that wait for the client's window, of a file too."""
        left = 0 if self._file is None else self._file.left
        # The engine forgets what waited for a client that has reset the stream.
        return left + max(self._engine.queued_body_size(self._id), self._queued)

    def look_at_queue(self) -> None:
        """Something may have been sent: whoever waits for room goes on."""
        connection, file = self._connection, self._file
        queued = self._engine.queued_body_size(self._id)
        sent, self._queued = queued < self._queued, queued
        if not queued:
            self._write_due = None
        elif sent or self._write_due is None:
            self._write_due = connection.in_time(connection.limits.write_timeout)
        if file is not None:
            connection.backlog = connection.awaited = True
            if queued <= connection.write_budget and not connection.full:
                self._send_file_on(file)
        elif self._stalled:
            if queued * 2 <= connection.write_budget:
                self._stalled = False
                cast(Exchange, self.exchange).drained()
            else:
                connection.awaited = True

    def _send_file_on(self, file: Reading) -> None:
        try:
            self._engine.send_data(self._id, file.read(self._connection.write_budget))
        except (OSError, NGH2Error):
            self.lose("the rest of a file cannot be sent")
            self.reset(INTERNAL_ERROR)
            return
        self._queued = self._engine.queued_body_size(self._id)
        if not file.left:
            self.drop_file()
        self._connection.written()

    def drop_file(self) -> None:
        """Read no more of a file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _lowered(fields: Fields | tuple[()]) -> Fields:
    """Fields as HTTP/2 wants them: names in lower case, no space around values (section 8.2)."""
    return [(name.lower(), value.strip(b" \t")) for name, value in fields]
