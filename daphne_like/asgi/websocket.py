"""One WebSocket's exchange with the application: ASGI WebSocket 2.5.

The wire calls in synchronously, the application's coroutines call ``receive`` and ``send``;
the two meet here through slots, never queues without end. This module must not know a wire
format, nor how a frame is spelled.

Its two halves are ``ReceiveSide`` and ``SendSide``; here are its beginning, its time and its
ends.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from daphne_like.asgi.frame_reader import FrameReader
from daphne_like.asgi.frames import PING, frame
from daphne_like.asgi.http import HTTPExchange, error_response
from daphne_like.asgi.scope import Message, websocket_scope
from daphne_like.asgi.waiting import is_dropped
from daphne_like.asgi.websocket_receive import AppState, ClientState, Farewell, most_at_once
from daphne_like.asgi.websocket_send import SendSide
from daphne_like.clock import Deadline
from daphne_like.compression import agree
from daphne_like.errors import is_disconnect
from daphne_like.exchange import Progress, Record, Request, Stream, peer_name, printable
from daphne_like.tally import and_others

if TYPE_CHECKING:
    from daphne_like.asgi.application import Application

_logger = logging.getLogger("daphne_like.server")

NORMAL, GOING_AWAY, ABNORMAL, FAILED = 1000, 1001, 1006, 1011


class WebSocketExchange(SendSide):
    """One WebSocket, from its handshake on; the other end of a ``Stream``."""

    __slots__ = (
        "_deadline",
        "_opened",
        "_ping_sent_at",
        "_started",
        "task",
        "timer",
    )

    def __init__(self, application: Application, request: Request, stream: Stream) -> None:
        self.request = request
        self.task: asyncio.Task[None] | None = None
        self.timer: asyncio.TimerHandle | None = None
        self._application = application
        self._stream = stream
        self._state = AppState.CONNECTING
        self._client = ClientState.CONNECTING
        self._messages = [{"type": "websocket.connect"}]
        self._disconnect = None
        self._farewell = None
        self._told = self._reader = self._writers = self._denial = self._head = None
        self._pinged = None
        self._listening = False
        self._left = False
        self._bytes_in = self._bytes_out = self._waiting = self._ran = 0
        limits = application.limits
        self._budget = limits.read_budget
        self._most = most_at_once(limits)
        self._outcome = "failed"
        self._gone_at = self._ping_sent_at = 0.0
        self._opened: float | None = None
        self._started = self._heard_at = application.now()
        allowed = application.compression
        self._deflate = None if allowed is None else agree(request.headers, allowed)
        self._frames = FrameReader(self, limits, self._deflate)
        self._deadline = Deadline(application.clock, self._time_is_up)
        self._deadline.set(limits.websocket_connect_timeout or None)

    # --- From the wire --------------------------------------------------------------------

    def disconnected(self, reason: str, *, refused: int | None = None, unsent: int = 0) -> None:
        """The connection has ended without a close frame: 1006 (RFC 6455, section 7.1.5)."""
        if self._denial is not None:
            self._denial.disconnected(reason, refused=refused, unsent=unsent)
        if self._farewell is not None:
            self._outcome = "complete"
            self._lost(self._farewell.code, self._farewell.reason)
        elif self._state is not AppState.CLOSED:
            self._left = self._state is AppState.OPEN
            self._outcome = "disconnected"
        self._lost(ABNORMAL, reason)

    def timed_out(self) -> None:
        """``--http-timeout`` is not for sockets."""

    def drain(self) -> None:
        """The server stops: sockets are closed one after the other."""
        self._application.ebb.add(self)

    def progress(self) -> Progress:
        """How far it is, in the words of `AppState`."""
        return Progress(
            self.request, self._application.now() - self._started, self._state.value.lower()
        )

    @property
    def finished(self) -> bool:
        """Whether the application's task has ended."""
        return self.task is None or self.task.done()

    # --- From the frames ------------------------------------------------------------------

    def close_received(self, code: int | None, reason: str) -> None:
        """The client closes, or answers our close: it gets its answer, and that is all."""
        self._end_in_order(Farewell(code, reason, False))

    def frames_broken(self, code: int, reason: str) -> None:
        """Fail the connection (RFC 6455, section 7.1.7)."""
        self._end_in_order(Farewell(code, reason, True))

    def _end_in_order(self, farewell: Farewell) -> None:
        """What came before may be answered first, if the application is not too slow."""
        if self._client is ClientState.GONE:
            # It had left when its last words were read: nobody has been told of it yet.
            self._disconnect = None
            self._tell(farewell.code, farewell.reason)
            return
        self._farewell = farewell
        if self._messages and self._state is AppState.OPEN:
            self._deadline.set(self._application.limits.websocket_close_timeout)
        else:
            self._part()

    def _part(self) -> None:
        """Every message was taken, or the time for it is over: the farewell takes effect."""
        farewell, self._farewell = self._farewell, None
        assert farewell is not None
        code, reason, is_broken = farewell
        if self._state is AppState.OPEN:
            self._outcome = "refused" if is_broken else "complete"
            if is_broken:
                self._tell_broken(code, reason)
            self._write_close(code, reason if is_broken else "")
        self._end(code, reason)

    def _tell_broken(self, code: int | None, reason: str) -> None:
        if told := self._application.broken.count():
            _logger.warning(
                "Closed %s of %s: %s %s%s",
                self.request.label,
                peer_name(self.request.peer),
                code,
                printable(reason),
                and_others(told),
            )

    # --- Ends -------------------------------------------------------------------------------

    def close(self, code: int, reason: str = "", outcome: str = "complete") -> None:
        """Begin the closing handshake; the client has its time to answer."""
        self._outcome = outcome
        self._write_close(code, reason)
        self._messages.clear()
        self._closed(code, reason)
        if self._farewell is not None:
            self._end(code, reason)
            return
        self._client = ClientState.CLOSING
        self._deadline.set(self._application.limits.websocket_close_timeout)
        self._read(self._frames.discard())

    def _closed(self, code: int | None, reason: str) -> None:
        """No message goes either way any more, and everybody who waits is told."""
        if self._state is not AppState.CLOSED:
            self._state = AppState.CLOSED
            self._gone_at = self._application.now()
        self._tell(code, reason)
        self._wake_writers()

    def _end(self, code: int | None, reason: str) -> None:
        """Both sides have closed: the connection ends, by us (RFC 6455, section 7.1.1)."""
        self._lost(code, reason)
        self._stream.end()

    def _lost(self, code: int | None, reason: str) -> None:
        """The stream belongs to us no more.

        An application that has closed by itself may go on; others have their time to end.
        """
        if self._state is not AppState.CLOSED:
            self._application.cancel_later(self)
        self._client = ClientState.GONE
        self._farewell = None
        self._deadline.stop()
        self._closed(code, reason)

    def _cut(self, code: int, reason: str) -> None:
        """Break off: the client is not there, or does not do its part."""
        self._stream.abort(reason)
        self._lost(code, reason)

    # --- In place of accepting --------------------------------------------------------------

    def _refuse(self, message: Message) -> None:
        self._outcome = "complete"
        self._answer(403)

    async def _deny(self, message: Message) -> None:
        denial = self._denial
        if denial is None:
            self._deadline.stop()
            self._state = AppState.DENYING
            denial = self._denial = HTTPExchange(self._application, self.request, self._stream)
        try:
            await denial.send(message | {"type": message["type"].removeprefix("websocket.")})
        finally:
            self._look_at_denial(denial)

    def _look_at_denial(self, denial: HTTPExchange) -> None:
        if denial.is_over:
            self._closed(ABNORMAL, "the application has denied the WebSocket")
            self._client = ClientState.GONE

    def _answer(self, status: int) -> None:
        """Refuse in a few words; the client's next bytes may be meant as frames."""
        self._head, body = error_response(status)
        self._bytes_out = len(body)
        self._stream.respond(self._head, body)
        self._closed(ABNORMAL, f"refused with {status}")
        self._lost(ABNORMAL, "")

    # --- Time -------------------------------------------------------------------------------

    def _accepted(self) -> None:
        self._opened = self._heard_at = self._application.now()
        self._application.began(self.request, "connected")
        self._wait_for_client()

    def _time_is_up(self) -> None:
        if self._state is AppState.CONNECTING:
            self._too_late()
        elif self._farewell is not None:
            self._part()
        elif self._state is AppState.OPEN:
            self._look_after()
        else:
            self._cut(ABNORMAL, "no answer to the close frame")

    def _too_late(self) -> None:
        """The application has neither accepted nor refused in time."""
        if told := self._application.late.count():
            _logger.warning(
                "%s of %s was not accepted within %g s (--websocket_connect_timeout): 503%s",
                self.request.label,
                peer_name(self.request.client),
                self._application.limits.websocket_connect_timeout,
                and_others(told),
            )
        self._outcome = "timed out"
        self._answer(503)
        self._application.cancel_later(self)

    def _look_after(self) -> None:
        """The socket may be too old, its client silent: then a ping finds out if it is there."""
        limits, now = self._application.limits, self._application.now()
        if 0 < limits.websocket_timeout <= now - (self._opened or 0.0):
            self.close(GOING_AWAY, "open for longer than the server allows", "timed out")
            self._application.cancel_later(self)
            return
        if self._awaits_pong():
            if now - self._ping_sent_at >= limits.ping_timeout:
                self._missed_pong()
                return
        elif 0 < limits.ping_interval <= now - max(self._heard_at, self._ping_sent_at):
            self._ping_sent_at = now
            self._write(frame(PING, b""))
        self._wait_for_client()

    def _wait_for_client(self) -> None:
        """Look again when the first of the client's times can be over."""
        limits, times = self._application.limits, []
        if limits.websocket_timeout > 0:
            times.append((self._opened or 0.0) + limits.websocket_timeout)
        if self._awaits_pong():
            # Who has answered by then is soon silent for long enough to be pinged again.
            soon = self._application.now() + limits.ping_interval
            times.append(min(self._ping_sent_at + limits.ping_timeout, soon))
        elif limits.ping_interval:
            times.append(max(self._heard_at, self._ping_sent_at) + limits.ping_interval)
        if times:
            self._deadline.set(max(min(times) - self._application.now(), 0))
        else:
            self._deadline.clear()

    def _awaits_pong(self) -> bool:
        """Whether the client owes a sign of life; it may be in what is not read yet."""
        pinged = self._ping_sent_at > self._heard_at
        return pinged and self._application.limits.ping_timeout > 0 and not self._frames.stalled

    def _missed_pong(self) -> None:
        """Nobody has answered: the client is told, if it is there after all."""
        self._outcome = "timed out"
        self._write_close(FAILED, "no answer to a ping")
        self._end(ABNORMAL, "no answer to a ping")

    def leave(self, code: int) -> None:
        """The server stops, and this socket's turn has come."""
        if self._state is AppState.CONNECTING:
            self._answer(503)
        elif self._state is AppState.OPEN:
            self.close(code, "the server is stopping")
            self._application.cancel_later(self)

    # --- The task ---------------------------------------------------------------------------

    async def run(self) -> None:
        """Run the application for this socket, and see to it that the client gets an end."""
        application = self._application
        try:
            await application.call(
                websocket_scope(self.request, application.root_path, application.state),
                self.receive,
                self.send,
            )
        except (asyncio.CancelledError, KeyboardInterrupt):
            self._finish(application.ebb.code, "the application was cancelled")
            raise
        except BaseException as error:  # Whatever it is, the client waits.
            if is_dropped(error):
                raise
            self._failed(error)
        else:
            self._returned()
        finally:
            application.finished(self)

    def _failed(self, error: BaseException) -> None:
        """The application raised: log it, and let the client get an end."""
        # Who has been told of the end may end by the error in which its framework wraps that.
        told = self._told is not None and type(error).__name__ == "WebSocketDisconnect"
        expected = told or is_disconnect(error)
        if self._outcome == "complete" and not expected:
            self._outcome = "failed"
        try:
            _logger.log(
                logging.DEBUG if expected else logging.ERROR,
                "Exception inside application: %s",
                self.request.label,
                exc_info=error,
            )
        finally:
            self._finish(FAILED, "the application failed")

    def _returned(self) -> None:
        """The application has ended, and so does the socket: in order, if it was open."""
        if self._state in (AppState.CONNECTING, AppState.DENYING):
            _logger.error(
                "The application returned without accepting or refusing %s", self.request.label
            )
            self._finish(FAILED, "the application returned")
        else:
            self._finish(NORMAL, "", "complete")

    def _finish(self, code: int, reason: str, outcome: str = "failed") -> None:
        """End in the application's place: with `code` if it had accepted, else with a 500."""
        if self._state is AppState.OPEN:
            self.close(code, reason, outcome)
        elif self._state is AppState.CONNECTING:
            self._answer(500)
        elif self._denial is not None and not self._denial.is_over:
            self._denial.answer(500, reason)
            self._look_at_denial(self._denial)

    def record(self) -> Record:
        """What access log and metrics hear of this socket.

        Its status is the code it was closed with, or that of the response in place of it.
        """
        if self._denial is not None:
            return self._denial.record()._replace(kind="websocket")
        now, opened, head = self._application.now(), self._opened, self._head
        status = None if head is None else head.status
        if opened is not None and self._disconnect is not None:
            status = self._disconnect["code"]
        return Record(
            "websocket",
            self.request,
            status,
            self._bytes_in,
            self._bytes_out,
            time.time() - (now - self._started),
            None if opened is None else opened - self._started,
            now - self._started,
            self._outcome,
            head,
        )
