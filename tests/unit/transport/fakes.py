"""Fakes for the native transport: the event loop and its transport below, protocols above."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from zope.interface import implementer

from daphne_like.transport.port import NativePort
from daphne_like.transport.stream import NativeTransport

BUDGET = 1000


class Bug(Exception):
    """What a protocol raises."""


class Loop:
    """An event loop whose turns are taken by hand."""

    def __init__(self) -> None:
        self.due: list[tuple[Any, ...]] = []
        self.errors: list[dict[str, Any]] = []
        self.servers: list[tuple[str, dict[str, Any]]] = []
        self.server = Server()
        self.fails = False
        self.connected: list[tuple[Any, Any]] = []
        self.readers: dict[Any, Any] = {}
        self.clock = Clock()

    def call_soon(self, *call: Any) -> None:
        self.due.append(call)

    def turn(self) -> None:
        due, self.due = self.due, []
        for call, *arguments in due:
            call(*arguments)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.errors.append(context)

    async def create_server(self, build: Any, **options: Any) -> Server:
        return self._make("server", build, options)

    async def create_unix_server(self, build: Any, **options: Any) -> Server:
        return self._make("unix server", build, options)

    def _make(self, kind: str, build: Any, options: dict[str, Any]) -> Server:
        if self.fails:
            raise OSError(24, "Too many open files")
        self.servers.append((kind, options))
        self.server.build = build
        return self.server

    async def connect_accepted_socket(self, build: Any, connection: Any) -> None:
        if self.fails:
            raise OSError(22, "Invalid argument")
        self.connected.append((connection, build()))

    def add_reader(self, listener: Any, acceptable: Any) -> None:
        self.readers[listener] = acceptable

    def remove_reader(self, listener: Any) -> None:
        self.readers.pop(listener, None)

    def time(self) -> float:
        return self.clock.seconds()

    def call_later(self, delay: float, call: Any) -> Any:
        return TimerHandle(self.clock.callLater(delay, call))


class TimerHandle:
    """As asyncio's: to cancel what has been called does nothing."""

    def __init__(self, delayed: Any) -> None:
        self.delayed = delayed

    def cancel(self) -> None:
        if self.delayed.active():
            self.delayed.cancel()


class Server:
    def __init__(self) -> None:
        self.calls: list[str] = []
        self.build: Any = None

    def close(self) -> None:
        self.calls.append("close")


class Socket:
    def __init__(self, family: int) -> None:
        self.family = family
        self.options: dict[tuple[int, int], Any] = {}
        self.coming: list[Any] = []
        self.closed = False

    def setsockopt(self, level: int, name: int, value: Any) -> None:
        self.options[level, name] = value

    def getsockopt(self, level: int, name: int) -> Any:
        return self.options.get((level, name), 0)

    def getsockname(self) -> tuple[str, int]:
        return ("127.0.0.1", 80)

    def dup(self) -> Socket:
        return Socket(self.family)

    def setblocking(self, flag: bool) -> None:
        self.blocking = flag

    def accept(self) -> tuple[Any, None]:
        """The next that comes, or fails; nobody where all have come."""
        if not self.coming:
            raise BlockingIOError
        come = self.coming.pop(0)
        if isinstance(come, OSError):
            raise come
        return come, None

    def fileno(self) -> int:
        return 9

    def close(self) -> None:
        self.closed = True


NAMES = {
    socket.AF_INET: (("127.0.0.1", 80), ("127.0.0.2", 5000)),
    socket.AF_UNIX: ("/run/x.sock", ""),
}


class Native:
    """The event loop's transport: keeps what is written, and notes what is done to it."""

    def __init__(self, loop: Loop, family: int = socket.AF_INET) -> None:
        self.loop = loop
        self.socket = Socket(family)
        self.written: list[bytes] = []
        self.calls: list[str] = []
        self.closing = False
        self.limits: list[int] = []
        self.on_limits: Any = None
        self.eof_error: OSError | None = None

    def get_extra_info(self, name: str) -> Any:
        sockname, peername = NAMES[self.socket.family]
        return {"socket": self.socket, "sockname": sockname, "peername": peername}[name]

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol
        self.calls.append("set_protocol")

    def set_write_buffer_limits(self, high: int) -> None:
        self.limits.append(high)
        if self.on_limits is not None:
            self.on_limits()

    waiting = 0

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def writelines(self, pieces: list[bytes]) -> None:
        self.written.append(b"|".join(pieces))

    def write_eof(self) -> None:
        self.calls.append("write_eof")
        if self.eof_error is not None:
            raise self.eof_error

    def pause_reading(self) -> None:
        self.calls.append("pause")

    def resume_reading(self) -> None:
        self.calls.append("resume")

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.calls.append("close")
        self.closing = True

    def abort(self) -> None:
        self.calls.append("abort")
        self.closing = True


class Notes(Protocol):
    def __init__(self) -> None:
        self.events: list[str] = []
        self.reason: Any = None

    def connectionMade(self) -> None:
        self.events.append("made")

    def dataReceived(self, data: bytes) -> None:
        self.events.append(f"data {data!r}")

    def connectionLost(self, reason: Any = None) -> None:
        self.events.append("lost")
        self.reason = reason


@implementer(IHalfCloseableProtocol)
class HalfNotes(Notes):
    def readConnectionLost(self) -> None:
        self.events.append("read lost")

    def writeConnectionLost(self) -> None:
        self.events.append("write lost")


class Producer:
    def __init__(self, protocol: Notes, fails: bool = False) -> None:
        self.protocol = protocol
        self.fails = fails

    def resumeProducing(self) -> None:
        self.protocol.events.append("resume")
        if self.fails:
            raise Bug

    def pauseProducing(self) -> None:
        self.protocol.events.append("pause")

    def stopProducing(self) -> None:
        self.protocol.events.append("stop")


def made(loop: Loop, protocol: Any, family: int = socket.AF_INET) -> tuple[NativeTransport, Native]:
    """A transport that `protocol` is connected to, and the fake below it; notes start empty."""
    factory = Factory()
    factory.buildProtocol = lambda addr: protocol
    transport, native = NativeTransport(factory, BUDGET), Native(loop, family)
    transport.connection_made(native)
    if isinstance(protocol, Notes):
        protocol.events.clear()
    native.calls.clear()
    return transport, native


def finished(coroutine: Any) -> Any:
    """The result of a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError(f"{coroutine} waits")


def port_on(family: int, closed: Any = None) -> tuple[NativePort, Socket, Factory]:
    listener, factory = Socket(family), Factory()
    factory.noisy = False
    return NativePort(listener, factory, 7, BUDGET, closed), listener, factory


class PortDouble:
    """A port that accepts when it is told to."""

    made: list[PortDouble]

    def __init__(self, *arguments: Any, secure: bool, yields: Any) -> None:
        self.arguments = arguments
        self.secure = secure
        self.yields = yields
        self.accepted: Deferred[Any] = Deferred()
        self.stopped = 0
        self.made.append(self)

    def accept(self) -> Deferred[Any]:
        return self.accepted

    def stopListening(self) -> None:
        self.stopped += 1
