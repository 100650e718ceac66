"""The records of TLS: a Twisted transport like any other, when the handshake is over."""

from __future__ import annotations

import logging
import ssl
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import error

from daphne_like.transport.handshakes import Handshakes
from daphne_like.transport.records import _portioned
from tests.support.certificates import client_context
from tests.unit.transport.arrivals import (
    BULK,
    PEER,
    PORTION,
    Arrival,
    Roll,
    shaken,
)
from tests.unit.transport.fakes import Bug, HalfNotes, Notes, Producer


def test_records_are_delivered_a_segment_at_a_time(arrive: Any) -> None:
    protocol = Notes()
    at = shaken(arrive, protocol)
    segment = at.client.says(b"a") + at.client.says(b"b")
    at.transport.data_received(segment + at.client.says(b"c")[:9])
    assert protocol.events == ["data b'ab'"]


def test_a_record_in_pieces_is_delivered_when_it_is_whole(arrive: Any) -> None:
    protocol = Notes()
    at = shaken(arrive, protocol)
    record = at.client.says(b"abc")
    for index in range(len(record)):
        at.transport.data_received(record[index : index + 1])
    assert protocol.events == ["data b'abc'"]


def test_a_large_segment_is_decrypted_in_portions_and_delivered_whole(arrive: Any) -> None:
    protocol = Notes()
    received: list[bytes] = []
    protocol.dataReceived = received.append  # type: ignore[method-assign]
    at = shaken(arrive, protocol)
    body = bytes(range(256)) * 1024
    segment = at.client.says(body)
    at.transport.data_received(segment[:-1])
    at.transport.data_received(segment[-1:])
    assert [len(piece) for piece in received] == [len(body) - 16384, 16384]
    assert b"".join(received) == body


def test_small_writes_are_one_record_and_one_write_below(arrive: Any) -> None:
    at = shaken(arrive, Notes())
    at.transport.write(b"answer")
    assert len(at.native.written) == 1
    assert at.received() == b"answer"
    at.transport.writeSequence([b"an", b"", b"swer"])
    assert len(at.native.written) == 1
    assert at.received() == b"answer"
    at.transport.write(b"")
    at.transport.writeSequence([])
    assert at.native.written == []


def test_a_large_write_goes_below_in_portions_by_one_call(arrive: Any) -> None:
    at = shaken(arrive, Notes())
    calls: list[int] = []
    at.native.writelines = lambda pieces: (
        calls.append(len(pieces)),
        at.native.written.extend(pieces),
    )
    body = bytes(range(256)) * 512 + b"x"
    at.transport.write(body)
    assert calls == [3]
    at.client.incoming.write(at.sent())
    assert b"".join(iter(at.client.reads, None)) == body


def test_what_openssl_answers_by_itself_goes_out(arrive: Any) -> None:
    """Here a client of TLS 1.2 that wants to negotiate anew: it is told that it may not."""
    at = shaken(arrive, Notes())
    at.transport._outgoing.write(b"an answer")
    at.say(b"x")
    assert at.native.written == [b"an answer"]


def test_a_write_of_many_records_goes_below_as_one(arrive: Any) -> None:
    at = shaken(arrive, Notes())
    body = bytes(range(256)) * 256
    at.transport.write(body)
    [written] = at.native.written
    at.native.written.clear()
    at.client.incoming.write(written)
    assert b"".join(iter(at.client.reads, None)) == body


@given(st.lists(st.integers(0, 2 * BULK), max_size=4))
def test_pieces_are_encrypted_in_portions_wherever_they_meet(sizes: list[int]) -> None:
    pieces = [bytes([number]) * size for number, size in enumerate(sizes)]
    portions = list(map(bytes, _portioned(pieces)))
    assert b"".join(portions) == b"".join(pieces)
    assert all(len(portion) == BULK for portion in portions[:-1])
    assert all(portions)


def test_large_pieces_go_below_by_one_call(arrive: Any) -> None:
    at = shaken(arrive, Notes())
    calls: list[int] = []
    at.native.writelines = lambda pieces: (
        calls.append(len(pieces)),
        at.native.written.extend(pieces),
    )
    at.transport.writeSequence([b"head", bytes(BULK), b"", b"tail"])
    assert calls == [2]
    at.client.incoming.write(at.sent())
    assert b"".join(iter(at.client.reads, None)) == b"head" + bytes(BULK) + b"tail"


def test_connections_that_write_in_turns_do_not_meet(arrive: Any) -> None:
    one = shaken(arrive, Notes())
    other = arrive(Notes(), secured=one.secured).shake()
    other.received()
    for number in range(3):
        one.transport.write(b"one %d" % number)
        other.transport.write(b"other %d" % number)
        one.say(b"x")
        assert one.received() == b"one %d" % number
        assert other.received() == b"other %d" % number
    one.transport.loseConnection()
    one.loop.turn()
    other.transport.write(b"still there")
    assert one.received() == b""
    assert other.received() == b"still there"


def test_nothing_is_answered_when_our_side_is_closed(arrive: Any) -> None:
    at = shaken(arrive, HalfNotes())
    at.transport.loseWriteConnection()
    at.loop.turn()
    at.sent()
    at.transport._outgoing.write(b"an answer")
    at.say(b"x")
    assert at.native.written == []


@pytest.mark.parametrize("large", [False, True])
def test_a_record_that_was_changed_on_its_way_ends_the_connection(
    arrive: Any, caplog: Any, large: bool
) -> None:
    caplog.set_level(logging.INFO)
    protocol = Notes()
    at = shaken(arrive, protocol)
    good = at.client.says(b"good")
    record = bytearray(at.client.says(b"x" * 2 * PORTION if large else b"bad"))
    record[9] ^= 1
    at.transport.data_received(good + bytes(record))
    at.transport.write(b"too late")
    at.transport.writeSequence([b"too", b"late"])
    assert protocol.events == ["data b'good'"]
    assert at.native.calls == ["pause"]
    assert len(at.native.written) == 1, "an alert"
    at.loop.turn()
    assert at.native.calls == ["pause", "abort"]
    at.transport.connection_lost(None)
    assert protocol.reason.type is error.ConnectionLost
    [line] = caplog.messages
    assert line.startswith("Lost a connection from 127.0.0.2:5000: TLS: decryption failed")


def test_of_a_flood_of_what_is_no_tls_only_the_number_is_told(arrive: Any, caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    handshakes = Handshakes(roll := Roll())
    for seconds in (0, 10):
        roll.clock.advance(seconds)
        for _ in range(25):
            handshakes.broke(PEER, "odd")
    assert len(caplog.messages) == 40
    assert (
        caplog.messages[20]
        == "Lost a connection from 127.0.0.2:5000: TLS: odd, and 5 others before"
    )
    assert {record.levelname for record in caplog.records} == {"INFO"}


def test_what_is_no_tls_leaves_no_circle_behind(arrive: Any) -> None:
    at = shaken(arrive, Notes())
    at.transport.data_received(b"\x17\x03\x03\x00\x20" + bytes(32))
    assert at.transport._raised is not None
    assert at.transport._raised.__traceback__ is None


def empty(at: Arrival) -> None:
    """From now on no record carries anything, as those that change keys."""

    def read(size: int) -> bytes:
        at.transport._incoming.read()
        raise ssl.SSLWantReadError

    at.transport._read = read


@pytest.mark.parametrize("size", [1000, 60_000])
def test_records_that_carry_nothing_one_after_the_other_end_the_connection(
    arrive: Any, caplog: Any, size: int
) -> None:
    caplog.set_level(logging.INFO)
    protocol = Notes()
    at = shaken(arrive, protocol)
    empty(at)
    sent = 0
    while not at.native.calls:
        at.transport.data_received(bytes(size))
        sent += size
    assert sent <= max(size, 25_000)
    at.loop.turn()
    assert at.native.calls == ["pause", "abort"]
    assert protocol.events == []
    why = "too many records that carry nothing"
    assert caplog.messages == [f"Lost a connection from 127.0.0.2:5000: TLS: {why}"]


def test_a_few_of_them_now_and_then_do_no_harm(arrive: Any) -> None:
    at = shaken(arrive, Notes())
    empty(at)
    for _ in range(60):
        at.transport.data_received(bytes(16_000))
        at.roll.clock.advance(1)
    assert at.native.calls == []


@pytest.mark.parametrize(("most", "ends"), [(50_000, False), (0, False), (20_000, True)])
def test_how_many_they_may_be_is_the_operators_to_say(arrive: Any, most: int, ends: bool) -> None:
    roll: Any = Roll(tls_empty_size=most)
    protocol = Notes()
    at = arrive(protocol, handshakes=Handshakes(roll)).shake()
    at.native.calls.clear()
    empty(at)
    at.transport.data_received(bytes(16_000))
    at.transport.data_received(bytes(16_000))
    assert bool(at.native.calls) is ends


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("size", [1, PORTION])
@pytest.mark.parametrize("segment", [7, 1000, 100_000])
def test_small_records_and_large_ones_in_pieces_carry_something(
    arrive: Any, version: ssl.TLSVersion, size: int, segment: int
) -> None:
    client = client_context()
    client.maximum_version = version
    protocol = Notes()
    at = arrive(protocol, client=client).shake()
    at.native.calls.clear()
    data = b"".join(at.client.says(b"x" * size) for _ in range(2000 if size == 1 else 4))
    for start in range(0, len(data), segment):
        at.transport.data_received(data[start : start + segment])
    assert at.native.calls == []
    assert at.transport._empty == 0


def test_what_comes_behind_the_peers_end_is_not_kept(arrive: Any) -> None:
    protocol = HalfNotes()
    at = shaken(arrive, protocol)
    at.transport.data_received(at.client.ends())
    at.loop.turn()
    for _ in range(10):
        at.transport.data_received(bytes(5000))
    at.loop.turn()
    assert at.native.calls == ["pause", "abort"]
    assert protocol.events == ["read lost"]


@pytest.mark.parametrize("size", [1, BULK + 1])
def test_a_write_that_openssl_refuses_ends_the_connection(arrive: Any, size: int) -> None:
    def refuse(data: Any) -> int:
        raise ssl.SSLError(1, "protocol is shutdown")

    protocol = Notes()
    at = shaken(arrive, protocol)
    at.transport._seal = refuse
    at.transport.write(b"x" * size)
    assert at.sent() == b""
    at.loop.turn()
    assert at.native.calls == ["pause", "abort"]


# --- The end ----------------------------------------------------------------------------------


def test_the_end_of_the_connection_is_said(arrive: Any) -> None:
    at = shaken(arrive, Notes())
    at.transport.write(b"bye")
    at.transport.loseConnection()
    at.loop.turn()
    at.transport.write(b"too late")
    assert at.received() == b"bye"
    assert at.client.reads() == b""
    assert at.native.calls == ["pause", "close"]
    at.transport.connection_lost(None)


def test_our_side_closes_and_the_peer_goes_on(arrive: Any) -> None:
    protocol = HalfNotes()
    at = shaken(arrive, protocol)
    at.transport.loseWriteConnection()
    at.loop.turn()
    assert at.received() == b""
    assert at.native.calls == ["write_eof"]
    at.say(b"more")
    at.transport.data_received(at.client.ends())
    at.loop.turn()
    assert protocol.events == ["write lost", "data b'more'", "read lost"]
    at.transport.loseConnection()
    at.loop.turn()
    assert at.native.calls == ["write_eof", "pause", "close"]
    assert at.sent() == b"", "it has been said"


def test_the_peers_end_is_told_once_and_behind_what_it_has_sent(arrive: Any) -> None:
    protocol = HalfNotes()
    at = shaken(arrive, protocol)
    at.transport.data_received(at.client.says(b"last") + at.client.ends())
    at.loop.turn()
    assert at.transport.eof_received()
    assert protocol.events == ["data b'last'", "read lost"]
    at.transport.write(b"answer")
    assert at.received() == b"answer"


def test_an_end_without_a_word_is_an_end(arrive: Any) -> None:
    protocol = HalfNotes()
    at = shaken(arrive, protocol)
    assert at.transport.eof_received()
    assert protocol.events == ["read lost"]


def test_the_peers_end_ends_a_protocol_that_cannot_use_it(arrive: Any) -> None:
    at = shaken(arrive, Notes())
    at.transport.data_received(at.client.ends())
    assert at.native.calls == []
    at.loop.turn()
    assert at.native.calls == ["abort"]


@pytest.mark.parametrize("ending", ["loseConnection", "abortConnection"])
def test_the_peers_end_is_not_told_to_who_has_left(arrive: Any, ending: str) -> None:
    protocol = HalfNotes()
    at = shaken(arrive, protocol)
    getattr(at.transport, ending)()
    at.transport.data_received(at.client.ends())
    at.loop.turn()
    assert protocol.events == []


def test_the_peers_end_is_not_told_to_who_is_lost(arrive: Any) -> None:
    protocol = HalfNotes()
    at = shaken(arrive, protocol)
    at.transport.data_received(at.client.ends())
    at.transport.connection_lost(None)
    at.loop.turn()
    assert protocol.events == ["lost"]


def test_a_fault_of_the_protocol_at_the_peers_end_is_its_own(arrive: Any) -> None:
    def fail() -> None:
        raise Bug

    protocol = HalfNotes()
    protocol.readConnectionLost = fail  # type: ignore[method-assign]
    at = shaken(arrive, protocol)
    at.transport.data_received(at.client.ends())
    at.loop.turn()
    assert [type(each["exception"]) for each in at.loop.errors] == [Bug]


def test_what_is_lost_leaves_nothing_behind(arrive: Any) -> None:
    protocol = Notes()
    at = shaken(arrive, protocol)
    at.transport.registerProducer(Producer(protocol), True)
    at.transport.connection_lost(ConnectionResetError())
    at.transport.write(b"x")
    assert protocol.events == ["stop", "lost"]
    assert at.transport.unsent() == 0
    assert not hasattr(at.transport, "_deliver")


def test_a_successor_takes_the_place_of_the_protocol(arrive: Any) -> None:
    first, second = Notes(), Notes()
    at = shaken(arrive, first)
    at.transport.hand_over(second)
    at.say(b"x")
    assert (first.events, second.events) == ([], ["made", "data b'x'"])


def test_after_much_at_once_others_have_their_turn(arrive: Any) -> None:
    at = shaken(arrive, Notes())
    at.say(b"x" * 100_000)
    assert at.native.calls == []
    at.say(b"x" * 200_000)
    assert at.native.calls == ["pause"]
    at.loop.turn()
    assert at.native.calls == ["pause", "resume"]


def test_then_it_reads_on_only_if_the_protocol_wants_to(arrive: Any) -> None:
    protocol = Notes()
    at = shaken(arrive, protocol)
    protocol.dataReceived = lambda data: at.transport.pauseProducing()  # type: ignore[method-assign]
    at.transport._deliver = protocol.dataReceived
    at.say(b"x" * 200_000)
    at.loop.turn()
    assert at.native.calls == ["pause", "pause"]
    at.transport.resumeProducing()
    assert at.native.calls[2:] == ["resume"]


def test_what_breaks_in_the_middle_of_much_is_not_read_on(arrive: Any) -> None:
    at = shaken(arrive, Notes())
    at.transport.data_received(at.client.says(b"x" * 200_000) + bytes(50))
    assert at.native.calls == ["pause", "pause"]
    at.loop.turn()
    assert at.native.calls == ["pause", "pause", "abort"]
