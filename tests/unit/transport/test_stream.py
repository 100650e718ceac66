"""The native transport between a fake of the event loop's and a protocol that takes notes."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from twisted.internet import error
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IConsumer, IPushProducer, ITCPTransport
from twisted.internet.protocol import Factory
from zope.interface.verify import verifyObject

from daphne_like.transport import stream
from daphne_like.transport.stream import NativeTransport, twisted_address
from tests.unit.transport.fakes import (
    BUDGET,
    NAMES,
    Bug,
    HalfNotes,
    Loop,
    Native,
    Notes,
    Producer,
    made,
)


def test_addresses_are_twisteds() -> None:
    assert twisted_address(socket.AF_INET, ("1.2.3.4", 5)) == IPv4Address("TCP", "1.2.3.4", 5)
    assert twisted_address(socket.AF_INET6, ("::1", 5, 6, 7)) == IPv6Address("TCP", "::1", 5, 6, 7)
    assert twisted_address(socket.AF_UNIX, "/x") == UNIXAddress("/x")
    assert twisted_address(socket.AF_UNIX, "") == UNIXAddress(None)


# --- The beginning ----------------------------------------------------------------------------


def test_the_loop_talks_to_the_protocol_directly(loop: Loop) -> None:
    protocol = Notes()
    asked = []
    factory = Factory()
    factory.buildProtocol = lambda addr: asked.append(addr) or protocol
    transport, native = NativeTransport(factory, BUDGET), Native(loop)
    assert not transport.connected
    transport.connection_made(native)
    assert asked == [IPv4Address("TCP", "127.0.0.2", 5000)] == [transport.getPeer()]
    assert transport.getHost() == IPv4Address("TCP", "127.0.0.1", 80)
    assert transport.connected
    assert protocol.events == ["made"]
    assert native.limits == [BUDGET]
    assert native.protocol is transport
    assert transport.data_received == protocol.dataReceived
    assert transport.write == native.write


def test_it_provides_twisteds_interfaces(loop: Loop) -> None:
    transport, _ = made(loop, Notes())
    for interface in (ITCPTransport, IConsumer, IPushProducer):
        assert verifyObject(interface, transport)


def test_no_protocol_means_no_connection(loop: Loop) -> None:
    transport, native = made(loop, None)
    assert native.closing
    transport.connection_lost(None)
    assert loop.errors == []


def test_a_client_gone_before_we_looked_gets_no_protocol(loop: Loop, monkeypatch: Any) -> None:
    monkeypatch.setitem(NAMES, socket.AF_INET, (("127.0.0.1", 80), None))
    transport, native = made(loop, protocol := Notes())
    transport.connection_lost(None)
    assert native.closing
    assert protocol.events == loop.errors == []


def test_a_protocol_that_cannot_be_built_ends_the_connection(loop: Loop) -> None:
    factory = Factory()
    factory.buildProtocol = lambda addr: 1 / 0
    transport, native = NativeTransport(factory, BUDGET), Native(loop)
    transport.connection_made(native)
    loop.turn()
    assert native.closing
    [context] = loop.errors
    assert isinstance(context["exception"], ZeroDivisionError)
    transport.connection_lost(None)


# --- The end ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (None, error.ConnectionDone),
        (ConnectionResetError("reset"), error.ConnectionLost),
        (Bug(), Bug),
    ],
)
def test_the_reason_is_told_as_twisted_does(loop: Loop, given: Any, told: type) -> None:
    protocol = Notes()
    transport, _ = made(loop, protocol)
    transport.connection_lost(given)
    assert protocol.events == ["lost"]
    assert protocol.reason.type is told
    assert not transport.connected


def test_a_lost_connection_is_silent_and_holds_nothing(loop: Loop) -> None:
    protocol = Notes()
    transport, native = made(loop, protocol)
    transport.connection_lost(None)
    transport.connection_lost(None)
    transport.write(b"x")
    transport.writeSequence([b"x"])
    transport.loseConnection()
    transport.loseWriteConnection()
    transport.abortConnection()
    transport.pauseProducing()
    transport.resumeProducing()
    transport.unregisterProducer()
    assert protocol.events == ["lost"]
    assert native.written == native.calls == loop.due == []
    assert protocol not in vars(transport).values()


def test_the_end_of_the_peer_ends_a_simple_protocols_connection(loop: Loop) -> None:
    transport, native = made(loop, protocol := Notes())
    assert transport.eof_received()
    assert native.calls == ["abort"]
    assert protocol.events == []


def test_the_end_of_the_peer_is_told_to_a_protocol_that_can_go_on(loop: Loop) -> None:
    protocol = HalfNotes()
    transport, native = made(loop, protocol)
    assert transport.eof_received()
    assert protocol.events == ["read lost"]
    transport.resumeProducing()
    assert native.calls == []


# --- Ending it --------------------------------------------------------------------------------


def test_lose_connection_stops_reading_at_once_and_closes_a_turn_later(loop: Loop) -> None:
    transport, native = made(loop, Notes())
    transport.loseConnection()
    transport.loseConnection()
    assert transport.disconnecting
    assert native.calls == ["pause"]
    transport.write(b"last")
    transport.resumeProducing()
    loop.turn()
    assert native.calls == ["pause", "close"]
    assert native.written == [b"last"]


def test_a_connection_lost_meanwhile_is_not_closed(loop: Loop) -> None:
    transport, native = made(loop, Notes())
    transport.stopProducing()
    transport.connection_lost(None)
    loop.turn()
    assert native.calls == ["pause"]


def test_lose_connection_waits_for_the_producer(loop: Loop) -> None:
    protocol = Notes()
    transport, native = made(loop, protocol)
    transport.registerProducer(Producer(protocol), True)
    transport.loseConnection()
    loop.turn()
    assert "close" not in native.calls
    transport.unregisterProducer()
    loop.turn()
    assert native.calls == ["pause", "close"]


def test_abort_resets_and_drops(loop: Loop) -> None:
    protocol = Notes()
    transport, native = made(loop, protocol)
    transport.abortConnection()
    transport.abortConnection()
    transport.write(b"x")
    transport.writeSequence([b"x"])
    transport.resumeProducing()
    assert native.calls == ["pause"]
    loop.turn()
    assert native.calls == ["pause", "abort"]
    assert native.socket.options[socket.SOL_SOCKET, socket.SO_LINGER] == stream._RESET_ON_CLOSE
    transport.connection_lost(None)
    assert protocol.reason.type is error.ConnectionAborted
    assert native.written == []


def test_pieces_are_not_written_to_a_closing_connection(loop: Loop) -> None:
    transport, native = made(loop, Notes())
    transport.writeSequence([b"a", b"", b"b"])
    native.get_write_buffer_size = lambda: sum(map(len, native.written))
    assert transport.unsent() == 3
    assert native.written == [b"a|b"]
    assert native.limits == [BUDGET, BUDGET]
    native.closing = True
    transport.writeSequence([b"c"])
    assert native.written == [b"a|b"]


def test_our_side_closes_a_turn_later_and_once(loop: Loop) -> None:
    protocol = HalfNotes()
    transport, native = made(loop, protocol)
    transport.loseWriteConnection()
    transport.loseWriteConnection()
    transport.unregisterProducer()
    assert native.calls == []
    loop.turn()
    assert native.calls == ["write_eof"]
    assert protocol.events == ["write lost"]
    transport.write(b"x")
    transport.writeSequence([b"x"])
    assert native.written == []


def test_that_our_side_is_closed_is_told_when_everything_is_sent(loop: Loop) -> None:
    protocol = HalfNotes()
    transport, native = made(loop, protocol)
    native.on_limits = transport.pause_writing
    transport.loseWriteConnection()
    loop.turn()
    assert native.limits[-1] == 0
    assert protocol.events == []
    transport.resume_writing()
    loop.turn()
    assert protocol.events == ["write lost"]


def test_that_our_side_is_closed_is_told_to_nobody_who_cannot_know(loop: Loop) -> None:
    protocol = Notes()
    transport, native = made(loop, protocol)
    native.eof_error = OSError("not connected")
    transport.loseWriteConnection()
    loop.turn()
    assert protocol.events == []
    transport.connection_lost(None)
    transport._tell_write_lost()
    assert protocol.events == ["lost"]


def test_lose_connection_overtakes_lose_write_connection(loop: Loop) -> None:
    transport, native = made(loop, HalfNotes())
    transport.loseWriteConnection()
    transport.loseConnection()
    loop.turn()
    assert native.calls == ["pause", "close", "close"]


def test_options_of_a_tcp_socket(loop: Loop) -> None:
    transport, native = made(loop, Notes())
    assert not transport.getTcpNoDelay()
    assert not transport.getTcpKeepAlive()
    transport.setTcpNoDelay(True)
    transport.setTcpKeepAlive(True)
    assert transport.getTcpNoDelay()
    assert transport.getTcpKeepAlive()
    assert transport.getHandle() is native.socket


def test_a_unix_socket_has_no_tcp_options(loop: Loop) -> None:
    transport, native = made(loop, Notes(), socket.AF_UNIX)
    transport.setTcpNoDelay(True)
    assert transport.getTcpNoDelay() is False
    assert native.socket.options == {}
    assert transport.getHost() == UNIXAddress("/run/x.sock")
    assert transport.getPeer() == UNIXAddress(None)


# --- Producers --------------------------------------------------------------------------------


def test_a_push_producer_follows_the_buffer(loop: Loop) -> None:
    protocol = Notes()
    transport, _ = made(loop, protocol)
    transport.pause_writing()
    transport.resume_writing()
    transport.registerProducer(Producer(protocol), True)
    transport.pause_writing()
    transport.resume_writing()
    assert protocol.events == ["pause", "resume"]
    with pytest.raises(RuntimeError, match="still registered"):
        transport.registerProducer(Producer(protocol), True)
    transport.connection_lost(None)
    assert protocol.events == ["pause", "resume", "stop", "lost"]
    transport.registerProducer(Producer(protocol), True)
    assert protocol.events[-1] == "stop"


def test_a_push_producer_that_comes_to_a_full_buffer_is_paused(loop: Loop) -> None:
    transport, _ = made(loop, protocol := Notes())
    transport.pause_writing()
    transport.registerProducer(Producer(protocol), True)
    assert protocol.events == ["pause"]


def test_a_pull_producer_is_asked_once_a_turn_while_there_is_room(loop: Loop) -> None:
    protocol = Notes()
    transport, _ = made(loop, protocol)
    transport.registerProducer(Producer(protocol), False)
    assert protocol.events == ["resume"]
    loop.turn()
    assert protocol.events == ["resume"] * 2
    transport.pause_writing()
    loop.turn()
    loop.turn()
    assert protocol.events == ["resume"] * 2
    transport.resume_writing()
    assert protocol.events == ["resume"] * 3
    transport.pause_writing()
    transport.resume_writing()
    assert protocol.events == ["resume"] * 4
    loop.turn()
    assert protocol.events == ["resume"] * 5
    transport.unregisterProducer()
    loop.turn()
    assert protocol.events == ["resume"] * 5
    assert loop.due == []


@pytest.mark.parametrize("streaming", [True, False])
def test_a_producer_that_fails_ends_the_connection(loop: Loop, streaming: bool) -> None:
    protocol = Notes()
    transport, native = made(loop, protocol)
    transport.registerProducer(Producer(protocol, fails=True), streaming)
    if streaming:
        transport.resume_writing()
    loop.turn()
    assert protocol.events == ["resume"]
    assert native.calls == ["abort"]
    assert [type(context["exception"]) for context in loop.errors] == [Bug]
    transport.connection_lost(None)
    assert protocol.reason.type is Bug


def test_reading_is_paused_and_resumed(loop: Loop) -> None:
    transport, native = made(loop, Notes())
    transport.pauseProducing()
    transport.resumeProducing()
    assert native.calls == ["pause", "resume"]


# --- From one to another ----------------------------------------------------------------------


def test_a_transport_takes_over_what_another_has_begun(loop: Loop) -> None:
    protocol, factory = Notes(), Factory()
    factory.buildProtocol = lambda addr: protocol
    first, native = made(loop, None)
    second = NativeTransport(factory, BUDGET)
    second.take_over(first)
    assert native.protocol is second
    assert (second.getPeer(), second.getHost()) == (first._peer, first._host)
    assert protocol.transport is second
    second.hand_on(b"x")
    assert protocol.events == ["made", "data b'x'"]


@pytest.mark.parametrize("ending", ["loseConnection", "abortConnection"])
def test_what_has_come_is_not_for_who_has_left(loop: Loop, ending: str) -> None:
    protocol = Notes()
    transport, _ = made(loop, protocol)
    getattr(transport, ending)()
    transport.hand_on(b"x")
    assert protocol.events == []


def test_a_protocol_hands_over_to_another(loop: Loop) -> None:
    first, second = Notes(), Notes()
    transport, native = made(loop, first)
    transport.hand_over(second)
    native.protocol.data_received(b"x")
    assert (first.events, second.events) == ([], ["made", "data b'x'"])
