"""The request's way to the application: ``receive``, and what the wire delivers for it.

It is the incoming half of one HTTP exchange. It must not know how a response is sent: it
asks only whether one may still come.
"""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import TYPE_CHECKING, Final, cast

from daphne_like.asgi.scope import Message
from daphne_like.asgi.waiting import Waiters, wait, wake
from daphne_like.exchange import Stream

_SMALL = 256
"""Bytes of a piece that is put to others: by itself it would take many times its size."""

if TYPE_CHECKING:
    from daphne_like.asgi.application import Application


class State(StrEnum):
    """How far the response is."""

    IDLE = "IDLE"
    HEADED = "HEADED"
    """The head is held back."""
    STREAMING = "STREAMING"
    FILE = "FILE"
    """A file is on its way, and nothing may come between its parts."""
    TRAILERS = "TRAILERS"
    """The body is complete, its trailers are not."""
    DONE = "DONE"
    GONE = "GONE"
    """The client has left."""


OPEN: Final = frozenset((State.IDLE, State.HEADED, State.STREAMING, State.FILE, State.TRAILERS))
"""The response is not over, and its client is there."""


class ReceiveSide:
    """The way of one request's body to the application."""

    __slots__ = (
        "_application",
        "_body",
        "_body_ended",
        "_body_given",
        "_bytes_in",
        "_listening",
        "_reader",
        "_state",
        "_stream",
        "_wanted",
    )

    _application: Application
    _body: list[bytes | bytearray] | None
    _body_ended: bool
    _body_given: bool
    _bytes_in: int
    _listening: bool
    _reader: Waiters | None
    _state: State
    _stream: Stream
    _wanted: bool

    def body_received(self, data: bytes) -> None:
        """A piece of the request's body."""
        if self._body is None:
            self._body = [data]
        elif len(data) > _SMALL:
            self._body.append(data)
        else:
            self._put_to_others(self._body, data)
        self._wake_reader()

    def _put_to_others(self, body: list[bytes | bytearray], data: bytes) -> None:
        last = body[-1]
        if type(last) is bytearray:
            last += data
        else:
            body.append(bytearray(data))

    def body_ended(self) -> None:
        """The request's body is complete."""
        self._body_ended = True
        if self._reader is not None:
            self._wake_reader()

    async def receive(self) -> Message:
        """The application's ``receive``: cancelling it loses nothing.

        ``http.disconnect`` comes once the client has left or the response is complete.
        """
        if not self._wanted:
            self._wanted = True
            if self._state in OPEN:
                self._stream.wanted()
        while True:
            if self._state not in OPEN:
                if self._listening:
                    await asyncio.sleep(0)  # Who asks again and again stops nobody else.
                self._listening = True
                return {"type": "http.disconnect"}
            if self._body or (self._body_ended and not self._body_given):
                return self._take_body()
            if self._reader is None:
                self._reader = []
            await wait(self._reader, self._application.loop)

    def _take_body(self) -> Message:
        pieces, self._body = self._body or [], None
        # What is alone has come as it is: what is put together stands behind something.
        body = cast(bytes, pieces[0]) if len(pieces) == 1 else b"".join(pieces)
        self._body_given = self._body_ended
        self._bytes_in += len(body)
        if body:
            self._stream.consumed(len(body))
        return {"type": "http.request", "body": body, "more_body": not self._body_ended}

    def _wake_reader(self) -> None:
        if self._reader is not None:
            waiters, self._reader = self._reader, None
            wake(waiters)
