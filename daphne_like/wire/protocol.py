"""A protocol as Twisted's transports see it, for connections that mypyc may compile.

A compiled class can have no base like Twisted's own, nor a decorator: what it implements is said
below it. This module must not know any one wire.
"""

from __future__ import annotations

from typing import Any


class TransportProtocol:
    """What is the same for every connection; it is a producer, and told of both halves."""

    transport: Any
    connected = 0

    def connectionMade(self) -> None:
        """The transport is there."""

    def makeConnection(self, transport: Any) -> None:
        self.connected = 1
        self.transport = transport
        self.connectionMade()

    def writeConnectionLost(self) -> None:
        """Our own half-close has gone out; the client's is awaited."""

    def stopProducing(self) -> None:
        """The connection is lost; ``connectionLost`` does the rest."""
