"""Frames by our lanes and by Autobahn alone: the same events for the same bytes, however cut."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daphne_like.asgi.frame_reader import FrameReader
from daphne_like.asgi.frames import TOO_BIG
from daphne_like.asgi.websocket_receive import AppState, ClientState, ReceiveSide
from daphne_like.compression import Deflate
from daphne_like.limits import Limits
from tests.differential.autobahn_reading import Event, Reader
from tests.differential.websocket_streams import cuts, streams
from tests.support.websocket import MASK, TEXT, framed, masked

A_LOT = 4096

pytestmark = pytest.mark.pure("stands on a part of a socket")


class Ours(ReceiveSide):
    """The receiving side of a socket, with the events where the application would be.

    `stalling` stops the reading after each message, as an application does that is slow.
    """

    def __init__(self, limits: Limits, deflate: Deflate | None, *, stalling: bool = False) -> None:
        self.events: list[Event] = []
        self.read_on: list[Any] = []
        self.credit = 0
        self._stalling = stalling
        self._application: Any = SimpleNamespace(
            now=float, loop=SimpleNamespace(call_soon=self.read_on.append)
        )
        self._stream: Any = SimpleNamespace(consumed=self._consumed)
        self._state, self._client = AppState.OPEN, ClientState.OPEN
        self._most = limits.websocket_max_message_size or 1 << 62
        if limits.websocket_max_frame_size:
            self._most = min(self._most, limits.websocket_max_frame_size)
        self._frames = FrameReader(self, limits, deflate)  # type: ignore[arg-type]

    def _consumed(self, size: int) -> None:
        self.credit += size

    def read(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            self.body_received(piece)
            while self._frames.stalled or self.read_on:
                if self._frames.stalled:
                    self._read(self._frames.resume())
                elif self.read_on:
                    self.read_on.pop()()

    # --- What it finds ----------------------------------------------------------------------

    def _take(self, message: Any, size: int) -> None:
        if "text" in message:
            assert len(message["text"].encode()) == size
            self.events.append(("text", message["text"].encode()))
        else:
            assert type(message["bytes"]) is bytes
            self.events.append(("binary", message["bytes"]))
        if self._stalling:
            self._frames.stall()

    def ping_received(self, payload: bytes) -> None:
        self.events.append(("ping", payload))

    def close_received(self, code: int | None, reason: str) -> None:
        self.events.append(("close", code, reason))

    def frames_broken(self, code: int, reason: str) -> None:
        assert reason
        self.events.append(("broken", {code}))


def ours(pieces: Iterable[bytes], *facts: Any, stalling: bool = False) -> Ours:
    reading = Ours(*facts, stalling=stalling)
    reading.read(pieces)
    return reading


def slices(raw: bytes) -> list[bytes]:
    """`raw` byte by byte, or, where that would take all day, in slices of an odd size."""
    size = 1 if len(raw) < A_LOT else 4999
    return [raw[at : at + size] for at in range(0, len(raw), size)]


def theirs(raw: bytes, *facts: Any) -> Reader:
    """What Autobahn finds; in what is broken, by a header in slices and by a whole one."""
    reading = Reader(*facts)
    reading.read(slices(raw))
    if reading.events and reading.events[-1][0] == "broken":
        again = Reader(*facts)
        again.read([raw])
        assert again.events[:-1] == reading.events[:-1]
        reading.events[-1][1].update(again.events[-1][1])
    return reading


def expect_the_same(raw: bytes, cut: list[bytes], *facts: Any) -> None:
    hearing = theirs(raw, *facts)
    for pieces in ([raw] if raw else [], slices(raw), cut):
        reading = ours(pieces, *facts, stalling=pieces is cut)
        expect_the_same_events(reading, hearing.events, facts[0])
        if not (reading._frames._buffer or hearing.is_broken):
            assert reading.credit == len(raw)


def expect_the_same_events(reading: Ours, events: list[Event], limits: Limits) -> None:
    if len(reading.events) < len(events) and events[-1][0] == "broken":
        # Autobahn judges two bytes of a header, we the whole of it, once there is one.
        reading.read([bytes(14)])
    if [event[0] for event in (*reading.events[-1:], *events[-1:])] == ["broken"] * 2:
        assert reading.events[:-1] == events[:-1]
        # One frame may break several rules: which of them is told is nobody's business. By its
        # header it may be too large for us before Autobahn looks at the rest.
        too_large = {TOO_BIG} if limits != NO_LIMITS else set()
        assert reading.events[-1][1] <= events[-1][1] | too_large
    else:
        assert reading.events == events


LIMITS = st.builds(
    Limits,
    websocket_max_message_size=st.sampled_from((0, 70000, 0, 300, 0, 100)),
    websocket_max_frame_size=st.sampled_from((0, 70000, 0, 300, 0, 100)),
)
DEFLATES = st.builds(
    Deflate,
    st.integers(9, 15),
    st.integers(9, 15),
    st.booleans(),
    st.booleans(),
    st.integers(1, 9),
    st.just(0),
    st.just((b"", b"")),
)


HEADS = {
    "unmasked": b"\x05",
    "empty": b"\x80" + MASK,
    "of 5 bytes": b"\x85" + MASK,
    "of 5 bytes, in 16 bits": b"\xfe\0\5" + MASK,
    "of 5 bytes, in 64 bits": b"\xff" + bytes(7) + b"\5" + MASK,
    "of 2**63 bytes": b"\xff\x80" + bytes(7) + MASK,
}
"""What may follow a frame's first byte."""


FIRSTS = [first for first in range(256) if first >> 4 & 7 in (0, 1, 4, 7)]
"""Each opcode, last or not, with some of the reserved bits."""
NO_LIMITS = Limits(websocket_max_message_size=0, websocket_max_frame_size=0)
AGREED = Deflate(15, 15, True, True, 8, 0, (b"", b""))


@pytest.mark.parametrize(
    ("name", "deflate"), [*((name, None) for name in HEADS), ("of 5 bytes", AGREED)]
)
@pytest.mark.parametrize("before", [b"", framed(TEXT, b"a", last=False)])
def test_every_kind_of_first_byte(name: str, before: bytes, deflate: Deflate | None) -> None:
    for first in FIRSTS:
        raw = before + bytes((first,)) + HEADS[name] + masked(b"abc", MASK) + MASK * 40
        expect_the_same(raw, [raw[:9], raw[9:]], NO_LIMITS, deflate)


@pytest.mark.parametrize("length", [1 << 16, 1 << 63])
def test_a_frame_that_is_too_long_and_breaks_another_rule(length: int) -> None:
    head = b"\xc2\xff" + length.to_bytes(8, "big") + MASK
    payload = masked(bytes.fromhex("d0b5444c444c44"), MASK)
    limits = Limits(websocket_max_message_size=300, websocket_max_frame_size=0)
    expect_the_same(head + payload, [head, payload], limits, AGREED)


@given(st.data(), LIMITS)
@settings(max_examples=150)
def test_plain_frames(data: st.DataObject, limits: Limits) -> None:
    raw = data.draw(streams(None))
    expect_the_same(raw, data.draw(cuts(raw)), limits, None)


@given(st.data(), LIMITS, DEFLATES)
@settings(max_examples=150)
def test_frames_where_compression_was_agreed_to(
    data: st.DataObject, limits: Limits, deflate: Deflate
) -> None:
    raw = data.draw(streams(deflate))
    expect_the_same(raw, data.draw(cuts(raw)), limits, deflate)
