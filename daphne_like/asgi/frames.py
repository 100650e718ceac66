"""WebSocket frames (RFC 6455, section 5): how they are spelled, both ways.

This module must not know what a frame means for anybody, nor how the bytes come in.
"""

from __future__ import annotations

from typing import NamedTuple

from daphne_like.asgi.masks import apply_mask

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
LAST = 0x80
COMPRESSED = 0x40
MASKED = 0x80

CODES = frozenset((1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013))
"""The close codes of RFC 6455 and of its registry that may be sent; others are 3000 to 4999."""

CODES_IN_WORDS = "there are 1000 to 1003, 1007 to 1013, and 3000 to 4999"

INVALID = 1007
TOO_BIG = 1009
NO_CODE = 1005
"""What stands for a close without a code; it is never sent."""

PLAIN = frozenset((LAST | TEXT, LAST | BINARY))
"""First bytes of whole messages that are not compressed."""
CONTROLS = frozenset((LAST | CLOSE, LAST | PING, LAST | PONG))


class Header(NamedTuple):
    """The head of a client's frame: its first byte, and its payload's beginning and size."""

    first: int
    start: int
    length: int


def may_be_sent(code: int) -> bool:
    """Whether a close frame may carry `code` (RFC 6455, section 7.4)."""
    return code in CODES or 3000 <= code <= 4999


# --- Out ----------------------------------------------------------------------------------

_HEADS = {first: [bytes((first, size)) for size in range(126)] for first in PLAIN | CONTROLS}


def head(first: int, size: int) -> bytes:
    """The head of a frame from a server: its first byte, and the length of its payload."""
    if size < 126:
        return _HEADS[first][size]
    if size < 65536:
        return bytes((first, 126, size >> 8, size & 255))
    return bytes((first, 127)) + size.to_bytes(8, "big")


def frame(opcode: int, payload: bytes) -> bytes:
    """A whole frame from a server."""
    return head(LAST | opcode, len(payload)) + payload


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
    if data[0] not in PLAIN:
        return None
    size = len(data) - 6
    if size < 126:
        if size < 0 or data[1] != MASKED | size:
            return None
        return apply_mask(data[6:], data[2:6]) if size <= most else None
    size -= 2
    if size < 65536:
        if data[1] != MASKED | 126 or data[2] << 8 | data[3] != size or size < 126 or size > most:
            return None
        return apply_mask(data[8:], data[4:8])
    return None


def header_of(data: bytes, at: int) -> Header | None:
    """The header at `at`, if it is whole; its frame is masked."""
    length = data[at + 1] & 0x7F
    start = at + 6
    if length > 125:
        start += 2 if length == 126 else 8
    if len(data) < start:
        return None
    if length > 125:
        length = int.from_bytes(data[at + 2 : start - 4], "big")
    return Header(data[at], start, length)


def is_well_spelt(header: Header, at: int) -> bool:
    """Whether the length is spelt as briefly as can be, and is below 2**63 (section 5.2)."""
    spent, length = header.start - at, header.length
    return spent == (6 if length < 126 else 8 if length < 65536 else 14) and length < 1 << 63
