"""A connection that says first on whose behalf it comes, and is then like any other."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock

from daphne_like.limits import Limits
from daphne_like.transport.proxied import Preambles, ProxiedTransport
from daphne_like.transport.stream import NativeTransport
from tests.unit.transport.fakes import BUDGET, NAMES, Bug, HalfNotes, Loop, Native, Notes

LINE = b"PROXY TCP4 192.0.2.1 192.0.2.2 11 80\r\n"
CLIENT = IPv4Address("TCP", "192.0.2.1", 11)
PROXY = IPv4Address("TCP", "127.0.0.2", 5000)


class Roll:
    """Notes who is entered, and what his protocol has noted by then."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.limits = Limits(head_timeout=30.0)
        self.waiting: list[Any] = []
        self.events: list[str] = []

    def opened(self, connection: Any) -> None:
        assert connection.client is None
        self.waiting.append(connection)
        self.events.append("opened")

    def closed(self, connection: Any) -> None:
        self.waiting.remove(connection)
        self.events.append("closed")


class Arrival:
    """A connection that has just been made, with everything around it."""

    def __init__(
        self,
        loop: Loop,
        protocol: Any,
        family: int = socket.AF_INET,
        preambles: Preambles | None = None,
        **required: Any,
    ) -> None:
        self.loop = loop
        self.roll: Any = preambles.roll if preambles else Roll()
        self.asked: list[Any] = []
        self.factory = Factory()
        self.factory.buildProtocol = lambda addr: self.asked.append(addr) or protocol
        preambles = preambles or Preambles(self.roll, **required)
        self.transport = preambles.carry(self.factory, BUDGET)
        self.native = Native(loop, family)
        self.transport.connection_made(self.native)

    @property
    def addresses(self) -> tuple[Any, Any]:
        return self.transport.getPeer(), self.transport.getHost()


# --- What it says -----------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [len(LINE), 1, len(LINE) - 1])
def test_after_the_preamble_the_loop_talks_to_the_protocol_directly(loop: Loop, cut: int) -> None:
    protocol = Notes()
    at = Arrival(loop, protocol)
    assert at.roll.events == ["opened"]
    at.transport.data_received(LINE[:cut])
    if cut < len(LINE):
        assert at.asked == []
        assert not at.transport.connected
        at.transport.data_received(LINE[cut:])
    assert at.asked == [CLIENT]
    assert at.addresses == (CLIENT, IPv4Address("TCP", "192.0.2.2", 80))
    assert protocol.events == ["made"]
    assert at.native.calls == ["set_protocol"]
    assert at.native.protocol is at.transport
    assert at.transport.data_received == protocol.dataReceived
    assert at.transport.write == at.native.write
    assert at.roll.events == ["opened", "closed"]
    assert at.roll.clock.getDelayedCalls() == []
    at.transport.connection_lost(None)
    assert protocol.events == ["made", "lost"]
    assert at.roll.events == ["opened", "closed"]


def test_what_follows_the_preamble_is_handed_on(loop: Loop) -> None:
    protocol = Notes()
    Arrival(loop, protocol).transport.data_received(LINE + b"GET")
    assert protocol.events == ["made", "data b'GET'"]


def test_who_looks_on_sees_that_it_is_waited_for(loop: Loop) -> None:
    at = Arrival(loop, Notes())
    at.roll.clock.advance(3)
    assert at.transport.snapshot() == (0.0, 0, "preamble", ())


def test_a_protocol_is_on_the_roll_before_its_connection_waits_no_more(loop: Loop) -> None:
    """Otherwise a server that is full would seem to have room for a moment."""
    protocol = Notes()
    protocol.connectionMade = lambda: at.roll.events.append("made")
    at = Arrival(loop, protocol)
    at.transport.data_received(LINE)
    assert at.roll.events == ["opened", "made", "closed"]


@pytest.mark.parametrize(
    ("preamble", "addresses"),
    [
        (b"PROXY UNKNOWN\r\n", (PROXY, IPv4Address("TCP", "127.0.0.1", 80))),
        (
            b"PROXY TCP6 2001:db8::1 ::1 11 80\r\n",
            (IPv6Address("TCP", "2001:db8::1", 11), IPv6Address("TCP", "::1", 80)),
        ),
        (
            b"\r\n\r\n\0\r\nQUIT\n\x21\x31\x00\xd8/a".ljust(232, b"\0"),
            (UNIXAddress(b"/a"), UNIXAddress(None)),
        ),
    ],
)
def test_the_addresses_are_those_that_are_told_if_any_are(
    loop: Loop, preamble: bytes, addresses: Any
) -> None:
    at = Arrival(loop, Notes())
    at.transport.data_received(preamble)
    assert at.addresses == addresses
    at.transport.setTcpNoDelay(True)
    assert at.transport.getTcpNoDelay(), "which is the socket's, whatever is told"


def test_a_peer_that_has_nothing_to_say_is_served_as_himself(loop: Loop) -> None:
    protocol = Notes()
    at = Arrival(loop, protocol, required=lambda peer: peer != PROXY)
    assert at.asked == [PROXY]
    assert protocol.events == ["made"]
    assert at.transport.data_received == protocol.dataReceived
    assert at.transport.eof_received()
    at.transport.connection_lost(None)
    assert protocol.events == ["made", "lost"]
    assert at.roll.events == []


def test_the_end_of_the_peer_is_the_protocols_once_it_is_there(loop: Loop) -> None:
    protocol = HalfNotes()
    at = Arrival(loop, protocol)
    at.transport.data_received(LINE)
    assert at.transport.eof_received()
    assert protocol.events == ["made", "read lost"]


class Successor(NativeTransport):
    """What goes on with a connection; it waits for a word more, like TLS."""

    def _begin(self) -> None:
        self.events = [f"begun for {self._peer.host}"]

    def hand_on(self, rest: bytes) -> None:
        self.events.append(f"rest {rest!r}")


@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize("rest", [b"", b"hello"])
def test_another_transport_may_go_on_with_the_connection(
    loop: Loop, required: bool, rest: bytes
) -> None:
    made: list[Any] = []

    def then(*given: Any) -> NativeTransport:
        made.append(Successor(*given))
        return made[-1]

    preambles = Preambles(roll := Roll(), lambda peer: required)
    transport, native = preambles.carry(Factory(), BUDGET, then), Native(loop)
    transport.connection_made(native)
    if required:
        transport.data_received(LINE + rest)
    [successor] = made
    assert native.protocol is successor
    name = CLIENT.host if required else PROXY.host
    expected = [f"begun for {name}"]
    assert successor.events == expected + ([f"rest {rest!r}"] if required and rest else [])
    assert successor.getHost().port == 80
    assert roll.events == (["opened", "closed"] if required else [])


# --- What is not served -----------------------------------------------------------------------


def test_no_protocol_means_no_connection(loop: Loop) -> None:
    at = Arrival(loop, None)
    at.transport.data_received(LINE + b"GET")
    assert at.native.closing
    assert at.roll.events == ["opened", "closed"]
    at.transport.connection_lost(None)


@pytest.mark.parametrize("ending", ["loseConnection", "abortConnection"])
def test_a_protocol_that_ends_the_connection_at_once_gets_nothing(loop: Loop, ending: str) -> None:
    def end() -> None:
        getattr(protocol.transport, ending)()

    protocol = Notes()
    protocol.connectionMade = end
    Arrival(loop, protocol).transport.data_received(LINE + b"GET")
    assert protocol.events == []


def test_a_protocol_that_fails_at_once_gets_nothing(loop: Loop) -> None:
    def fail() -> None:
        raise Bug

    protocol = Notes()
    protocol.connectionMade = fail
    at = Arrival(loop, protocol)
    at.transport.data_received(LINE + b"GET")
    loop.turn()
    assert at.native.calls[-1] == "abort"
    at.transport.connection_lost(None)
    assert protocol.events == ["lost"]
    assert at.roll.events == ["opened", "closed"]


def expect_closed(at: Arrival, caplog: Any, *messages: str) -> None:
    assert at.native.calls == ["pause"]
    at.loop.turn()
    assert at.native.calls == ["pause", "abort"]
    at.transport.connection_lost(None)
    assert at.roll.events == ["opened", "closed"]
    assert at.roll.clock.getDelayedCalls() == at.loop.due == at.asked == []
    assert caplog.messages == list(messages)


def test_bad_input_is_closed_and_told_of_once(loop: Loop, caplog: Any) -> None:
    at = Arrival(loop, Notes())
    at.transport.data_received(b"GET / HTTP/1.1\r\n")
    at.transport.data_received(b"Host: x\r\n")
    line = "Closed a connection from 127.0.0.2:5000: its PROXY preamble is missing"
    expect_closed(at, caplog, line)
    assert caplog.records[0].levelname == "WARNING"


def test_a_preamble_that_does_not_come_is_waited_for_as_long_as_for_a_head(loop, caplog) -> None:
    at = Arrival(loop, Notes())
    at.roll.clock.advance(29)
    at.transport.data_received(b"PROXY")
    assert at.native.calls == []
    at.roll.clock.advance(1)
    line = "Closed a connection from 127.0.0.2:5000: its PROXY preamble did not come in time"
    expect_closed(at, caplog, line)


def test_half_a_preamble_is_told_of_and_nothing_is_not(loop: Loop, caplog: Any) -> None:
    silent = Arrival(loop, Notes())
    assert silent.transport.eof_received()
    expect_closed(silent, caplog)
    at = Arrival(loop, Notes())
    at.transport.data_received(LINE[:9])
    assert at.transport.eof_received()
    line = "Closed a connection from 127.0.0.2:5000: its PROXY preamble ended early"
    expect_closed(at, caplog, line)


@pytest.mark.parametrize("end", [ProxiedTransport.drain, lambda transport: transport.cut("over")])
def test_a_server_that_stops_does_not_wait_long_for_a_preamble(loop, caplog, end) -> None:
    at = Arrival(loop, Notes())
    end(at.transport)
    end(at.transport)
    at.roll.clock.advance(1)
    expect_closed(at, caplog)


def test_one_whose_preamble_comes_when_the_server_stops_is_served(loop: Loop) -> None:
    at = Arrival(loop, protocol := Notes())
    at.transport.drain()
    at.transport.data_received(LINE + b"hello")
    assert protocol.events == ["made", "data b'hello'"]
    at.roll.clock.advance(10)
    at.loop.turn()
    assert "abort" not in at.native.calls


def test_a_connection_that_is_lost_meanwhile_is_forgotten(loop: Loop) -> None:
    at = Arrival(loop, Notes())
    at.transport.connection_lost(ConnectionResetError())
    assert at.roll.events == ["opened", "closed"]
    assert at.roll.clock.getDelayedCalls() == loop.errors == []


@pytest.mark.parametrize(
    ("family", "peer", "shown"),
    [
        (socket.AF_UNIX, "", "a Unix socket"),
        (socket.AF_INET6, ("::2", 5000, 0, 0), "[::2]:5000"),
    ],
)
def test_a_peer_is_shown_as_an_operator_would(
    loop: Loop, caplog: Any, monkeypatch: Any, family: int, peer: Any, shown: str
) -> None:
    monkeypatch.setitem(NAMES, family, (peer, peer))
    Arrival(loop, Notes(), family).transport.data_received(b"GET")
    assert caplog.messages == [f"Closed a connection from {shown}: its PROXY preamble is missing"]


def test_of_a_flood_only_the_number_is_told(loop: Loop, caplog: Any) -> None:
    preambles = Preambles(roll := Roll())
    for seconds in (0, 10):
        roll.clock.advance(seconds)
        for _ in range(25):
            Arrival(loop, Notes(), preambles=preambles).transport.data_received(b"GET")
    assert len(caplog.messages) == 40
    assert caplog.messages[20].endswith(" is missing, and 5 others before")
    assert caplog.messages[21].endswith(" is missing")
