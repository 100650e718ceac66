"""The event loop's own stream transports, dressed as Twisted's.

Twisted's socket transports need a second loop turn and two system calls for every write.
Here the listening socket is given to the event loop under Twisted's asyncio reactor (uvloop
where there is one), and :class:`NativeTransport` presents each accepted connection to a
plain Twisted protocol. On the way in and out it costs nothing: the loop calls the
protocol's ``dataReceived`` itself, and ``write`` is the loop's.

Everything that ends a connection is put off to the next turn of the loop: Twisted's own
transports do so too, and an asyncio transport may not be closed from within its callbacks.

This module must not know which protocol it serves.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, cast

from twisted.internet import error
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import (
    IAddress,
    IConsumer,
    IHalfCloseableProtocol,
    IProtocolFactory,
    IPullProducer,
    IPushProducer,
    ISystemHandle,
    ITCPTransport,
)
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from daphne_like.transport.files import SendsFiles

_DONE = Failure(error.ConnectionDone())

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: closing sends a reset, so that the end does not look orderly."""

UNIX = getattr(socket, "AF_UNIX", None)


def twisted_address(family: int, name: Any) -> IAddress:
    """A socket's address as Twisted has it."""
    if family == socket.AF_INET:
        return IPv4Address("TCP", name[0], name[1])
    if family == socket.AF_INET6:
        return IPv6Address("TCP", name[0], name[1], *name[2:4])
    return UNIXAddress(name or None)


def _write_nothing(data: bytes) -> None:
    """The ``write`` of a transport that can send no more."""


@implementer(ITCPTransport, IConsumer, IPushProducer, ISystemHandle)
class NativeTransport(SendsFiles, asyncio.Protocol):
    """One accepted connection: an asyncio protocol below, a Twisted transport above."""

    data_received: Callable[[bytes], None]  # type: ignore[assignment]

    connected = False

    disconnecting = False
    """True once ``loseConnection`` was called (Twisted protocols look at it)."""

    def __init__(self, factory: IProtocolFactory, write_budget: int) -> None:
        self._factory = factory
        self._write_budget = write_budget
        self._producer: IPushProducer | IPullProducer | None = None
        self._streaming = True
        self._asking = False
        self._congested = False
        self._eof = False
        self._half_closing = False
        self._half_closed = False
        self._mute = False
        self._aborted = False
        self._raised: Exception | None = None

    # --- From the event loop ------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See who connects."""
        native = self._native = cast(asyncio.Transport, transport)
        self._loop = asyncio.get_running_loop()
        family = native.get_extra_info("socket").family
        peer = native.get_extra_info("peername")
        if peer is None and family != UNIX:
            native.abort()  # It was reset before we looked.
            return
        self._peer = twisted_address(family, peer)
        self._host = twisted_address(family, native.get_extra_info("sockname"))
        self._tcp = family != UNIX
        self._begin()

    def take_over(self, other: NativeTransport) -> None:
        """Go on with the connection of `other`, which has built no protocol and builds none."""
        self._native, self._loop, self._tcp = other._native, other._loop, other._tcp
        self._peer, self._host = other._peer, other._host
        self._native.set_protocol(self)
        self._begin()

    def hand_on(self, rest: bytes) -> None:
        """Receive what has come behind that which came first, unless the protocol minds."""
        over = self.disconnecting or self._aborted or self._raised
        if self.connected and not over:
            self.data_received(rest)

    def _begin(self) -> None:
        """Build the protocol: who connects is known, and from where."""
        native = self._native
        try:
            protocol = self._build()
            if protocol is None:
                native.abort()
            else:
                self._connect(cast(Protocol, protocol))
        except Exception as exception:
            self._broke(exception)

    def _build(self) -> Any:
        return self._factory.buildProtocol(self._peer)

    def _connect(self, protocol: Protocol) -> None:
        """Let the loop talk to the protocol directly."""
        native = self._native
        self._protocol = protocol
        self.connected = True
        native.set_write_buffer_limits(high=self._write_budget)
        self._open_writing()
        self._speak_to(protocol)
        protocol.makeConnection(self)

    def _open_writing(self) -> None:
        self.write = self._native.write

    def _speak_to(self, protocol: Protocol) -> None:
        self.data_received = protocol.dataReceived
        # The loop looks the method up when a protocol is set: now it is there.
        self._native.set_protocol(self)

    def hand_over(self, protocol: Protocol) -> None:
        """Let `protocol` take the place of the one that the connection has begun with."""
        self._protocol = protocol
        self._speak_to(protocol)
        protocol.makeConnection(self)

    def _broke(self, exception: Exception) -> None:
        """The protocol raised: the connection is lost, as where ``dataReceived`` raises."""
        what = "Unhandled error in a protocol"
        self._loop.call_exception_handler({"message": what, "exception": exception})
        self._raised = exception
        self._loop.call_soon(self._native.abort)

    def eof_received(self) -> bool:
        """The peer has closed its side: stay open only for a protocol that can use it."""
        self._eof = True
        if IHalfCloseableProtocol.providedBy(self._protocol):
            cast(Any, self._protocol).readConnectionLost()
        else:
            self._native.abort()
        return True

    def connection_lost(self, reason: Exception | None) -> None:
        """The connection is gone, for whatever reason."""
        if not self.connected:
            return
        self.connected = False
        protocol, producer = self._protocol, self._producer
        # What is over holds nothing: no cycle for the garbage collector, no late write.
        del self._protocol, self._native, self.data_received
        self._producer = None
        self._fall_silent()
        self._drop_file()
        if producer is not None:
            producer.stopProducing()
        protocol.connectionLost(self._failure(self._raised or reason))

    def _failure(self, reason: Exception | None) -> Failure:
        if self._aborted:
            return Failure(error.ConnectionAborted())
        if reason is None:
            return _DONE
        if isinstance(reason, OSError):
            return Failure(error.ConnectionLost(str(reason)))
        return Failure(reason)

    def pause_writing(self) -> None:
        """The write buffer is full."""
        self._congested = True
        if self._producer is not None and self._streaming:
            cast(IPushProducer, self._producer).pauseProducing()

    def resume_writing(self) -> None:
        """The write buffer has drained."""
        if self._file is not None:
            self._file.start()
            return
        self._congested = False
        if self._half_closed:
            self._loop.call_soon(self._tell_write_lost)
        elif not self._streaming:
            self._ask()
        elif self._producer is not None:
            self._guarded(self._producer.resumeProducing)

    def _guarded(self, call: Callable[[], object]) -> None:
        try:
            call()
        except Exception as exception:
            self._broke(exception)

    # --- Twisted's transport ------------------------------------------------------------

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Write all pieces by one system call where the loop can, and without joining them."""
        if self._mute or self._native.is_closing():
            return
        # Python 3.12's asyncio would spin on an empty piece, and forgets to look whether the
        # buffer is full; setting its limits looks.
        self._native.writelines([piece for piece in data if piece])
        self._native.set_write_buffer_limits(high=self._write_budget)

    def _fall_silent(self) -> None:
        """Nothing can be sent any more; to try is no error."""
        self._mute = True
        self.write = _write_nothing

    def loseConnection(self) -> None:
        """Close when everything is written and the producer, if any, has finished."""
        if self.connected and not self.disconnecting:
            self.disconnecting = True
            self._native.pause_reading()
            self._loop.call_soon(self._close)

    def loseWriteConnection(self) -> None:
        """Close our side when everything is written and the producer, if any, has finished.

        The peer may go on sending.
        """
        if self.connected and not self._half_closing:
            self._half_closing = True
            self._loop.call_soon(self._close)

    def _close(self) -> None:
        """Do what was asked for, unless it is too soon or too late."""
        if not self.connected or self._producer is not None or self._file is not None:
            return
        if self.disconnecting:
            self._say_end()
            self._native.close()
        elif self._half_closing and not self._half_closed:
            self._half_close()

    def _say_end(self) -> None:
        """Write what says that nothing follows: on a plain connection its end does."""

    def _half_close(self) -> None:
        native = self._native
        self._say_end()
        self._half_closed = True
        self._fall_silent()
        with suppress(OSError):  # A peer that has reset the connection is met when reading.
            native.write_eof()
        native.set_write_buffer_limits(high=0)
        # What is still to be written has made the buffer congested; its end is told later.
        if not self._congested:
            self._tell_write_lost()

    def _tell_write_lost(self) -> None:
        if self.connected and IHalfCloseableProtocol.providedBy(self._protocol):
            self._guarded(cast(Any, self._protocol).writeConnectionLost)

    def abortConnection(self) -> None:
        """Close now, with a reset; what is not yet written is lost."""
        if self.connected and not self._aborted:
            self._aborted = True
            self._fall_silent()
            self._drop_file()
            self._native.pause_reading()
            with suppress(OSError):
                self.getHandle().setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self._loop.call_soon(self._native.abort)

    def getPeer(self) -> Any:
        return self._peer

    def getHost(self) -> Any:
        return self._host

    def getHandle(self) -> Any:
        """The socket, to look at; not to read from or write to."""
        return self._native.get_extra_info("socket")

    def unsent(self) -> int:
        """Bytes written, of a file too, that the kernel has not taken, or never will."""
        left = self._left_behind if self._file is None else self._file.left
        return left + (self._native.get_write_buffer_size() if self.connected else 0)

    def getTcpNoDelay(self) -> bool:
        """Whether small writes go out at once; never said of a Unix socket."""
        option = socket.IPPROTO_TCP, socket.TCP_NODELAY
        return self._tcp and bool(self.getHandle().getsockopt(*option))

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Let small writes go out at once or not; a Unix socket does so anyway."""
        if self._tcp:
            self.getHandle().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, enabled)

    def getTcpKeepAlive(self) -> bool:
        return bool(self.getHandle().getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))

    def setTcpKeepAlive(self, enabled: bool) -> None:
        self.getHandle().setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, enabled)

    # --- Producers: what writes to us -----------------------------------------------------

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Let `producer` be paused and resumed (streaming), or be asked piece by piece."""
        if self._producer is not None:
            raise RuntimeError(f"{producer!r} cannot join {self._producer!r}, still registered")
        if not self.connected:
            producer.stopProducing()
            return
        self._producer = producer
        self._streaming = streaming
        if not streaming:
            self._ask()
        elif self._congested:
            producer.pauseProducing()

    def unregisterProducer(self) -> None:
        self._producer = None
        if self.disconnecting or self._half_closing:
            self._loop.call_soon(self._close)

    def _ask(self) -> None:
        """Ask a pull producer for its next piece, one a loop turn, while there is room."""
        if self._producer is None or self._streaming or self._congested or self._raised:
            return
        self._guarded(self._producer.resumeProducing)
        if not self._asking:
            self._asking = True
            self._loop.call_soon(self._ask_again)

    def _ask_again(self) -> None:
        self._asking = False
        self._ask()

    # --- As a producer: what reads from us --------------------------------------------------

    def pauseProducing(self) -> None:
        if self.connected:
            self._native.pause_reading()

    def resumeProducing(self) -> None:
        """Read on, unless there is nothing to come."""
        over = self._eof or self.disconnecting or self._aborted or self._raised
        if self.connected and not over:
            self._native.resume_reading()

    def stopProducing(self) -> None:
        self.loseConnection()


Carry = Callable[[IProtocolFactory, int], NativeTransport]
"""Makes what carries a connection, from its protocol's factory and the budget for writing."""
