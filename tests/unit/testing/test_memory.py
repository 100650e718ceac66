"""MemoryWire behaves as Twisted's own stream transports do, in memory and at the test's pace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet import error
from twisted.internet.address import UNIXAddress
from twisted.internet.interfaces import (
    IConsumer,
    IHalfCloseableProtocol,
    IPushProducer,
    ITransport,
)
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer
from zope.interface.verify import verifyObject

from daphne_like.testing import MemoryWire, SeamBroken


class Listening(Protocol):
    """A protocol that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def dataReceived(self, data: bytes) -> None:
        self.told.append(data)

    def connectionLost(self, reason: Failure = ...) -> None:  # type: ignore[assignment]
        self.told.append(reason.type)


@implementer(IHalfCloseableProtocol)
class HalfCloseable(Listening):
    def readConnectionLost(self) -> None:
        self.told.append("read lost")

    def writeConnectionLost(self) -> None:
        self.told.append("write lost")


@implementer(IPushProducer)
class Producing:
    def __init__(self) -> None:
        self.told: list[str] = []

    def pauseProducing(self) -> None:
        self.told.append("pause")

    def resumeProducing(self) -> None:
        self.told.append("resume")

    def stopProducing(self) -> None:
        self.told.append("stop")


class Connected:
    def __init__(self, protocol: Listening | None = None, **options: Any) -> None:
        self.clock = Clock()
        self.protocol = protocol or HalfCloseable()
        self.wire = MemoryWire(self.protocol, self.clock, **options)

    @property
    def told(self) -> list[Any]:
        self.clock.advance(0)
        return self.protocol.told


def test_it_is_a_transport_a_consumer_and_a_producer() -> None:
    wire = Connected().wire
    for interface in (ITransport, IConsumer, IPushProducer):
        assert verifyObject(interface, wire)


def test_its_ends_have_addresses() -> None:
    wire = Connected(peer=UNIXAddress(b"/peer")).wire
    assert wire.getPeer() == UNIXAddress(b"/peer")
    assert wire.getHost().port == 80


class TestInput:
    def test_each_segment_comes_by_itself(self) -> None:
        connected = Connected()
        connected.wire.send(b"a", b"", b"b")
        connected.wire.send(b"c")
        assert connected.told == [b"a", b"b", b"c"]

    def test_paused_it_waits(self) -> None:
        connected = Connected()
        connected.wire.pauseProducing()
        connected.wire.send(b"ab", b"c")
        connected.wire.send_eof()
        assert connected.told == []
        assert connected.wire.unread == 3
        connected.wire.resumeProducing()
        assert connected.protocol.told == []
        assert connected.told == [b"ab", b"c", "read lost"]

    def test_a_protocol_that_cannot_half_close_is_closed(self) -> None:
        connected = Connected(Listening())
        connected.wire.send_eof()
        assert connected.told == [error.ConnectionDone]

    def test_after_the_end_nothing_comes(self) -> None:
        connected = Connected()
        connected.wire.loseConnection()
        connected.wire.send(b"a")
        assert connected.told == [error.ConnectionDone]
        connected.wire.send(b"b")
        connected.wire.send_eof()
        assert connected.told == [error.ConnectionDone]


class TestOutput:
    def test_the_peer_reads_at_once(self) -> None:
        wire = Connected().wire
        wire.write(b"a")
        wire.writeSequence([b"b", b"c"])
        assert wire.received == b"abc"
        assert wire.writes == 2

    def test_a_peer_that_stops_reading_leaves_it_on_its_way(self) -> None:
        wire = Connected().wire
        wire.stop_reading()
        wire.write(b"abc")
        assert (wire.received, wire.outgoing, wire.unsent()) == (b"", b"abc", 3)
        assert wire.read(1) == b"a"
        wire.write(b"d")
        assert wire.outgoing == b"bcd"
        assert wire.read() == b"bcd"
        wire.write(b"e")
        assert wire.received == b"abcde"

    def test_a_file_is_on_its_way_until_the_clock_moves(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"abcdef")
        at, producer = Connected(), Producing()
        at.wire.registerProducer(producer, True)
        with (tmp_path / "file").open("rb") as file:
            at.wire.send_file(file.fileno(), 1, 3, b"?", b"!")
            assert (at.wire.received, producer.told) == (b"", ["pause"])
            at.clock.advance(0)
            assert (at.wire.received, producer.told) == (b"?bcd!", ["pause", "resume"])
            at.wire.stop_reading()
            at.wire.send_file(file.fileno(), 0, 1)
            at.clock.advance(0)
            assert at.wire.outgoing == b"a"
            at.wire.send_file(file.fileno(), 1, 6)
            assert at.wire.aborted

    def test_a_file_needs_no_producer(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"abcdef")
        at = Connected()
        with (tmp_path / "file").open("rb") as file:
            at.wire.send_file(file.fileno(), 0, 6)
        at.clock.advance(0)
        assert at.wire.received == b"abcdef"

    def test_only_bytes_are_written(self) -> None:
        with pytest.raises(SeamBroken):
            Connected().wire.write("a")  # type: ignore[arg-type]


class TestProducers:
    def test_above_the_budget_the_producer_is_paused_and_far_below_resumed(self) -> None:
        wire, producer = Connected(write_budget=8).wire, Producing()
        wire.registerProducer(producer, True)
        wire.stop_reading()
        wire.write(b"12345678")
        assert producer.told == []
        wire.write(b"9")
        wire.write(b"0")
        assert producer.told == ["pause"]
        wire.read(7)
        assert producer.told == ["pause"]
        wire.read(1)
        assert producer.told == ["pause", "resume"]

    def test_one_that_registers_late_is_paused_at_once(self) -> None:
        wire, producer = Connected(write_budget=1).wire, Producing()
        wire.stop_reading()
        wire.write(b"ab")
        wire.registerProducer(producer, True)
        assert producer.told == ["pause"]

    def test_one_that_has_left_hears_nothing(self) -> None:
        wire, producer = Connected(write_budget=1).wire, Producing()
        wire.registerProducer(producer, True)
        wire.unregisterProducer()
        wire.stop_reading()
        wire.write(b"ab")
        wire.read()
        assert producer.told == []

    def test_there_is_one_and_it_pushes(self) -> None:
        wire = Connected().wire
        with pytest.raises(SeamBroken):
            wire.registerProducer(Producing(), False)
        wire.registerProducer(Producing(), True)
        with pytest.raises(SeamBroken):
            wire.registerProducer(Producing(), True)

    def test_it_is_stopped_when_the_connection_is_lost(self) -> None:
        wire, producer = Connected().wire, Producing()
        wire.registerProducer(producer, True)
        wire.vanish()
        assert producer.told == ["stop"]


class TestEnds:
    def test_losing_the_connection_waits_for_the_peer_and_the_producer(self) -> None:
        connected = Connected()
        wire = connected.wire
        wire.registerProducer(Producing(), True)
        wire.stop_reading()
        wire.write(b"a")
        wire.stopProducing()
        wire.read()
        assert connected.told == []
        wire.unregisterProducer()
        assert connected.told == [error.ConnectionDone]
        assert (wire.closed, wire.eof, wire.aborted) == (True, True, False)
        assert wire.received == b"a"

    def test_closing_with_unread_input_is_a_reset(self) -> None:
        connected = Connected()
        connected.wire.pauseProducing()
        connected.wire.send(b"a")
        connected.wire.loseConnection()
        assert connected.told == [error.ConnectionDone]
        assert connected.wire.aborted

    def test_half_closing_waits_for_the_peer(self) -> None:
        connected = Connected()
        wire = connected.wire
        wire.stop_reading()
        wire.write(b"a")
        wire.loseWriteConnection()
        wire.write(b"b")
        assert not wire.eof
        wire.read()
        assert wire.eof
        assert not wire.closed
        assert wire.received == b"a"
        wire.send(b"c")
        assert connected.told == [b"c", "write lost"]
        wire.loseWriteConnection()
        assert connected.told == [b"c", "write lost"]

    def test_a_protocol_that_cannot_half_close_is_not_told_of_it(self) -> None:
        connected = Connected(Listening())
        connected.wire.loseWriteConnection()
        assert connected.told == []

    def test_aborting_loses_what_is_on_its_way(self) -> None:
        connected = Connected()
        connected.wire.stop_reading()
        connected.wire.write(b"a")
        connected.wire.abortConnection()
        connected.wire.abortConnection()
        connected.wire.write(b"b")
        connected.wire.send(b"c")
        assert connected.told == [error.ConnectionAborted]
        assert connected.wire.aborted
        assert connected.wire.read() == b""

    def test_a_peer_vanishes_once(self) -> None:
        connected = Connected()
        connected.wire.vanish("gone")
        connected.wire.vanish()
        connected.wire.abortConnection()
        assert connected.told == [error.ConnectionLost]
        assert not connected.wire.aborted
