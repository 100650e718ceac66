"""HTTP/2 clients that cost more than they ask for: resets and floods.

Each is held in bounds, and told why its connection ends.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from daphne_like.testing import RecordedExchange
from tests.support.attacker import WRITE_BUDGET, Attacker
from tests.support.frames import (
    ACK,
    DATA,
    ENHANCE_YOUR_CALM,
    GET,
    PADDED,
    PING,
    POST,
    PREFACE,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    data,
    frame,
    headers,
    packed,
    ping,
    priority,
    priority_update,
    reset,
    settings,
    window_update,
)

Attack = Callable[..., Attacker]

LONG = [*POST, (b"content-length", b"3")]
KIB_32 = 32 * 1024


def answer(exchange: RecordedExchange) -> None:
    exchange.answer(b"ok")


def linger(exchange: RecordedExchange) -> None:
    exchange.lingers = True


# --- Resets -----------------------------------------------------------------------------------


@pytest.mark.parametrize("reads", [True, False], ids=["reading", "not reading"])
def test_rapid_resets_are_ended_by_a_bucket(
    attack: Attack, caplog: pytest.LogCaptureFixture, reads: bool
) -> None:
    attacker = attack(http2_resets=50)
    if not reads:
        attacker.wire.stop_reading()
    for _ in range(200):
        stream = attacker.next()
        attacker.send(headers(stream, packed(GET)) + reset(stream))
    assert len(attacker.open.exchanges) == attacker.told() == 51
    attacker.read()
    assert attacker.is_ended_for(ENHANCE_YOUR_CALM)
    assert caplog.messages == [
        "Refused a request from 192.0.2.1:50000: 400 HTTP/2: too many streams reset"
    ]


def test_all_in_one_segment_they_are_no_more(attack: Attack) -> None:
    attacker = attack(http2_resets=50)
    streams = [attacker.next() for _ in range(2000)]
    attacker.send(b"".join(headers(each, packed(GET)) + reset(each) for each in streams))
    assert len(attacker.open.exchanges) == 51
    assert attacker.goaways[-1] == ENHANCE_YOUR_CALM


def test_resets_now_and_then_are_an_everyday_thing(attack: Attack) -> None:
    attacker = attack(http2_resets=50, http2_reset_rate=10)
    for _ in range(100):
        stream = attacker.ask()
        attacker.send(reset(stream))
        attacker.clock.advance(0.1)
    assert attacker.told() == 100
    assert attacker.goaways == []


def test_who_resets_what_it_was_answered_is_ended_later(attack: Attack) -> None:
    attacker = attack(http2_resets=50, ended=answer)
    stream = attacker.ask()
    for _ in range(101):
        attacker.send(reset(stream))
    assert len(attacker.goaways) == 1


def test_who_reads_nothing_and_resets_what_it_was_answered_is_ended_too(attack: Attack) -> None:
    attacker = attack(opened=lambda exchange: exchange.answer(bytes(40_000)))
    attacker.wire.stop_reading()
    attacker.ask()
    attacker.ask()
    assert attacker.connection.full
    for _ in range(3000):
        stream = attacker.next()
        attacker.send(headers(stream, packed(GET)) + reset(stream))
    assert len(attacker.open.exchanges) == 1003
    attacker.read()
    assert attacker.is_ended_for(ENHANCE_YOUR_CALM)


def test_tasks_that_outlive_their_connection_do_not_hold_it(attack: Attack) -> None:
    attacker = attack(opened=linger)
    attacker.ask()
    attacker.leave()
    assert attacker.told() == 1
    assert attacker.connection._leaving == []


def test_tasks_of_streams_that_were_reset_count_as_streams(attack: Attack) -> None:
    attacker = attack(http2_streams=10, opened=linger)
    for _ in range(10):
        attacker.send(reset(attacker.ask()))
    assert attacker.told() == 10
    refused = attacker.ask()
    assert len(attacker.open.exchanges) == 10
    assert attacker.resets == {refused: REFUSED_STREAM}
    assert attacker.goaways == []
    for exchange in attacker.open.exchanges[:3]:
        exchange.lingers = False
    for _ in range(4):
        last = attacker.ask()
    assert len(attacker.open.exchanges) == 13
    assert attacker.resets[last] == REFUSED_STREAM


BROKEN = {
    "more than Content-Length": lambda each: (
        headers(each, packed(LONG), end=False) + data(each, b"1234")
    ),
    "less than Content-Length": lambda each: (
        headers(each, packed(LONG), end=False) + data(each, b"12", end=True)
    ),
    "trailers that do not end": lambda each: (
        headers(each, packed(POST), end=False) + headers(each, packed([(b"x", b"y")]), end=False)
    ),
    "trailers with a path": lambda each: (
        headers(each, packed(POST), end=False) + headers(each, packed([(b":path", b"/")]))
    ),
    "an upper-case name": lambda each: headers(each, packed([*GET, (b"X", b"y")])),
    "an empty name": lambda each: headers(each, packed([*GET, (b"", b"")])),
}
"""Requests whose stream the server has to reset: made to reset, it is the client's doing."""


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_reset_that_is_provoked_counts_as_well(
    attack: Attack, broken: Callable[[int], bytes]
) -> None:
    attacker = attack(http2_resets=50)
    sibling = attacker.ask(POST, end=False)
    for _ in range(50):
        attacker.send(broken(attacker.next()))
    assert attacker.goaways == []
    assert set(attacker.resets.values()) == {PROTOCOL_ERROR}
    assert len(attacker.resets) == 50
    attacker.send(data(sibling, b"x", end=True))
    first = attacker.open.exchanges[0]
    assert (first.body, first.over) == (b"x", None)
    attacker.send(broken(attacker.next()))
    assert attacker.is_ended_for(ENHANCE_YOUR_CALM)


def test_bodies_that_are_too_large_again_and_again_count_too(attack: Attack) -> None:
    attacker = attack(http2_resets=50, body_size=3)
    for _ in range(51):
        stream = attacker.ask(POST, end=False)
        attacker.send(data(stream, b"1234"))
        attacker.send(reset(stream))
    assert [exchange.refused for exchange in attacker.open.exchanges] == [413] * 51
    assert attacker.is_ended_for(ENHANCE_YOUR_CALM)


# --- Floods -----------------------------------------------------------------------------------

FLOODS = {
    "PING": ping(),
    "SETTINGS": settings(),
    "SETTINGS with values": settings(*[(4, 65535)] * 32),
    "empty DATA": data(1),
    "DATA of padding": frame(DATA, b"\x09" + bytes(9), PADDED, 1),
    "PRIORITY": priority(1),
    "PRIORITY_UPDATE": priority_update(1),
    "frames of an unknown type": frame(200, bytes(100)),
    "ALTSVC": frame(10, b"\x00\x00x"),
    "ORIGIN": frame(12, b"\x00\x01x"),
}


@pytest.mark.parametrize("reads", [True, False], ids=["reading", "not reading"])
@pytest.mark.parametrize("piece", FLOODS.values(), ids=FLOODS)
def test_a_flood_of_what_carries_nothing_is_ended(
    attack: Attack, piece: bytes, reads: bool
) -> None:
    attacker = attack(http2_control_frames=100)
    attacker.ask(POST, end=False)
    if not reads:
        attacker.wire.stop_reading()
    for _ in range(200):
        attacker.send(piece * 100)
    assert len(attacker.wire.outgoing) < WRITE_BUDGET
    attacker.read()
    assert attacker.is_ended_for(ENHANCE_YOUR_CALM)
    assert len(attacker.wire.received) < 4096
    assert attacker.told() == 1


def test_how_many_frames_of_an_unknown_type_follows_the_resets(attack: Attack) -> None:
    attacker = attack(http2_resets=10)
    attacker.send(frame(200) * 90)
    assert attacker.goaways == []
    attacker.send(frame(200) * 20)
    assert attacker.is_ended_for(ENHANCE_YOUR_CALM)


HARMLESS = {
    "PING that answers nothing": frame(PING, bytes(8), ACK),
    "WINDOW_UPDATE": window_update(0, 1),
    "WINDOW_UPDATE of a stream": window_update(1, 1),
}


@pytest.mark.parametrize("reads", [True, False], ids=["reading", "not reading"])
@pytest.mark.parametrize("piece", HARMLESS.values(), ids=HARMLESS)
def test_a_flood_that_costs_nothing_takes_nothing(
    attack: Attack, piece: bytes, reads: bool
) -> None:
    attacker = attack(ended=answer)
    attacker.ask()
    if not reads:
        attacker.wire.stop_reading()
    for _ in range(1000):
        attacker.send(piece * 100)
    assert len(attacker.wire.outgoing) == 0
    attacker.read()
    assert attacker.is_answered()


def test_after_much_at_once_others_have_their_turn(attack: Attack) -> None:
    attacker = attack(ended=answer)
    attacker.wire.send(window_update(0, 1) * 8000)
    assert not attacker.wire.paused
    attacker.wire.send(window_update(0, 1) * 16000, headers(attacker.next(), packed(GET)))
    assert attacker.wire.paused
    assert attacker.open.exchanges == []
    attacker.clock.advance(0)
    assert attacker.statuses == {1: 200}


def test_who_still_sends_a_priority_with_each_request_is_served(attack: Attack) -> None:
    attacker = attack(ended=answer)
    for _ in range(3000):
        stream = attacker.next()
        attacker.send(priority(stream) + headers(stream, packed(GET)))
    assert attacker.complete(stream)
    assert attacker.goaways == []


@pytest.mark.parametrize("reads", [True, False], ids=["reading", "not reading"])
def test_requests_without_end_are_no_more_than_may_be_open(attack: Attack, reads: bool) -> None:
    attacker = attack(http2_streams=10, http2_resets=50)
    if not reads:
        attacker.wire.stop_reading()
    for _ in range(100):
        attacker.ask()
    assert len(attacker.open.exchanges) == 10
    attacker.read()
    assert attacker.is_ended_for(ENHANCE_YOUR_CALM)


def test_who_has_not_heard_of_the_limit_is_refused_the_streams_beyond(attack: Attack) -> None:
    attacker = attack(said=PREFACE + settings(), http2_streams=10)
    for _ in range(100):
        last = attacker.ask()
    assert len(attacker.open.exchanges) == 10
    assert len(attacker.resets) == 90
    assert attacker.resets[last] == REFUSED_STREAM
    attacker.open.exchanges[0].answer(b"ok")
    attacker.clock.advance(0)
    assert attacker.goaways == []
    assert attacker.statuses == {1: 200}


@pytest.mark.parametrize("reads", [True, False], ids=["reading", "not reading"])
def test_a_client_that_reads_no_answers_makes_the_server_stop_answering(
    attack: Attack, reads: bool
) -> None:
    attacker = attack(ended=lambda exchange: exchange.answer(bytes(KIB_32)))
    attacker.send(window_update(0, 2**30))
    if not reads:
        attacker.wire.stop_reading()
    for _ in range(200):
        attacker.ask()
    if reads:
        assert len(attacker.open.exchanges) == 200
    else:
        assert len(attacker.open.exchanges) < 110
        assert len(attacker.wire.outgoing) < WRITE_BUDGET + KIB_32 * 3
