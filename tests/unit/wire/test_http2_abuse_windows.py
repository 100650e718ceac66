"""HTTP/2 clients that let nothing come, or take nothing of it: windows of zero, sockets unread."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from daphne_like.testing import RecordedExchange
from tests.support.attacker import WRITE_BUDGET, Attacker
from tests.support.frames import (
    ACK,
    CANCEL,
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    GET,
    INITIAL_WINDOW_SIZE,
    POST,
    PREFACE,
    SETTINGS,
    WINDOW_UPDATE,
    data,
    frame,
    headers,
    packed,
    settings,
    window_update,
)

Attack = Callable[..., Attacker]

KIB = 1024
BUDGET = 64 * KIB


def preface(window: int) -> bytes:
    """The begin of a client whose streams have so large a window."""
    return PREFACE + settings((INITIAL_WINDOW_SIZE, window)) + frame(SETTINGS, b"", ACK)


def stall(exchange: RecordedExchange, size: int = 4 * BUDGET) -> int:
    """Send as an application does, until it has to wait; how much it was."""
    sent = 0
    exchange.start()
    while not exchange.stream.full and sent < size:
        exchange.send(bytes(16 * KIB))
        sent += 16 * KIB
    return sent


def test_a_window_of_zero_makes_send_wait(attack: Attack) -> None:
    attacker = attack(said=preface(0))
    stream = attacker.ask()
    exchange = attacker.open.last
    assert stall(exchange) == BUDGET + 16 * KIB
    assert attacker.body(stream) == b""
    attacker.send(window_update(stream, 40 * KIB))
    assert "drained" not in exchange.events
    attacker.send(window_update(stream, 8 * KIB))
    assert exchange.events.count("drained") == 1
    assert len(attacker.body(stream)) == 48 * KIB
    assert not exchange.stream.full


def test_a_stream_without_progress_is_reset_and_its_siblings_go_on(attack: Attack) -> None:
    attacker = attack(said=preface(0), write_timeout=60, http2_ping_interval=0)
    stalled = attacker.ask()
    stall(attacker.open.last)
    for _ in range(10):
        attacker.wait(5)
        stream = attacker.ask()
        attacker.open.last.answer(b"ok")
        attacker.send(window_update(stream, 2))
        assert attacker.body(stream) == b"ok"
    assert attacker.resets == {}
    attacker.wait(10)
    assert attacker.resets == {stalled: CANCEL}
    first = attacker.open.exchanges[0]
    assert first.events[-1] == "disconnected"
    assert first.unsent == BUDGET + 16 * KIB
    assert not attacker.wire.eof
    stream = attacker.ask()
    attacker.open.last.answer(b"ok")
    attacker.send(window_update(stream, 2))
    assert attacker.complete(stream)


def test_an_answer_that_nobody_waits_for_any_more_is_reset_too(attack: Attack) -> None:
    attacker = attack(said=preface(0), write_timeout=60, http2_ping_interval=0)
    stream = attacker.ask()
    attacker.open.last.answer(b"x" * 1000)
    attacker.wait(61)
    assert attacker.resets == {stream: CANCEL}
    assert attacker.open.last.over == "answered"


def test_a_byte_now_and_then_is_progress(attack: Attack) -> None:
    attacker = attack(said=preface(0), write_timeout=60, http2_ping_interval=0)
    stream = attacker.ask()
    stall(attacker.open.last)
    for _ in range(5):
        attacker.wait(50)
        attacker.send(window_update(stream, 1))
    assert len(attacker.body(stream)) == 5
    assert attacker.resets == {}


def test_a_window_of_the_connection_that_stays_shut_stalls_all_and_all_are_reset(
    attack: Attack,
) -> None:
    attacker = attack(said=preface(2**31 - 1), write_timeout=60, http2_ping_interval=0)
    streams = [attacker.ask() for _ in range(3)]
    for exchange in attacker.open.exchanges:
        stall(exchange)
    assert sum(len(attacker.body(stream)) for stream in streams) == 65535
    attacker.wait(121)
    assert attacker.resets == dict.fromkeys(streams, CANCEL)
    assert attacker.told() == 3


@pytest.mark.parametrize("opened", [True, False], ids=["window open", "window shut"])
def test_what_waits_for_clients_that_let_nothing_come_is_bounded(
    attack: Attack, opened: bool
) -> None:
    attacker = attack(said=preface(2**31 - 1 if opened else 0))
    if opened:
        attacker.send(window_update(0, 2**30))
        attacker.wire.stop_reading()
    for _ in range(100):
        attacker.ask()
        stall(attacker.open.last)
    queued = attacker.connection.engine.queued_body_size()
    assert queued <= 100 * (BUDGET + 16 * KIB)
    assert len(attacker.wire.outgoing) <= WRITE_BUDGET + BUDGET


def test_who_reads_nothing_is_cut(attack: Attack) -> None:
    attacker = attack(said=preface(2**31 - 1), write_timeout=60, http2_ping_interval=0)
    attacker.send(window_update(0, 2**30))
    attacker.wire.stop_reading()
    for _ in range(3):
        attacker.ask()
        stall(attacker.open.last)
    assert attacker.connection.full
    attacker.wait(59)
    assert attacker.told() == 0
    attacker.wait(2)
    assert attacker.told() == 3
    assert attacker.wire.aborted


def test_who_takes_a_little_each_time_is_not(attack: Attack) -> None:
    attacker = attack(said=preface(2**31 - 1), write_timeout=60, http2_ping_interval=0)
    attacker.send(window_update(0, 2**30))
    attacker.wire.stop_reading()
    attacker.ask()
    stall(attacker.open.last)
    for _ in range(5):
        attacker.wait(50)
        attacker.wire.read(1)
    assert attacker.told() == 0
    attacker.read()
    assert attacker.open.last.events == ["body_ended", "drained"]


def test_a_window_that_shrinks_below_zero_holds_back_what_is_queued(attack: Attack) -> None:
    attacker = attack()
    stream = attacker.ask()
    attacker.open.last.start(b"x" * 1000)
    attacker.send(settings((INITIAL_WINDOW_SIZE, 0)))
    attacker.open.last.send(b"y" * 10)
    attacker.send(window_update(stream, 1000))
    assert attacker.body(stream) == b"x" * 1000
    attacker.send(window_update(stream, 10))
    assert attacker.body(stream)[1000:] == b"y" * 10


def test_a_shut_window_that_is_opened_and_shut_all_the_time_is_a_flood(attack: Attack) -> None:
    attacker = attack(http2_control_frames=100)
    attacker.ask()
    attacker.open.last.start(b"x" * 60 * KIB)
    for _ in range(100):
        attacker.send(
            settings((INITIAL_WINDOW_SIZE, 0)), settings((INITIAL_WINDOW_SIZE, 2**31 - 1))
        )
    assert attacker.is_ended_for(ENHANCE_YOUR_CALM)


# --- The other way ----------------------------------------------------------------------------


def test_an_application_that_does_not_read_lets_no_more_come_than_its_budget(
    attack: Attack,
) -> None:
    attacker = attack(reads=False, read_budget=BUDGET)
    stream = attacker.ask(POST, end=False)
    sibling = attacker.ask(POST, end=False)
    for _ in range(4):
        attacker.send(data(stream, bytes(16 * KIB)))
    assert not any(one.kind == WINDOW_UPDATE and one.stream for one in attacker.frames)
    attacker.send(data(sibling, b"x", end=True))
    assert attacker.open.last.body == b"x"
    attacker.send(data(stream, b"more"))
    assert attacker.goaways == [FLOW_CONTROL_ERROR]
    assert len(attacker.open.exchanges[0].body) == BUDGET


def test_a_body_that_dribbles_is_answered_408_and_its_sibling_served(attack: Attack) -> None:
    attacker = attack(body_timeout=30, body_rate=200)
    slow, sibling = attacker.ask(POST, end=False), attacker.ask()
    for _ in range(59):
        attacker.wait(1)
        attacker.send(data(slow, b"x"))
        if slow in attacker.statuses:
            break
    assert attacker.statuses == {slow: 408}
    assert attacker.open.exchanges[0].refused == 408
    attacker.open.exchanges[1].answer(b"ok")
    attacker.clock.advance(0)
    assert attacker.body(sibling) == b"ok"


def test_silent_clients_are_let_go(attack: Attack) -> None:
    attacker = attack(head_timeout=30)
    attacker.wait(32)
    assert attacker.goaways[-1] == 0
    assert attacker.wire.eof


def test_one_that_answers_no_ping_is_cut(attack: Attack) -> None:
    attacker = attack(http2_ping_interval=30, http2_ping_timeout=20)
    attacker.ask()
    attacker.wait(51)
    assert attacker.told() == 1
    assert attacker.wire.aborted


def test_who_asks_after_the_last_word_is_not_served(attack: Attack) -> None:
    attacker = attack(keep_alive=75)
    attacker.send(headers(attacker.next(), packed(GET)))
    attacker.open.last.answer(b"ok")
    attacker.wait(77)
    attacker.ask()
    assert len(attacker.open.exchanges) == 1
