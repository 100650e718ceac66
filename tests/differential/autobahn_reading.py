"""The other opinion: what Autobahn by itself makes of the frames that a client sends.

It gets every byte, from the handshake on. In two points it is helped, in its hooks: it would
count a compressed message by the size that it has on the wire too, and where a client ends its
compressed stream it would read nothing ever after. How many fragments a message has it does not
count; no stream here has as many as there is a limit of.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import Any

from autobahn.twisted.websocket import WebSocketServerProtocol
from autobahn.websocket.compress import PerMessageDeflateOfferAccept
from autobahn.websocket.protocol import WebSocketServerFactory
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from daphne_like.compression import Deflate
from daphne_like.limits import Limits

Event = tuple[Any, ...]

_HEAD = (
    b"GET /chat HTTP/1.1\r\nHost: example.org\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
)


class _Transport:
    """Tells the protocol's close frames, and that it is lost when it is closed."""

    def __init__(self, protocol: Reader) -> None:
        self._protocol = protocol

    def write(self, data: bytes) -> None:
        if data[:1] == b"\x88":
            self._protocol.closed(data[2:])

    def loseConnection(self) -> None:
        self._protocol.connectionLost(Failure(ConnectionDone()))

    abortConnection = loseConnection

    def getPeer(self) -> IPv4Address:
        return IPv4Address("TCP", "127.0.0.1", 1)

    getHost = getPeer

    def unregisterProducer(self) -> None:
        """There is none."""


class Reader(WebSocketServerProtocol):
    """Keeps what it reads in ``events``.

    The last of them may be ``("close", code, reason)`` or ``("broken", codes)``: what one frame
    breaks, all of it, for there is no rule that says which is to be told.
    """

    log = SimpleNamespace(**dict.fromkeys(("debug", "info", "warn", "error"), lambda *a, **k: 0))

    def __init__(self, limits: Limits, deflate: Deflate | None) -> None:
        super().__init__()
        self.events: list[Event] = []
        self._most = limits.websocket_max_message_size
        self._size = 0
        self._over = False
        self.factory = WebSocketServerFactory()
        self.factory.setProtocolOptions(
            failByDrop=False,
            echoCloseCodeReason=True,
            openHandshakeTimeout=0,
            closeHandshakeTimeout=0,
            maxFramePayloadSize=limits.websocket_max_frame_size,
            perMessageCompressionAccept=_accepting(deflate),
        )
        self.makeConnection(_Transport(self))
        self.dataReceived(_HEAD)

    def read(self, pieces: Iterable[bytes]) -> None:
        """Read to the end, or to that of the frame that closes or breaks a rule."""
        for piece in pieces:
            if not self._over:
                self.dataReceived(piece)

    # --- What it finds ----------------------------------------------------------------------

    def _tell(self, *event: Any) -> None:
        if not self.is_broken:
            self.events.append(event)

    @property
    def is_broken(self) -> bool:
        return bool(self.events) and self.events[-1][0] in ("close", "broken")

    def broken(self, code: int) -> None:
        if not self.is_broken:
            self.events.append(("broken", {code}))
        elif self.events[-1][0] == "broken" and not self._over:
            self.events[-1][1].add(code)

    def closed(self, payload: bytes) -> None:
        """A close frame was written: in reply, or because of what was broken."""
        code = int.from_bytes(payload[:2], "big") if payload else None
        if self.wasClean:
            self._tell("close", code, payload[2:].decode())
            self._over = True
        else:
            self.broken(code)

    # --- Autobahn's hooks -------------------------------------------------------------------

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        if self._isMessageCompressed and self._perMessageCompress._decompressor.eof:
            self._perMessageCompress._decompressor = None
        self._tell("binary" if isBinary else "text", payload)

    def onPing(self, payload: bytes) -> None:
        self._tell("ping", payload)

    def onMessageBegin(self, isBinary: bool) -> None:
        super().onMessageBegin(isBinary)
        self._size = 0

    def onMessageFrameBegin(self, length: int) -> None:
        super().onMessageFrameBegin(length)
        if not self._isMessageCompressed:
            self._count(length)
        # Its own look at the limit of frames is left out where the frame breaks a rule too.
        if 0 < self.maxFramePayloadSize < length:
            self.broken(1009)

    def onMessageFrameData(self, payload: bytes) -> None:
        super().onMessageFrameData(payload)
        if self._isMessageCompressed:
            self._count(len(payload))
            if len(self._perMessageCompress._decompressor.unused_data) > 1:
                self.broken(1007)

    def _count(self, size: int) -> None:
        """Count a frame before any of it is read, or of a compressed one what was inflated."""
        self._size += size
        if 0 < self._most < self._size:
            self.broken(1009)

    def onFrameEnd(self) -> bool | None:
        """What follows a frame that breaks a rule has no meaning, though Autobahn goes on."""
        result = super().onFrameEnd()
        self._over = self._over or self.is_broken
        return result


def _accepting(deflate: Deflate | None) -> Any:
    def accept(offers: Sequence[Any]) -> PerMessageDeflateOfferAccept | None:
        return deflate and PerMessageDeflateOfferAccept(
            offers[0],
            request_no_context_takeover=not deflate.client_takeover,
            request_max_window_bits=deflate.client_bits,
            no_context_takeover=not deflate.server_takeover,
            window_bits=deflate.server_bits,
        )

    return accept
