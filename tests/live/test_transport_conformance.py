"""One suite for Twisted's stream transports and ours: bytes, addresses, and every way to end."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import error
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import (
    IConsumer,
    IListeningPort,
    IPushProducer,
    ISystemHandle,
    ITransport,
)

from tests.live.stacks import LARGE, Recorder, Stack, on_every_stack

ADDRESSES = {
    socket.AF_INET: IPv4Address,
    socket.AF_INET6: IPv6Address,
    socket.AF_UNIX: UNIXAddress,
}


# --- Bytes ------------------------------------------------------------------------------------


@on_every_stack
async def test_bytes_arrive_in_order_both_ways(stack: Stack) -> None:
    server, peer = await stack.connect()
    await peer.send(b"question")
    await server.until(lambda: server.received == b"question")
    server.transport.write(b"ans")
    server.transport.writeSequence([b"w", b"e", b"r"])
    server.transport.write(b"!")
    assert await peer.receive_exactly(7) == b"answer!"


@on_every_stack
async def test_empty_writes_send_nothing(stack: Stack) -> None:
    server, peer = await stack.connect()
    server.transport.write(b"")
    server.transport.writeSequence([])
    server.transport.writeSequence([b"", b"a", b""])
    server.transport.loseConnection()
    assert await peer.receive_all() == b"a"


@on_every_stack
async def test_a_slow_reader_gets_everything_that_is_written_at_once(stack: Stack) -> None:
    server, peer = await stack.connect(narrow=True)
    server.transport.write(b"a" * LARGE)
    server.transport.writeSequence([b"b" * LARGE, b"c"])
    assert await peer.receive_exactly(2 * LARGE + 1) == b"a" * LARGE + b"b" * LARGE + b"c"


# --- What a transport says of itself ----------------------------------------------------------


@on_every_stack
async def test_addresses_are_those_of_the_two_sockets(stack: Stack) -> None:
    server, peer = await stack.connect()
    [port] = stack.ports
    kind = ADDRESSES[stack.family]
    assert [type(server.transport.getHost()), type(server.transport.getPeer())] == [kind, kind]
    assert server.transport.getHost() == port.getHost()
    if stack.tcp:
        assert server.transport.getPeer() == stack.factory.peers[0]
        name = peer.socket.getsockname()
        assert (server.transport.getPeer().host, server.transport.getPeer().port) == name[:2]
    else:
        assert server.transport.getPeer() == UNIXAddress(None)
        assert server.transport.getHost().name.decode() == peer.socket.getpeername()


@on_every_stack
async def test_a_transport_provides_twisteds_interfaces(stack: Stack) -> None:
    server, _ = await stack.connect()
    for interface in (ITransport, IConsumer, IPushProducer, ISystemHandle):
        assert interface.providedBy(server.transport)
    assert IListeningPort.providedBy(stack.ports[0])
    assert server.transport.connected
    assert not server.transport.disconnecting


@on_every_stack
async def test_socket_options_can_be_set(stack: Stack) -> None:
    server, _ = await stack.connect()
    transport = server.transport
    for enabled in (True, False):
        transport.setTcpNoDelay(enabled)
        transport.setTcpKeepAlive(enabled)
        assert transport.getTcpNoDelay() is (enabled and stack.tcp)
        assert transport.getTcpKeepAlive() is enabled
    handle = transport.getHandle()
    assert handle.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 0


# --- Reading ----------------------------------------------------------------------------------


@on_every_stack
async def test_a_paused_transport_delivers_nothing_until_it_is_resumed(stack: Stack) -> None:
    server, peer = await stack.connect()
    server.transport.pauseProducing()
    server.transport.pauseProducing()
    await peer.send(b"later")
    await stack.quiet()
    assert server.received == b""
    server.transport.resumeProducing()
    server.transport.resumeProducing()
    await server.until(lambda: server.received == b"later")


@on_every_stack
async def test_a_protocol_may_pause_while_it_receives(stack: Stack) -> None:
    class Pausing(Recorder):
        def dataReceived(self, data: bytes) -> None:
            super().dataReceived(data)
            self.transport.pauseProducing()

    server, peer = await stack.connect(Pausing())
    await peer.send(b"1")
    await server.until(lambda: server.received == b"1")
    await peer.send(b"2")
    await stack.quiet()
    assert server.received == b"1"
    server.transport.resumeProducing()
    await server.until(lambda: server.received == b"12")


@on_every_stack
async def test_the_end_of_the_peer_waits_behind_what_is_paused(stack: Stack) -> None:
    server, peer = await stack.connect()
    server.transport.pauseProducing()
    await peer.send(b"last words")
    peer.close()
    await stack.quiet()
    assert server.events == ["made"]
    server.transport.resumeProducing()
    assert await server.until_lost() is error.ConnectionDone
    assert server.received == b"last words"


@on_every_stack
async def test_nothing_is_delivered_after_lose_connection(stack: Stack) -> None:
    class Leaving(Recorder):
        def dataReceived(self, data: bytes) -> None:
            super().dataReceived(data)
            self.transport.write(b"x" * LARGE)
            self.transport.loseConnection()

    server, peer = await stack.connect(Leaving(), narrow=True)
    await peer.send(b"1")
    await server.until(lambda: server.received)
    await peer.send(b"2")
    server.transport.resumeProducing()
    await stack.quiet()
    assert server.received == b"1"


@on_every_stack
async def test_to_pause_and_resume_a_lost_connection_does_nothing(stack: Stack) -> None:
    server, peer = await stack.connect()
    peer.close()
    await server.until_lost()
    server.transport.resumeProducing()
    server.transport.stopProducing()
    await stack.quiet()
    assert server.events == ["made", "lost"]


# --- loseConnection ---------------------------------------------------------------------------


@on_every_stack
async def test_lose_connection_ends_it_once_for_both(stack: Stack) -> None:
    server, peer = await stack.connect()
    server.transport.loseConnection()
    server.transport.loseConnection()
    assert server.transport.disconnecting
    assert server.events == ["made"]
    assert await peer.receive() == b""
    assert await server.until_lost() is error.ConnectionDone
    server.transport.loseConnection()
    await stack.quiet()
    assert server.events == ["made", "lost"]
    assert not server.transport.connected


@on_every_stack
async def test_stop_producing_is_lose_connection(stack: Stack) -> None:
    server, peer = await stack.connect()
    server.transport.write(b"bye")
    server.transport.stopProducing()
    assert await peer.receive_all() == b"bye"
    assert await server.until_lost() is error.ConnectionDone


@on_every_stack
async def test_lose_connection_flushes_what_is_written_to_a_slow_reader(stack: Stack) -> None:
    server, peer = await stack.connect(narrow=True)
    server.transport.write(b"a" * LARGE)
    server.transport.write(b"b")
    server.transport.loseConnection()
    await stack.quiet()
    assert server.events == ["made"]
    assert await peer.receive_all() == b"a" * LARGE + b"b"
    assert await server.until_lost() is error.ConnectionDone


@on_every_stack
async def test_what_is_written_just_after_lose_connection_is_sent(stack: Stack) -> None:
    server, peer = await stack.connect()
    server.transport.loseConnection()
    server.transport.write(b"ps")
    assert await peer.receive_all() == b"ps"


@on_every_stack
async def test_lose_connection_while_made(stack: Stack) -> None:
    class Refusing(Recorder):
        def connectionMade(self) -> None:
            super().connectionMade()
            self.transport.write(b"no")
            self.transport.loseConnection()

    server, peer = await stack.connect(Refusing())
    assert await peer.receive_all() == b"no"
    assert await server.until_lost() is error.ConnectionDone


@on_every_stack
async def test_writes_to_a_lost_connection_are_dropped_in_silence(stack: Stack) -> None:
    server, peer = await stack.connect()
    peer.close()
    await server.until_lost()
    for _ in range(10):
        server.transport.write(b"too late")
        server.transport.writeSequence([b"too", b"late"])
    await stack.quiet()
    assert server.events == ["made", "lost"]


# --- The peer ends it -------------------------------------------------------------------------


@on_every_stack
async def test_the_peer_closes(stack: Stack) -> None:
    server, peer = await stack.connect()
    await peer.send(b"bye")
    peer.close()
    assert await server.until_lost() is error.ConnectionDone
    assert server.received == b"bye"


@on_every_stack
async def test_the_peer_closes_while_much_is_still_to_be_sent(stack: Stack) -> None:
    server, peer = await stack.connect(narrow=True)
    server.transport.write(b"x" * LARGE)
    peer.half_close()
    assert await server.until_lost() is error.ConnectionDone


@on_every_stack
async def test_the_peer_resets(stack: Stack) -> None:
    server, peer = await stack.connect()
    peer.reset()
    expected = error.ConnectionLost if stack.tcp else error.ConnectionDone
    assert await server.until_lost() is expected


@on_every_stack
async def test_a_write_meets_a_peer_that_has_left(stack: Stack) -> None:
    server, peer = await stack.connect()
    server.transport.pauseProducing()
    peer.reset()
    await stack.quiet()
    server.transport.write(b"hello?")
    assert await server.until_lost() is error.ConnectionLost


# --- abortConnection --------------------------------------------------------------------------


async def end_seen_by(peer: Any) -> Any:
    """What a peer reads at the end: nothing, or a reset."""
    try:
        while await peer.receive():
            pass
    except ConnectionResetError:
        return "reset"
    return "closed"


@on_every_stack
async def test_abort_drops_what_is_not_sent_and_resets(stack: Stack) -> None:
    server, peer = await stack.connect(narrow=True)
    server.transport.write(b"x" * LARGE)
    server.transport.abortConnection()
    server.transport.abortConnection()
    server.transport.write(b"y")
    server.transport.writeSequence([b"z"])
    assert server.events == ["made"]
    assert await server.until_lost() is error.ConnectionAborted
    assert await end_seen_by(peer) == ("reset" if stack.tcp else "closed")
    server.transport.abortConnection()
    await stack.quiet()
    assert server.events == ["made", "lost"]


@on_every_stack
async def test_abort_of_an_idle_connection_is_a_reset_too(stack: Stack) -> None:
    server, peer = await stack.connect()
    server.transport.abortConnection()
    assert await server.until_lost() is error.ConnectionAborted
    assert await end_seen_by(peer) == ("reset" if stack.tcp else "closed")


@on_every_stack
async def test_abort_ends_a_connection_that_is_still_flushing(stack: Stack) -> None:
    server, peer = await stack.connect(narrow=True)
    server.transport.write(b"x" * LARGE)
    server.transport.loseConnection()
    await stack.quiet()
    server.transport.abortConnection()
    assert await server.until_lost() is error.ConnectionAborted
    assert await end_seen_by(peer) == ("reset" if stack.tcp else "closed")


@on_every_stack
async def test_nothing_is_delivered_after_abort(stack: Stack) -> None:
    class Aborting(Recorder):
        def dataReceived(self, data: bytes) -> None:
            super().dataReceived(data)
            self.transport.abortConnection()
            self.transport.resumeProducing()
            self.transport.loseConnection()

    server, peer = await stack.connect(Aborting())
    await peer.send(b"1")
    assert await server.until_lost() is error.ConnectionAborted
    assert server.events == ["made", "data", "lost"]
