"""Whose turn it is to shake hands, and what is told of handshakes that fail."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.task import Clock

from daphne_like.limits import Limits
from daphne_like.transport.handshakes import Handshakes
from tests.unit.transport.fakes import Loop

PEER = IPv4Address("TCP", "192.0.2.1", 11)


class Roll:
    def __init__(self, **limits: Any) -> None:
        self.clock = Clock()
        self.limits = Limits(**limits)

    def opened(self, connection: Any) -> None:
        """Not ours to say."""

    closed = opened


class Shaking:
    """A connection that notes when its turn comes."""

    def __init__(self, number: int, turns: list[int]) -> None:
        self.number = number
        self.turns = turns

    def proceed(self) -> None:
        self.turns.append(self.number)

    def give_way(self) -> None:
        self.turns.append(-self.number)


def crowd(handshakes: Handshakes, count: int) -> tuple[list[Shaking], list[int]]:
    turns: list[int] = []
    connections = [Shaking(number, turns) for number in range(count)]
    for connection in connections:
        if handshakes.enter(connection):
            connection.proceed()
    return connections, turns


def test_of_a_crowd_some_begin_in_each_turn_in_the_order_in_which_they_came(loop: Loop) -> None:
    _, turns = crowd(Handshakes(Roll()), 20)
    for begun in (8, 16, 20):
        assert turns == list(range(begun))
        assert len(loop.due) == (begun < 20)
        loop.turn()


def test_who_breaks_does_not_stop_those_behind(loop: Loop) -> None:
    connections, turns = crowd(Handshakes(Roll()), 12)
    connections[9].proceed = lambda: turns[99]  # type: ignore[assignment]
    with pytest.raises(IndexError):
        loop.turn()
    loop.turn()
    assert turns == [*range(9), 10, 11]


@pytest.mark.parametrize("most", [1, 3])
def test_no_more_are_under_way_than_may_be(loop: Loop, most: int) -> None:
    handshakes = Handshakes(Roll(handshakes=most))
    connections, turns = crowd(handshakes, 5)
    assert turns == list(range(most))
    loop.turn()
    assert turns == list(range(most))
    assert loop.due == []
    handshakes.leave(connections[0])
    handshakes.leave(connections[0])
    loop.turn()
    assert turns == list(range(most + 1))


def test_those_that_are_over_are_counted_by_their_ends_and_others_are_pending(loop: Loop) -> None:
    handshakes = Handshakes(Roll(handshakes=2))
    connections, _ = crowd(handshakes, 4)
    assert handshakes.pending == 4
    handshakes.succeeded(connections[0])
    handshakes.failed(PEER, "failed")
    handshakes.leave(connections[3])
    assert handshakes.outcomes == {"complete": 1, "failed": 1}
    assert handshakes.pending == 2


def test_without_a_limit_nobody_waits_for_another(loop: Loop) -> None:
    _, turns = crowd(Handshakes(Roll(handshakes=0)), 8)
    assert turns == list(range(8))


def test_who_leaves_before_his_turn_is_forgotten(loop: Loop) -> None:
    handshakes = Handshakes(Roll(handshakes=1))
    connections, turns = crowd(handshakes, 3)
    loop.turn()
    handshakes.leave(connections[1])
    handshakes.leave(connections[0])
    loop.turn()
    assert turns == [0, 2]
    loop.turn()
    handshakes.leave(connections[2])
    assert loop.due == []


def test_a_turn_may_end_at_once(loop: Loop) -> None:
    class Brief(Shaking):
        def proceed(self) -> None:
            super().proceed()
            handshakes.leave(self)

    handshakes = Handshakes(Roll(handshakes=1))
    turns: list[int] = []
    for number in range(3):
        brief = Brief(number, turns)
        assert handshakes.enter(brief)
        brief.proceed()
    assert turns == [0, 1, 2]


def test_who_is_slow_gives_way_to_those_who_wait(loop: Loop) -> None:
    handshakes = Handshakes(roll := Roll(handshakes=2))
    turns: list[int] = []

    class Slow(Shaking):
        def give_way(self) -> None:
            super().give_way()
            handshakes.leave(self)

    first, second, third, fourth = (Slow(number, turns) for number in (1, 2, 3, 4))
    for connection in (first, second):
        assert handshakes.enter(connection)
    roll.clock.advance(1)
    assert not handshakes.enter(third)
    roll.clock.advance(1)
    loop.turn()
    assert turns == [-1, 3]
    assert roll.clock.getDelayedCalls() == []
    assert not handshakes.enter(fourth)
    roll.clock.advance(0)
    handshakes.leave(fourth)
    loop.turn()
    assert turns == [-1, 3, -2]
    roll.clock.advance(60)
    assert turns == [-1, 3, -2]


def test_how_soon_is_the_operators_to_say(loop: Loop) -> None:
    handshakes = Handshakes(roll := Roll(handshakes=1, handshake_patience=30))
    connections, turns = crowd(handshakes, 2)
    roll.clock.advance(29)
    assert turns == [0]
    handshakes.leave(connections[1])
    handshakes.leave(connections[0])
    assert roll.clock.getDelayedCalls() == []


def test_who_comes_while_others_wait_waits_too(loop: Loop) -> None:
    handshakes = Handshakes(Roll(handshakes=1))
    connections, turns = crowd(handshakes, 2)
    handshakes.leave(connections[0])
    late = Shaking(2, turns)
    assert not handshakes.enter(late)
    loop.turn()
    handshakes.leave(connections[1])
    loop.turn()
    handshakes.leave(late)
    assert turns == [0, 1, 2]


def test_of_a_flood_only_the_number_is_told(caplog: Any) -> None:
    handshakes = Handshakes(roll := Roll())
    for seconds in (0, 10):
        roll.clock.advance(seconds)
        for _ in range(25):
            handshakes.failed(PEER, "failed: x")
    handshakes.failed(UNIXAddress(None), "ended", logging.INFO)
    line = "Closed a connection from 192.0.2.1:11: its TLS handshake failed: x"
    assert len(caplog.messages) == 40
    assert caplog.messages[0] == line
    assert caplog.messages[20] == line + ", and 5 others before"
    assert {record.levelname for record in caplog.records} == {"WARNING"}


def test_what_happens_every_day_is_no_warning(caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    Handshakes(Roll()).failed(UNIXAddress(None), "ended early", logging.INFO)
    [record] = caplog.records
    assert record.levelname == "INFO"
    assert record.message == "Closed a connection from a Unix socket: its TLS handshake ended early"
