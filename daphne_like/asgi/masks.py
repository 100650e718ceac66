"""Masking (RFC 6455, section 5.3): the payload of a client's frame, XORed with four bytes.

``websockets`` has it in C; where it is not compiled, integers do it. This module must not know
frames. websockets is imported here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable


def masked_by_integers(data: bytes, mask: bytes) -> bytes:
    """`data` XORed with the 4 bytes of `mask`, over and over."""
    size = len(data)
    repeated = (mask * (size // 4 + 1))[:size]
    number = int.from_bytes(data, "little") ^ int.from_bytes(repeated, "little")
    return number.to_bytes(size, "little")


def _fastest() -> Callable[[bytes, bytes], bytes]:
    try:
        from websockets.speedups import apply_mask
    except ImportError:
        return masked_by_integers
    return apply_mask


apply_mask = _fastest()
"""`data` XORed with the 4 bytes of `mask`, over and over."""
