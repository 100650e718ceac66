"""One suite for Twisted's stream transports and ours: ports, and errors of a protocol."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet import error

from tests.live.stacks import (
    BUDGET,
    LARGE,
    HalfCloser,
    Recorder,
    Stack,
    on_every_stack,
    on_our_stack,
)


class Broken(Exception):
    """A protocol's bug."""


# --- Ports ------------------------------------------------------------------------------------


@on_every_stack
async def test_a_port_that_stops_accepts_no_more_and_keeps_what_it_has(stack: Stack) -> None:
    server, peer = await stack.connect()
    port = stack.ports.pop()
    address = stack.address(port)
    await port.stopListening().asFuture(stack.loop)
    with pytest.raises((ConnectionRefusedError, FileNotFoundError)):
        await stack.dial_to(address)
    await peer.send(b"still here")
    await server.until(lambda: server.received == b"still here")


@on_every_stack
async def test_a_factory_is_started_with_its_first_port_and_stopped_with_its_last(
    stack: Stack,
) -> None:
    first, second = await stack.listen(), await stack.listen()
    assert first.getHost() != second.getHost()
    assert stack.factory.events == ["started"]
    await first.stopListening().asFuture(stack.loop)
    assert stack.factory.events == ["started"]
    await second.stopListening().asFuture(stack.loop)
    assert stack.factory.events == ["started", "stopped"]
    stack.ports.clear()


# --- Errors of the protocol -------------------------------------------------------------------


@on_every_stack
async def test_no_protocol_means_no_connection(stack: Stack) -> None:
    peer = await stack.dial(lambda: None)
    assert await peer.receive() == b""
    await stack.quiet()


@on_our_stack
async def test_an_error_in_build_protocol_is_logged_and_costs_one_connection(stack: Stack) -> None:
    """Twisted's own leaves the socket to the garbage collector."""

    def build() -> Any:
        raise Broken

    peer = await stack.dial(build)
    await stack.quiet()
    assert stack.logged() == [Broken]
    assert await peer.receive() == b""


@on_every_stack
async def test_an_error_in_connection_made_is_logged_and_does_not_spread(stack: Stack) -> None:
    class Failing(Recorder):
        def connectionMade(self) -> None:
            super().connectionMade()
            raise Broken

    server, peer = await stack.connect(Failing())
    await stack.quiet()
    assert stack.logged() == [Broken]
    if stack.kind == "native":  # Twisted leaves the connection open, with a half-made protocol.
        assert await server.until_lost() is Broken
        assert await peer.receive() == b""


@on_every_stack
async def test_an_error_in_data_received_is_logged_once_and_ends_the_connection(
    stack: Stack,
) -> None:
    class Failing(HalfCloser):
        def dataReceived(self, data: bytes) -> None:
            raise Broken

    server, peer = await stack.connect(Failing())
    await peer.send(b"1")
    assert await server.until_lost() is Broken
    assert await peer.receive() == b""
    assert stack.logged() == [Broken]


@on_every_stack
async def test_an_error_in_read_connection_lost_is_logged_once_and_ends_the_connection(
    stack: Stack,
) -> None:
    class Failing(HalfCloser):
        def readConnectionLost(self) -> None:
            raise Broken

    server, peer = await stack.connect(Failing())
    peer.half_close()
    assert await server.until_lost() is Broken
    assert await peer.receive() == b""
    assert stack.logged() == [Broken]


@on_every_stack
async def test_an_error_in_write_connection_lost_is_logged_once_and_ends_the_connection(
    stack: Stack,
) -> None:
    class Failing(HalfCloser):
        def writeConnectionLost(self) -> None:
            raise Broken

    server, peer = await stack.connect(Failing())
    server.transport.loseWriteConnection()
    assert await server.until_lost() is Broken
    assert await peer.receive() == b""
    assert stack.logged() == [Broken]


@on_every_stack
async def test_an_error_in_connection_lost_is_logged_once(stack: Stack) -> None:
    class Failing(Recorder):
        def connectionLost(self, reason: Any = None) -> None:
            super().connectionLost(reason)
            raise Broken

    server, peer = await stack.connect(Failing())
    peer.close()
    assert await server.until_lost() is error.ConnectionDone
    await stack.quiet()
    assert stack.logged() == [Broken]


class FailingProducer:
    """Writes once, more than fits, and then fails when asked for more."""

    def __init__(self, transport: Any) -> None:
        self.transport = transport
        self.asked = 0
        self.stopped = 0

    def resumeProducing(self) -> None:
        self.asked += 1
        if self.asked > 1:
            raise Broken
        self.transport.write(b"x" * LARGE)

    def pauseProducing(self) -> None:
        self.asked = 1

    def stopProducing(self) -> None:
        self.stopped += 1


async def check_failing_producer(stack: Stack, *, streaming: bool) -> None:
    server, peer = await stack.connect(narrow=True)
    producer = FailingProducer(server.transport)
    server.transport.registerProducer(producer, streaming)
    if streaming:
        producer.resumeProducing()
    await peer.receive_exactly(LARGE - BUDGET)
    with_rest = await peer.receive_all()
    assert len(with_rest) <= BUDGET
    assert await server.until_lost() is Broken
    assert stack.logged() == [Broken]
    assert producer.stopped == 1


@on_every_stack
async def test_an_error_of_a_push_producer_is_logged_and_ends_the_connection(stack: Stack) -> None:
    await check_failing_producer(stack, streaming=True)


@on_every_stack
async def test_an_error_of_a_pull_producer_is_logged_and_ends_the_connection(stack: Stack) -> None:
    await check_failing_producer(stack, streaming=False)
