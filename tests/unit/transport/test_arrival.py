"""What connections have in common that have to say something first."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.address import IPv6Address, UNIXAddress
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock

from daphne_like.limits import Limits
from daphne_like.transport.arrival import ArrivingTransport, shown
from tests.unit.transport.fakes import BUDGET, Loop, Native


class Roll:
    def __init__(self) -> None:
        self.clock = Clock()
        self.limits = Limits()
        self.events: list[str] = []

    def opened(self, connection: Any) -> None:
        self.events.append("opened")

    def closed(self, connection: Any) -> None:
        self.events.append("closed")


class Arriving(ArrivingTransport):
    awaits = "a word"

    def _begin(self) -> None:
        self._wait(5)


def test_it_is_on_the_roll_until_it_is_lost(loop: Loop) -> None:
    roll = Roll()
    roll.clock.advance(3)
    transport, native = Arriving(roll, Factory(), BUDGET), Native(loop)
    transport.connection_made(native)
    assert transport.client is None
    assert transport.snapshot() == (3.0, 0, "a word", ())
    transport.cut("over")
    transport.cut("over")
    loop.turn()
    assert native.calls == ["pause", "abort"]
    transport.connection_lost(None)
    transport.connection_lost(None)
    assert roll.events == ["opened", "closed"]
    assert roll.clock.getDelayedCalls() == []


def test_a_server_that_stops_lets_it_arrive_and_not_for_long(loop: Loop) -> None:
    roll = Roll()
    transport, native = Arriving(roll, Factory(), BUDGET), Native(loop)
    transport.connection_made(native)
    transport.drain()
    roll.clock.advance(0.9)
    transport.drain()
    loop.turn()
    assert native.calls == []
    roll.clock.advance(0.1)
    loop.turn()
    assert native.calls == ["pause", "abort"]
    transport.connection_lost(None)
    assert roll.events == ["opened", "closed"]
    assert roll.clock.getDelayedCalls() == []


def test_what_has_arrived_is_left_alone(loop: Loop) -> None:
    roll = Roll()
    transport, native = Arriving(roll, Factory(), BUDGET), Native(loop)
    transport.connection_made(native)
    transport.drain()
    transport._stop_waiting()
    roll.clock.advance(10)
    loop.turn()
    assert (native.calls, roll.clock.getDelayedCalls()) == ([], [])


def test_what_happens_when_its_time_is_over_is_said_by_who_waits(loop: Loop) -> None:
    roll = Roll()
    Arriving(roll, Factory(), BUDGET).connection_made(Native(loop))
    with pytest.raises(NotImplementedError):
        roll.clock.advance(5)


@pytest.mark.parametrize(
    ("peer", "name"),
    [(UNIXAddress(None), "a Unix socket"), (IPv6Address("TCP", "::2", 5000), "[::2]:5000")],
)
def test_a_peer_is_shown_as_an_operator_would(peer: Any, name: str) -> None:
    assert shown(peer) == name
