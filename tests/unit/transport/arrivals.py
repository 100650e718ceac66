"""A TLS connection that has just been made, with everything around it."""

from __future__ import annotations

import ssl
from functools import cache
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock

from daphne_like.limits import Limits
from daphne_like.transport.handshakes import Handshakes
from daphne_like.transport.tls import Secured, TLSTransport
from tests.support.certificates import Client, client_context
from tests.unit.transport.fakes import BUDGET, Loop, Native

PEER = IPv4Address("TCP", "127.0.0.2", 5000)
PORTION = 16 * 1024
BULK = 64 * 1024
IN_PLAIN = b"speak TLS"
CLOSED = "Closed a connection from 127.0.0.2:5000: its TLS handshake "


class Identity:
    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context

    def facts(self, connection: ssl.SSLObject) -> dict[str, Any]:
        return {"version": connection.version()}


class Roll:
    """Notes who is entered."""

    def __init__(self, **limits: Any) -> None:
        self.clock = Clock()
        self.limits = Limits(handshake_timeout=10.0, linger=5.0, **limits)
        self.waiting: list[Any] = []
        self.events: list[str] = []

    def client_of(self, peer: Any) -> Any:
        return peer.host, peer.port

    def opened(self, connection: Any) -> None:
        self.waiting.append(connection)
        self.events.append("opened")

    def closed(self, connection: Any) -> None:
        self.waiting.remove(connection)
        self.events.append("closed")


@cache
def plain_client() -> ssl.SSLContext:
    return client_context()


class Arrival:
    """A connection that has just been made, with everything around it."""

    def __init__(
        self,
        loop: Loop,
        protocol: Any,
        context: ssl.SSLContext,
        client: ssl.SSLContext | None = None,
        handshakes: Handshakes | None = None,
        most: int = 0,
        secured: Secured | None = None,
    ) -> None:
        self.loop = loop
        self.handshakes = handshakes or Handshakes(Roll(handshakes=most), IN_PLAIN)
        self.roll: Any = self.handshakes.roll
        self.asked: list[Any] = []
        self.factory = Factory()
        self.factory.buildProtocol = lambda addr: self.asked.append(addr) or protocol
        self.secured = secured or Secured(self.handshakes, Identity(context))
        self.transport: TLSTransport = self.secured.carry(self.factory, BUDGET)
        self.native = Native(loop)
        self.client = Client(client or plain_client())
        self.transport.connection_made(self.native)

    def sent(self) -> bytes:
        """What has been sent to the client since this was asked for."""
        written = b"".join(self.native.written)
        self.native.written.clear()
        return written

    def shake(self, behind: bytes = b"", rounds: int = 3) -> Arrival:
        """Shake hands to the end; `behind` is sent in the same segment as the client's last."""
        for _ in range(rounds):
            over = self.client.shake(self.sent())
            data = self.client.sends()
            if over and behind:
                data += self.client.says(behind)
                behind = b""
            if data:
                self.transport.data_received(data)
            self.loop.turn()
        return self

    def received(self) -> bytes | None:
        return self.client.reads(self.sent())

    def say(self, data: bytes) -> None:
        self.transport.data_received(self.client.says(data))


def shaken(arrive: Any, protocol: Any) -> Arrival:
    """A connection that is ready, whose protocol's notes start empty."""
    at: Arrival = arrive(protocol).shake()
    assert protocol.events == ["made"]
    protocol.events.clear()
    at.native.calls.clear()
    at.received()
    return at
