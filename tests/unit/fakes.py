"""Doubles for what is below the service and the process: reactor, endpoints, ports."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial, partialmethod
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ReactorNotRunning

from daphne_like import assembly
from daphne_like.assembly import LoopClock
from daphne_like.errors import DaphneLikeError
from daphne_like.limits import Limits
from daphne_like.notify import Notifier
from daphne_like.options import configure
from daphne_like.orders import Orders
from daphne_like.places import is_secure
from daphne_like.server import ASGIService
from daphne_like.testing import MemoryWire
from tests.unit.asgi.fakes import run, turn

GET = b"GET /p HTTP/1.1\r\nHost: a\r\n\r\n"


class Port:
    open = True
    paused = False

    def __init__(self, number: int, secure: bool = False) -> None:
        self.number = number
        self.secure = secure

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "127.0.0.1", self.number)

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False

    def stopListening(self) -> Deferred[None] | None:
        self.open = False
        return None


class House:
    """A service with doubles for what is below it: its reactor, its endpoints, their ports."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        call: Any = None,
        orders: Orders | None = None,
        **options: Any,
    ) -> None:
        monkeypatch.setattr(assembly, "endpoints", self)
        self.asked: list[tuple[Any, ...]] = []
        self.preambles: list[tuple[Any, ...]] = []
        self.options: list[str | None] = []
        self.secured: list[Any] = []
        self.ports: list[Port] = []
        self.factories: list[Any] = []
        self.bound: list[str] = []
        self.taken: list[tuple[int, Any]] = []
        self.listening: Callable[[Port], Deferred[Any]] = succeed
        self.binding: Callable[[], object] = int
        self.failures: list[DaphneLikeError] = []
        quiet = {"demo": True, "verbosity": 0, "lifespan": "off", "watchdog": 0.0}
        self.config = configure({**quiet, **options})
        self.told: list[tuple[str, str, dict[str, Any]]] = []
        self.words: list[bytes] = []
        self.service = ASGIService(
            self.config,
            self,
            application=call,
            failed=self.failures.append,
            way_out="!",
            tell=lambda *action: self.told.append(action),
            notifier=Notifier(self.words.append),
            orders=orders,
        )

    def callLater(self, delay: float, call: Any) -> None:
        """As the reactor, whose timers come late."""
        asyncio.get_running_loop().call_later(delay + 0.001, call)

    def _endpoint(
        self,
        kind: str,
        reactor: Any,
        *given: Any,
        preambles: Any = None,
        secured: Any = None,
        option: str | None = None,
        shared: bool = False,
        **named: Any,
    ) -> House:
        [limits] = [index for index, each in enumerate(given) if isinstance(each, Limits)]
        assert reactor is self
        self.asked.append((kind, *given[:limits], *named.items(), *(["shared"] if shared else [])))
        self.preambles.append(
            (*given[limits + 1 : limits + 3], *([preambles] if preambles else []))
        )
        self.options.append(option)
        self.secured.append(secured)
        return self

    tcp = partialmethod(_endpoint, "tcp")
    unix = partialmethod(_endpoint, "unix")
    inherited = partialmethod(_endpoint, "inherited")

    def from_string(self, *given: Any) -> list[House]:
        return [self._endpoint("string", *given)]

    def bind(self) -> None:
        """Ahead of `listen`; every endpoint is this object."""
        self.bound.append("bound")
        self.binding()

    def share(self, fileno: int, yields: Any = None) -> None:
        self.taken.append((fileno, yields))

    def unbind(self) -> None:
        self.bound.append("unbound")

    def listen(self, factory: Any) -> Deferred[Any]:
        self.factories.append(factory)
        number = len(self.ports)
        self.ports.append(Port(number, secure=is_secure(str(self.asked[number][1]))))
        return self.listening(self.ports[-1])

    @property
    def factory(self) -> Any:
        """What serves on the last of the ports."""
        return self.factories[-1]

    def connect(self, data: bytes = GET, *, reading: bool = True, index: int = -1) -> MemoryWire:
        clock = LoopClock(asyncio.get_running_loop())
        wire = MemoryWire(self.factories[index].buildProtocol(None), clock)
        if not reading:
            wire.stop_reading()
        wire.send(data)
        return wire

    async def get(self, data: bytes = GET, index: int = -1) -> str:
        wire = self.connect(data, index=index)
        await turn()
        wire.vanish()
        return wire.received.decode()

    async def stopped(self) -> float:
        """Stop the service; the seconds that it took."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        await self.service.stopService().asFuture(loop)
        return loop.time() - began


def serving(at: House, main: Callable[[House], Awaitable[Any]] | None = None) -> Any:
    """Start, do `main`, stop; the result of `main`."""

    async def whole() -> Any:
        at.service.startService()
        await asyncio.sleep(5)
        result = await main(at) if main else None
        await at.stopped()
        return result

    return run(whole())


class Reactor:
    """A reactor that runs what it was given, and nothing else."""

    stopping = threadsafe = False

    def __init__(self, begins: Callable[[], object] = int) -> None:
        self.begins = begins
        self._calls: list[Callable[[], object]] = []
        self._triggers: dict[tuple[str, str], Callable[[], object]] = {}

    def addSystemEventTrigger(self, phase: str, event: str, call: Any) -> None:  # noqa: N802
        self._triggers[phase, event] = call

    def callWhenRunning(self, call: Any, *arguments: Any) -> None:  # noqa: N802
        self._calls.append(partial(call, *arguments))

    def callFromThread(self, call: Any) -> None:  # noqa: N802
        self.threadsafe = True
        call()
        self.threadsafe = False

    def run(self) -> None:
        self.begins()
        for call in self._calls:
            call()

    def stop(self) -> None:
        assert self.threadsafe
        if self.stopping:
            raise ReactorNotRunning
        self.stopping = True
        self._triggers["before", "shutdown"]()
