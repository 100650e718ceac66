"""RSGI's WebSocket protocol object, over ASGI's ``receive`` and ``send``.

This module must not know how frames are spelled, nor who calls the application.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from enum import IntEnum
from functools import partial
from typing import Any, NamedTuple

from daphne_like.asgi.frames import may_be_sent
from daphne_like.asgi.rsgi_words import Outbox, ProtocolClosed, ProtocolError, Receive, Send
from daphne_like.asgi.scope import Message
from daphne_like.errors import ClientDisconnected

_NORMAL = 1000
_FORBIDDEN = 403


class MessageType(IntEnum):
    """What a message that has come is."""

    close = 0
    bytes = 1
    string = 2


class WebsocketMessage(NamedTuple):
    """A message that has come; the last one closes, and has no data."""

    kind: MessageType
    data: Any


class WebsocketProtocol:
    """One WebSocket, as its application sees it: accepted or not, and closed."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self.outbox = Outbox()
        self._receive = receive
        self._send = send
        self._accepted = self._closed = False

    async def accept(self) -> WebsocketTransport:
        """Complete the handshake; what comes and goes then does so by what this returns."""
        if self._accepted or self._closed:
            raise ProtocolError("the WebSocket was accepted or closed before")
        if (await self._receive())["type"] != "websocket.connect":
            raise ProtocolClosed("the client has left")
        self._accepted = True
        await _sent(self._send({"type": "websocket.accept"}))
        return WebsocketTransport(self._receive, self._send, lambda: self._closed)

    def close(self, status: int | None = None) -> None:
        """Close; before it is accepted, refuse it with that HTTP status, 403 by default.

        Afterwards `status` is the code of the close frame, where it can be one. What is closed
        stays so.
        """
        if not self._closed:
            self._closed = True
            self.outbox.put(partial(self._close, status))

    async def finish(self) -> None:
        """The application has returned."""
        self.close()
        await self.outbox.flush()

    async def _close(self, status: int | None) -> None:
        with suppress(ClientDisconnected):
            if self._accepted:
                code = status if status is not None and may_be_sent(status) else _NORMAL
                await self._send({"type": "websocket.close", "code": code})
            else:
                await self._refuse(status or _FORBIDDEN)

    async def _refuse(self, status: int) -> None:
        """A success would be one (RFC 8441, section 5): it cannot refuse."""
        final = status if 300 <= status < 600 else _FORBIDDEN
        start = {"type": "websocket.http.response.start", "status": final, "headers": []}
        await self._send(start)
        await self._send({"type": "websocket.http.response.body", "body": b""})


class WebsocketTransport:
    """An open WebSocket. Once it is closed, all methods raise :data:`ProtocolClosed`."""

    def __init__(self, receive: Receive, send: Send, closed: Callable[[], bool]) -> None:
        self._receive = receive
        self._send = send
        self._closed = closed
        self._over = False

    async def receive(self) -> WebsocketMessage:
        """The next message; the last one says that the WebSocket is closed."""
        if self._over:
            raise ProtocolClosed("the WebSocket is closed")
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            self._over = True
            return WebsocketMessage(MessageType.close, None)
        text = message.get("text")
        if text is not None:
            return WebsocketMessage(MessageType.string, text)
        return WebsocketMessage(MessageType.bytes, message["bytes"])

    async def send_bytes(self, data: bytes) -> None:
        """Send a binary message, and wait while the client reads too slowly."""
        await self._say({"type": "websocket.send", "bytes": data})

    async def send_str(self, data: str) -> None:
        """Send a text message, and wait while the client reads too slowly."""
        await self._say({"type": "websocket.send", "text": data})

    async def _say(self, message: Message) -> None:
        if self._over or self._closed():
            raise ProtocolClosed("the WebSocket is closed")
        await _sent(self._send(message))


async def _sent(sending: Any) -> None:
    try:
        await sending
    except ClientDisconnected as error:
        raise ProtocolClosed("the WebSocket is closed") from error
