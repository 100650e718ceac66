"""One HTTP request's exchange with the application: ASGI HTTP 2.5, by a transition table.

The wire calls in synchronously, the application's coroutines call ``receive`` and ``send``;
the two meet here through slots, never queues. This module must not know a wire format.

The rules, each written once:

* The head is held back until the body's first piece, or until the next turn of the loop.
* A Content-Length of the application binds it: more is a fault, less breaks the stream off.
* After the client has left, an application that listens for the disconnect may go on
  sending into the void for a while; one that does not is told by `ClientDisconnected`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from daphne_like.asgi.http_receive import OPEN, ReceiveSide, State
from daphne_like.asgi.scope import Message, http_scope
from daphne_like.asgi.waiting import Waiters, wait, wake
from daphne_like.errors import AppFault, ClientDisconnected, is_disconnect
from daphne_like.exchange import Record, Request, ResponseHead, Stream
from daphne_like.headers import BadField, response_head

if TYPE_CHECKING:
    from daphne_like.asgi.application import Application

_logger = logging.getLogger("daphne_like.server")
_LEAST = 1024
"""A message counts as so many bytes at least: small ones take their time too."""

_TEXT = [(b"content-type", b"text/plain; charset=utf-8")]


# A name of the module is found at once, a member of an enum by search: this is the hot path.
_IDLE, _HEADED, _STREAMING, _DONE, _GONE = State


class HTTPExchange(ReceiveSide):
    """One request and its response; the other end of a ``Stream``."""

    __slots__ = (
        "_first_byte",
        "_gone_at",
        "_head",
        "_outcome",
        "_ran",
        "_sent",
        "_started",
        "_writers",
        "request",
        "task",
        "timer",
    )

    def __init__(self, application: Application, request: Request, stream: Stream) -> None:
        self.request = request
        self.task: asyncio.Task[None] | None = None
        self.timer: asyncio.TimerHandle | None = None
        self._application = application
        self._stream = stream
        self._state = _IDLE
        self._head: ResponseHead | None = None
        self._body: list[bytes] | None = None
        self._body_ended = self._body_given = self._wanted = False
        self._reader: Waiters | None = None
        self._writers: Waiters | None = None
        self._listening = False
        self._gone_at = 0.0
        self._sent = self._bytes_in = self._ran = 0
        self._outcome = "failed"
        self._started = application.now() if application.observers else 0.0
        self._first_byte: float | None = None

    # --- From the wire --------------------------------------------------------------------

    def drained(self) -> None:
        """The client has read enough: ``send`` goes on."""
        if self._writers is not None:
            waiters, self._writers = self._writers, None
            wake(waiters)

    def disconnected(self, reason: str) -> None:
        """The client has left, or its request turned bad: the application is told first."""
        self._state = _GONE
        self._outcome = "disconnected"
        self._body = None
        self._gone_at = self._application.now()
        self._listening = bool(self._reader)
        self._wake_reader()
        self.drained()
        self._application.cancel_later(self)

    def timed_out(self) -> None:
        """The whole exchange took too long: 503 if nothing was sent, else cut it."""
        _logger.warning(
            "%s %s took longer than --http-timeout", self.request.method, self.request.target
        )
        self._outcome = "timed out"
        self._answer(503, "timed out")
        self._application.cancel_later(self)

    def drain(self) -> None:
        """The server stops: an HTTP exchange just finishes."""

    # --- From the application: send -------------------------------------------------------

    async def send(self, message: Message) -> None:
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
            await self._send_too_late(message)
            return
        step(self, message)
        if self._state is _STREAMING and (
            self._stream.full or self._ran > self._application.limits.write_budget
        ):
            await self._give_way()

    async def _give_way(self) -> None:
        """Let everybody else have a turn, then wait until the client has read enough.

        A client that reads as fast as the application sends would be served alone; and that
        one has left, the loop would never come to notice.
        """
        self._ran = 0
        await asyncio.sleep(0)
        while self._stream.full and self._state is _STREAMING:
            if self._writers is None:
                self._writers = []
            await wait(self._writers, self._application.loop)
        if self._left():
            await self._send_into_the_void()

    async def _send_too_late(self, message: Message) -> None:
        """A message that the table does not have: harmless after the end, else a fault."""
        if self._state is _GONE:
            await self._send_into_the_void()
        elif self._state is _DONE:
            await asyncio.sleep(0)
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
        self._state = _HEADED
        self._application.hold(self)

    def flush_head(self) -> None:
        """No body has come in this turn of the loop: the client gets the head alone."""
        if self._state is _HEADED:
            self._begin(b"")

    def _first_body(self, message: Message) -> None:
        body, more = self._body_of(message)
        if more:
            self._begin(body)
            return
        head = self._take_head()
        if head.length is not None and head.length != self._sent and not head.bodiless:
            self._state = _STREAMING
            self._stream.send_head(head, body)
            self._break_off()
        self._state = _DONE
        self._outcome = "complete"
        self._stream.respond(head, body)
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
        if more:
            return
        head = self._head
        if head is not None and not head.bodiless and head.length not in (None, self._sent):
            self._break_off()
        self._state = _DONE
        self._outcome = "complete"
        self._stream.end()
        self._wake_reader()
        self.drained()

    def _body_of(self, message: Message) -> tuple[bytes, bool]:
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
                raise self._fault(message, f"body longer than its Content-Length {head.length}")
            self._sent = sent
        return body, message.get("more_body", False)

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

    def _fault(self, message: Message, fault: str) -> AppFault:
        return AppFault(self._state.value, message.get("type"), fault)

    # --- The task ---------------------------------------------------------------------------

    async def run(self) -> None:
        """Run the application for this request, and see to it that the client gets an end."""
        application = self._application
        try:
            await application.call(
                http_scope(
                    self.request, application.root_path, self._stream.supports, application.state
                ),
                self.receive,
                self.send,
            )
        except asyncio.CancelledError:
            self._answer(500, "cancelled")
            raise
        except (Exception, SystemExit) as error:
            self._failed(error)
        else:
            self._returned()
        finally:
            application.finished(self)

    def _failed(self, error: BaseException) -> None:
        if self._outcome == "complete":
            self._outcome = "failed"
        # What comes of the client's leaving is no error, but may help to find one.
        _logger.log(
            logging.DEBUG if is_disconnect(error) else logging.ERROR,
            "Exception inside application: %s %s",
            self.request.method,
            self.request.target,
            exc_info=error,
        )
        self._answer(500, "the application failed")

    def _returned(self) -> None:
        if self._state in OPEN:
            _logger.error(
                "The application returned without finishing its response to %s %s",
                self.request.method,
                self.request.target,
            )
            self._answer(500, "the application returned")

    def _answer(self, status: int, reason: str) -> None:
        """Finish in the application's place: with `status` if nothing was sent, else abort."""
        if self._state in (_IDLE, _HEADED):
            body = f"{status} {_PHRASES[status]}\n".encode()
            bodiless = self.request.method == "HEAD"
            head = ResponseHead(status, _TEXT, bodiless=bodiless, close=True)
            self._head = head
            self._take_head()
            self._sent = 0 if head.bodiless else len(body)
            self._state = _DONE
            self._stream.respond(head, b"" if head.bodiless else body)
            self._wake_reader()
        elif self._state is _STREAMING:
            self._abort(reason)

    def _abort(self, reason: str) -> None:
        self._state = _GONE
        self._gone_at = self._application.now()
        self._stream.abort(reason)
        self._wake_reader()
        self.drained()

    def record(self) -> Record:
        """What access log and metrics hear of this exchange."""
        head, now = self._head, self._application.now()
        answered = head is not None and self._first_byte is not None
        return Record(
            "http",
            self.request,
            head.status if head is not None and answered else None,
            self._bytes_in,
            self._sent,
            time.time() - (now - self._started),
            None if self._first_byte is None else self._first_byte - self._started,
            now - self._started,
            self._outcome,
        )


_PHRASES = {500: "Internal Server Error", 503: "Service Unavailable"}
_STEPS: dict[State, dict[str, Callable[[HTTPExchange, Message], None]]] = {
    _IDLE: {"http.response.start": HTTPExchange._start},
    _HEADED: {"http.response.body": HTTPExchange._first_body},
    _STREAMING: {"http.response.body": HTTPExchange._more_body},
    _DONE: {},
    _GONE: {},
}
