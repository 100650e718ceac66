"""What clients may send over a WebSocket: mostly good messages, and every way to break a rule."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from daphne_like.compression import Deflate
from tests.support.websocket import (
    BINARY,
    CLOSE,
    COMPRESSED,
    MASK,
    PING,
    PONG,
    TEXT,
    closing,
    framed,
)

SIZES = (0, 1, 2, 63, 64, 65, 99, 100, 101, 124, 125, 126, 127, 300, 301)
LARGE = (65535, 65536, 65537, 70000, 70001)
CODES = (None, 0, 1, 999, 1000, 1001, 1003, 1004, 1005, 1006, 1007, 1011, 1012, 1013, 1014, 1015,
         1016, 1100, 2000, 2999, 3000, 3999, 4000, 4999, 5000, 65535)  # fmt: skip
NOT_UTF8 = (b"\x80", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xff", b"\xe2\x82",
            b"\xf0\x9f\x98", b"\xf8\x88\x80\x80\x80")  # fmt: skip


@dataclass(frozen=True)
class Frame:
    """One frame to send."""

    opcode: int
    payload: bytes = b""
    last: bool = True
    reserved: int = 0
    mask: bytes | None = MASK
    form: int | None = None
    length: int | None = None

    def encoded(self) -> bytes:
        return framed(
            self.opcode,
            self.payload,
            last=self.last,
            reserved=self.reserved,
            mask=self.mask,
            form=self.form,
            length=self.length,
        )


@dataclass
class Compressor:
    """A client's side of what was agreed to; any window up to the agreed one will do."""

    deflate: Deflate
    _made: Any = field(default=None)

    def __call__(self, payload: bytes, level: int, *, ending: bool) -> bytes:
        if self._made is None or not self.deflate.client_takeover:
            self._made = zlib.compressobj(level, wbits=-self.deflate.client_bits)
        made = self._made
        if ending:
            # RFC 7692, section 7.2.3.4: one byte is padding.
            self._made = None
            return made.compress(payload) + made.flush(zlib.Z_FINISH) + b"\0"
        return (made.compress(payload) + made.flush(zlib.Z_SYNC_FLUSH))[:-4]


texts = st.one_of(
    st.text("a\0é€😀", max_size=40).map(str.encode),
    st.sampled_from(SIZES).map(lambda size: b"a" * size),
    st.sampled_from(SIZES).map(lambda size: ("😀" * (size // 4)).encode() + b"a" * (size % 4)),
)
broken_texts = st.builds(
    lambda before, wrong, after: before + wrong + after, texts, st.sampled_from(NOT_UTF8), texts
)
blobs = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(SIZES).map(bytes),
    st.integers(0, 9).map(lambda seed: bytes((seed * at * at) % 251 for at in range(320))),
)
rarely_large = st.sampled_from(LARGE).map(lambda size: b"a" * size)

masks = st.one_of(
    st.just(b"\x12\x34\x56\x78"), st.just(bytes(4)), st.binary(min_size=4, max_size=4)
)
reasons = st.one_of(
    st.just(b""), texts.map(lambda text: text[:123]), broken_texts.map(lambda text: text[:123])
)


def seldom(draw: Any, once_in: int) -> bool:
    return draw(st.integers(1, once_in)) == once_in


@st.composite
def controls(draw: Any) -> Frame:
    """A ping or a pong, or, seldom, a close."""
    if not seldom(draw, 4):
        opcode = draw(st.sampled_from((PING, PING, PONG)))
        return Frame(opcode, draw(st.binary(max_size=125)), mask=draw(masks))
    code = draw(st.sampled_from(CODES))
    payload = (
        closing(code, draw(reasons)) if code is not None else draw(st.sampled_from((b"", b"\3")))
    )
    return Frame(CLOSE, payload, mask=draw(masks))


@st.composite
def messages(draw: Any, compressor: Compressor | None) -> list[Frame]:
    """The frames of one message, with control frames between them."""
    is_text = draw(st.booleans())
    payload = draw(rarely_large if seldom(draw, 12) else texts if is_text else blobs)
    if is_text and seldom(draw, 4):
        payload = draw(broken_texts)
    reserved = 0
    if compressor is not None and not seldom(draw, 3):
        level, ending = draw(st.sampled_from((0, 1, 9))), seldom(draw, 5)
        payload = compressor(payload, level, ending=ending)
        reserved = COMPRESSED
        if seldom(draw, 8):
            payload = _corrupted(draw, payload)
    frames = _fragments(draw, TEXT if is_text else BINARY, payload)
    frames[0] = replace(frames[0], reserved=reserved)
    for _ in range(draw(st.integers(0, 2))):
        frames.insert(draw(st.integers(0, len(frames))), draw(controls()))
    return frames


def _corrupted(draw: Any, payload: bytes) -> bytes:
    at = draw(st.integers(0, len(payload)))
    return payload[:at] + draw(st.binary(max_size=3)) + payload[at + draw(st.integers(0, 2)) :]


def _fragments(draw: Any, opcode: int, payload: bytes) -> list[Frame]:
    places = sorted(draw(st.lists(st.integers(0, len(payload)), max_size=4)))
    bounds = [0, *places, len(payload)]
    pieces = [payload[at:end] for at, end in pairwise(bounds)]
    return [
        Frame(0 if at else opcode, piece, at == len(pieces) - 1, mask=draw(masks))
        for at, piece in enumerate(pieces)
    ]


FLAWS: dict[str, Callable[[Any, Frame], Frame]] = {
    "an opcode of another kind": lambda draw, frame: replace(
        frame, opcode=draw(st.integers(0, 15))
    ),
    "reserved bits": lambda draw, frame: replace(frame, reserved=draw(st.integers(0, 7))),
    "no mask": lambda draw, frame: replace(frame, mask=None),
    "a control frame in fragments, or too many ends": lambda draw, frame: replace(
        frame, last=not frame.last
    ),
    "a length in more bytes than it needs": lambda draw, frame: replace(
        frame, opcode=frame.opcode & 7, form=draw(st.sampled_from((16, 64)))
    ),
    "a length that is not so": lambda draw, frame: replace(
        frame, length=draw(st.sampled_from((0, 1, 125, 126, 65536, 2**40, 2**63 - 1, 2**63)))
    ),
    "bytes that are too many for a control frame": lambda draw, frame: replace(
        frame, opcode=draw(st.sampled_from((CLOSE, PING, PONG))), payload=bytes(126)
    ),
}


@st.composite
def streams(draw: Any, deflate: Deflate | None) -> bytes:
    """All that one client sends."""
    compressor = Compressor(deflate) if deflate else None
    frames = [frame for _ in range(draw(st.integers(1, 4))) for frame in draw(messages(compressor))]
    if draw(st.booleans()):
        at = draw(st.sampled_from(range(len(frames))))
        frames[at] = FLAWS[draw(st.sampled_from(sorted(FLAWS)))](draw, frames[at])
    raw = b"".join(frame.encoded() for frame in frames)
    return raw[: draw(st.integers(0, len(raw)))] if seldom(draw, 5) else raw


@st.composite
def cuts(draw: Any, raw: bytes) -> list[bytes]:
    """`raw` in pieces, however a network may cut it."""
    places = sorted(draw(st.lists(st.integers(0, len(raw)), max_size=12)))
    bounds = [0, *places, len(raw)]
    pieces = [raw[at:end] for at, end in pairwise(bounds)]
    return [piece for piece in pieces if piece]
