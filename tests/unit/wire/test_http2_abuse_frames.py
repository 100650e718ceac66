"""HTTP/2 clients that break the rules of frames and streams, and those that only seem to."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from daphne_like.testing import RecordedExchange
from tests.support.attacker import Attacker
from tests.support.frames import (
    ACK,
    DATA,
    END_HEADERS,
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    GET,
    GOAWAY,
    PADDED,
    PING,
    POST,
    PREFACE,
    PRIORITY_UPDATE,
    PROTOCOL_ERROR,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    STREAM_CLOSED,
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

FIRST_GOODBYE = b"\x7f\xff\xff\xff"
"""The last stream is none in particular: more may be on their way."""


def answer(exchange: RecordedExchange) -> None:
    exchange.answer(b"ok")


FORBIDDEN = {
    "WINDOW_UPDATE of nothing": (lambda: window_update(1, 0), PROTOCOL_ERROR),
    "WINDOW_UPDATE of nothing for all": (lambda: window_update(0, 0), PROTOCOL_ERROR),
    "WINDOW_UPDATE of too much": (lambda: window_update(1, 2**31 - 1), FLOW_CONTROL_ERROR),
    "WINDOW_UPDATE before its stream": (lambda: window_update(9, 1), PROTOCOL_ERROR),
    "DATA behind the end": (lambda: data(3, b"x"), STREAM_CLOSED),
    "DATA before its stream": (lambda: data(9, b"x"), PROTOCOL_ERROR),
    "DATA on no stream": (lambda: data(0, b"x"), PROTOCOL_ERROR),
    "DATA with too much padding": (
        lambda: frame(DATA, b"\x05abc", PADDED, 1),
        PROTOCOL_ERROR,
    ),
    "DATA that is too large": (lambda: data(1, bytes(16385)), FRAME_SIZE_ERROR),
    "DATA beyond the window": (lambda: data(1, bytes(16384)) * 5, FLOW_CONTROL_ERROR),
    "HEADERS behind the end": (lambda: headers(3, packed(GET)), STREAM_CLOSED),
    "HEADERS on no stream": (lambda: headers(0, packed(GET)), PROTOCOL_ERROR),
    "HEADERS on an even stream": (lambda: headers(10, packed(GET)), PROTOCOL_ERROR),
    "HEADERS interrupted": (
        lambda: headers(5, packed(GET), whole=False) + ping(),
        PROTOCOL_ERROR,
    ),
    "PRIORITY of the wrong size": (lambda: priority(1, bytes(4)), FRAME_SIZE_ERROR),
    "RST_STREAM of the wrong size": (
        lambda: frame(RST_STREAM, bytes(3), 0, 1),
        FRAME_SIZE_ERROR,
    ),
    "RST_STREAM before its stream": (lambda: reset(9), PROTOCOL_ERROR),
    "PING of the wrong size": (lambda: frame(PING, bytes(7)), FRAME_SIZE_ERROR),
    "PING on a stream": (lambda: frame(PING, bytes(8), 0, 1), PROTOCOL_ERROR),
    "SETTINGS of the wrong size": (lambda: frame(SETTINGS, bytes(5)), FRAME_SIZE_ERROR),
    "SETTINGS on a stream": (lambda: frame(SETTINGS, b"", 0, 1), PROTOCOL_ERROR),
    "SETTINGS with too large a window": (lambda: settings((4, 2**31)), FLOW_CONTROL_ERROR),
    "SETTINGS with too small a frame": (lambda: settings((5, 10)), PROTOCOL_ERROR),
    "SETTINGS that push twice": (lambda: settings((2, 2)), PROTOCOL_ERROR),
    "SETTINGS with too many values": (lambda: settings(*[(4, 1)] * 33), ENHANCE_YOUR_CALM),
    "SETTINGS that answer nothing": (lambda: frame(SETTINGS, b"", ACK), PROTOCOL_ERROR),
    "PUSH_PROMISE of a client": (
        lambda: frame(PUSH_PROMISE, b"\x00\x00\x00\x02" + packed(GET), END_HEADERS, 1),
        PROTOCOL_ERROR,
    ),
    "PRIORITY_UPDATE of no stream": (lambda: priority_update(0), PROTOCOL_ERROR),
    "PRIORITY_UPDATE of the wrong size": (
        lambda: frame(PRIORITY_UPDATE, bytes(3)),
        FRAME_SIZE_ERROR,
    ),
    "PRIORITY_UPDATE on a stream": (
        lambda: frame(PRIORITY_UPDATE, bytes(4), 0, 1),
        PROTOCOL_ERROR,
    ),
    "an unknown frame that is too large": (
        lambda: frame(99, bytes(16385)),
        FRAME_SIZE_ERROR,
    ),
}


@pytest.mark.parametrize(("broken", "code"), FORBIDDEN.values(), ids=FORBIDDEN)
def test_a_frame_that_breaks_the_rules_ends_the_connection(
    attack: Attack, caplog: pytest.LogCaptureFixture, broken: Callable[[], bytes], code: int
) -> None:
    attacker = attack(reads=False)
    attacker.ask(POST, end=False)
    attacker.ask()
    attacker.send(broken())
    assert len(attacker.open.exchanges) == attacker.told() == 2
    assert attacker.is_ended_for(code)
    [line] = caplog.messages
    assert re.match(r"Refused a request from 192.0.2.1:50000: 400 HTTP/2: \w", line)


def test_an_old_stream_is_not_opened_again(attack: Attack) -> None:
    attacker = attack(ended=answer)
    for _ in range(2):
        attacker.ask()
    attacker.send(headers(1, packed(GET)))
    assert len(attacker.open.exchanges) == 2
    assert attacker.goaways == [STREAM_CLOSED] or attacker.is_answered()


def test_late_frames_on_a_finished_stream_do_no_harm(attack: Attack) -> None:
    attacker = attack(opened=lambda exchange: exchange.answer(b"early"))
    for late in (data(1, bytes(100)), window_update(1, 9), reset(1), data(1, bytes(100))):
        if not attacker.open.exchanges:
            attacker.ask(POST, end=False)
        attacker.send(late)
        assert attacker.is_answered()
    assert attacker.goaways == []


def test_bytes_for_a_stream_that_was_broken_off_are_paid_back(attack: Attack) -> None:
    attacker = attack()
    stream = attacker.ask(POST, end=False)
    attacker.open.last.start()
    attacker.open.last.abort()
    sent = 0
    for _ in range(1000):
        attacker.send(data(stream, bytes(16000)))
        sent += 16000
    assert sent > 2 * attacker.limits.http2_streams * attacker.limits.read_budget
    attacker.open.exchanges.clear()
    attacker.ask()
    assert len(attacker.open.exchanges) == 1
    assert attacker.goaways == []


def test_what_does_not_begin_with_the_preface_is_no_http2(attack: Attack) -> None:
    attacker = attack(said=b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert attacker.wire.eof
    assert attacker.open.exchanges == []
    assert attacker.frames[0].kind == SETTINGS


def test_a_preface_that_never_ends_has_its_time(attack: Attack) -> None:
    attacker = attack(said=PREFACE[:10], head_timeout=30)
    attacker.wait(29)
    assert not attacker.wire.eof
    attacker.wait(1)
    assert attacker.goaways == [0]
    assert attacker.wire.eof


def test_a_client_that_says_goodbye_gets_what_it_has_asked_for(attack: Attack) -> None:
    attacker = attack()
    stream = attacker.ask()
    attacker.send(frame(GOAWAY, bytes(8)))
    attacker.open.last.answer(b"ok")
    attacker.clock.advance(0)
    assert attacker.body(stream) == b"ok"
    assert attacker.complete(stream)


@pytest.mark.parametrize(("code", "name"), [(2, "INTERNAL_ERROR"), (2**32 - 1, "an unknown error")])
def test_nothing_that_a_client_says_when_it_gives_up_is_logged_or_counted(
    attack: Attack, caplog: pytest.LogCaptureFixture, code: int, name: str
) -> None:
    attacker = attack()
    attacker.ask()
    attacker.send(frame(GOAWAY, bytes(4) + code.to_bytes(4, "big") + b"\x1b[2J\r\nin a new line"))
    said = f"HTTP/2: the client says {name}"
    assert caplog.messages == [f"Refused a request from 192.0.2.1:50000: 400 {said}"]
    assert list(attacker.shared.refusals) == [(400, said)]
    assert attacker.told() == 1
    assert attacker.wire.eof


def test_a_connection_that_is_never_idle_has_an_end_too(attack: Attack) -> None:
    attacker = attack(connection_requests=3)
    streams = [attacker.ask() for _ in range(5)]
    assert len(attacker.open.exchanges) == 5
    assert [one.payload[:4] for one in attacker.frames if one.kind == GOAWAY] == [FIRST_GOODBYE]
    [asked] = [one for one in attacker.frames if one.kind == PING]
    attacker.send(frame(PING, asked.payload, ACK))
    attacker.ask()
    assert len(attacker.open.exchanges) == 5
    assert attacker.goaways == [0, 0]
    for exchange in attacker.open.exchanges:
        exchange.answer(b"ok")
    attacker.clock.advance(0)
    assert all(map(attacker.complete, streams))
    assert attacker.wire.eof
