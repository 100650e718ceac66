"""A connection in memory: a Twisted transport with flow control, half-close and resets.

This module must not import a reactor, nor know what the connection carries.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable
from typing import Any, cast

from twisted.internet import error
from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import (
    IAddress,
    IConsumer,
    IHalfCloseableProtocol,
    IProtocol,
    IPushProducer,
    ITransport,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from daphne_like.clock import Clock
from daphne_like.limits import KIB
from daphne_like.testing.seam import SeamBroken

_HOST = IPv4Address("TCP", "192.0.2.2", 80)
_PEER = IPv4Address("TCP", "192.0.2.1", 50000)


@implementer(ITransport, IConsumer, IPushProducer)
class MemoryWire:
    """A connection in memory: the transport of `protocol`, and the peer at the other end.

    The peer's side: ``send``, ``send_eof`` and ``vanish`` act on the protocol; ``received`` is
    what the peer has read. It reads at once all that is written, until ``stop_reading``;
    then ``outgoing`` fills up, and above `write_budget` bytes the protocol's producer is
    paused. ``read`` empties it. ``eof`` tells that the protocol has closed its sending side,
    ``closed`` that the connection is gone, ``aborted`` that it ended with a reset.

    What a real transport tells in a later turn of the loop is told by `clock` in 0 seconds.
    """

    def __init__(
        self,
        protocol: IProtocol,
        clock: Clock,
        *,
        write_budget: int = 64 * KIB,
        host: IAddress = _HOST,
        peer: IAddress = _PEER,
    ) -> None:
        self.received = bytearray()
        self.outgoing = bytearray()
        self.writes = 0
        self.paused = self.eof = self.closed = self.aborted = self.disconnecting = False
        self._protocol = protocol
        self._clock = clock
        self._write_budget = write_budget
        self._host = host
        self._peer = peer
        self._incoming: deque[bytes] = deque()
        self._reading = True
        self._peer_eof = self._half_closing = self._congested = False
        self._producer: IPushProducer | None = None
        protocol.makeConnection(self)

    # --- The peer -------------------------------------------------------------------------

    def send(self, *segments: bytes) -> None:
        """Send to the protocol; each segment is one ``dataReceived``, paused ones wait."""
        self._incoming.extend(segment for segment in segments if segment)
        self._deliver()

    def send_eof(self) -> None:
        """Close the peer's sending side, behind what it has sent."""
        self._peer_eof = True
        self._deliver()

    def vanish(self, reason: str = "the peer is gone") -> None:
        """The connection breaks."""
        self._lose(error.ConnectionLost(reason))

    def stop_reading(self) -> None:
        """Leave what is written on its way."""
        self._reading = False

    def read(self, size: int | None = None) -> bytes:
        """Read `size` bytes of what is on its way, or all of it and all that comes."""
        self._reading = size is None
        return self._read(len(self.outgoing) if size is None else size)

    @property
    def unread(self) -> int:
        """Bytes that the peer has sent and the protocol has not taken."""
        return sum(map(len, self._incoming))

    # --- Between the two ------------------------------------------------------------------

    def _deliver(self) -> None:
        while self._incoming and not self._deaf():
            self._protocol.dataReceived(self._incoming.popleft())
        if self._peer_eof and not self._incoming and not self._deaf():
            self._peer_eof = False
            if IHalfCloseableProtocol.providedBy(self._protocol):
                cast(IHalfCloseableProtocol, self._protocol).readConnectionLost()
            else:
                self.loseConnection()

    def _deaf(self) -> bool:
        return self.paused or self.closed or self.disconnecting or self.aborted

    def _read(self, size: int) -> bytes:
        data = bytes(self.outgoing[:size])
        del self.outgoing[:size]
        self.received += data
        if self._congested and len(self.outgoing) <= self._write_budget // 4:
            self._congested = False
            if self._producer is not None:
                self._producer.resumeProducing()
        self._finish()
        return data

    def _finish(self) -> None:
        """Close what was to be closed when everything is written."""
        if self.outgoing or self.closed:
            return
        if self.disconnecting and self._producer is None:
            # A kernel that has to throw input away resets the connection.
            self.aborted = bool(self._incoming)
            self._clock.callLater(0, self._lose, error.ConnectionDone())
        elif self._half_closing and not self.eof:
            self.eof = True
            self._clock.callLater(0, self._tell_eof)

    def _tell_eof(self) -> None:
        if not self.closed and IHalfCloseableProtocol.providedBy(self._protocol):
            cast(IHalfCloseableProtocol, self._protocol).writeConnectionLost()

    def _lose(self, reason: Exception) -> None:
        if self.closed:
            return
        self.closed = self.eof = True
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.stopProducing()
        self._protocol.connectionLost(Failure(reason))

    # --- Twisted's transport --------------------------------------------------------------

    def write(self, data: bytes) -> None:
        if type(data) is not bytes:
            raise SeamBroken(f"{type(data)} written")
        if self.eof or self._half_closing or self.aborted:
            return
        self.writes += 1
        self.outgoing += data
        if self._reading:
            self._read(len(self.outgoing))
        elif len(self.outgoing) > self._write_budget and not self._congested:
            self._congest()

    def hand_over(self, protocol: IProtocol) -> None:
        """Let `protocol` take the place of the one that the connection has begun with."""
        self._protocol = protocol
        protocol.makeConnection(self)

    sends_files = True

    def send_file(
        self, file: int, offset: int, count: int, before: bytes = b"", after: bytes = b""
    ) -> None:
        """Send a part of the open `file`: it is on its way until the clock has moved."""
        data = os.pread(file, count, offset)
        if len(data) < count:
            self.abortConnection()
            return
        self.writes += 1
        self.outgoing += before + data + after
        self._congest()
        if self._reading:
            self._clock.callLater(0, self._read, len(self.outgoing))

    def _congest(self) -> None:
        self._congested = True
        if self._producer is not None:
            self._producer.pauseProducing()

    def writeSequence(self, data: Iterable[bytes]) -> None:
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        self.disconnecting = True
        self._finish()

    def loseWriteConnection(self) -> None:
        self._half_closing = True
        self._finish()

    def abortConnection(self) -> None:
        if not self.closed and not self.aborted:
            self.aborted = True
            self.outgoing.clear()
            self._clock.callLater(0, self._lose, error.ConnectionAborted())

    def unsent(self) -> int:
        """Bytes written that the peer has not read."""
        return len(self.outgoing)

    def getPeer(self) -> IAddress:
        return self._peer

    def getHost(self) -> IAddress:
        return self._host

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        if self._producer is not None or not streaming:
            raise SeamBroken("one push producer at a time")
        self._producer = producer
        if self._congested:
            producer.pauseProducing()

    def unregisterProducer(self) -> None:
        self._producer = None
        self._finish()

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False
        self._clock.callLater(0, self._deliver)

    def stopProducing(self) -> None:
        self.loseConnection()
