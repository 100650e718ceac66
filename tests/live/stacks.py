"""Twisted's own transports and ours, side by side: listen, connect a plain socket, look.

`on_every_stack` runs a case on both, on both event loops, over TCP, IPv6 and Unix sockets.
A reactor is made for each case and never installed; the peer's sockets are driven by the same
loop, so that everything happens in one thread.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint, TCP6ServerEndpoint, UNIXServerEndpoint
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import globalLogPublisher
from zope.interface import implementer

from daphne_like.limits import Limits
from daphne_like.process import new_loop
from daphne_like.transport import endpoints

PATIENCE = 10.0
BUDGET = 64 * 1024
"""What both stacks buffer before they pause a producer."""

LARGE = 1024 * 1024
"""More than the kernel's buffers of a narrow connection hold: what is written has to wait."""

NARROW = 32 * 1024
"""The kernel's buffers of a narrow connection, in bytes."""


class Recorder(Protocol):
    """Writes down what its transport tells it."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.received = b""
        self.reason: Any = None
        self._changed = asyncio.Event()

    def note(self, event: str) -> None:
        self.events.append(event)
        self._changed.set()

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until `condition` holds; it is looked at after each event."""
        while not condition():
            await self._changed.wait()
            self._changed.clear()

    async def until_lost(self) -> type[BaseException]:
        """Wait for the connection's end; the type of its reason."""
        await self.until(lambda: self.reason)
        return self.reason.type

    def connectionMade(self) -> None:
        self.note("made")

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        self.note("data")

    def connectionLost(self, reason: Any = None) -> None:
        self.reason = reason
        self.note("lost")


@implementer(IHalfCloseableProtocol)
class HalfCloser(Recorder):
    """A recorder that can use a connection of which one side is closed."""

    def readConnectionLost(self) -> None:
        self.note("read lost")

    def writeConnectionLost(self) -> None:
        self.note("write lost")


class Listener(Factory):
    """A factory whose protocols are given, one for each connection to come."""

    noisy = False

    def __init__(self) -> None:
        self.coming: list[Callable[[], Protocol | None]] = []
        self.peers: list[Any] = []
        self.events: list[str] = []

    def buildProtocol(self, addr: Any) -> Any:
        self.peers.append(addr)
        return self.coming.pop(0)()

    def startFactory(self) -> None:
        self.events.append("started")

    def stopFactory(self) -> None:
        self.events.append("stopped")


class Peer:
    """The other end: a plain socket."""

    def __init__(self, family: int, *, narrow: bool) -> None:
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.setblocking(False)
        if narrow:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, NARROW)

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.socket, data)

    async def receive(self, size: int = 65536) -> bytes:
        """What comes next; nothing is the end."""
        return await asyncio.get_running_loop().sock_recv(self.socket, size)

    async def receive_exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = await self.receive(size - len(data))
            assert piece, f"the connection ended after {len(data)} of {size} bytes"
            data += piece
        return data

    async def receive_all(self) -> bytes:
        """Everything up to the end; raises where that is a reset."""
        pieces = []
        while piece := await self.receive():
            pieces.append(piece)
        return b"".join(pieces)

    def half_close(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.socket.close()

    def reset(self) -> None:
        """Close so that the other end sees a broken connection."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


class Stack:
    """One way to listen on one kind of socket, and what went wrong meanwhile."""

    def __init__(self, kind: str, family: int, reactor: Any, directory: Path) -> None:
        self.kind = kind
        self.family = family
        self.reactor = reactor
        self.loop = reactor._asyncioEventloop
        self.factory = Listener()
        self.errors: list[BaseException] = []
        self.ports: list[Any] = []
        self._directory = directory
        self._peers: list[Peer] = []
        self._protocols: list[Any] = []

    @property
    def tcp(self) -> bool:
        return self.family != socket.AF_UNIX

    async def listen(self) -> Any:
        """One more port for the factory."""
        path = str(self._directory / f"{len(self.ports)}.sock")
        listening: Deferred[Any] = _ENDPOINTS[self.kind, self.family](self.reactor, path).listen(
            self.factory
        )
        port = await listening.asFuture(self.loop)
        self.ports.append(port)
        return port

    def address(self, port: Any) -> Any:
        host = port.getHost()
        return (host.host, host.port) if self.tcp else host.name.decode()

    async def connect(self, protocol: Any = None, *, narrow: bool = False) -> tuple[Any, Peer]:
        """A connection: `protocol` (or a Recorder) with its transport, and its peer.

        `narrow` gives both ends small buffers, so that the peer is soon too slow.
        """
        protocol = protocol or Recorder()
        self._protocols.append(protocol)
        peer = await self.dial(lambda: protocol, narrow=narrow)
        await protocol.until(lambda: protocol.events)
        if narrow:
            handle = protocol.transport.getHandle()
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, NARROW)
        return protocol, peer

    async def dial(self, build: Callable[[], Protocol | None], *, narrow: bool = False) -> Peer:
        """A connection for which the factory calls `build`."""
        if not self.ports:
            await self.listen()
        self.factory.coming.append(build)
        return await self.dial_to(self.address(self.ports[0]), narrow=narrow)

    async def dial_to(self, address: Any, *, narrow: bool = False) -> Peer:
        peer = Peer(self.family, narrow=narrow)
        self._peers.append(peer)
        await self.loop.sock_connect(peer.socket, address)
        return peer

    async def quiet(self) -> None:
        """Let everything happen that is due: another connection is made, used and closed."""
        protocol, peer = await self.connect()
        await peer.send(b"x")
        await protocol.until(lambda: protocol.received)
        protocol.transport.loseConnection()
        assert await peer.receive_all() == b""
        await protocol.until_lost()

    def logged(self) -> list[type[BaseException]]:
        """The types of the errors that were logged; they are forgiven."""
        types = [type(error) for error in self.errors]
        self.errors.clear()
        return types

    async def close(self) -> None:
        for port in self.ports:
            stopped = port.stopListening()
            if stopped is not None:
                await stopped.asFuture(self.loop)
        for protocol in self._protocols:
            if protocol.transport.connected:
                protocol.transport.abortConnection()
                await protocol.until_lost()
        for peer in self._peers:
            peer.close()
        await asyncio.sleep(0)
        for waker in [*self.reactor._internalReaders]:
            self.reactor.removeReader(waker)
            waker.connectionLost(None)


_LIMITS = Limits(write_budget=BUDGET)
_ENDPOINTS: dict[tuple[str, int], Callable[[Any, str], Any]] = {
    ("twisted", socket.AF_INET): lambda r, _: TCP4ServerEndpoint(r, 0, interface="127.0.0.1"),
    ("twisted", socket.AF_INET6): lambda r, _: TCP6ServerEndpoint(r, 0, interface="::1"),
    ("twisted", socket.AF_UNIX): UNIXServerEndpoint,
    ("native", socket.AF_INET): lambda r, _: endpoints.tcp(r, "127.0.0.1", 0, _LIMITS),
    ("native", socket.AF_INET6): lambda r, _: endpoints.tcp(r, "::1", 0, _LIMITS),
    ("native", socket.AF_UNIX): lambda r, path: endpoints.unix(r, path, _LIMITS),
}

Case = Callable[[Stack], Awaitable[None]]


def run(case: Case, loop_kind: str, kind: str, family: int, directory: Path) -> None:
    """Run one case to its end, and see that nothing went wrong that it did not expect."""
    loop = new_loop(loop_kind)
    stack = Stack(kind, family, AsyncioSelectorReactor(loop), directory)

    def observe(event: Any) -> None:
        failure = event.get("log_failure") or event.get("failure")
        if failure is not None:
            stack.errors.append(failure.value)

    async def whole() -> None:
        try:
            await asyncio.wait_for(case(stack), PATIENCE)
        finally:
            await stack.close()

    def hear(_: Any, context: dict[str, Any]) -> None:
        stack.errors.append(context.get("exception") or RuntimeError(context["message"]))

    loop.set_exception_handler(hear)
    globalLogPublisher.addObserver(observe)
    try:
        loop.run_until_complete(whole())
    finally:
        globalLogPublisher.removeObserver(observe)
        loop.close()
    assert stack.errors == []


def _test_of(case: Case, kinds: list[str]) -> Any:
    @pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6, socket.AF_UNIX])
    @pytest.mark.parametrize("kind", kinds)
    @pytest.mark.parametrize("loop_kind", ["asyncio", "uvloop"])
    def test(loop_kind: str, kind: str, family: int, tmp_path: Path) -> None:
        run(case, loop_kind, kind, family, tmp_path)

    test.__name__ = case.__name__
    test.__doc__ = case.__doc__
    return test


def on_every_stack(case: Case) -> Any:
    """Make a test of `case` for each stack, loop and family of sockets."""
    return _test_of(case, ["twisted", "native"])


def on_our_stack(case: Case) -> Any:
    """The same where Twisted's stack does not keep what its interfaces promise."""
    return _test_of(case, ["native"])
