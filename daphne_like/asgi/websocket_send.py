"""The messages' way from the application: ``send``, by a table of what may follow what.

It is the outgoing half of one WebSocket. It must not know how frames are read. The rules, each
written once:

* Before it accepts, an application may refuse: by a close, or with a response of its own.
* A message is written as one frame; then a slow client is waited for.
* After the end, who knows of it is told by `ClientDisconnected`; who may not know yet sends
  into the void for a while.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from daphne_like.asgi.frames import BINARY, CODES_IN_WORDS, TEXT, close_frame, head, may_be_sent
from daphne_like.asgi.scope import Message
from daphne_like.asgi.waiting import Waiters, wait, wake
from daphne_like.asgi.websocket_receive import AppState, ClientState, ReceiveSide
from daphne_like.compression import Deflate
from daphne_like.errors import AppFault, ClientDisconnected
from daphne_like.exchange import Fields, Request, ResponseHead
from daphne_like.handshake import offered_protocols, proof
from daphne_like.headers_sent import BadField, accept_fields

if TYPE_CHECKING:
    from daphne_like.asgi.http import HTTPExchange

_LEAST = 1024
"""A message counts as so many bytes at least: small ones take their time too."""

_JOIN_BELOW = 64 * 1024
"""A larger payload is written beside its head: copying it would cost more than a second write."""

_TEXT, _BINARY = 0x80 | TEXT, 0x80 | BINARY

# A name of the module is found at once, a member of an enum by search: this is the hot path.
_CONNECTING, _DENYING, _OPEN, _CLOSED = AppState


class SendSide(ReceiveSide):
    """The way of one socket's messages from the application."""

    __slots__ = (
        "_bytes_out",
        "_deflate",
        "_denial",
        "_gone_at",
        "_head",
        "_outcome",
        "_ran",
        "_writers",
        "request",
    )

    _bytes_out: int
    _deflate: Deflate | None
    _denial: HTTPExchange | None
    _gone_at: float
    _head: ResponseHead | None
    _outcome: str
    _ran: int
    _writers: Waiters | None
    request: Request

    @abstractmethod
    def _accepted(self) -> None:
        """The socket is open."""

    @abstractmethod
    def close(self, code: int, reason: str = "") -> None:
        """End with a close frame."""

    @abstractmethod
    def _refuse(self, message: Message) -> None:
        """Answer the handshake with 403."""

    @abstractmethod
    async def _deny(self, message: Message) -> None:
        """Answer the handshake with a response of the application's."""

    async def send(self, message: Any) -> None:
        """The application's ``send``: one step of the table, then wait for a slow client.

        Raises :class:`AppFault` for a message that the state does not allow,
        :class:`ClientDisconnected` after the end.
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
        if self._state is _OPEN and (
            self._stream.full or self._ran > self._application.limits.write_budget
        ):
            await self._give_way()

    async def _give_way(self) -> None:
        """Let everybody else have a turn, then wait until the client has read enough."""
        self._ran = 0
        await asyncio.sleep(0)
        while self._state is _OPEN and self._stream.full:
            if self._writers is None:
                self._writers = []
            await wait(self._writers, self._application.loop)
        if self._is_closed():
            await self._send_into_the_void()

    def _is_closed(self) -> bool:
        return self._state is _CLOSED

    async def _send_otherwise(self, message: Message) -> None:
        """A message that the table does not have: of a denial, after the end, or a fault."""
        kind = message["type"]
        if self._state is _CLOSED:
            await self._send_into_the_void()
        elif kind in _DENIAL[self._state]:
            await self._deny(message)
        else:
            raise AppFault(self._state.value, kind, "this message is not expected now")

    async def _send_into_the_void(self) -> None:
        """Tell who knows, or should, that there is nobody; others may go on for a while.

        Another task than the one that has heard of the disconnect may not know of it yet, and
        may be the one that has to clean up.
        """
        late = self._application.now() - self._gone_at > self._application.limits.send_grace
        somebody_knows = self._listening or self._told is not None
        if late or not somebody_knows or self._told is asyncio.current_task():
            raise ClientDisconnected("the WebSocket is closed")
        await asyncio.sleep(0)

    # --- The steps ------------------------------------------------------------------------

    def _accept(self, message: Message) -> None:
        try:
            fields, own = accept_fields(message.get("headers") or ())
        except (BadField, TypeError) as error:
            raise self._fault(message, str(error)) from None
        ours = [*self._chosen(message), *proof(self.request)]
        if self._deflate is not None:
            ours.append(self._deflate.field)
        self._head = ResponseHead(101, ours + fields, own=own)
        self._state = _OPEN
        self._client = ClientState.OPEN
        self._accepted()
        self._write = self._stream.open_tunnel(self._head)

    def _chosen(self, message: Message) -> Fields:
        """The subprotocol, as a field: one that the client has offered (RFC 6455, 4.2.2)."""
        name = message.get("subprotocol")
        if name is None:
            return []
        if name not in offered_protocols(self.request):
            raise self._fault(message, f"the client has not offered the subprotocol {name!r}")
        return [(b"sec-websocket-protocol", name.encode("ascii"))]

    def _send(self, message: Message) -> None:
        text = message.get("text")
        if text is None:
            first, payload = _BINARY, self._bytes_of(message)
        elif message.get("bytes") is not None:
            raise self._fault(message, "it has both text and bytes")
        else:
            first = _TEXT
            try:
                payload = text.encode()
            except AttributeError:
                raise self._fault(message, f"text is {type(text)}, not str") from None
            except UnicodeEncodeError as error:
                raise self._fault(message, f"text cannot be sent: {error}") from None
        size = len(payload)
        self._bytes_out += size
        self._ran += size + _LEAST
        if self._deflate is not None and size >= self._deflate.min_size:
            self._write(self._frames.compressed(payload, binary=first == _BINARY))
        elif size < _JOIN_BELOW:
            self._write(head(first, size) + payload)
        else:
            self._write(head(first, size))
            self._write(payload)

    def _bytes_of(self, message: Message) -> bytes:
        data = message.get("bytes")
        if type(data) is bytes:
            return data
        if isinstance(data, bytes | bytearray | memoryview):
            return bytes(data)
        what = "neither text nor bytes" if data is None else f"bytes that are {type(data)}"
        raise self._fault(message, f"it has {what}")

    def _close(self, message: Message) -> None:
        code, reason = message.get("code"), message.get("reason") or ""
        code = 1000 if code is None else code
        if not isinstance(code, int) or not may_be_sent(code):
            raise self._fault(message, f"{code!r} is no code for a close: {CODES_IN_WORDS}")
        if not isinstance(reason, str):
            raise self._fault(message, f"reason is {type(reason)}, not str")
        self._outcome = "complete"
        self.close(int(code), reason)

    def _write_close(self, code: int | None, reason: str = "") -> None:
        self._write(close_frame(code, reason))

    def _fault(self, message: Message, fault: str) -> AppFault:
        return AppFault(self._state.value, message.get("type"), fault)

    def drained(self) -> None:
        """The client has read enough: ``send`` goes on, and its last ping is answered."""
        if self._denial is not None:
            self._denial.drained()
        if self._pinged is not None:
            pinged, self._pinged = self._pinged, None
            self.ping_received(pinged)
        self._wake_writers()

    def _wake_writers(self) -> None:
        if self._writers is not None:
            waiters, self._writers = self._writers, None
            wake(waiters)


_START, _BODY = "websocket.http.response.start", "websocket.http.response.body"
_DENIAL: dict[AppState, tuple[str, ...]] = {
    _CONNECTING: (_START,),
    _DENYING: (_START, _BODY),
    _OPEN: (),
}
"""The messages of a denial, which has rules of its own: those of HTTP."""

_STEPS: dict[AppState, dict[str, Callable[[SendSide, Message], None]]] = {
    _CONNECTING: {
        "websocket.accept": SendSide._accept,
        "websocket.close": lambda exchange, message: exchange._refuse(message),
    },
    _DENYING: {},
    _OPEN: {
        "websocket.send": SendSide._send,
        "websocket.close": SendSide._close,
    },
    _CLOSED: {},
}
