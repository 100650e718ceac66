"""Frames: how ours are spelt, and what is seen at once in a client's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame
from websockets.streams import StreamReader

from daphne_like.asgi.frames import (
    BINARY,
    CLOSE,
    CODES,
    LAST,
    PING,
    PONG,
    TEXT,
    Header,
    close_frame,
    frame,
    head,
    header_of,
    is_well_spelt,
    may_be_sent,
    plain_payload,
)
from tests.support.websocket import COMPRESSED, CONTINUATION, framed

SIZES = [0, 1, 125, 126, 127, 65535, 65536, 70000]
ENOUGH = 1 << 20


def read_by_websockets(raw: bytes) -> Frame:
    """What the library ``websockets`` makes of a frame of ours."""
    stream = StreamReader()
    stream.feed_data(raw)
    stream.feed_eof()
    reading = Frame.parse(stream.read_exact, mask=False)
    with pytest.raises(StopIteration) as done:
        next(reading)
    assert not stream.buffer
    got: Frame = done.value.value
    return got


class TestOurs:
    @pytest.mark.parametrize("size", SIZES)
    @pytest.mark.parametrize("opcode", [TEXT, BINARY])
    def test_a_message_is_one_frame_without_a_mask(self, opcode: int, size: int) -> None:
        got = read_by_websockets(frame(opcode, b"x" * size))
        assert (got.opcode, got.data, got.fin) == (opcode, b"x" * size, True)
        assert not any((got.rsv1, got.rsv2, got.rsv3))

    @pytest.mark.parametrize("size", SIZES)
    def test_a_head_says_the_length_as_briefly_as_can_be(self, size: int) -> None:
        spent = 2 if size < 126 else 4 if size < 65536 else 10
        assert len(head(LAST | BINARY, size)) == spent

    @pytest.mark.parametrize("opcode", [PING, PONG])
    def test_a_ping_carries_what_it_is_given(self, opcode: int) -> None:
        got = read_by_websockets(frame(opcode, b"x" * 125))
        assert (got.opcode, got.data) == (opcode, b"x" * 125)


class TestOurClose:
    @pytest.mark.parametrize(
        ("code", "reason", "payload"),
        [
            (None, "", b""),
            (None, "unsaid", b""),
            (1000, "", b"\x03\xe8"),
            (4999, "b\xe9ton", b"\x13\x87b\xc3\xa9ton"),
            (1000, "a" * 123, b"\x03\xe8" + b"a" * 123),
            (1000, "a" * 124, b"\x03\xe8" + b"a" * 123),
            (1000, "a" * 122 + "\xe9", b"\x03\xe8" + b"a" * 122),
            (1000, "\U0001f600" * 40, b"\x03\xe8" + "\U0001f600".encode() * 30),
            (1000, "a\ud800b", b"\x03\xe8a?b"),
        ],
    )
    def test_a_reason_is_cut_between_characters(
        self, code: int | None, reason: str, payload: bytes
    ) -> None:
        assert read_by_websockets(close_frame(code, reason)).data == payload

    @given(st.text(st.characters()))
    def test_it_is_never_too_long_and_always_utf_8(self, reason: str) -> None:
        payload = read_by_websockets(close_frame(1000, reason)).data
        assert len(payload) <= 125
        payload[2:].decode()

    def test_these_codes_may_be_sent_and_no_others(self) -> None:
        assert {code for code in range(70000) if may_be_sent(code)} == {
            *CODES,
            *range(3000, 5000),
        }
        assert not CODES & {1004, 1005, 1006, 1014, 1015}


class TestPlainPayloads:
    @pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535])
    @pytest.mark.parametrize("opcode", [TEXT, BINARY])
    def test_the_payload_of_one_whole_frame_is_seen_at_once(self, opcode: int, size: int) -> None:
        payload = bytes(at & 255 for at in range(size))
        assert plain_payload(framed(opcode, payload), ENOUGH) == payload
        assert plain_payload(framed(opcode, payload), size) == payload
        assert plain_payload(framed(opcode, payload), size - 1) is None

    @pytest.mark.parametrize(
        "raw",
        [
            framed(TEXT, b"x" * 65536),
            framed(TEXT, b"x", last=False),
            framed(CONTINUATION, b"x"),
            framed(PING, b"x"),
            framed(CLOSE),
            framed(TEXT, b"x", reserved=COMPRESSED),
            framed(TEXT, b"x", reserved=1),
            framed(TEXT, b"x", mask=None),
            framed(TEXT, b"x" * 200, mask=None),
            framed(TEXT, b"x" * 5, form=16),
            framed(TEXT, b"x" * 125, form=16),
            framed(TEXT, b"x" * 200, form=64),
            framed(TEXT, b"x") + framed(TEXT, b"y"),
            framed(TEXT, b"x" * 200) + b"\x81",
        ],
    )
    def test_anything_else_is_left_to_the_reader(self, raw: bytes) -> None:
        assert plain_payload(raw, ENOUGH) is None

    @pytest.mark.parametrize("size", [0, 5, 126, 300])
    def test_so_is_a_part_of_a_frame(self, size: int) -> None:
        raw = framed(BINARY, bytes(size))
        assert [plain_payload(raw[:end], ENOUGH) for end in range(1, len(raw))] == [None] * (
            len(raw) - 1
        )


class TestHeaders:
    @pytest.mark.parametrize("size", SIZES)
    @pytest.mark.parametrize("before", [b"", b"xyz"])
    def test_a_header_is_seen_when_it_is_whole(self, before: bytes, size: int) -> None:
        at, raw = len(before), before + framed(TEXT, bytes(size))
        start = len(raw) - size
        header = Header(LAST | TEXT, start, size)
        assert header_of(raw[:start], at) == header_of(raw, at) == header
        assert [header_of(raw[:end], at) for end in range(at + 2, start)] == [None] * (
            start - at - 2
        )

    @pytest.mark.parametrize(
        ("size", "form", "good"),
        [
            (0, 7, True),
            (125, 7, True),
            (0, 16, False),
            (125, 16, False),
            (126, 16, True),
            (65535, 16, True),
            (0, 64, False),
            (65535, 64, False),
            (65536, 64, True),
            (2**63 - 1, 64, True),
            (2**63, 64, False),
            (2**64 - 1, 64, False),
        ],
    )
    def test_a_length_is_spelt_briefly_and_has_an_end(
        self, size: int, form: int, good: bool
    ) -> None:
        raw = b"xyz" + framed(BINARY, form=form, length=size)
        header = header_of(raw, 3)
        assert header is not None
        assert header.length == size
        assert is_well_spelt(header, 3) is good
