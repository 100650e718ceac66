"""One HTTP request's exchange with the application: ASGI HTTP 2.5.

The wire calls in synchronously, the application's coroutines call ``receive`` and ``send``;
the two meet here through slots, never queues. This module must not know a wire format.

Its two halves are ``ReceiveSide`` and ``SendSide``; here are its beginning and its ends.
"""

from __future__ import annotations

import asyncio
import logging
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from daphne_like.asgi.http_receive import OPEN, State
from daphne_like.asgi.http_send import SendSide
from daphne_like.asgi.scope import http_scope
from daphne_like.asgi.waiting import is_dropped
from daphne_like.errors import is_disconnect
from daphne_like.exchange import Progress, Record, Request, ResponseHead, Stream
from daphne_like.tally import and_others

if TYPE_CHECKING:
    from daphne_like.asgi.application import Application

_logger = logging.getLogger("daphne_like.server")
_TEXT = [(b"content-type", b"text/plain; charset=utf-8")]


# A name of the module is found at once, a member of an enum by search: this is the hot path.
_IDLE: Final = State.IDLE
_HEADED: Final = State.HEADED
_DONE: Final = State.DONE
_GONE: Final = State.GONE


class HTTPExchange(SendSide):
    """One request and its response; the other end of a ``Stream``."""

    __slots__ = (
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
        self._head = None
        self._body = None
        self._body_ended = self._body_given = self._wanted = False
        self._reader = self._writers = None
        self._trailers = None
        self._listening = False
        self._gone_at = 0.0
        self._sent = self._bytes_in = self._ran = 0
        self._outcome = "failed"
        self._started = application.now() if application.observers else 0.0
        self._first_byte = None

    # --- From the wire --------------------------------------------------------------------

    def disconnected(self, reason: str, *, refused: int | None = None, unsent: int = 0) -> None:
        """The client has left, or its request turned bad: the application is told first."""
        self._state = _GONE
        self._outcome = "disconnected"
        self._sent = max(self._sent - unsent, 0)
        if refused is not None:
            self._outcome = "refused"
            self._head = ResponseHead(refused, [])
            self._take_head()
        self._body = None
        self._gone_at = self._application.now()
        self._listening = bool(self._reader)
        self._wake_reader()
        self.drained()
        self._application.cancel_later(self)

    def timed_out(self) -> None:
        """The whole exchange took too long: 503 if nothing was sent, else cut it."""
        if told := self._application.late.count():
            what = self.request.label, and_others(told)
            _logger.warning("%s took longer than --http-timeout%s", *what)
        self._outcome = "timed out"
        self.answer(503, "timed out")
        self._application.cancel_later(self)

    def drain(self) -> None:
        """The server stops: an HTTP exchange just finishes."""

    def progress(self) -> Progress:
        """How far the response is, in the words of `State`, or ``"waiting"`` for its head."""
        age = self._application.now() - self._started if self._started else None
        state = "waiting" if self._state is _IDLE else self._state.value.lower()
        return Progress(self.request, age, state)

    @property
    def finished(self) -> bool:
        """Whether the application's task has ended."""
        return self.task is None or self.task.done()

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
        except (asyncio.CancelledError, KeyboardInterrupt):
            self.answer(500, "cancelled")
            raise
        except BaseException as error:  # Whatever it is, the client waits.
            if is_dropped(error):
                raise
            self._failed(error)
        else:
            if self._state in OPEN:
                self._returned_too_early()
        finally:
            application.finished(self)

    def _failed(self, error: BaseException) -> None:
        if self._outcome == "complete":
            self._outcome = "failed"
        try:
            # What comes of the client's leaving is no error, but may help to find one.
            _logger.log(
                logging.DEBUG if is_disconnect(error) else logging.ERROR,
                "Exception inside application: %s",
                self.request.label,
                exc_info=error,
            )
        finally:
            # Whatever the operator's handlers do, the client gets an end.
            self.answer(500, "the application failed")

    def _returned_too_early(self) -> None:
        _logger.error(
            "The application returned without finishing its response to %s", self.request.label
        )
        self.answer(500, "the application returned")

    @property
    def is_over(self) -> bool:
        """Whether nothing of the response can follow any more."""
        return self._state not in OPEN

    def answer(self, status: int, reason: str) -> None:
        """Finish in the application's place: with `status` if nothing was sent, else abort."""
        if self._state in (_IDLE, _HEADED):
            self._head, body = error_response(status, self.request.method)
            self._take_head()
            self._sent = len(body)
            self._state = _DONE
            self._stream.respond(self._head, body)
            self._wake_reader()
        elif self._state in OPEN:
            self._abort(reason)

    def record(self) -> Record:
        """What access log and metrics hear of this exchange."""
        head, now = self._head, self._application.now()
        if self._first_byte is None:
            head = None
        return Record(
            "http",
            self.request,
            None if head is None else head.status,
            self._bytes_in,
            self._sent,
            time.time() - (now - self._started),
            None if self._first_byte is None else self._first_byte - self._started,
            now - self._started,
            self._outcome,
            head,
        )


def error_response(status: int, method: str = "GET") -> tuple[ResponseHead, bytes]:
    """The server's own words in an application's place; then the connection ends."""
    bodiless = method == "HEAD"
    body = b"" if bodiless else f"{status} {HTTPStatus(status).phrase}\n".encode()
    return ResponseHead(status, _TEXT, bodiless=bodiless, close=True), body
