"""WSGI applications as ASGI 3 applications: PEP 3333, streamed both ways.

The application runs in a thread, and asks the loop for what it needs of the exchange: see
``thread_link``. Who sends slowly, or reads slowly, lets the thread wait, and nothing piles up.
This module must not know a wire format, nor the exchange beyond ``receive`` and ``send``.
"""

from __future__ import annotations

import io
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from types import TracebackType
from typing import Any

from daphne_like.asgi.scope import Message, Scope
from daphne_like.asgi.thread_link import Link
from daphne_like.asgi.threads import Threads
from daphne_like.asgi.wsgi_environ import environ_of
from daphne_like.asgi.wsgi_streams import Body, Errors, FileWrapper
from daphne_like.errors import AppFault, ClientDisconnected

Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
WSGIApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]

_TOGETHER = 64 * 1024
"""Bytes of a list's parts that are put into one, which copies them."""

_FILE = "http.response.zerocopysend"
_BODILESS = (204, 304)


class WSGI:
    """The WSGI application `call` as an ASGI 3 application, whose requests run in `threads`.

    WebSockets are refused; what asks for the lifespan hears that there is none. ``multiprocess``
    says whether other processes run the application too.
    """

    def __init__(self, call: WSGIApplication, threads: Threads) -> None:
        self.threads = threads
        self.multiprocess = False
        self._call = call

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close"})  # Before it is accepted: 403.
            return
        if scope["type"] != "http":
            raise NotImplementedError(f"WSGI has no {scope['type']}")
        link, loan = Link(), self.threads.lend()
        try:
            await link.run(loan, partial(self._respond, scope, receive, send, link))
        finally:
            loan.over()

    def _respond(self, scope: Scope, receive: Receive, send: Send, link: Link) -> None:
        """One request, in its thread."""
        errors = Errors()
        response = Response(link, send, scope["method"] == "HEAD", _FILE in scope["extensions"])
        try:
            response.run(self._call, self._environ(scope, partial(link.ask, receive), errors))
        finally:
            errors.flush()

    def _environ(
        self, scope: Scope, received: Callable[[], Message], errors: Errors
    ) -> dict[str, Any]:
        environ = environ_of(scope)
        announced = "CONTENT_LENGTH" in environ or "HTTP_TRANSFER_ENCODING" in environ
        # Only in HTTP/1 a body is announced, always (RFC 9112, section 6.3).
        bodiless = not announced and scope["http_version"].startswith("1.")
        body = io.BytesIO() if bodiless else io.BufferedReader(Body(_Pieces(received)))
        return environ | {
            "wsgi.version": (1, 0),
            "wsgi.input": body,
            "wsgi.input_terminated": True,
            "wsgi.errors": errors,
            "wsgi.file_wrapper": FileWrapper,
            "wsgi.multithread": self.threads.most > 1,
            "wsgi.multiprocess": self.multiprocess,
            "wsgi.run_once": False,
        }


class _Pieces:
    """The pieces of a request's body, then nothing; raises where the client has left."""

    def __init__(self, received: Callable[[], Message]) -> None:
        self._received = received
        self._more = True

    def __call__(self) -> bytes:
        while self._more:
            message = self._received()
            if message["type"] == "http.disconnect":
                raise ClientDisconnected("the client has left before its request was whole")
            self._more = message["more_body"]
            if message["body"]:
                return bytes(message["body"])
        return b""


class Response:
    """One response, from the thread in which the application makes it.

    "The start_response callable must not actually transmit the response headers": they go with
    the first bytes of the body, or with its end. Every other piece is sent before the application
    is asked for the next. The last one is not waited for.
    """

    def __init__(self, link: Link, send: Send, head_only: bool, files: bool) -> None:
        self._link = link
        self._send = send
        self._head_only = self._bodiless = head_only
        self._files = files
        self._head: Message | None = None
        self._length: int | None = None
        self._sent = 0
        self._begun = self._complete = False
        self._closes = True

    def run(self, application: WSGIApplication, environ: dict[str, Any]) -> None:
        """Call the application and send what it returns, and close that whatever happens."""
        result = application(environ, self.start_response)
        try:
            self._send_all(result)
        finally:
            close = getattr(result, "close", None)
            if close is not None:
                close()

    def start_response(
        self,
        status: str,
        headers: list[tuple[str, str]],
        exc_info: _ExcInfo | None = None,
    ) -> Callable[[bytes], None]:
        """The application's ``start_response``; it may be called again with an ``exc_info``.

        That is raised where the head is out already. Returns ``write``.
        """
        if exc_info is not None and self._begun:
            try:
                raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        if self._head is not None and exc_info is None:
            raise self._fault("it is called again without exc_info", "start_response")
        code = status[:3]
        if not (code.isdecimal() and status[3:4] in ("", " ")):
            raise self._fault(f"status {status!r} is no '200 OK'", "start_response")
        fields = [(key.lower().encode("latin-1"), text.encode("latin-1")) for key, text in headers]
        self._head = {"type": "http.response.start", "status": int(code), "headers": fields}
        self._bodiless = self._head_only or int(code) in _BODILESS
        length = dict(fields).get(b"content-length", b"")
        self._length = int(length) if length.isdigit() else None
        return self.write

    def write(self, data: bytes) -> None:
        """Send `data` now, and wait while the client reads too slowly."""
        if data:
            self._send_piece(data)

    def _send_all(self, result: Iterable[bytes]) -> None:
        if isinstance(result, FileWrapper) and self._send_file(result):
            return
        last = b""
        if isinstance(result, list | tuple):
            # Without it nothing is left to do behind the last piece.
            self._closes = hasattr(result, "close")
            if len(result) == 1 or sum(map(len, result)) <= _TOGETHER:
                result = [b"".join(result)]
            *result, last = result
        for data in result:
            self.write(data)
        if last or not self._complete:
            self._send_piece(last, last=True)

    def _send_piece(self, data: bytes, *, last: bool = False) -> None:
        if not isinstance(data, bytes | bytearray):
            raise self._fault(f"body {data!r} is not bytes")
        if self._complete:
            if not self._bodiless:
                raise self._fault(f"body longer than its Content-Length {self._length}")
            return
        self._sent += len(data)
        whole = self._length is not None and self._sent >= self._length
        self._complete = last or whole or self._bodiless
        self._say({"type": "http.response.body", "body": data, "more_body": not self._complete})

    def _send_file(self, wrapper: FileWrapper) -> bool:
        """Let the file be sent from where it is, if that can be done."""
        rest = wrapper.rest if self._files and not self._bodiless else None
        if self._head is None or not rest:
            return False
        if self._length is None and not self._begun:
            self._length = rest
            self._head["headers"].append((b"content-length", b"%d" % rest))
        count = rest if self._length is None else min(rest, self._length - self._sent)
        self._complete = True
        message = {"type": _FILE, "file": wrapper.file, "offset": wrapper.file.tell()}
        self._say(message | {"count": count, "more_body": False}, waits=True)
        return True

    def _say(self, message: Message, *, waits: bool = False) -> None:
        """Send `message`, behind the head if that is due; wait, unless it is the last."""
        messages = [message]
        if not self._begun:
            if self._head is None:
                raise self._fault("the application has not called start_response")
            messages = [self._head, message]
            self._begun = True
        said = partial(self._deliver, messages)
        if waits or not self._complete:
            self._link.ask(said)
        else:
            self._link.tell(said, last=not self._closes)

    def _fault(self, fault: str, step: str = "write") -> AppFault:
        state = "DONE" if self._complete else "STREAMING" if self._begun else "IDLE"
        return AppFault(state, step, fault)

    async def _deliver(self, messages: list[Message]) -> None:
        for message in messages:
            await self._send(message)
