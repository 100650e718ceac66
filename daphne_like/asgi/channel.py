"""Autobahn, for what is not plain in a WebSocket: fragments, compression, broken rules.

It gets a head that we write ourselves, so that it is open at once and sees no byte of the
client's handshake; then whole or partial frames. It sends nothing but compressed messages. This
module must not know who closes, nor why. autobahn is imported here and nowhere else; checked
against 26.10.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autobahn.exception import PayloadCorruptError, PayloadExceededError
from autobahn.twisted.websocket import WebSocketServerProtocol
from autobahn.websocket.compress import PerMessageDeflate
from autobahn.websocket.protocol import WebSocketServerFactory
from twisted.internet.address import IPv4Address

if TYPE_CHECKING:
    from daphne_like.asgi.frame_reader import FrameReader
    from daphne_like.compression import Deflate

_HEAD = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
_NOWHERE = IPv4Address("TCP", "127.0.0.1", 0)


class _Silence:
    """A log that nobody reads: who uses the channel tells what is worth telling."""

    def debug(self, *_: Any, **__: Any) -> None:
        """Say nothing."""

    info = warn = error = debug


class _Wire:
    """The transport that Autobahn believes in: it keeps what is written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def getPeer(self) -> IPv4Address:
        return _NOWHERE

    getHost = getPeer

    def unregisterProducer(self) -> None:
        """There is none."""

    def loseConnection(self) -> None:
        """Who uses the channel closes."""

    abortConnection = loseConnection


class _Protocol(WebSocketServerProtocol):
    """Autobahn's state machine, of which only the judgements are used."""

    log = _Silence()
    reader: FrameReader

    def dataReceived(self, data: bytes) -> None:
        """Judge `data`, without the log line for which Autobahn takes as long as for a frame."""
        self.data += data
        self.consumeData()

    def onMessageEnd(self) -> None:
        """A message is complete, and good."""
        pieces, self.message_data = self.message_data, []
        if not self.failedByMe:
            self.reader.assembled(b"".join(pieces), binary=self.message_is_binary)

    def sendCloseFrame(
        self, code: int | None = None, reasonUtf8: bytes | None = None, isReply: bool = False
    ) -> None:
        """The place where every broken rule ends up."""
        reason = (reasonUtf8 or b"").decode("utf-8", "replace")
        self.reader.refused(code or 1002, reason)


class _Deflate(PerMessageDeflate):
    """Autobahn's compression, for clients too that end their stream with a message.

    They may (RFC 7692, section 7.2.3.4). zlib reads nothing behind that end, and keeps it all. A
    window that the next message may not use is let go with its message.
    """

    _compressor: Any
    _decompressor: Any
    _decompress_message_size: int

    def __init__(self, deflate: Deflate, most: int) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            True,
            not deflate.server_takeover,
            not deflate.client_takeover,
            deflate.server_bits,
            deflate.client_bits,
            deflate.memory_level,
            # One byte more, so that a message that is too long can be told from one that is not.
            most + 1 if most else None,
        )

    def decompress_message_data(self, data: bytes, max_output_len: int | None = None) -> bytes:
        """Inflate a part of a message; all there may be behind an end is one byte of padding."""
        inflated: bytes = super().decompress_message_data(  # type: ignore[no-untyped-call]
            data, max_output_len
        )
        if len(self._decompressor.unused_data) > 1:
            raise PayloadCorruptError("there is more behind the end of the stream")
        if self._decompress_message_size == self.max_message_size:
            raise PayloadExceededError("the message is too big")
        return inflated

    def end_decompress_message(self) -> None:
        """The message is over; after an end, a stream begins anew."""
        super().end_decompress_message()  # type: ignore[no-untyped-call]
        if self._decompressor.eof or self.client_no_context_takeover:
            self._decompressor = None

    def end_compress_message(self) -> bytes:
        """Return the last bytes of a message."""
        rest: bytes = super().end_compress_message()  # type: ignore[no-untyped-call]
        if self.server_no_context_takeover:
            self._compressor = None
        return rest


def _factory() -> Any:
    """What protocols take their options from: Autobahn's own time-outs and limits are off."""
    factory = WebSocketServerFactory()
    factory.setProtocolOptions(
        failByDrop=False, openHandshakeTimeout=0, closeHandshakeTimeout=0, webStatus=False
    )
    return factory


_FACTORY = _factory()


class Channel:
    """An open WebSocket of Autobahn's; what it finds it tells `reader`."""

    def __init__(self, reader: FrameReader, most: int, deflate: Deflate | None) -> None:
        self._wire = _Wire()
        protocol: Any = _Protocol()
        self._protocol = protocol
        protocol.factory = _FACTORY
        protocol.reader = reader
        protocol.makeConnection(self._wire)
        protocol.dataReceived(_HEAD)
        if deflate is not None:
            protocol._perMessageCompress = _Deflate(deflate, most)
        self._wire.written.clear()

    def feed(self, data: bytes) -> None:
        """Let Autobahn judge `data`: a part of a frame at the most."""
        self._protocol.dataReceived(data)

    def compressed(self, payload: bytes, binary: bool) -> bytes:
        """A whole message as bytes to send."""
        written = self._wire.written
        self._protocol.sendMessage(payload, isBinary=binary)
        data = b"".join(written)
        written.clear()
        return data
