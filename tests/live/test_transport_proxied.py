"""Preambles of the PROXY protocol over real sockets: in every segmentation, good and bad.

That a connection is like any other afterwards is shown by the suites for every stack.
"""

from __future__ import annotations

import struct
from contextlib import suppress
from typing import Any

from twisted.internet import error
from twisted.internet.address import IPv4Address, UNIXAddress

from tests.live.peers import Peer
from tests.live.stacks import HalfCloser, Recorder, Stack, on_our_proxied_stack

VERSION_1 = b"PROXY TCP4 192.0.2.1 192.0.2.2 11 80\r\n"
VERSION_2 = (
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0f"
    + bytes([192, 0, 2, 1, 192, 0, 2, 2])
    + struct.pack(">HH", 11, 80)
    + b"\x04\x00\x00"
)
CLIENT = IPv4Address("TCP", "192.0.2.1", 11)
SERVER = IPv4Address("TCP", "192.0.2.2", 80)


async def introduced(stack: Stack, *segments: bytes, protocol: Any = None) -> tuple[Any, Peer]:
    """A connection whose peer has sent `segments`, and its protocol, once there is one."""
    server = protocol or Recorder()
    peer = await stack.dial(lambda: server)
    peer.no_delay()
    for segment in segments:
        await peer.send(segment)
        await stack.turns(2)
    await server.until(lambda: server.events)
    return server, peer


async def expect_served(stack: Stack, *segments: bytes) -> None:
    server, peer = await introduced(stack, *segments)
    await server.until(lambda: server.received == b"question")
    assert (server.transport.getPeer(), server.transport.getHost()) == (CLIENT, SERVER)
    server.transport.write(b"answer")
    assert await peer.receive_exactly(6) == b"answer"
    await peer.send(b" and more")
    await server.until(lambda: server.received == b"question and more")
    server.transport.loseConnection()
    assert await peer.receive_all() == b""
    assert await server.until_lost() is error.ConnectionDone
    assert stack.roll.waiting == set()


@on_our_proxied_stack
async def test_a_preamble_and_what_follows_in_two_segments_wherever_they_part(stack: Stack) -> None:
    for preamble in (VERSION_1, VERSION_2):
        whole = preamble + b"question"
        for at in range(1, len(whole) + 1):
            await expect_served(stack, whole[:at], whole[at:])


@on_our_proxied_stack
async def test_a_preamble_byte_by_byte(stack: Stack) -> None:
    for preamble in (VERSION_1, VERSION_2):
        whole = preamble + b"question"
        await expect_served(stack, *[whole[at : at + 1] for at in range(len(whole))])


@on_our_proxied_stack
async def test_a_unix_client_of_the_proxy(stack: Stack) -> None:
    paths = b"/run/client".ljust(108, b"\0") + b"/run/proxy".ljust(108, b"\0")
    preamble = VERSION_2[:12] + b"\x21\x31" + struct.pack(">H", len(paths)) + paths
    server, _ = await introduced(stack, preamble + b"question")
    await server.until(lambda: server.received == b"question")
    assert server.transport.getPeer() == UNIXAddress(b"/run/client")
    assert server.transport.getHost() == UNIXAddress(b"/run/proxy")


@on_our_proxied_stack
async def test_a_proxy_that_speaks_for_itself_is_the_peer(stack: Stack) -> None:
    for preamble in (b"PROXY UNKNOWN\r\n", VERSION_2[:12] + b"\x20\x00\x00\x00"):
        server, peer = await introduced(stack, preamble)
        name = peer.socket.getsockname()
        seen = server.transport.getPeer()
        assert (seen.name if not stack.tcp else (seen.host, seen.port)) == (name[:2] or None)


@on_our_proxied_stack
async def test_everything_and_the_end_at_once(stack: Stack) -> None:
    server = HalfCloser()
    peer = await stack.dial(lambda: server)
    await peer.send(VERSION_1 + b"question")
    peer.half_close()
    await server.until(lambda: "read lost" in server.events)
    assert server.events == ["made", "data", "read lost"]
    server.transport.loseConnection()
    assert await peer.receive_all() == b""
    await server.until_lost()


@on_our_proxied_stack
async def test_no_protocol_for_a_client_means_no_connection(stack: Stack) -> None:
    peer = await stack.dial(lambda: None)
    await peer.send(VERSION_1)
    assert await peer.receive() == b""
    await introduced(stack, VERSION_1)
    assert stack.factory.peers == [CLIENT, CLIENT]


async def expect_closed(stack: Stack, *segments: bytes, end: bool = False) -> None:
    peer = await stack.dial_to(stack.address(stack.ports[0]))
    with suppress(ConnectionResetError, BrokenPipeError):  # What comes later is not read.
        for segment in segments:
            await peer.send(segment)
            await stack.turns(2)
        if end:
            peer.half_close()
        assert await peer.receive() == b""
    assert stack.factory.peers == []


@on_our_proxied_stack
async def test_what_is_no_preamble_is_closed_and_builds_no_protocol(stack: Stack) -> None:
    await stack.listen()
    await expect_closed(stack, b"GET / HTTP/1.1\r\n\r\n")
    await expect_closed(stack, b"PROXY TCP4 ", b"nonsense\r\n", b"and more")
    await expect_closed(stack, VERSION_2[:12], b"\x21\x11\xff\xff")
    await expect_closed(stack, b"x" * 1_000_000)
    await stack.roll.until(0)


@on_our_proxied_stack
async def test_a_peer_that_leaves_meanwhile_is_forgotten(stack: Stack) -> None:
    await stack.listen()
    for sent in (b"", VERSION_1[:9], VERSION_2[:20]):
        await expect_closed(stack, sent, end=True)
        for leave in (Peer.close, Peer.reset):
            peer = await stack.dial_to(stack.address(stack.ports[0]))
            await peer.send(sent)
            await stack.roll.until(1)
            leave(peer)
            await stack.roll.until(0)
    assert stack.factory.peers == []


@on_our_proxied_stack
async def test_a_server_that_stops_ends_what_waits(stack: Stack) -> None:
    await stack.listen()
    peer = await stack.dial_to(stack.address(stack.ports[0]))
    await peer.send(VERSION_1[:9])
    await stack.roll.until(1)
    [waiting] = stack.roll.waiting
    waiting.drain()
    with suppress(ConnectionResetError):
        assert await peer.receive() == b""
    await stack.roll.until(0)
    waiting.cut("too late")
