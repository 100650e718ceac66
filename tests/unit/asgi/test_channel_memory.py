"""What compression keeps between two messages."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest

from daphne_like.asgi.channel import Channel
from daphne_like.compression import Compression, Deflate, agree

KIB = 1024
MASK = b"\x00\x00\x00\x00"
OFFER = (b"sec-websocket-extensions", b"permessage-deflate; client_max_window_bits")
MESSAGE = b"repeated again and again. " * 400


class Reader:
    """Who is told of messages."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []

    def assembled(self, payload: bytes, *, binary: bool) -> None:
        self.messages.append(payload)

    def refused(self, code: int, reason: str) -> None:
        raise AssertionError((code, reason))


def agreed(*, takeover: bool) -> Deflate:
    deflate = agree([OFFER], Compression(15, takeover, 8, 0))
    assert deflate is not None
    return deflate


def as_a_client_sends(frame: bytes) -> bytes:
    """A frame of our own, of up to 125 bytes, as a client would spell it."""
    return frame[:1] + bytes((0x80 | frame[1],)) + MASK + frame[2:]


@pytest.mark.parametrize(("takeover", "keeps"), [(True, True), (False, False)])
def test_a_window_is_kept_between_messages_where_they_share_it(takeover: bool, keeps: bool) -> None:
    reader: Any = Reader()
    channel = Channel(reader, 0, agreed(takeover=takeover))
    tracemalloc.start()
    try:
        for _ in range(3):
            sent = channel.compressed(MESSAGE, binary=True)
            channel.feed(as_a_client_sends(sent))
        reader_keeps = sum(map(len, reader.messages))
        kept = tracemalloc.get_traced_memory()[0] - reader_keeps
    finally:
        tracemalloc.stop()
    assert set(reader.messages) == {MESSAGE}
    assert (kept > 128 * KIB) is keeps
