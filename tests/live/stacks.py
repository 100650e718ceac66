"""Twisted's own transports and ours, side by side: listen, connect a plain socket, look.

`on_every_stack` runs a case on both, on both event loops, over TCP, IPv6 and Unix sockets; and
on ours behind a preamble of the PROXY protocol, and over TLS, which must make no difference.
A reactor is made for each case and never installed; the peer's sockets are driven by the same
loop, so that everything happens in one thread.
"""

from __future__ import annotations

import asyncio
import socket
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

from daphne_like.assembly import LoopClock
from daphne_like.limits import Limits
from daphne_like.process import new_loop
from daphne_like.transport import endpoints
from daphne_like.transport.certificates import Certificates, Source
from daphne_like.transport.contexts import Pair, Policy
from daphne_like.transport.handshakes import Handshakes
from daphne_like.transport.proxied import Preambles
from daphne_like.transport.tls import Secured
from tests.live.peers import NARROW, Peer, TLSPeer
from tests.support.certificates import localhost

PATIENCE = 10.0
BUDGET = 64 * 1024
"""What both stacks buffer before they pause a producer."""

LARGE = 1024 * 1024
"""More than the kernel's buffers of a narrow connection hold: what is written has to wait."""


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


class Roll:
    """The connections that wait for their preamble, or shake hands."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.clock = LoopClock(loop)
        self.limits = _LIMITS
        self.waiting: set[Any] = set()
        self._changed = asyncio.Event()

    def client_of(self, peer: Any) -> Any:
        return None

    def opened(self, connection: Any) -> None:
        self.waiting.add(connection)
        self._changed.set()

    def closed(self, connection: Any) -> None:
        self.waiting.remove(connection)
        self._changed.set()

    async def until(self, count: int) -> None:
        """Wait until so many wait."""
        while len(self.waiting) != count:
            await self._changed.wait()
            self._changed.clear()


class Stack:
    """One way to listen on one kind of socket, and what went wrong meanwhile."""

    def __init__(self, kind: str, family: int, reactor: Any, directory: Path) -> None:
        self.kind = kind
        self.family = family
        self.reactor = reactor
        self.loop = reactor._asyncioEventloop
        self.factory = Listener()
        self.roll = Roll(self.loop)
        self.handshakes = Handshakes(self.roll, b"in plain")
        self.errors: list[BaseException] = []
        self.ports: list[Any] = []
        self.introduces = True
        """Whether a peer sends the preamble by itself, if there is to be one."""
        self.shakes = True
        """Whether it shakes hands by itself, where it has to."""
        self._directory = directory
        self._peers: list[Peer] = []
        self._protocols: list[Any] = []

    @property
    def tcp(self) -> bool:
        return self.family != socket.AF_UNIX

    async def listen(self) -> Any:
        """One more port for the factory."""
        path = str(self._directory / f"{len(self.ports)}.sock")
        made = _ENDPOINTS[self.kind == "twisted", self.family]
        listening: Deferred[Any] = made(self.reactor, path, self._around()).listen(self.factory)
        port = await listening.asFuture(self.loop)
        self.ports.append(port)
        return port

    def _around(self) -> dict[str, Any]:
        preambles = Preambles(self.roll) if "proxied" in self.kind else None
        if "tls" not in self.kind:
            return {"preambles": preambles}
        pem = Path(localhost().write_in_one(self._directory))
        certificates = Certificates(Source(Pair(pem, pem)), Policy())
        return {"preambles": preambles, "secured": Secured(self.handshakes, certificates)}

    def address(self, port: Any) -> Any:
        host = port.getHost()
        return (host.host, host.port) if self.tcp else host.name.decode()

    async def connect(self, protocol: Any = None, *, narrow: bool = False) -> tuple[Any, Peer]:
        """A connection: `protocol` (or a Recorder) with its transport, and its peer.

        `narrow` gives both ends small buffers, so that the peer is soon too slow.
        """
        protocol, peer = await self.approach(protocol, narrow=narrow)
        await protocol.until(lambda: protocol.events)
        if narrow:
            handle = protocol.transport.getHandle()
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, NARROW)
        return protocol, peer

    async def approach(self, protocol: Any = None, *, narrow: bool = False) -> tuple[Any, Peer]:
        """The same, when there may be no transport yet."""
        protocol = protocol or Recorder()
        self._protocols.append(protocol)
        return protocol, await self.dial(lambda: protocol, narrow=narrow)

    async def dial(self, build: Callable[[], Protocol | None], *, narrow: bool = False) -> Peer:
        """A connection for which the factory calls `build`."""
        if not self.ports:
            await self.listen()
        self.factory.coming.append(build)
        return await self.dial_to(self.address(self.ports[0]), narrow=narrow)

    async def dial_to(self, address: Any, *, narrow: bool = False) -> Peer:
        peer = (TLSPeer if "tls" in self.kind else Peer)(self.family, narrow=narrow)
        self._peers.append(peer)
        await self.loop.sock_connect(peer.socket, address)
        if "proxied" in self.kind and self.introduces:
            await peer.send(peer.preamble())
        if isinstance(peer, TLSPeer) and self.shakes:
            await peer.shake()
        return peer

    async def quiet(self) -> None:
        """Let everything happen that is due: another connection is made, used and closed."""
        protocol, peer = await self.connect()
        await peer.send(b"x")
        await protocol.until(lambda: protocol.received)
        protocol.transport.loseConnection()
        assert await peer.receive_all() == b""
        await protocol.until_lost()

    async def turns(self, count: int) -> None:
        """Let the loop look at its sockets `count` times."""
        for _ in range(count):
            await asyncio.sleep(0)

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
        for connection in list(self.roll.waiting):
            connection.drain()
        await self.roll.until(0)
        for protocol in self._protocols:
            if protocol.transport is not None and protocol.transport.connected:
                protocol.transport.abortConnection()
                await protocol.until_lost()
        for peer in self._peers:
            peer.close()
        await asyncio.sleep(0)
        for waker in [*self.reactor._internalReaders]:
            self.reactor.removeReader(waker)
            waker.connectionLost(None)


_LIMITS = Limits(write_budget=BUDGET)
_ENDPOINTS: dict[tuple[bool, int], Callable[[Any, str, dict[str, Any]], Any]] = {
    (True, socket.AF_INET): lambda r, _, __: TCP4ServerEndpoint(r, 0, interface="127.0.0.1"),
    (True, socket.AF_INET6): lambda r, _, __: TCP6ServerEndpoint(r, 0, interface="::1"),
    (True, socket.AF_UNIX): lambda r, path, _: UNIXServerEndpoint(r, path),
    (False, socket.AF_INET): lambda r, _, asked: endpoints.tcp(r, "127.0.0.1", 0, _LIMITS, **asked),
    (False, socket.AF_INET6): lambda r, _, asked: endpoints.tcp(r, "::1", 0, _LIMITS, **asked),
    (False, socket.AF_UNIX): lambda r, path, asked: endpoints.unix(r, path, _LIMITS, **asked),
}
"""By whether Twisted's own are asked for, and by family."""

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
    return _test_of(case, ["twisted", "native", "proxied", "tls"])


def on_our_stack(case: Case) -> Any:
    """The same where Twisted's stack does not keep what its interfaces promise."""
    return _test_of(case, ["native", "proxied", "tls", "proxied tls"])


def on_our_plain_stack(case: Case) -> Any:
    """The same where bytes go as they are."""
    return _test_of(case, ["native", "proxied"])


def on_our_tls_stack(case: Case) -> Any:
    """The same where the peers' handshakes are what the case is about."""

    async def whole(stack: Stack) -> None:
        stack.shakes = False
        await case(stack)

    whole.__name__, whole.__doc__ = case.__name__, case.__doc__
    return _test_of(whole, ["tls"])


def on_our_proxied_stack(case: Case) -> Any:
    """The same where the peers' preambles are what the case is about."""

    async def whole(stack: Stack) -> None:
        stack.introduces = False
        await case(stack)

    whole.__name__, whole.__doc__ = case.__name__, case.__doc__
    return _test_of(whole, ["proxied"])
