"""From the bytes of a client's frames to what they mean (RFC 6455, section 5).

There are two lanes. The fast one is here: plain messages of one frame, pings, pongs and orderly
closes. All else, fragments and compression and whatever breaks a rule, is Autobahn's: see
``channel``, which is not even loaded before it is needed. Both lanes give the same events for
the same bytes. This module must not know ASGI's rules, nor who reads or writes the bytes.
"""

from __future__ import annotations

from codecs import getincrementaldecoder
from io import BytesIO
from typing import Any, Protocol

from daphne_like.asgi.frames import (
    BINARY,
    CLOSE,
    COMPRESSED,
    CONTINUATION,
    CONTROLS,
    INVALID,
    LAST,
    MASKED,
    PING,
    PLAIN,
    TEXT,
    TOO_BIG,
    Header,
    header_of,
    is_well_spelt,
    may_be_sent,
)
from daphne_like.asgi.masks import apply_mask
from daphne_like.compression import Deflate
from daphne_like.limits import Limits

_A_TURN = 256
"""Frames that are read in one turn of the loop at most: others want to be served too."""
_A_TURNS_BYTES = 256 * 1024
"""Bytes that their messages have, inflated, at most, but for those of the last one."""

_FRAGMENTS = 1024
"""Fragments that any message may have: clients cut where their buffers end."""
_FRAGMENT = 64
"""Bytes of a message's limit that allow it one more: empty ones would have no end."""
_UNLIMITED = 64 * 1024 * 1024  # What counts here where there is no limit.

_Decoder = getincrementaldecoder("utf-8")
_NO_DATA = BytesIO()
_REGULAR = PLAIN | CONTROLS | {CONTINUATION, TEXT, BINARY, LAST | CONTINUATION}
_REGULAR_COMPRESSED = _REGULAR | {first | COMPRESSED for first in (TEXT, BINARY, *PLAIN)}


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


class FrameReader:
    """The frames of one client, from whatever pieces they come in.

    ``clear`` says that nothing is half read, so that :func:`plain_payload` may be asked first;
    ``stalled`` that nothing is read at all until `resume`.
    """

    __slots__ = (
        "_buffer",
        "_channel",
        "_data",
        "_decoder",
        "_deflate",
        "_delivered",
        "_discarding",
        "_fragmented",
        "_fragments",
        "_heard",
        "_left",
        "_limits",
        "_mask",
        "_over",
        "_packed",
        "_size",
        "_slow",
        "_yielding",
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
        self._data = _NO_DATA
        self._decoder: Any = None
        self._delivered = 0
        self._discarding = False
        self._size = self._fragments = 0
        self._slow = self._fragmented = self._packed = self._over = False
        self._yielding = self.stalled = False
        self.clear = True

    def feed(self, data: bytes) -> int:
        """Read `data`, behind what is not read yet; tell how many bytes have been read."""
        if self._buffer:
            self._buffer += data
            return 0 if self._yielding else self.read()
        return self._read(data)

    def stall(self) -> None:
        """Read no more until `resume`."""
        self.stalled = True
        self.clear = False

    def resume(self) -> int:
        """Read what has come meanwhile; tell how many bytes have been read."""
        self.stalled = False
        return 0 if self._yielding else self.read()

    def read(self) -> int:
        """Read what there is, a turn's worth; tell how many bytes have been read."""
        self._yielding = False
        if self.stalled:
            return 0
        data = bytes(self._buffer)
        self._buffer.clear()
        return self._read(data)

    def discard(self) -> int:
        """Nobody wants messages any more: look for the close only; tell how much was read."""
        self._discarding = True
        self.clear = False
        return self.resume()

    def compressed(self, payload: bytes, *, binary: bool) -> bytes:
        """A whole message, compressed, as the bytes to send."""
        made: bytes = self._autobahn().compressed(payload, binary)
        return made

    def _read(self, data: bytes) -> int:
        at, end, frames = 0, len(data), 0
        self._delivered = 0
        while at < end and not (self.stalled or self._over):
            if frames == _A_TURN or self._delivered > _A_TURNS_BYTES:
                self._yielding = True
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
        half_read = self._left or self._buffer or self._fragmented or self.stalled
        self.clear = not (half_read or self._over or self._discarding)
        return at

    # --- Frames -----------------------------------------------------------------------------

    def _take_frame(self, data: bytes, at: int) -> int:
        """Begin the frame at `at`; return where what is left begins, `at` if it is too short."""
        if len(data) - at < 2:
            return at
        if self._is_irregular(data[at], data[at + 1]):
            self._autobahn().feed(data[at : at + 2])
            return self._given_up(data)
        header = header_of(data, at)
        if header is None:
            return at
        if header.first in CONTROLS:
            return self._take_control(header, data, at)
        return self._begin_data(header, data, at)

    def _begin_data(self, header: Header, data: bytes, at: int) -> int:
        """Begin a frame of a message, in the lane that it belongs to."""
        if self._discarding:
            self._left = header.length
            return header.start
        if (fault := self._over_limit(header)) is not None:
            self._break(TOO_BIG, fault)
            return at
        self._left = header.length
        if header.first in PLAIN and not self._fragmented and is_well_spelt(header, at):
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
        too_long = first in CONTROLS and second > MASKED | 125
        return first not in regular or second < MASKED or too_long

    def _over_limit(self, header: Header) -> str | None:
        """Bound a frame and its message before any of it is kept: which bound it breaks."""
        most_frame = self._limits.websocket_max_frame_size
        most = self._limits.websocket_max_message_size
        if not self._fragmented:
            self._packed = bool(header.first & COMPRESSED)
        size, fragments = header.length, _FRAGMENTS + (most or _UNLIMITED) // _FRAGMENT
        if self._packed:
            # How large it is Autobahn will see; what cannot be compressed becomes a little larger.
            most += most // 8 + 1024 if most else 0
        if not header.first & LAST or self._fragmented:
            size = self._size = self._size + size
            self._fragments += 1
            if self._fragments > fragments:
                return "too many fragments"
        if 0 < most_frame < header.length:
            return f"more than {most_frame} bytes"
        return self._too_big() if 0 < most < size else None

    def _too_big(self) -> str:
        return f"more than {self._limits.websocket_max_message_size} bytes"

    def _take_rest(self, data: bytes, at: int) -> int:
        """Take what there is of the payload of the frame that was begun."""
        piece = data[at : at + self._left]
        self._left -= len(piece)
        if self._discarding:
            pass
        elif self._slow:
            self._autobahn().feed(piece)
        else:
            self._take_plain(apply_mask(piece, self._mask))
            turn = len(piece) & 3
            self._mask = self._mask[turn:] + self._mask[:turn]
        return at + len(piece)

    # --- The fast lane ----------------------------------------------------------------------

    def _begin_plain(self, header: Header) -> None:
        self._slow = False
        self._data = BytesIO()
        self._decoder = _Decoder() if header.first & TEXT else None

    def _take_plain(self, piece: bytes) -> None:
        last = not self._left
        self._data.write(piece)
        if self._decoder is not None:
            try:
                self._decoder.decode(piece, last)
            except UnicodeDecodeError:
                self._break(INVALID, "invalid UTF-8")
                return
        if last:
            self._plain_over()

    def _plain_over(self) -> None:
        # Nothing is copied: a large copy costs most for the memory that it needs.
        data, self._data = self._data.getvalue(), _NO_DATA
        if self._decoder is None:
            self._deliver(data, binary=True)
        else:
            self._decoder = None
            self._deliver(data, binary=False)

    def _deliver(self, payload: bytes, *, binary: bool) -> None:
        self._delivered += len(payload)
        if binary:
            self._heard.binary_received(payload)
        else:
            self._heard.text_received(payload.decode(), len(payload))

    def _take_control(self, header: Header, data: bytes, at: int) -> int:
        end = header.start + header.length
        if end > len(data):
            return at
        payload = apply_mask(data[header.start : end], data[header.start - 4 : header.start])
        if header.first == LAST | PING:
            self._heard.ping_received(payload)
        elif header.first == LAST | CLOSE:
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

    def _begin_slow(self, header: Header, data: bytes, at: int) -> None:
        self._slow = True
        self._fragmented = not header.first & LAST
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
        """Autobahn has put a message together; it is within its limit."""
        self._size = self._fragments = 0
        self._deliver(payload, binary=binary)

    def refused(self, code: int, reason: str) -> None:
        """Autobahn has found a rule broken, or that a message inflates too far."""
        self._break(code, self._too_big() if code == TOO_BIG else reason)

    def _break(self, code: int, reason: str) -> None:
        if not self._over:
            self._over = True
            self._heard.frames_broken(code, reason)


def _decoded(text: bytes) -> str | None:
    try:
        return text.decode()
    except UnicodeDecodeError:
        return None
