"""One WebSocket under test: an application that does what the test says, and its client."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import contextmanager
from typing import Any

from daphne_like.asgi.masks import masked_by_integers
from daphne_like.exchange import Field, Record, Request
from daphne_like.limits import Limits
from tests.unit.asgi.fakes import FakeStream, Message, Served, request, turn

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
MASK = b"\x11\x02\xf3\x04"

CONNECT = {"type": "websocket.connect"}
ACCEPT = {"type": "websocket.accept"}
CLOSING = {"type": "websocket.close"}

Frame = tuple[int, bytes]


# --- Messages -------------------------------------------------------------------------------


def accept(**changes: Any) -> Message:
    return ACCEPT | changes


def said(**what: Any) -> Message:
    """What the application sends."""
    return {"type": "websocket.send"} | what


def heard(**what: Any) -> Message:
    """What the application receives."""
    return {"type": "websocket.receive"} | what


def closing(code: Any = 1000, reason: Any = "") -> Message:
    return CLOSING | {"code": code, "reason": reason}


def disconnect(code: int, reason: str = "") -> Message:
    return {"type": "websocket.disconnect", "code": code, "reason": reason}


# --- Frames ---------------------------------------------------------------------------------


def masked(opcode: int, payload: bytes = b"", *, last: bool = True) -> bytes:
    """A frame as a client sends it."""
    size = len(payload)
    head = bytes((opcode | 0x80 * last,))
    if size < 126:
        head += bytes((0x80 | size,))
    elif size < 65536:
        head += b"\xfe" + size.to_bytes(2, "big")
    else:
        head += b"\xff" + size.to_bytes(8, "big")
    return head + MASK + masked_by_integers(payload, MASK)


def text(words: str) -> bytes:
    return masked(TEXT, words.encode())


def binary(data: bytes) -> bytes:
    return masked(BINARY, data)


def ping(payload: bytes = b"") -> bytes:
    return masked(PING, payload)


def close(code: int | None = None, reason: str = "") -> bytes:
    return masked(CLOSE, b"" if code is None else code.to_bytes(2, "big") + reason.encode())


def frames_in(data: bytes) -> list[Frame]:
    """A server's frames: each is whole, unmasked, and as short as can be."""
    frames = []
    while data:
        first, size, start = data[0], data[1], 2
        assert first & 0xF0 == 0x80
        if size >= 126:
            start = 4 if size == 126 else 10
            size = int.from_bytes(data[2:start], "big")
            assert size > (125 if start == 4 else 65535)
        assert len(data) >= start + size
        frames.append((first & 0xF, data[start : start + size]))
        data = data[start + size :]
    return frames


def closed_with(frames: list[Frame]) -> tuple[int | None, str]:
    """Code and reason of the close frame, which is the only one and the last frame."""
    assert [opcode for opcode, _ in frames].count(CLOSE) == 1
    opcode, payload = frames[-1]
    assert opcode == CLOSE
    code = int.from_bytes(payload[:2], "big") if payload else None
    return code, payload[2:].decode()


# --- Both ends ------------------------------------------------------------------------------


def handshake(*fields: Field, **changes: Any) -> Request:
    headers = [
        (b"host", b"example.org"),
        (b"sec-websocket-version", b"13"),
        (b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
        *fields,
    ]
    return request(**({"headers": headers, "upgrade": "websocket"} | changes))


class Socket:
    """One WebSocket on a running loop; ``receive`` and ``send`` are the application's.

    Made by :func:`connecting` or :func:`opened`. The application does nothing by itself; it
    ends with ``finish``, a future, or with what is given as `app`.
    """

    receive: Any
    send: Any

    def __init__(
        self,
        *fields: Field,
        app: Any = None,
        served: Served | None = None,
        asked: Request | None = None,
        options: dict[str, Any] | None = None,
        **limits: Any,
    ) -> None:
        self.served = served or Served(app or self._application, Limits(**limits), **options or {})
        self.stream = FakeStream()
        self.finish = self.served.loop.create_future()
        if served is not None:
            served.application.call = self._application
        self.exchange: Any = self.served.open(self.stream, asked or handshake(*fields))

    async def _application(self, scope: Any, receive: Any, send: Any) -> None:
        self.scope, self.receive, self.send = scope, receive, send
        await self.finish

    # --- The client -------------------------------------------------------------------------

    def says(self, *segments: bytes) -> None:
        """The client sends; the wire is silent once all is over."""
        for data in segments:
            if not self.stream.over:
                self.exchange.body_received(data)

    def leaves(self, reason: str = "the client is gone") -> None:
        """The connection breaks."""
        if not self.stream.over:
            self.stream.outcome = "lost"
            self.exchange.disconnected(reason)

    def reads(self) -> None:
        """The client has read enough of what was sent."""
        self.stream.full = False
        if not self.stream.over:
            self.exchange.drained()

    @property
    def frames(self) -> list[Frame]:
        """What the client has got through the tunnel."""
        return frames_in(self.stream.body) if self.stream.tunnel else []

    @property
    def close(self) -> tuple[int | None, str]:
        """Code and reason of the close that the client has got."""
        return closed_with(self.frames)

    # --- The server -------------------------------------------------------------------------

    async def returns(self) -> None:
        """The application ends in order."""
        self.finish.set_result(None)
        await self.ended()

    async def ended(self) -> None:
        """Wait for the end of the application's task."""
        await asyncio.wait([self.exchange.task])

    @property
    def record(self) -> Record:
        return self.served.record

    @property
    def loop(self) -> Any:
        return self.served.loop

    def pending(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        return asyncio.create_task(coroutine)


async def connecting(*fields: Field, **options: Any) -> Socket:
    """A socket whose application has begun and done nothing."""
    socket = Socket(*fields, **options)
    await turn()
    return socket


async def opened(*fields: Field, **options: Any) -> Socket:
    """A socket that its application has accepted, the connect message taken."""
    socket = await connecting(*fields, **options)
    assert await socket.receive() == CONNECT
    await socket.send(ACCEPT)
    return socket


async def all_of(socket: Socket) -> list[Message]:
    """All messages, up to the disconnect."""
    messages = [await socket.receive()]
    while messages[-1]["type"] != "websocket.disconnect":
        messages.append(await socket.receive())
    return messages


@contextmanager
def slow(socket: Socket) -> Any:
    """The client reads too slowly meanwhile."""
    socket.stream.full = True
    yield
    socket.reads()


async def waits(task: asyncio.Task[Any]) -> bool:
    """Whether `task` waits when all has happened that can happen now."""
    await turn(8)
    return not task.done()
