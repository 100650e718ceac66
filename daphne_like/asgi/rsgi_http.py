"""RSGI's HTTP protocol object, over ASGI's ``receive`` and ``send``.

This module must not know a wire format, nor who calls the application.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from typing import Any, BinaryIO

from daphne_like.asgi.rsgi_words import Outbox, ProtocolClosed, ProtocolError, Receive, Send
from daphne_like.asgi.scope import Message, Scope
from daphne_like.asgi.waiting import Waiters, wait, wake
from daphne_like.errors import AppFault, ClientDisconnected

Pairs = list[tuple[str, str]]

_FILE = "http.response.zerocopysend"
_BLOCK = 64 * 1024
_NOT_FOUND = b"Not found"
_FAILED = b"500 Internal Server Error\n"


class Incoming:
    """The request's body, and that its client has left: who waits for either gets it.

    One piece is held at most, so that waiting for the client's end does not collect a body that
    nobody reads.
    """

    def __init__(self, receive: Receive) -> None:
        self.left = False
        self._receive = receive
        self._piece: bytes | None = None
        self._whole = self._receiving = False
        self._waiters: Waiters = []

    async def next(self) -> bytes | None:
        """The next piece, ``None`` behind the last; raises :data:`ProtocolClosed`."""
        while self._piece is None:
            if self.left:
                raise ProtocolClosed("the client has left before its request was whole")
            if self._whole:
                return None
            await self._change()
        piece, self._piece = self._piece, None
        wake(self._waiters)
        return piece

    async def end(self) -> None:
        """Wait until the client has left, or the response is complete."""
        while not self.left:
            await self._change()

    async def _change(self) -> None:
        """Receive what comes next; where somebody does, or nothing can, wait for a change."""
        if self._receiving or self._piece is not None:
            await wait(self._waiters, asyncio.get_running_loop())
            return
        self._receiving = True
        try:
            self._take(await self._receive())
        finally:
            self._receiving = False
            wake(self._waiters)

    def _take(self, message: Message) -> None:
        if message["type"] == "http.disconnect":
            self.left = True
        else:
            self._piece = message["body"] or None
            self._whole = not message["more_body"]


class HTTPProtocol:
    """One request, as its application sees it.

    The body is read once, whole by a call or in pieces by iteration. The first of the
    ``response_`` methods that is called counts, and others are without effect, as applications of
    Granian's expect. What cannot be done raises :data:`ProtocolError`, and reading from a client
    that has left :data:`ProtocolClosed`.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.outbox = Outbox()
        self._incoming = Incoming(receive)
        self._send = send
        self._files = _FILE in scope["extensions"]
        self._head_only = scope["method"] == "HEAD"
        self._read = self._responded = self._streams = False

    async def __call__(self) -> bytes:
        """The whole body."""
        return b"".join([piece async for piece in self])

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The body's pieces as they come."""
        if self._read:
            raise ProtocolError("the request's body was read before")
        self._read = True
        return self._pieces()

    async def _pieces(self) -> AsyncIterator[bytes]:
        while (piece := await self._incoming.next()) is not None:
            yield piece

    async def client_disconnect(self) -> None:
        """Wait until the client has left, or has got its whole response."""
        await self._incoming.end()

    def response_empty(self, status: int, headers: Pairs) -> None:
        """A response without a body."""
        self.response_bytes(status, headers, b"")

    def response_str(self, status: int, headers: Pairs, body: str) -> None:
        """A text, sent as UTF-8."""
        self.response_bytes(status, headers, body.encode())

    def response_bytes(self, status: int, headers: Pairs, body: bytes) -> None:
        """A whole body."""
        self._respond(partial(self._whole, _head(status, headers), body))

    def response_file(self, status: int, headers: Pairs, file: str) -> None:
        """The file at that path; 404 where it cannot be read."""
        self._respond(partial(self._file, _head(status, headers), file, 0, None))

    def response_file_range(
        self, status: int, headers: Pairs, file: str, start: int, end: int
    ) -> None:
        """The file's bytes from `start` on, without the one at `end`."""
        if not 0 <= start <= end:
            raise ProtocolError(f"there is no range from {start} to {end}")
        self._respond(partial(self._file, _head(status, headers), file, start, end))

    def response_stream(self, status: int, headers: Pairs) -> StreamTransport:
        """Begin a response whose body follows in pieces, to the application's end."""
        if self._responded:
            raise ProtocolError("there is a response already")
        self._respond(partial(self._send, _head(status, headers)))
        self._streams = True
        return StreamTransport(self.outbox, self._incoming, self._send)

    def _respond(self, call: partial[Any]) -> None:
        if not self._responded:
            self._responded = True
            self.outbox.put(partial(self._answer, call))

    async def finish(self) -> None:
        """The application has returned: what it has begun is complete."""
        if self._streams:
            self.outbox.put(partial(self._send, _body(b"")))
        await self.outbox.flush()

    # --- What waits in the outbox ---------------------------------------------------------

    async def _answer(self, call: partial[Any]) -> None:
        """What cannot be sent is a 500 at once: the application may go on for long."""
        try:
            await call()
        except AppFault:
            with suppress(AppFault, ClientDisconnected):  # It has begun, or was broken off.
                await self._whole(_head(500, [("content-type", "text/plain")]), _FAILED)
            raise

    async def _whole(self, head: Message, body: bytes) -> None:
        await self._send(head)
        await self._send(_body(body))

    async def _file(self, head: Message, path: str, start: int, end: int | None) -> None:
        try:
            file = _opened(path)
        except (OSError, ValueError):  # The latter where there is a NUL in it.
            await self._whole(_head(404, []), _NOT_FOUND)
            return
        with file:
            size = os.fstat(file.fileno()).st_size
            count = max((size if end is None else min(size, end)) - start, 0)
            if not any(name == b"content-length" for name, _ in head["headers"]):
                head["headers"].append((b"content-length", b"%d" % count))
            await self._send(head)
            if self._files and count:
                part = {"type": _FILE, "file": file, "offset": start, "count": count}
                await self._send(part)
            else:
                await self._send_pieces(file, start, 0 if self._head_only else count)

    async def _send_pieces(self, file: BinaryIO, start: int, count: int) -> None:
        loop = asyncio.get_running_loop()
        file.seek(start)
        while piece := await loop.run_in_executor(None, file.read, min(count, _BLOCK)):
            count -= len(piece)
            await self._send(_body(piece, more=True))
        await self._send(_body(b""))


def _opened(path: str) -> BinaryIO:
    return open(path, "rb", opener=_regular)


def _regular(path: str, flags: int) -> int:
    """Only files can be sent, and a pipe would wait for somebody to write."""
    opened = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise OSError(f"{path} is no regular file")
    return opened


class StreamTransport:
    """A response's body on its way: raises :data:`ProtocolClosed` once the client has left."""

    def __init__(self, outbox: Outbox, incoming: Incoming, send: Send) -> None:
        self._outbox = outbox
        self._incoming = incoming
        self._send = send

    async def send_bytes(self, data: bytes) -> None:
        """Send a piece, and wait while the client reads too slowly."""
        if self._incoming.left:
            raise ProtocolClosed("the client has left")
        try:
            await self._outbox.do(partial(self._send, _body(data, more=True)))
        except ClientDisconnected as error:
            raise ProtocolClosed("the client has left") from error

    async def send_str(self, data: str) -> None:
        """Send a piece of text, as UTF-8."""
        await self.send_bytes(data.encode())


def _head(status: int, headers: Pairs) -> Message:
    fields = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    return {"type": "http.response.start", "status": status, "headers": fields}


def _body(data: bytes, *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}
