"""WebSocket frames (RFC 6455, section 5): from bytes to what they mean, and back.

There are two lanes. The fast one is here: plain messages of one frame, pings, pongs and orderly
closes. All else, fragments and compression and whatever breaks a rule, is Autobahn's: see
``channel``, which is not even loaded before it is needed. Both lanes give the same events for
the same bytes. This module must not know ASGI's rules, nor who reads or writes the bytes.
"""

from __future__ import annotations

from codecs import getincrementaldecoder
from typing import Any, NamedTuple, Protocol

from daphne_like.asgi.masks import apply_mask
from daphne_like.compression import Deflate
from daphne_like.limits import Limits

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_LAST = 0x80
_COMPRESSED = 0x40
_MASKED = 0x80

_A_TURN = 256
"""Frames that are read in one turn of the loop at most: others want to be served too."""

_FRAGMENTS = 1024
"""Fragments that any message may have: clients cut where their buffers end."""
_FRAGMENT = 64
"""Bytes of a message's limit that allow it one more: empty ones would have no end."""
_UNLIMITED = 64 * 1024 * 1024  # What counts here where there is no limit.

CODES = frozenset((1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013))
"""The close codes of RFC 6455 and of its registry that may be sent; others are 3000 to 4999."""

INVALID = 1007
TOO_BIG = 1009
NO_CODE = 1005
"""What stands for a close without a code; it is never sent."""

_Decoder = getincrementaldecoder("utf-8")
_PLAIN = frozenset((_LAST | TEXT, _LAST | BINARY))
_CONTROLS = frozenset((_LAST | CLOSE, _LAST | PING, _LAST | PONG))
_REGULAR = _PLAIN | _CONTROLS | {CONTINUATION, TEXT, BINARY, _LAST | CONTINUATION}
_REGULAR_COMPRESSED = _REGULAR | {first | _COMPRESSED for first in (TEXT, BINARY, *_PLAIN)}


class Heard(Protocol):
    """Who is told what the frames mean."""

    def text_received(self, text: str, size: int) -> None:
        """A text message, of so many bytes."""

    def binary_received(self, data: bytes) -> None:
        """A binary message."""

    def ping_received(self, payload: bytes) -> None:
        """A ping, which wants a pong."""

    def close_received(self, code: int | None, reason: str) -> None:
        """The peer closes; nothing is read after it."""

    def frames_broken(self, code: int, reason: str) -> None:
        """The peer has broken a rule or a limit; nothing is read after it."""

    def more_to_read(self) -> None:
        """Enough for one turn: ``read`` wants to be called in the next."""


class _Header(NamedTuple):
    first: int
    start: int
    """Where the payload begins."""
    length: int


def may_be_sent(code: int) -> bool:
    """Whether a close frame may carry `code` (RFC 6455, section 7.4)."""
    return code in CODES or 3000 <= code <= 4999


# --- Out ----------------------------------------------------------------------------------

_HEADS = {first: [bytes((first, size)) for size in range(126)] for first in _PLAIN | _CONTROLS}


def head(first: int, size: int) -> bytes:
    """The head of a frame from a server: its first byte, and the length of its payload."""
    if size < 126:
        return _HEADS[first][size]
    if size < 65536:
        return bytes((first, 126, size >> 8, size & 255))
    return bytes((first, 127)) + size.to_bytes(8, "big")


def frame(opcode: int, payload: bytes) -> bytes:
    """A whole frame from a server."""
    return head(_LAST | opcode, len(payload)) + payload


def close_frame(code: int | None, reason: str = "") -> bytes:
    """A close frame; a reason that is too long for it is cut, between characters."""
    if code is None:
        return frame(CLOSE, b"")
    said = reason.encode("utf-8", "replace")[:123].decode("utf-8", "ignore").encode()
    return frame(CLOSE, code.to_bytes(2, "big") + said)


# --- In -----------------------------------------------------------------------------------


def plain_payload(data: bytes, most: int) -> bytes | None:
    """The payload of `data`, if that is one whole plain frame and nothing more.

    It has `most` bytes at the most; whether it is text says its first byte.
    """
    if data[0] not in _PLAIN:
        return None
    size = len(data) - 6
    if size < 126:
        if size < 0 or data[1] != _MASKED | size:
            return None
        return apply_mask(data[6:], data[2:6]) if size <= most else None
    size -= 2
    if size < 65536:
        if data[1] != _MASKED | 126 or data[2] << 8 | data[3] != size or size < 126 or size > most:
            return None
        return apply_mask(data[8:], data[4:8])
    return None


class FrameReader:
    """The frames of one client, from whatever pieces they come in.

    ``clear`` says that nothing is half read, so that :func:`plain_payload` may be asked first;
    ``stalled`` that nothing is read at all until `resume`.
    """

    __slots__ = (
        "_buffer",
        "_channel",
        "_decoder",
        "_deflate",
        "_fragmented",
        "_fragments",
        "_heard",
        "_left",
        "_limits",
        "_mask",
        "_over",
        "_packed",
        "_pieces",
        "_size",
        "_slow",
        "clear",
        "stalled",
    )

    def __init__(self, heard: Heard, limits: Limits, deflate: Deflate | None) -> None:
        self._heard = heard
        self._limits = limits
        self._deflate = deflate
        self._channel: Any = None
        self._buffer = bytearray()
        self._left = 0
        self._mask = b""
        self._pieces: list[Any] | None = None
        self._decoder: Any = None
        self._size = self._fragments = 0
        self._slow = self._fragmented = self._packed = self._over = self.stalled = False
        self.clear = True

    def feed(self, data: bytes) -> int:
        """Read `data`, behind what is not read yet; tell how many bytes have been read."""
        if self._buffer:
            self._buffer += data
            return self.read()
        return self._read(data)

    def stall(self) -> None:
        """Read no more until `resume`."""
        self.stalled = True
        self.clear = False

    def resume(self) -> int:
        """Read what has come meanwhile; tell how many bytes have been read."""
        self.stalled = False
        return self.read()

    def read(self) -> int:
        """Read what there is, a turn's worth; tell how many bytes have been read."""
        if self.stalled:
            return 0
        data = bytes(self._buffer)
        self._buffer.clear()
        return self._read(data)

    def compressed(self, payload: bytes, *, binary: bool) -> bytes:
        """A whole message, compressed, as the bytes to send."""
        made: bytes = self._autobahn().compressed(payload, binary)
        return made

    def _read(self, data: bytes) -> int:
        at, end, frames = 0, len(data), 0
        while at < end and not (self.stalled or self._over):
            if frames == _A_TURN:
                self._heard.more_to_read()
                break
            frames += 1
            before = at
            at = self._take_rest(data, at) if self._left else self._take_frame(data, at)
            if at == before:
                break
        if self._over:
            at = end
        elif at < end:
            self._buffer += data[at:]
        self.clear = not (
            self._left or self._buffer or self._fragmented or self._over or self.stalled
        )
        return at

    # --- Frames -----------------------------------------------------------------------------

    def _take_frame(self, data: bytes, at: int) -> int:
        """Begin the frame at `at`; return where what is left begins, `at` if it is too short."""
        if len(data) - at < 2:
            return at
        if self._is_irregular(data[at], data[at + 1]):
            self._autobahn().feed(data[at : at + 2])
            return self._given_up(data)
        header = _header_of(data, at)
        if header is None:
            return at
        if header.first in _CONTROLS:
            return self._take_control(header, data, at)
        if not self._is_within_limits(header):
            self._break(TOO_BIG, "too big")
            return at
        self._left = header.length
        if header.first in _PLAIN and not self._fragmented and _is_minimal(header, at):
            self._mask = data[header.start - 4 : header.start]
            self._begin_plain(header)
        else:
            self._begin_slow(header, data, at)
        if not self._left and not self._over:
            self._take_rest(data, header.start)
        return header.start

    def _is_irregular(self, first: int, second: int) -> bool:
        """Whether these two bytes alone break a rule: Autobahn knows which."""
        regular = _REGULAR_COMPRESSED if self._deflate else _REGULAR
        too_long = first in _CONTROLS and second > _MASKED | 125
        return first not in regular or second < _MASKED or too_long

    def _is_within_limits(self, header: _Header) -> bool:
        """Bound a frame and its message before any of it is kept."""
        most_frame = self._limits.websocket_max_frame_size
        most = self._limits.websocket_max_message_size
        if not self._fragmented:
            self._packed = bool(header.first & _COMPRESSED)
        # Of what is compressed the size is not known yet: Autobahn inflates within the limit.
        size = 0 if self._packed else header.length
        if not header.first & _LAST or self._fragmented:
            size = self._size = self._size + size
            self._fragments += 1
            if self._fragments > _FRAGMENTS + (most or _UNLIMITED) // _FRAGMENT:
                return False
        return not 0 < most_frame < header.length and not 0 < most < size

    def _take_rest(self, data: bytes, at: int) -> int:
        """Take what there is of the payload of the frame that was begun."""
        piece = data[at : at + self._left]
        self._left -= len(piece)
        if self._slow:
            self._autobahn().feed(piece)
        else:
            self._take_plain(apply_mask(piece, self._mask))
            turn = len(piece) & 3
            self._mask = self._mask[turn:] + self._mask[:turn]
        return at + len(piece)

    # --- The fast lane ----------------------------------------------------------------------

    def _begin_plain(self, header: _Header) -> None:
        self._slow = False
        self._pieces = []
        self._size = header.length
        self._decoder = _Decoder() if header.first & TEXT else None

    def _take_plain(self, piece: bytes) -> None:
        pieces, last = self._pieces, not self._left
        assert pieces is not None
        if self._decoder is None:
            pieces.append(piece)
        else:
            try:
                pieces.append(self._decoder.decode(piece, last))
            except UnicodeDecodeError:
                self._break(INVALID, "invalid UTF-8")
                return
        if last:
            self._plain_over(pieces)

    def _plain_over(self, pieces: list[Any]) -> None:
        is_text, size = self._decoder is not None, self._size
        self._pieces = self._decoder = None
        self._size = 0
        if is_text:
            self._heard.text_received("".join(pieces), size)
        else:
            self._heard.binary_received(pieces[0] if len(pieces) == 1 else b"".join(pieces))

    def _take_control(self, header: _Header, data: bytes, at: int) -> int:
        end = header.start + header.length
        if end > len(data):
            return at
        payload = apply_mask(data[header.start : end], data[header.start - 4 : header.start])
        if header.first == _LAST | PING:
            self._heard.ping_received(payload)
        elif header.first == _LAST | CLOSE:
            self._take_close(payload, data[at:end])
        return end

    def _take_close(self, payload: bytes, raw: bytes) -> None:
        """An orderly close, or one in which Autobahn finds what is wrong."""
        code = int.from_bytes(payload[:2], "big") if payload else None
        reason = _decoded(payload[2:])
        if reason is None or not (code is None or may_be_sent(code)):
            self._autobahn().feed(raw)
            self._given_up(raw)
            return
        self._over = True
        self._heard.close_received(code, reason)

    # --- The slow lane ----------------------------------------------------------------------

    def _begin_slow(self, header: _Header, data: bytes, at: int) -> None:
        self._slow = True
        self._fragmented = not header.first & _LAST
        self._autobahn().feed(data[at : header.start])

    def _given_up(self, data: bytes) -> int:
        """Autobahn has got what breaks a rule; nothing that follows has a meaning."""
        if not self._over:
            self._break(1002, "protocol error")
        return len(data)

    def _autobahn(self) -> Any:
        if self._channel is None:
            from daphne_like.asgi.channel import Channel  # It is large: most sockets do without.

            self._channel = Channel(self, self._limits.websocket_max_message_size, self._deflate)
        return self._channel

    def assembled(self, payload: bytes, *, binary: bool) -> None:
        """Autobahn has put a message together."""
        most = self._limits.websocket_max_message_size
        if 0 < most < len(payload):
            self._break(TOO_BIG, "too big")
            return
        self._size = self._fragments = 0
        if binary:
            self._heard.binary_received(payload)
        else:
            self._heard.text_received(payload.decode(), len(payload))

    def refused(self, code: int, reason: str) -> None:
        """Autobahn has found a rule broken."""
        self._break(code, reason)

    def _break(self, code: int, reason: str) -> None:
        if not self._over:
            self._over = True
            self._heard.frames_broken(code, reason)


def _header_of(data: bytes, at: int) -> _Header | None:
    """The header at `at`, if it is whole; its frame is masked."""
    length = data[at + 1] & 0x7F
    start = at + 6
    if length > 125:
        start += 2 if length == 126 else 8
    if len(data) < start:
        return None
    if length > 125:
        length = int.from_bytes(data[at + 2 : start - 4], "big")
    return _Header(data[at], start, length)


def _decoded(text: bytes) -> str | None:
    try:
        return text.decode()
    except UnicodeDecodeError:
        return None


def _is_minimal(header: _Header, at: int) -> bool:
    """Whether the length is spelt as briefly as can be: it MUST be (section 5.2)."""
    spent = header.start - at
    return spent == (6 if header.length < 126 else 8 if header.length < 65536 else 14)
