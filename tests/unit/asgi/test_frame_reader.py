"""FrameReader: what a client's frames mean, however they come, and how much at once."""

from __future__ import annotations

import zlib
from typing import Any

import pytest

from daphne_like.asgi import frame_reader
from daphne_like.asgi.frame_reader import FrameReader
from daphne_like.compression import Deflate
from daphne_like.limits import Limits
from tests.support.http1 import splits
from tests.support.websocket import (
    BINARY,
    CLOSE,
    COMPRESSED,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    closing,
    framed,
)
from tests.unit.asgi.listening import Counting, Event, Heard

DEFLATE = Deflate(15, 15, True, True, 8, 0, (b"", b""))
A_TURN = 256
SMILE = "\U0001f600".encode()


def heard(*frames: bytes, **limits: Any) -> list[Event]:
    """What is heard of frames that come all at once, in as many turns as it takes."""
    listening = Heard(Limits(**limits))
    listening.read(b"".join(frames))
    while listening.yielded:
        listening.yielded -= 1
        listening.reader.read()
    return listening.events


def broken(*frames: bytes, **limits: Any) -> int:
    """The code for the last frame, which is the first to break a rule."""
    *_, (kind, code, reason) = heard(*frames, **limits)
    assert kind == "broken"
    assert reason
    return int(code)


def deflated(payload: bytes) -> bytes:
    made = zlib.compressobj(wbits=-15)
    return (made.compress(payload) + made.flush(zlib.Z_SYNC_FLUSH))[:-4]


class TestMessages:
    @pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 300_000])
    def test_of_any_size_are_heard(self, size: int) -> None:
        assert heard(framed(TEXT, b"a" * size)) == [("message", "a" * size)]
        assert heard(framed(BINARY, bytes(size))) == [("message", bytes(size))]

    def test_come_in_any_pieces(self) -> None:
        raw = framed(TEXT, b"a\xc3\xa9" + SMILE) + framed(BINARY, b"\0" * 126)
        for pieces in splits(raw):
            assert Heard().read(*pieces) == [
                ("message", "a\xe9\U0001f600"),
                ("message", b"\0" * 126),
            ]

    def test_come_in_fragments_with_control_frames_between(self) -> None:
        frames = (
            framed(TEXT, b"a" + SMILE[:2], last=False),
            framed(PING, b"p"),
            framed(CONTINUATION, SMILE[2:], last=False),
            framed(PONG, b"q"),
            framed(CONTINUATION, b""),
            framed(BINARY, b"b", last=False),
            framed(CONTINUATION, b"c"),
            framed(TEXT, b"d"),
        )
        for pieces in splits(b"".join(frames)):
            assert Heard().read(*pieces) == [
                ("ping", b"p"),
                ("message", "a\U0001f600"),
                ("message", b"bc"),
                ("message", "d"),
            ]

    def test_are_inflated_where_that_was_agreed_to(self) -> None:
        listening = Heard(deflate=DEFLATE)
        hello = deflated(b"hello")
        events = listening.read(
            framed(TEXT, hello, reserved=COMPRESSED),
            framed(BINARY, hello[:3], reserved=COMPRESSED, last=False),
            framed(CONTINUATION, hello[3:]),
            framed(TEXT, b"plain"),
        )
        assert events == [("message", "hello"), ("message", b"hello"), ("message", "plain")]
        assert broken(framed(TEXT, hello, reserved=COMPRESSED)) == 1002

    def test_go_out_compressed_when_asked_for(self) -> None:
        reader = Heard(deflate=DEFLATE).reader
        raw = reader.compressed(b"hello", binary=False)
        assert raw[:2] == bytes((0xC1, len(raw) - 2))
        assert zlib.decompressobj(-15).decompress(raw[2:] + b"\0\0\xff\xff") == b"hello"
        assert reader.compressed(b"hello", binary=True)[0] == 0xC2

    def test_that_are_read_count_as_read(self) -> None:
        reader = Heard().reader
        raw = framed(TEXT, b"abc")
        assert [reader.feed(raw[at : at + 1]) for at in range(9)] == [0, 0, 0, 0, 0, 6, 1, 1, 1]

    def test_leave_nothing_half_read(self) -> None:
        reader = Heard().reader
        raw = framed(TEXT, b"abc")
        clear = []
        for at in range(9):
            reader.feed(raw[at : at + 1])
            clear.append(reader.clear)
        assert clear == [False] * 8 + [True]
        reader.feed(framed(TEXT, b"a", last=False))
        assert not reader.clear
        reader.feed(framed(CONTINUATION))
        assert reader.clear


class TestControlFrames:
    def test_a_ping_is_heard_when_it_is_whole(self) -> None:
        raw = framed(PING, b"x" * 125) + framed(PING) + framed(PONG, b"y")
        for pieces in splits(raw):
            assert Heard().read(*pieces) == [("ping", b"x" * 125), ("ping", b"")]

    @pytest.mark.parametrize(
        ("payload", "code", "reason"),
        [
            (b"", None, ""),
            (closing(1000), 1000, ""),
            (closing(1012, b"b\xc3\xa9ton"), 1012, "b\xe9ton"),
            (closing(4999, b"a" * 123), 4999, "a" * 123),
        ],
    )
    def test_a_close_is_the_last_that_is_heard(
        self, payload: bytes, code: int | None, reason: str
    ) -> None:
        raw = framed(CLOSE, payload) + framed(TEXT, b"late")
        for pieces in splits(raw):
            listening = Heard()
            assert listening.read(*pieces) == [("close", code, reason)]
            assert not listening.reader.clear

    @pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1014, 1015, 2999, 5000, 65535])
    def test_a_close_has_a_code_that_may_be_sent(self, code: int) -> None:
        assert broken(framed(CLOSE, closing(code))) == 1002

    def test_a_close_of_one_byte_has_none(self) -> None:
        assert broken(framed(CLOSE, b"\x03")) == 1002

    def test_its_reason_is_utf_8(self) -> None:
        assert broken(framed(CLOSE, closing(1000, b"\xff"))) == 1007


class TestBrokenRules:
    @pytest.mark.parametrize(
        "raw",
        [
            framed(TEXT, b"a", mask=None),
            framed(TEXT, b"a", reserved=1),
            framed(TEXT, b"a", reserved=2),
            framed(TEXT, b"a", reserved=4),
            *(framed(opcode, b"a") for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)),
            framed(PING, b"a", last=False),
            framed(CLOSE, last=False),
            framed(PING, b"a" * 126),
            framed(CONTINUATION, b"a"),
            framed(CONTINUATION, b"a", last=False),
            framed(TEXT, b"a", last=False) + framed(TEXT, b"b"),
            framed(TEXT, b"a", last=False) + framed(BINARY, b"b", last=False),
            framed(TEXT, b"a" * 125, form=16),
            framed(TEXT, b"a" * 200, form=64),
        ],
    )
    def test_end_it_with_1002(self, raw: bytes) -> None:
        for pieces in ([raw], [raw[at : at + 1] for at in range(len(raw))]):
            listening = Heard()
            events = listening.read(*pieces, framed(TEXT, b"late"))
            assert [event[:2] for event in events] == [("broken", 1002)]
            assert not listening.reader.clear

    def test_two_bytes_are_enough_for_most(self) -> None:
        assert broken(b"\x83\x80") == broken(b"\x81\x05") == broken(b"\x89\xfe") == 1002

    def test_bytes_behind_them_count_as_read(self) -> None:
        raw = b"\x83\x80" + bytes(1000)
        assert Heard().reader.feed(raw) == len(raw)

    def test_what_autobahn_does_not_know_is_refused_all_the_same(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        listening = Heard()
        monkeypatch.setattr(listening.reader._autobahn(), "feed", lambda data: None)
        assert listening.read(b"\x83\x80") == [("broken", 1002, "protocol error")]

    @pytest.mark.parametrize("wrong", [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", SMILE[:3]])
    def test_text_that_is_not_utf_8_ends_it_with_1007(self, wrong: bytes) -> None:
        assert broken(framed(TEXT, b"a" + wrong)) == 1007
        assert broken(framed(TEXT, b"a" * 70000 + wrong)) == 1007
        assert broken(framed(TEXT, b"a", last=False), framed(CONTINUATION, wrong)) == 1007
        for pieces in splits(framed(TEXT, wrong)):
            assert [event[:2] for event in Heard().read(*pieces)] == [("broken", 1007)]

    def test_it_is_found_before_the_message_is_whole(self) -> None:
        raw = framed(TEXT, b"\xff" + b"a" * 1000)
        assert Heard().read(raw[:20])[0][1] == 1007
        fragment = framed(TEXT, b"\xff" + b"a" * 1000, last=False)
        assert Heard().read(fragment[:20])[0][1] == 1007

    def test_what_cannot_be_inflated_too(self) -> None:
        listening = Heard(deflate=DEFLATE)
        events = listening.read(framed(BINARY, b"\xff\xff\xff", reserved=COMPRESSED))
        assert events[0][1] == 1007


class TestLimits:
    def test_a_frame_is_refused_by_its_header(self) -> None:
        small = {"websocket_max_frame_size": 200}
        assert heard(framed(TEXT, b"a" * 200), **small) == [("message", "a" * 200)]
        assert broken(framed(TEXT, length=201), **small) == 1009
        assert broken(framed(TEXT, length=201, last=False), **small) == 1009

    def test_a_message_of_one_frame_too(self) -> None:
        small = {"websocket_max_message_size": 200}
        assert heard(framed(TEXT, b"a" * 200), **small) == [("message", "a" * 200)]
        assert broken(framed(TEXT, length=201), **small) == 1009
        assert broken(framed(TEXT, length=2**63 - 1), **small) == 1009

    def test_a_message_of_fragments_by_the_header_that_is_too_much(self) -> None:
        small = {"websocket_max_message_size": 200}
        start, end = framed(BINARY, bytes(100), last=False), framed(CONTINUATION, bytes(100))
        for _ in range(2):
            assert heard(start, end, start, end, **small) == [("message", bytes(200))] * 2
        assert broken(start, framed(CONTINUATION, length=101), **small) == 1009
        assert broken(framed(TEXT, length=201, last=False), **small) == 1009

    def test_without_limits_all_is_heard(self) -> None:
        none = {"websocket_max_message_size": 0, "websocket_max_frame_size": 0}
        size = 2 << 20
        assert heard(framed(BINARY, bytes(size)), **none) == [("message", bytes(size))]

    @pytest.mark.parametrize("opcode", [TEXT, BINARY])
    def test_fragments_without_end_are_refused(self, opcode: int) -> None:
        """1024 of them may be, and one more for each 64 bytes of the limit."""
        limits = {"websocket_max_message_size": 640}
        many = [framed(opcode, last=False), *[framed(CONTINUATION, last=False)] * 1032]
        last, one_more = framed(CONTINUATION), framed(CONTINUATION, last=False)
        assert [event[0] for event in heard(*many, last, *many, last, **limits)] == ["message"] * 2
        assert broken(*many, one_more, last, **limits) == 1009

    def test_so_are_those_of_what_is_compressed(self) -> None:
        listening = Heard(Limits(websocket_max_message_size=640), DEFLATE)
        first = framed(TEXT, deflated(b""), reserved=COMPRESSED, last=False)
        events = listening.read(first, *[framed(CONTINUATION, last=False)] * 1034)
        assert [event[:2] for event in events] == [("broken", 1009)]

    def test_without_a_limit_of_its_size_a_message_has_one_of_its_fragments(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(frame_reader, "_FRAGMENTS", 3)
        monkeypatch.setattr(frame_reader, "_UNLIMITED", 128)
        none = {"websocket_max_message_size": 0, "websocket_max_frame_size": 0}
        start, middle = framed(BINARY, bytes(9999), last=False), framed(CONTINUATION, last=False)
        whole = [start, middle, middle, middle, framed(CONTINUATION, bytes(9999))]
        assert heard(*whole, **none) == [("message", bytes(19998))]
        assert broken(start, *[middle] * 5, **none) == 1009


FLOODS = {
    "pings": framed(PING),
    "pongs": framed(PONG),
    "empty texts": framed(TEXT),
    "empty messages": framed(BINARY),
    "empty continuations": framed(CONTINUATION, last=False),
}


@pytest.mark.pure("replaces a method")
class TestTurns:
    @pytest.fixture
    def frames(self, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        """The frames that were begun, as one number."""
        begun = [0]
        real = FrameReader._take_frame

        def counted(reader: FrameReader, data: bytes, at: int) -> int:
            begun[0] += 1
            return real(reader, data, at)

        monkeypatch.setattr(FrameReader, "_take_frame", counted)
        return begun

    @pytest.mark.parametrize("kind", FLOODS)
    def test_a_turn_has_an_end_however_many_frames_there_are(
        self, frames: list[int], kind: str
    ) -> None:
        flood = FLOODS[kind]
        count = (256 << 10) // len(flood)
        listening = Heard(Limits(websocket_max_message_size=0))  # Enough fragments for all.
        if kind == "empty continuations":
            listening.read(framed(TEXT, last=False))
            frames[0] = 0
        read = listening.reader.feed(flood * count)
        turns = 1
        while read < count * len(flood):
            assert listening.yielded == turns
            assert frames[0] == turns * A_TURN
            read += listening.reader.read()
            turns += 1
        assert turns == -(-count // A_TURN)
        assert frames[0] == count
        assert listening.yielded == turns - 1

    def test_what_comes_before_the_next_turn_waits_for_it(self, frames: list[int]) -> None:
        listening, flood = Heard(), framed(PING) * A_TURN
        for _ in range(9):
            listening.read(flood + framed(PING))
        assert (frames[0], listening.yielded) == (A_TURN, 1)
        listening.reader.stall()
        assert listening.reader.resume() == 0
        for turn in range(2, 10):
            listening.reader.read()
            assert (frames[0], listening.yielded) == (turn * A_TURN, turn)
        assert listening.reader.read() == 9 * len(framed(PING))
        assert (frames[0], listening.yielded) == (9 * A_TURN + 9, 9)
        assert listening.reader.clear

    def test_the_rest_of_a_frame_may_come_after_a_turn(self) -> None:
        listening = Heard()
        last = framed(TEXT, b"a")
        listening.read(framed(PING) * A_TURN + last[:3])
        listening.reader.read()
        listening.read(last[3:])
        assert listening.events[A_TURN:] == [("message", "a")]

    def test_a_turn_that_comes_too_late_finds_nothing(self) -> None:
        listening = Heard()
        assert listening.reader.read() == 0
        assert listening.reader.clear

    def test_large_frames_in_small_pieces_are_not_put_together_again_and_again(self) -> None:
        listening = Heard(Limits(websocket_max_message_size=0, websocket_max_frame_size=0))
        listening.reader._buffer = kept = Counting()
        for raw in (framed(BINARY, bytes(50_000)), framed(TEXT, b"a" * 50_000)):
            listening.read(*[raw[at : at + 1] for at in range(len(raw))])
        assert len(listening.events) == 2
        assert kept.added < 200, "only headers are kept"


class TestStalling:
    def test_nothing_is_read_until_it_is_resumed(self) -> None:
        listening = Heard()
        listening.stalls = True
        raw = framed(TEXT, b"a") + framed(PING) + framed(TEXT, b"b")
        assert listening.reader.feed(raw) == 7
        assert listening.reader.stalled
        assert not listening.reader.clear
        assert listening.reader.feed(framed(TEXT, b"c")) == 0
        assert listening.reader.read() == 0
        assert listening.events == [("message", "a")]
        assert listening.reader.resume() == 13
        assert listening.events[1:] == [("ping", b""), ("message", "b")]
        listening.stalls = False
        assert listening.reader.resume() == 7
        assert listening.events[3:] == [("message", "c")]
        assert listening.reader.clear

    def test_what_comes_meanwhile_is_kept_once(self) -> None:
        listening = Heard()
        listening.reader._buffer = kept = Counting()
        listening.reader.stall()
        raw = framed(BINARY, b"x" * 20_000)
        listening.read(*[raw[at : at + 1] for at in range(len(raw))])
        assert (kept.added, listening.events) == (len(raw), [])
        listening.reader.resume()
        assert listening.events == [("message", b"x" * 20_000)]

    def test_in_the_middle_of_a_message_it_loses_nothing(self) -> None:
        listening = Heard()
        raw = framed(TEXT, b"hello")
        listening.read(raw[:8])
        listening.reader.stall()
        listening.read(raw[8:9], raw[9:])
        listening.reader.resume()
        assert listening.events == [("message", "hello")]


class TestWhatInflates:
    def test_takes_its_turns(self) -> None:
        """A message of 256 KiB is enough for one, however few bytes it came in."""
        listening = Heard(deflate=DEFLATE)
        bomb = framed(BINARY, deflated(bytes(300_000)), reserved=COMPRESSED)
        listening.read(bomb * 3)
        assert len(listening.events) == 1
        assert listening.yielded == 1
        listening.reader.read()
        assert len(listening.events) == 2

    def test_may_be_a_little_larger_as_it_comes_and_no_more(self) -> None:
        listening = Heard(Limits(websocket_max_message_size=640), DEFLATE)
        first = framed(BINARY, bytes(1000), reserved=COMPRESSED, last=False)
        events = listening.read(first, framed(CONTINUATION, bytes(1000), last=False))
        assert [event[:2] for event in events] == [("broken", 1007)], "no deflate at all"
        large = Heard(Limits(websocket_max_message_size=640), DEFLATE)
        events = large.read(framed(BINARY, bytes(2000), reserved=COMPRESSED))
        assert [event[:2] for event in events] == [("broken", 1009)]


class TestDiscarding:
    def test_only_control_frames_are_heard(self) -> None:
        listening = Heard(deflate=DEFLATE)
        listening.read(framed(TEXT, b"half", last=False))
        assert listening.reader.discard() == 0
        frames = framed(CONTINUATION, b"x"), framed(BINARY, bytes(9_000_000)), framed(PING, b"p")
        raw = b"".join((*frames, framed(CLOSE, closing(1000))))
        assert listening.read(raw[:5000], raw[5000:]) == [("ping", b"p"), ("close", 1000, "")]
        assert not listening.reader.clear
