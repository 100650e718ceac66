"""The response's way from the application: ``send``, by a table of what may follow what.

It is the outgoing half of one HTTP exchange. It must not know a wire format. The rules, each
written once:

* The head is held back until the body's first piece, or until the next turn of the loop.
* A Content-Length of the application binds it: more is a fault, less breaks the stream off.
* After the client has left, an application that listens for the disconnect may go on
  sending into the void for a while; one that does not is told by `ClientDisconnected`.
* What an extension's message asks for and the client cannot take is left out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any, Final, NoReturn

from daphne_like.asgi.http_files import FilePiece, opened_piece, piece_by_path
from daphne_like.asgi.http_receive import ReceiveSide, State
from daphne_like.asgi.scope import Message
from daphne_like.asgi.waiting import Waiters, wait, wake
from daphne_like.errors import AppFault, ClientDisconnected
from daphne_like.exchange import Fields, Request, ResponseHead
from daphne_like.headers_sent import (
    BadField,
    hint_fields,
    push_fields,
    response_head,
    trailer_fields,
)
from daphne_like.targets import BadTarget, target_of

_LEAST = 1024
"""A message counts as so many bytes at least: small ones take their time too."""

# A name of the module is found at once, a member of an enum by search: this is the hot path.
_IDLE: Final = State.IDLE
_HEADED: Final = State.HEADED
_STREAMING: Final = State.STREAMING
_FILE: Final = State.FILE
_TRAILERS: Final = State.TRAILERS
_DONE: Final = State.DONE
_GONE: Final = State.GONE


class SendSide(ReceiveSide):
    """The way of one response from the application."""

    __slots__ = (
        "_first_byte",
        "_gone_at",
        "_head",
        "_outcome",
        "_ran",
        "_sent",
        "_started",
        "_trailers",
        "_writers",
        "request",
    )

    _first_byte: float | None
    _gone_at: float
    _head: ResponseHead | None
    _outcome: str
    _ran: int
    _sent: int
    _started: float
    _trailers: Fields | None
    _writers: Waiters | None
    request: Request

    async def send(self, message: Any) -> None:
        """The application's ``send``: one step of the table, then wait for a slow client.

        Raises :class:`AppFault` for a message that the state does not allow,
        :class:`ClientDisconnected` after the client has left.
        """
        state = self._state
        try:
            step = _STEPS[state].get(message["type"])
        except (KeyError, TypeError):
            raise AppFault(state.value, message, "a message is a dict with a type") from None
        if step is None:
            await self._send_otherwise(message)
            return
        step(self, message)
        if self._state is _STREAMING and (
            self._stream.full or self._ran > self._application.limits.write_budget
        ):
            await self._give_way()

    async def _give_way(self, state: State = _STREAMING) -> None:
        """Let everybody else have a turn, then wait until the client has read enough.

        A client that reads as fast as the application sends would be served alone; and that
        one has left, the loop would never come to notice.
        """
        self._ran = 0
        await asyncio.sleep(0)
        while self._stream.full and self._state is state:
            if self._writers is None:
                self._writers = []
            await wait(self._writers, self._application.loop)
        if self._left():
            await self._send_into_the_void()

    async def _send_otherwise(self, message: Message) -> None:
        """A message that the table does not have: a file, harmless after the end, or a fault."""
        state = self._state
        if state is _GONE:
            await self._send_into_the_void()
        elif state is _DONE:
            await asyncio.sleep(0)
        elif self._may_send_file(message["type"]):
            await self._send_file(message)
        else:
            raise AppFault(self._state.value, message["type"], "this message is not expected now")

    def _left(self) -> bool:
        return self._state is _GONE

    async def _send_into_the_void(self) -> None:
        grace = self._application.limits.send_grace
        if not self._listening or self._application.now() - self._gone_at > grace:
            raise ClientDisconnected("the client has left")
        await asyncio.sleep(0)

    def _start(self, message: Message) -> None:
        status = message.get("status")
        if not isinstance(status, int) or not 200 <= status <= 999:
            raise self._fault(message, f"status {status!r} is no final HTTP status")
        try:
            self._head = response_head(status, message.get("headers", ()), self.request.method)
        except (BadField, TypeError) as error:
            raise self._fault(message, str(error)) from None
        if message.get("trailers"):
            self._trailers = []
        self._state = _HEADED
        self._application.hold(self)

    def _first_body(self, message: Message) -> None:
        body, more = self._body_of(message)
        if more or self._trailers is not None:
            self._begin(body)
            if not more:
                self._body_over()
            return
        head = self._head
        assert head is not None
        if self._started:
            self._first_byte = self._application.now()
        if head.length is not None and head.length != self._sent and not head.bodiless:
            self._state = _STREAMING
            self._stream.send_head(head, body)
            self._break_off()
        self._state = _DONE
        self._outcome = "complete"
        self._stream.respond(head, body)
        if self._reader is not None:
            self._wake_reader()

    def _begin(self, body: bytes) -> None:
        head = self._take_head()
        self._state = _STREAMING
        self._stream.send_head(head, body)

    def _take_head(self) -> ResponseHead:
        head = self._head
        assert head is not None
        if self._started:
            self._first_byte = self._application.now()
        return head

    def _more_body(self, message: Message) -> None:
        body, more = self._body_of(message)
        self._ran += len(body) + _LEAST
        if body:
            self._stream.send_body(body)
        if not more:
            self._body_over()

    def _body_over(self) -> None:
        head = self._head
        if head is not None and not head.bodiless and head.length not in (None, self._sent):
            self._break_off()
        if self._trailers is None:
            self._end([])
        else:
            self._state = _TRAILERS

    def _take_trailers(self, message: Message) -> None:
        try:
            fields = trailer_fields(message.get("headers", ()))
        except (BadField, TypeError) as error:
            raise self._fault(message, str(error)) from None
        trailers = self._trailers
        assert trailers is not None
        if "http.response.trailers" in self._stream.supports:
            trailers += fields
        if not message.get("more_trailers", False):
            self._end(trailers)

    def _end(self, trailers: Fields) -> None:
        self._state = _DONE
        self._outcome = "complete"
        self._stream.end(trailers)
        self._wake_reader()
        self.drained()

    def _hint(self, message: Message) -> None:
        """Links for the client to fetch meanwhile (RFC 8297)."""
        fields = self._hints_of(message)
        if "http.response.early_hint" in self._stream.supports:
            self._stream.send_hints(fields)

    def _hints_of(self, message: Message) -> Fields:
        try:
            return hint_fields(message.get("links", ()))
        except (BadField, TypeError) as error:
            raise self._fault(message, str(error)) from None

    def _late_hint(self, message: Message) -> None:
        """The head has gone out: it is of no use any more."""
        self._hints_of(message)

    def _push(self, message: Message) -> None:
        """Promise a response: "creating a new request scope" for it is the wire's to begin."""
        try:
            target = target_of(message.get("path"))
            fields = push_fields(message.get("headers", ()))
        except (BadTarget, BadField, TypeError) as error:
            raise self._fault(message, str(error)) from None
        if "http.response.push" in self._stream.supports:
            self._stream.push(target, fields)

    def _body_of(self, message: Message) -> tuple[bytes, Any]:
        """The message's body, as far as one may be sent, counted; and whether more comes."""
        body = message.get("body", b"")
        if type(body) is not bytes:
            if not isinstance(body, bytes | bytearray | memoryview):
                raise self._fault(message, f"body {body!r} is not bytes")
            body = bytes(body)
        head = self._head
        assert head is not None
        if body:
            if head.bodiless:
                return b"", message.get("more_body", False)
            sent = self._sent + len(body)
            if head.length is not None and sent > head.length:
                raise self._too_long(message)
            self._sent = sent
        return body, message.get("more_body", False)

    def _may_send_file(self, kind: str) -> bool:
        started = self._state in (_HEADED, _STREAMING)
        return started and kind in _PIECES and kind in self._stream.supports

    async def _send_file(self, message: Message) -> None:
        """A piece of the body out of a file, which has been sent when this returns."""
        try:
            with _PIECES[message["type"]](message) as piece:
                self._send_piece(message, piece)
        except (ValueError, OSError) as error:
            raise self._fault(message, str(error)) from None
        try:
            await self._give_way(_FILE)
        except asyncio.CancelledError:
            if self._state is _FILE:
                self._abort("cancelled in the middle of a file")
            raise
        if self._state is _FILE:
            self._state = _STREAMING
            if not piece.more:
                self._body_over()

    def _send_piece(self, message: Message, piece: FilePiece) -> None:
        head = self._head
        assert head is not None
        if self._state is _HEADED:
            self._begin(b"")
        if piece.size and not head.bodiless:
            sent = self._sent + piece.size
            if head.length is not None and sent > head.length:
                raise self._too_long(message)
            self._stream.send_file(piece.file, piece.offset, piece.size)
            self._sent = sent
        self._state = _FILE

    def _break_off(self) -> NoReturn:
        """The body is shorter than promised: the client must see that it is not whole."""
        sent, head = self._sent, self._head
        self._abort("body shorter than its Content-Length")
        promised = None if head is None else head.length
        raise AppFault(
            _STREAMING.value,
            "http.response.body",
            f"body of {sent} bytes is shorter than its Content-Length {promised}",
        )

    def _too_long(self, message: Message) -> AppFault:
        promised = None if self._head is None else self._head.length
        return self._fault(message, f"body longer than its Content-Length {promised}")

    def _fault(self, message: Message, fault: str) -> AppFault:
        return AppFault(self._state.value, message.get("type"), fault)

    def drained(self) -> None:
        """The client has read enough: ``send`` goes on."""
        if self._writers is not None:
            waiters, self._writers = self._writers, None
            wake(waiters)

    def _abort(self, reason: str) -> None:
        self._state = _GONE
        self._gone_at = self._application.now()
        self._stream.abort(reason)
        self._wake_reader()
        self.drained()


def flush_heads(held: Iterable[SendSide]) -> None:
    """The clients for whom no body has come in this turn of the loop get the head alone."""
    for exchange in held:
        if exchange._state is _HEADED:
            exchange._begin(b"")


_PIECES: dict[str, Callable[[Message], AbstractContextManager[FilePiece]]] = {
    "http.response.pathsend": piece_by_path,
    "http.response.zerocopysend": opened_piece,
}
"""What a message that sends a file speaks of."""

_STEPS: Final[dict[State, dict[str, Callable[[SendSide, Message], None]]]] = {
    _IDLE: {
        "http.response.start": SendSide._start,
        "http.response.early_hint": SendSide._hint,
        "http.response.push": SendSide._push,
    },
    _HEADED: {
        "http.response.body": SendSide._first_body,
        "http.response.early_hint": SendSide._hint,
        "http.response.push": SendSide._push,
    },
    _STREAMING: {
        "http.response.body": SendSide._more_body,
        "http.response.early_hint": SendSide._late_hint,
        "http.response.push": SendSide._push,
    },
    _FILE: {},
    _TRAILERS: {"http.response.trailers": SendSide._take_trailers},
    _DONE: {},
    _GONE: {},
}
