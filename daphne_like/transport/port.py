"""The port: it accepts connections, and can pause without refusing anybody.

On uvloop the loop's own server accepts, in C. asyncio's server takes thousands in one turn of
the loop and loses some when it is closed: there we accept by ourselves. This module must not
know which protocol is served.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress, IListeningPort, IProtocolFactory
from zope.interface import implementer

from daphne_like.tally import Tally
from daphne_like.transport.stream import UNIX, Carry, NativeTransport, twisted_address

_logger = logging.getLogger("daphne_like.server")

_AT_A_TIME = 16
"""Connections that are accepted in one turn of the loop."""

_TRY_AGAIN = 0.1
"""Seconds until an acceptor that could not accept tries again."""

_GO_FIRST = 0.002
"""Seconds in which another worker may take a connection, where it has fewer."""

Build = Callable[[], NativeTransport]

Yields = Callable[[], bool]
"""Whether others should go first."""


class Acceptor:
    """Accepts from a listening socket, while it is told to; the socket stays open.

    After a failure it rests.
    """

    def __init__(
        self, listener: socket.socket, build: Build, backlog: int, yields: Yields | None = None
    ) -> None:
        self._yields = yields
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._build = build
        self._backlog = backlog
        self._tally = Tally(self._loop.time)
        self._resting: asyncio.TimerHandle | None = None

    def _rest(self, error: OSError) -> None:
        """There are no files left, for example: to try at once would keep the loop busy."""
        if self._tally.count():
            _logger.error("Cannot accept: %s; who comes has to wait", error.strerror)
        self.stop()
        self._resting = self._loop.call_later(_TRY_AGAIN, self.start)

    def start(self) -> None:
        """Accept."""
        raise NotImplementedError

    def stop(self) -> None:
        """Accept nobody: who comes waits in the kernel."""
        if self._resting is not None:
            self._resting.cancel()


class LoopServer(Acceptor):
    """The event loop's server. It gets a duplicate of the socket, and closes that to stop."""

    _started = False
    _server: asyncio.Server | None = None
    _starting: asyncio.Future[None] | None = None

    def start(self) -> None:
        self._started = True
        if self._starting is None or self._starting.done():
            self._starting = asyncio.ensure_future(self._start())

    async def _start(self) -> None:
        try:
            if self._started:  # Otherwise its socket may be closed already.
                self._server = await self._made()
        except OSError as error:
            self._rest(error)
        if not self._started:
            self._close()

    def _made(self) -> Awaitable[asyncio.Server]:
        make: Any = self._loop.create_server
        options: dict[str, Any] = {"sock": self._listener.dup(), "backlog": self._backlog}
        if self._listener.family == UNIX:
            make = self._loop.create_unix_server
            if sys.version_info >= (3, 13):
                options["cleanup_socket"] = False  # The path outlives a pause, or even us.
        made: Awaitable[asyncio.Server] = make(self._build, **options)
        return made

    def stop(self) -> None:
        super().stop()
        self._started = False
        self._close()

    def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None


class Reader(Acceptor):
    """We ourselves, a few connections in each turn of the loop."""

    def __init__(
        self, listener: socket.socket, build: Build, backlog: int, yields: Yields | None = None
    ) -> None:
        super().__init__(listener, build, backlog, yields)
        self._eager = 1
        self._connecting: set[asyncio.Future[None]] = set()
        listener.setblocking(False)

    def start(self) -> None:
        self._loop.add_reader(self._listener, self._acceptable)

    def stop(self) -> None:
        super().stop()
        self._loop.remove_reader(self._listener)

    def _acceptable(self) -> None:
        if self._yields is None:
            self._accept(_AT_A_TIME)
        elif self._yields():
            # Who has fewer goes first, if he does.
            self._loop.remove_reader(self._listener)
            self._resting = self._loop.call_later(_GO_FIRST, self._go_second)
        else:
            self._eager = 1
            self._accept(1)

    def _go_second(self) -> None:
        # More each time that nobody else has come: he may be blocked.
        self._accept(self._eager)
        self._eager = min(2 * self._eager, _AT_A_TIME)
        self.start()

    def _accept(self, most: int) -> None:
        for _ in range(most):
            try:
                connection, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionError):
                return  # There is none, or it has changed its mind.
            except OSError as error:
                self._rest(error)
                return
            connecting = asyncio.ensure_future(self._connect(connection))
            self._connecting.add(connecting)
            connecting.add_done_callback(self._connecting.discard)

    async def _connect(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._build, connection)
        except OSError:
            connection.close()


@implementer(IListeningPort)
class NativePort:
    """A listening socket whose connections the event loop carries.

    `secure` tells whether they are encrypted.
    """

    def __init__(
        self,
        listener: socket.socket,
        factory: IProtocolFactory,
        backlog: int,
        write_budget: int,
        closed: Callable[[], None] | None = None,
        carry: Carry = NativeTransport,
        *,
        secure: bool = False,
        yields: Yields | None = None,
    ) -> None:
        self.secure = secure
        self._yields = yields
        self._listener = listener
        self._factory = factory
        self._backlog = backlog
        self._write_budget = write_budget
        self._closed = closed
        self._carry = carry
        self._acceptor: Acceptor | None = None
        self._accepting = self._stopped = False
        self._host = twisted_address(listener.family, listener.getsockname())

    def __repr__(self) -> str:
        return f"<{type(self).__name__} on {self._host}>"

    def accept(self) -> NativePort:
        """Let the running loop accept connections from now on."""
        ours = isinstance(asyncio.get_running_loop(), asyncio.BaseEventLoop)
        make = Reader if ours or self._yields else LoopServer
        self._acceptor = make(self._listener, self._build, self._backlog, self._yields)
        self._factory.doStart()
        self.resumeProducing()
        return self

    def _build(self) -> NativeTransport:
        return self._carry(self._factory, self._write_budget)

    # --- Twisted ------------------------------------------------------------------------

    def getHost(self) -> IAddress:
        return self._host

    def startListening(self) -> None:
        """Nothing to do: the socket listens already when a port is made."""

    def pauseProducing(self) -> None:
        """Accept nobody for now; who comes waits in the kernel."""
        if self._acceptor is not None and self._accepting:
            self._accepting = False
            self._acceptor.stop()

    def resumeProducing(self) -> None:
        """Accept again."""
        if self._acceptor is not None and not self._accepting and not self._stopped:
            self._accepting = True
            self._acceptor.start()

    def stopListening(self) -> Deferred[None]:
        """Accept no more; connections go on. Fires at once."""
        if not self._stopped:
            self._stopped = True
            self.pauseProducing()
            self._listener.close()
            if self._acceptor is not None:
                self._factory.doStop()
            if self._closed is not None:
                self._closed()
        return succeed(None)
