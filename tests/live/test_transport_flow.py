"""One suite for Twisted's stream transports and ours: producers, and closing one side."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import IO

import pytest
from twisted.internet import error

from tests.live.stacks import (
    BUDGET,
    LARGE,
    HalfCloser,
    Recorder,
    Stack,
    on_every_stack,
    on_our_plain_stack,
    on_our_stack,
)

PIECE = 2 * BUDGET


class Source:
    """A producer of numbered pieces; each is more than the transport buffers at a time."""

    def __init__(self, server: Recorder, pieces: int, finished: Callable[[], object] | None = None):
        self.server = server
        self.pieces = [bytes([number]) * PIECE for number in range(pieces)]
        self.whole = b"".join(self.pieces)
        self.finished = finished
        self.paused = True

    def resumeProducing(self) -> None:
        self.server.note("asked")
        if self.pieces:
            self.server.transport.write(self.pieces.pop(0))
        else:
            self.server.transport.unregisterProducer()
            if self.finished is not None:
                self.finished()

    def stopProducing(self) -> None:
        self.server.note("stopped")


class Tap(Source):
    """The same as a push producer: it writes until it is paused."""

    def resumeProducing(self) -> None:
        self.paused = False
        while not self.paused and self.pieces:
            super().resumeProducing()
        if not self.paused:
            super().resumeProducing()

    def pauseProducing(self) -> None:
        self.paused = True
        self.server.note("paused")


# --- Producers --------------------------------------------------------------------------------


@on_every_stack
async def test_a_push_producer_is_paused_by_a_full_buffer_and_resumed_by_a_drained_one(
    stack: Stack,
) -> None:
    server, peer = await stack.connect(narrow=True)
    tap = Tap(server, 100)
    server.transport.registerProducer(tap, True)
    tap.resumeProducing()
    assert server.events[-1] == "paused"
    await stack.quiet()
    assert tap.pieces, "a slow reader was sent everything"
    assert await peer.receive_exactly(len(tap.whole)) == tap.whole
    await server.until(lambda: not tap.pieces)
    assert "stopped" not in server.events


@on_every_stack
async def test_a_push_producer_is_paused_by_writes_in_pieces_too(stack: Stack) -> None:
    server, _ = await stack.connect(narrow=True)
    tap = Tap(server, 0)
    server.transport.registerProducer(tap, True)
    while not tap.paused or server.events[-1] != "paused":
        tap.paused = False
        server.transport.writeSequence([b"x" * BUDGET, b"y" * BUDGET])
    assert server.events == ["made", "paused"]


@on_every_stack
async def test_a_pull_producer_is_asked_as_long_as_there_is_room(stack: Stack) -> None:
    server, peer = await stack.connect(narrow=True)
    source = Source(server, 100)
    server.transport.registerProducer(source, False)
    assert server.events == ["made", "asked"]
    await stack.quiet()
    await stack.quiet()
    assert source.pieces, "a slow reader was sent everything"
    assert await peer.receive_exactly(len(source.whole)) == source.whole
    await server.until(lambda: server.events.count("asked") == 101)
    await stack.quiet()
    assert server.events.count("asked") == 101


@on_every_stack
async def test_a_second_producer_is_refused(stack: Stack) -> None:
    server, peer = await stack.connect()
    first = Tap(server, 0)
    server.transport.registerProducer(first, True)
    with pytest.raises(RuntimeError):
        server.transport.registerProducer(Tap(server, 0), True)
    server.transport.unregisterProducer()
    source = Source(server, 1)
    server.transport.registerProducer(source, False)
    assert await peer.receive_exactly(PIECE) == source.whole


@on_every_stack
async def test_a_producer_that_registers_too_late_is_stopped(stack: Stack) -> None:
    server, peer = await stack.connect()
    peer.close()
    await server.until_lost()
    for streaming in (True, False):
        server.transport.registerProducer(Tap(server, 1), streaming)
    assert server.events == ["made", "lost", "stopped", "stopped"]


@on_every_stack
async def test_a_producer_is_stopped_before_the_protocol_hears_of_the_loss(stack: Stack) -> None:
    server, peer = await stack.connect()
    server.transport.registerProducer(Tap(server, 0), True)
    peer.close()
    await server.until_lost()
    assert server.events == ["made", "stopped", "lost"]


@on_every_stack
async def test_lose_connection_waits_for_a_pull_producer(stack: Stack) -> None:
    server, peer = await stack.connect(narrow=True)
    source = Source(server, 30)
    server.transport.registerProducer(source, False)
    server.transport.loseConnection()
    assert await peer.receive_all() == source.whole
    assert await server.until_lost() is error.ConnectionDone
    assert "stopped" not in server.events


@on_every_stack
async def test_lose_connection_waits_for_a_push_producer(stack: Stack) -> None:
    server, peer = await stack.connect(narrow=True)
    tap = Tap(server, 30)
    server.transport.registerProducer(tap, True)
    tap.resumeProducing()
    server.transport.loseConnection()
    assert await peer.receive_all() == tap.whole
    assert await server.until_lost() is error.ConnectionDone
    assert "stopped" not in server.events


@on_every_stack
async def test_a_producer_may_lose_the_connection_when_it_has_finished(stack: Stack) -> None:
    for kind, streaming in ((Source, False), (Tap, True)):
        server, peer = await stack.connect(narrow=True)
        source = kind(server, 30, finished=server.transport.loseConnection)
        server.transport.registerProducer(source, streaming)
        if streaming:
            source.resumeProducing()
        assert await peer.receive_all() == source.whole
        assert await server.until_lost() is error.ConnectionDone


@on_every_stack
async def test_a_producer_may_abort_the_connection_when_it_is_resumed(stack: Stack) -> None:
    server, peer = await stack.connect(narrow=True)
    tap = Tap(server, 1, finished=server.transport.abortConnection)
    server.transport.registerProducer(tap, True)
    server.transport.write(b"x" * LARGE)
    with pytest.raises(ConnectionResetError) if stack.tcp else pytest.raises(AssertionError):
        await peer.receive_exactly(2 * LARGE)
    assert await server.until_lost() is error.ConnectionAborted


# --- Closing one side -------------------------------------------------------------------------


@on_every_stack
async def test_a_peer_that_has_closed_its_side_still_gets_an_answer(stack: Stack) -> None:
    server, peer = await stack.connect(HalfCloser())
    await peer.send(b"question")
    peer.half_close()
    await server.until(lambda: server.events[-1] == "read lost")
    assert server.received == b"question"
    await stack.quiet()
    server.transport.write(b"answer")
    assert await peer.receive_exactly(6) == b"answer"
    server.transport.loseConnection()
    assert await peer.receive() == b""
    assert await server.until_lost() is error.ConnectionDone
    assert server.events.count("read lost") == 1


@on_every_stack
async def test_our_side_can_be_closed_while_the_peer_goes_on(stack: Stack) -> None:
    server, peer = await stack.connect(HalfCloser())
    server.transport.write(b"last words")
    server.transport.loseWriteConnection()
    server.transport.loseWriteConnection()
    assert await peer.receive_all() == b"last words"
    await server.until(lambda: server.events == ["made", "write lost"])
    server.transport.write(b"too late")
    server.transport.writeSequence([b"too", b"late"])
    await peer.send(b"more")
    await server.until(lambda: server.received == b"more")
    peer.half_close()
    await server.until(lambda: server.events[-1] == "read lost")
    server.transport.loseConnection()
    assert await server.until_lost() is error.ConnectionDone
    assert await peer.receive() == b""
    assert server.events.count("write lost") == 1


@on_every_stack
async def test_our_side_closes_when_everything_is_written(stack: Stack) -> None:
    server, peer = await stack.connect(HalfCloser(), narrow=True)
    server.transport.write(b"x" * LARGE)
    server.transport.loseWriteConnection()
    await stack.quiet()
    assert server.events == ["made"]
    assert await peer.receive_all() == b"x" * LARGE
    await server.until(lambda: server.events == ["made", "write lost"])


@on_our_stack
async def test_our_side_closes_when_the_producer_has_finished(stack: Stack) -> None:
    """What `ITCPTransport` says, and Twisted's own does not do: it never closes then."""
    server, peer = await stack.connect(HalfCloser(), narrow=True)
    source = Source(server, 30)
    server.transport.registerProducer(source, False)
    server.transport.write(b"y")
    server.transport.loseWriteConnection()
    assert await peer.receive_exactly(len(source.whole) + 1) == (
        source.whole[:PIECE] + b"y" + source.whole[PIECE:]
    )
    assert await peer.receive() == b""
    await server.until(lambda: server.events[-1] == "write lost")


@on_every_stack
async def test_both_sides_can_be_closed_one_after_the_other(stack: Stack) -> None:
    server, peer = await stack.connect(HalfCloser(), narrow=True)
    peer.half_close()
    await server.until(lambda: server.events[-1] == "read lost")
    server.transport.write(b"x" * LARGE)
    server.transport.loseWriteConnection()
    server.transport.loseConnection()
    assert await peer.receive_all() == b"x" * LARGE
    assert await server.until_lost() is error.ConnectionDone


@on_every_stack
async def test_lose_connection_ends_what_is_half_closed(stack: Stack) -> None:
    server, peer = await stack.connect(HalfCloser())
    server.transport.loseWriteConnection()
    await server.until(lambda: server.events[-1] == "write lost")
    server.transport.loseConnection()
    assert await server.until_lost() is error.ConnectionDone
    assert await peer.receive() == b""


@on_every_stack
async def test_a_simple_protocol_can_close_its_side_too(stack: Stack) -> None:
    server, peer = await stack.connect()
    server.transport.loseWriteConnection()
    assert await peer.receive() == b""
    await peer.send(b"more")
    await server.until(lambda: server.received == b"more")
    peer.close()
    assert await server.until_lost() is error.ConnectionDone


@on_every_stack
async def test_our_side_closes_after_the_peer_has_reset(stack: Stack) -> None:
    server, peer = await stack.connect(HalfCloser())
    server.transport.pauseProducing()
    peer.reset()
    await stack.quiet()
    server.transport.loseWriteConnection()
    await stack.quiet()
    server.transport.resumeProducing()
    if not stack.tcp:  # A Unix socket knows no reset: that was an end like any other.
        server.transport.loseConnection()
    await server.until_lost()


# --- Files ------------------------------------------------------------------------------------


def file_of(size: int) -> IO[bytes]:
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the case closes it
    file.write(os.urandom(size))
    file.flush()
    return file


def descriptors() -> int:
    return len(list(Path("/dev/fd").iterdir()))


@on_our_plain_stack
async def test_a_file_goes_between_what_is_written_before_and_after_it(stack: Stack) -> None:
    protocol, peer = await stack.connect(narrow=True)
    before, after = b"<" * LARGE, b">" * LARGE
    transport, tap = protocol.transport, Tap(protocol, 0)
    transport.registerProducer(tap, True)
    with file_of(LARGE) as file:
        content = os.pread(file.fileno(), LARGE, 0)
        transport.write(before)
        transport.send_file(file.fileno(), 1, LARGE - 2, b"head", b"tail")
    assert transport.unsent() >= LARGE
    assert await peer.receive_exactly(LARGE) == before
    assert await peer.receive_exactly(LARGE + 6) == b"head" + content[1:-1] + b"tail"
    await protocol.until(lambda: protocol.events[-1] == "asked")
    transport.write(after)
    transport.loseConnection()
    assert await peer.receive_all() == after
    await protocol.until_lost()


@on_our_plain_stack
async def test_lose_connection_waits_for_a_file(stack: Stack) -> None:
    protocol, peer = await stack.connect(narrow=True)
    with file_of(LARGE) as file:
        protocol.transport.send_file(file.fileno(), 0, LARGE)
    protocol.transport.loseConnection()
    assert len(await peer.receive_all()) == LARGE
    await protocol.until_lost()


@on_our_plain_stack
async def test_a_file_that_becomes_shorter_breaks_the_connection_off(stack: Stack) -> None:
    protocol, peer = await stack.connect(narrow=True)
    with file_of(LARGE) as file:
        protocol.transport.send_file(file.fileno(), 0, LARGE)
        file.truncate(1)
    # A Unix socket knows no reset.
    with pytest.raises(ConnectionError) if stack.tcp else nullcontext():
        assert len(await peer.receive_all()) < LARGE
    assert await protocol.until_lost() is error.ConnectionAborted


@on_our_plain_stack
async def test_a_peer_that_leaves_in_the_middle_of_a_file_leaves_nothing_behind(
    stack: Stack,
) -> None:
    protocol, peer = await stack.connect(narrow=True)
    before = descriptors()
    with file_of(LARGE) as file:
        protocol.transport.send_file(file.fileno(), 0, LARGE)
    await peer.receive_exactly(1000)
    peer.reset()
    await protocol.until_lost()
    assert descriptors() <= before
