"""The messages' way to the application: ``receive``, and what the client's frames mean for it.

It is the incoming half of one WebSocket. It must not know what the application may send: it
asks only how far it is. Messages wait in a short list; while it is full no more are read, and
the wire stops reading too.
"""

from __future__ import annotations

import asyncio
import sys
from abc import abstractmethod
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from daphne_like.asgi.frame_reader import FrameReader
from daphne_like.asgi.frames import NO_CODE, PONG, TEXT, frame, plain_payload
from daphne_like.asgi.scope import Message
from daphne_like.exchange import Stream
from daphne_like.limits import Limits

if TYPE_CHECKING:
    from daphne_like.asgi.application import Application

_MOST = 64
"""Messages that wait for the application at most, however small they are."""

_TEXT = 0x80 | TEXT


class AppState(StrEnum):
    """How far the application is."""

    CONNECTING = "CONNECTING"
    """It has neither accepted nor refused."""
    DENYING = "DENYING"
    """It sends an HTTP response in place of accepting."""
    OPEN = "OPEN"
    CLOSED = "CLOSED"
    """It has closed, or was closed."""


# A name of the module is found at once, a member of an enum by search: this is the hot path.
_OPEN = AppState.OPEN


class ClientState(StrEnum):
    """How far the client is."""

    CONNECTING = "CONNECTING"
    """It waits for the answer to its handshake."""
    OPEN = "OPEN"
    CLOSING = "CLOSING"
    """It owes the answer to our close."""
    GONE = "GONE"
    """There is no stream to it any more."""


class Farewell(NamedTuple):
    """What ends the frames of a client: its close, or the rule that it has broken."""

    code: int | None
    reason: str
    is_broken: bool


class ReceiveSide:
    """The way of one socket's messages to the application."""

    __slots__ = (
        "_application",
        "_budget",
        "_bytes_in",
        "_client",
        "_disconnect",
        "_farewell",
        "_frames",
        "_heard_at",
        "_left",
        "_listening",
        "_messages",
        "_most",
        "_pinged",
        "_reader",
        "_state",
        "_stream",
        "_told",
        "_waiting",
        "_write",
    )

    _application: Application
    _budget: int
    _bytes_in: int
    _client: ClientState
    _disconnect: Message | None
    _farewell: Farewell | None
    _frames: FrameReader
    _heard_at: float
    _listening: bool
    _left: bool
    """The client has left while it was listened to: what it has said before is still told."""
    _messages: list[Message]
    _most: int
    _pinged: bytes | None
    _reader: asyncio.Future[None] | None
    _state: AppState
    _stream: Stream
    _told: asyncio.Task[object] | None
    _waiting: int
    _write: Callable[[bytes], None]
    """What sends through the tunnel, once it is open."""

    @abstractmethod
    def _part(self) -> None:
        """Every message was taken, or the time for it is over."""

    # --- From the wire --------------------------------------------------------------------

    def body_received(self, data: bytes) -> None:
        """Bytes of frames: nearly always those of one message."""
        self._heard_at = self._application.now()
        payload = plain_payload(data, self._most) if self._frames.clear else None
        if payload is None:
            self._read(self._frames.feed(data))
        elif data[0] != _TEXT:
            self._stream.consumed(len(data))
            self._take({"type": "websocket.receive", "bytes": payload}, len(payload))
        else:
            try:
                text = payload.decode()
            except UnicodeDecodeError:
                self._read(self._frames.feed(data))
                return
            self._stream.consumed(len(data))
            self._take({"type": "websocket.receive", "text": text}, len(payload))

    def body_ended(self) -> None:
        """The handshake has no body, and the tunnel's does not end."""

    def _read(self, size: int) -> None:
        """So many bytes have been read; what is kept of them is counted as messages."""
        if size and self._client is not ClientState.GONE:
            self._stream.consumed(size)

    def _read_on(self) -> None:
        """The next turn has come."""
        if self._client is not ClientState.GONE:
            self._read(self._frames.read())

    # --- From the frames ------------------------------------------------------------------

    def text_received(self, text: str, size: int) -> None:
        """A text message."""
        self._take({"type": "websocket.receive", "text": text}, size)

    def binary_received(self, data: bytes) -> None:
        """A binary message."""
        self._take({"type": "websocket.receive", "bytes": data}, len(data))

    def ping_received(self, payload: bytes) -> None:
        """A ping is answered; of many from a client that reads too slowly, the last one is.

        "An endpoint MAY elect to send a Pong frame for only the most recently processed Ping
        frame" (RFC 6455, section 5.5.3).
        """
        if self._state is not AppState.OPEN:
            return
        if self._stream.full:
            self._pinged = payload
        else:
            self._write(frame(PONG, payload))

    def more_to_read(self) -> None:
        """The rest of what has come is read in the next turn of the loop."""
        self._application.loop.call_soon(self._read_on)

    def _take(self, message: Message, size: int) -> None:
        """A message for the application; after our close nobody wants it."""
        if self._state is not _OPEN and not self._left:
            return
        messages = self._messages
        messages.append(message)
        self._bytes_in += size
        self._waiting += size
        if self._waiting > self._budget or len(messages) >= _MOST:
            self._frames.stall()
        reader = self._reader
        if reader is not None:
            self._reader = None
            if not reader.done():
                reader.set_result(None)

    # --- To the application ---------------------------------------------------------------

    async def receive(self) -> Message:
        """The application's ``receive``: cancelling it loses nothing.

        ``websocket.connect`` comes first; ``websocket.disconnect`` comes last, and again as
        often as it is asked for.
        """
        messages = self._messages
        while not messages:
            if self._frames.stalled:
                # Only now: what comes next may be a close, and the last message has no answer yet.
                await asyncio.sleep(0)
                self._read_further()
                continue
            if self._farewell is not None:
                self._part()
            if self._left and self._frames.read():
                continue
            if self._disconnect is not None:
                return await self._told_again(self._disconnect)
            reader = self._reader
            if reader is None or reader.done():
                self._reader = reader = self._application.loop.create_future()
                await reader
            else:
                # Another one waits already: it may be cancelled, and so may we.
                await asyncio.wait([reader])
        message = messages.pop(0)
        if not messages:
            self._waiting = 0
        return message

    def _read_further(self) -> None:
        """The application has taken all and asks for more: read what has come meanwhile."""
        if not self._messages and self._frames.stalled:
            self._heard_at = self._application.now()
            self._read(self._frames.resume())

    async def _told_again(self, disconnect: Message) -> Message:
        if self._told is not None:
            await asyncio.sleep(0)  # Who asks again and again stops nobody else.
        self._told = asyncio.current_task()
        return disconnect.copy()

    def _tell(self, code: int | None, reason: str) -> None:
        """There will be no more messages: this is what the application hears last."""
        if self._disconnect is None:
            self._disconnect = {
                "type": "websocket.disconnect",
                "code": NO_CODE if code is None else code,
                "reason": reason,
            }
            self._listening = self._reader is not None and not self._reader.done()
        reader, self._reader = self._reader, None
        if reader is not None and not reader.done():
            reader.set_result(None)


def most_at_once(limits: Limits) -> int:
    """Bytes that the payload of a message in one frame may have."""
    bounds = limits.websocket_max_message_size, limits.websocket_max_frame_size
    return min((bound for bound in bounds if bound), default=sys.maxsize)
