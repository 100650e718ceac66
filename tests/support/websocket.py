"""WebSocket frames as a client spells them, good and bad: no rule is kept that is not asked for."""

from __future__ import annotations

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
COMPRESSED = 4
"""The reserved bit of permessage-deflate, among the three."""
MASK = b"\x12\x34\x56\x78"


def masked(data: bytes, mask: bytes) -> bytes:
    """`data` XORed with `mask`, one place of the mask after the other."""
    out = bytearray(data)
    for place, key in enumerate(mask):
        out[place::4] = out[place::4].translate(bytes(byte ^ key for byte in range(256)))
    return bytes(out)


def framed(
    opcode: int,
    payload: bytes = b"",
    *,
    last: bool = True,
    reserved: int = 0,
    mask: bytes | None = MASK,
    form: int | None = None,
    length: int | None = None,
) -> bytes:
    """One frame; its `length` may be spelt in a `form` of 7, 16 or 64 bits, and be a lie."""
    first = last << 7 | reserved << 4 | opcode
    size = len(payload) if length is None else length
    form = form or (7 if size < 126 else 16 if size < 65536 else 64)
    spelt = {7: bytes((size & 127,)), 16: b"\x7e" + (size & 0xFFFF).to_bytes(2, "big")}.get(
        form, b"\x7f" + size.to_bytes(8, "big")
    )
    if mask is None:
        return bytes((first,)) + spelt + payload
    return bytes((first, spelt[0] | 128)) + spelt[1:] + mask + masked(payload, mask)


def closing(code: int | None, reason: bytes = b"") -> bytes:
    """The payload of a close frame."""
    return b"" if code is None else code.to_bytes(2, "big") + reason
