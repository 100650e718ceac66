"""How many fragments a message may come in: as many as clients make of it, but not without end."""

from __future__ import annotations

from typing import Any

import pytest

from daphne_like.asgi.frame_reader import FrameReader
from daphne_like.asgi.frames import BINARY, CONTINUATION
from daphne_like.limits import Limits


class _Heard:
    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.broken: list[tuple[int, str]] = []

    def binary_received(self, data: bytes) -> None:
        self.messages.append(data)

    def frames_broken(self, code: int, reason: str) -> None:
        self.broken.append((code, reason))


def fragment(opcode: int, payload: bytes, *, last: bool = False) -> bytes:
    first = opcode | (0x80 if last else 0)
    return (
        bytes((first, 0xFE)) + len(payload).to_bytes(2, "big") + bytes(4) + payload
        if len(payload) > 125
        else bytes((first, 0x80 | len(payload))) + bytes(4) + payload
    )


def read(limits: Limits, *pieces: bytes) -> Any:
    heard: Any = _Heard()
    reader = FrameReader(heard, limits, None)
    for at, piece in enumerate(pieces):
        opcode = CONTINUATION if at else BINARY
        reader.feed(fragment(opcode, piece, last=at == len(pieces) - 1))
        if heard.broken:
            break
    return heard


@pytest.mark.parametrize("cuts", [(1, 1, 1), (0, 0, 0, 0), (3, 0, 1, 0, 2)])
def test_a_message_of_the_largest_size_may_have_small_fragments(cuts):
    message = bytes(range(200))
    pieces, at = [], 0
    for cut in cuts:
        pieces.append(message[at : at + cut])
        at += cut
    limits = Limits(websocket_max_message_size=200)
    assert read(limits, *pieces, message[at:]).messages == [message]
    (broken,) = read(limits, *pieces, message[at:] + b"x").broken
    assert broken == (1009, "more than 200 bytes")


@pytest.mark.parametrize(("size", "most"), [(200, 1027), (128 * 1024, 3072)])
def test_empty_fragments_have_an_end(size, most):
    limits = Limits(websocket_max_message_size=size)
    assert read(limits, *[b""] * most).messages == [b""]
    assert read(limits, *[b""] * (most + 1)).broken == [(1009, "too many fragments")]


def test_each_message_has_its_own_fragments():
    heard: Any = _Heard()
    reader = FrameReader(heard, Limits(websocket_max_message_size=100), None)
    for _ in range(3):
        for at in range(1000):
            opcode = CONTINUATION if at else BINARY
            reader.feed(fragment(opcode, b"", last=at == 999))
    assert heard.messages == [b""] * 3
    assert heard.broken == []
