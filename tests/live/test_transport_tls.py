"""Handshakes over real sockets: who comes in plain, who does not finish, and who crowds.

That a connection is like any other afterwards is shown by the suites for every stack.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from twisted.internet import error

from tests.live.peers import Peer, TLSPeer
from tests.live.stacks import HalfCloser, Recorder, Stack, on_our_tls_stack


async def hello(peer: Any) -> bytes:
    """Send the first half of a handshake, return what is left to be sent."""
    peer.client.shake()
    data: bytes = peer.client.sends()
    await Peer.send(peer, data[: len(data) // 2])
    return data[len(data) // 2 :]


@on_our_tls_stack
async def test_who_speaks_in_plain_reads_why_it_was_closed(stack: Stack) -> None:
    _, peer = await stack.approach()
    await Peer.send(peer, b"GET / HTTP/1.1\r\n\r\n")
    assert await Peer.receive(peer) == b"in plain"
    assert await Peer.receive(peer) == b"", "no reset"
    Peer.close(peer)
    await stack.roll.until(0)
    assert stack.factory.peers == []


@on_our_tls_stack
async def test_nobody_waits_for_those_who_do_not_finish(stack: Stack) -> None:
    await stack.listen()
    address = stack.address(stack.ports[0])
    silent = [await stack.dial_to(address) for _ in range(60)]
    for peer in silent[:30]:
        await hello(peer)
    await stack.roll.until(60)
    server, peer = await stack.approach()
    await peer.shake()
    await server.until(lambda: server.events)
    assert len(stack.roll.waiting) == 60
    for peer in silent[::2]:
        peer.close()
    for peer in silent[1::2]:
        peer.reset()
    await stack.roll.until(0)


@on_our_tls_stack
async def test_a_crowd_is_served_in_the_end(stack: Stack) -> None:
    await stack.listen()
    servers = [Recorder() for _ in range(40)]
    stack.factory.coming.extend(lambda server=server: server for server in servers)
    peers = [await stack.dial_to(stack.address(stack.ports[0])) for _ in servers]
    for peer in peers:
        assert isinstance(peer, TLSPeer)
        peer.client.shake()
        await Peer.send(peer, peer.client.sends())
    for peer in peers:
        await peer.shake()  # type: ignore[attr-defined]
    for server in servers:
        await server.until(lambda server=server: server.events)
        server.transport.loseConnection()
    for peer, server in zip(peers, servers, strict=True):
        assert await peer.receive_all() == b""
        await server.until_lost()


@on_our_tls_stack
async def test_a_server_that_stops_ends_every_handshake(stack: Stack) -> None:
    await stack.listen()
    peers = [await stack.dial_to(stack.address(stack.ports[0])) for _ in range(3)]
    await hello(peers[0])
    await stack.roll.until(3)
    for connection in list(stack.roll.waiting):
        connection.drain()
    for peer in peers:
        with suppress(ConnectionResetError):  # What it has sent was not read.
            assert await Peer.receive(peer) == b""
    await stack.roll.until(0)


@on_our_tls_stack
async def test_an_end_without_a_word_is_an_end_like_any_other(stack: Stack) -> None:
    server, peer = await stack.approach(HalfCloser())
    await peer.shake()
    await peer.send(b"question")
    Peer.half_close(peer)
    await server.until(lambda: "read lost" in server.events)
    assert server.received == b"question"
    server.transport.write(b"answer")
    assert await peer.receive_exactly(6) == b"answer"
    server.transport.loseConnection()
    assert await peer.receive_all() == b""
    assert await server.until_lost() is error.ConnectionDone
    simple, peer = await stack.approach()
    await peer.shake()
    await peer.send(b"x")
    await simple.until(lambda: simple.received)
    Peer.half_close(peer)
    assert await simple.until_lost() is error.ConnectionDone


@on_our_tls_stack
async def test_a_broken_record_ends_one_connection(stack: Stack) -> None:
    server, peer = await stack.approach()
    await peer.shake()
    await peer.send(b"good")
    await Peer.send(peer, b"\x17\x03\x03\x00\x20" + b"x" * 32)
    assert await server.until_lost() is error.ConnectionLost
    assert server.received == b"good"


@on_our_tls_stack
async def test_everything_at_once_is_the_protocols(stack: Stack) -> None:
    """The end of the handshake, a question, and the end, in one segment."""
    server, peer = await stack.approach(HalfCloser())
    client, received = peer.client, b""
    while not client.shake(received):
        await Peer.send(peer, client.sends())
        received = await Peer.receive(peer)
    await Peer.send(peer, client.sends() + client.says(b"question") + client.ends())
    peer.shaken = False
    await server.until(lambda: "read lost" in server.events)
    assert server.events == ["made", "data", "read lost"]
    server.transport.loseConnection()
    await server.until_lost()


@on_our_tls_stack
async def test_much_goes_both_ways_at_once(stack: Stack) -> None:
    server, peer = await stack.approach()
    await peer.shake()
    await server.until(lambda: server.events)
    data = bytes(range(256)) * 4096
    server.transport.write(data)
    for start in range(0, len(data), 65536):
        await peer.send(data[start : start + 65536])
        assert await peer.receive_exactly(65536) == data[start : start + 65536]
    await server.until(lambda: server.received == data)
