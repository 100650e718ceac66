"""The application, run as one task per exchange.

It knows the live exchanges. It must not know a wire format, nor what the server around it
does with them.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import inspect
import logging
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Generator
from functools import partial
from typing import TYPE_CHECKING, Any

from daphne_like.asgi.ebb import Ebb
from daphne_like.asgi.http import HTTPExchange
from daphne_like.asgi.http_send import SendSide, flush_heads
from daphne_like.asgi.scope import Message, Scope
from daphne_like.asgi.websocket import WebSocketExchange
from daphne_like.clock import LoopClock
from daphne_like.compression import Compression
from daphne_like.exchange import Address, Beginning, Observer, Request, Stream
from daphne_like.limits import Limits
from daphne_like.tally import ONE_BY_ONE, Tally, and_others

if TYPE_CHECKING:
    from daphne_like.asgi.threads import Threads

_logger = logging.getLogger("daphne_like.server")

Live = HTTPExchange | WebSocketExchange

ASGIApplication = Callable[
    [Scope, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
    Awaitable[None],
]


class Application:
    """One ASGI application and its live exchanges; ``open`` is what a wire is given.

    ``now`` is a clock in seconds, the loop's unless another is given. ``compression`` is what
    WebSockets may agree to with their clients; ``close_code`` is the one that they are closed
    with when the server stops. ``sockets`` counts those of each client. ``threads`` are what its
    synchronous code runs in.
    """

    def __init__(
        self,
        call: ASGIApplication,
        limits: Limits,
        loop: asyncio.AbstractEventLoop,
        *,
        root_path: str = "",
        now: Callable[[], float] | None = None,
        compression: Compression | None = None,
        close_code: int = 1012,
        threads: Threads | None = None,
    ) -> None:
        self.call = call
        self.limits = limits
        self.loop = loop
        self.now = now or loop.time
        self.root_path = root_path
        self.state: dict[str, Any] | None = None
        self.observers: list[Observer] = []
        self.beginnings: list[Beginning] = []
        self.live: set[Live] = set()
        self.clock = LoopClock(loop)
        self.compression = compression
        in_time = min(limits.websocket_drain_time, limits.graceful_timeout / 2)
        self.ebb = Ebb(self.clock, in_time, close_code)
        self.sockets: Counter[str] = Counter()
        self.late = Tally(self.now, most=ONE_BY_ONE)
        self.broken = Tally(self.now, most=ONE_BY_ONE)
        self.threads = threads
        self._unwilling = Tally(self.now, most=ONE_BY_ONE)
        self._held: list[SendSide] = []
        self._emptied: Callable[[], None] | None = None
        # Taken here, so that a pipelined request does not see what its predecessor left.
        self._context = contextvars.copy_context()

    def open(self, request: Request, stream: Stream) -> Live:
        """Start the application for `request`."""
        kind = HTTPExchange if request.upgrade is None else WebSocketExchange
        exchange = kind(self, request, stream)
        self.live.add(exchange)
        if request.upgrade is not None:
            self._know_socket(request)
        exchange.task = _start_task(exchange.run(), loop=self.loop, context=self._context.copy())
        return exchange

    def hold(self, exchange: SendSide) -> None:
        """Flush the exchange's head on the loop's next turn, if no body has come by then."""
        if not self._held:
            self.loop.call_soon(self._flush_held, context=self._context)
        self._held.append(exchange)

    def _flush_held(self) -> None:
        held, self._held = self._held, []
        flush_heads(held)

    def finished(self, exchange: Live) -> None:
        """The exchange's task is over: from now on nothing refers to it."""
        self.live.discard(exchange)
        if exchange.request.upgrade is not None:
            self._forget_socket(exchange.request.client)
        if exchange.timer is not None:
            exchange.timer.cancel()
            exchange.timer = None
        if self._emptied is not None and not self.live:
            self._emptied()
        if self.observers:
            record = exchange.record()
            for observer in self.observers:
                observer(record)

    def _know_socket(self, request: Request) -> None:
        if request.client is not None:
            self.sockets[request.client[0]] += 1
        self.began(request, "connecting")

    def began(self, request: Request, step: str) -> None:
        """A WebSocket is ``"connecting"``, or ``"connected"`` now."""
        for beginning in self.beginnings:
            beginning(request, step)

    def _forget_socket(self, client: Address | None) -> None:
        if client is None:
            return
        self.sockets[client[0]] -= 1
        if not self.sockets[client[0]]:
            del self.sockets[client[0]]

    def cancel_later(self, exchange: Live) -> None:
        """Give the application time to end by itself, then cancel its task."""
        if exchange in self.live and exchange.timer is None:
            exchange.timer = self.loop.call_later(
                self.limits.application_close_timeout, self._cancel, exchange
            )

    def _cancel(self, exchange: Live) -> None:
        task = exchange.task
        if task is None:
            return
        if told := self._unwilling.count():
            _logger.warning(
                "The application took longer than %g s to end, with nobody left who waits for it, "
                "and is cancelled: %s, in %s%s",
                self.limits.application_close_timeout,
                exchange.request.label,
                _waiting_in(task),
                and_others(told),
            )
        task.cancel()

    async def drain(self, seconds: float, closing: float | None = None) -> None:
        """Wait until no exchange is live, for `seconds` at the most, then cancel the rest.

        Those have `closing` seconds to end, or else ``--application-close-timeout``.
        """
        if self.live and seconds > 0:
            emptied = self.loop.create_future()
            self._emptied = partial(settle, emptied)
            await asyncio.wait([emptied], timeout=seconds)
            self._emptied = None
        tasks = self.cancel()
        if tasks:
            _logger.warning("%s did not finish in time: cancelled.", counted(tasks, "request"))
            closing = self.limits.application_close_timeout if closing is None else closing
            await asyncio.wait(tasks, timeout=closing)

    async def close(self) -> None:
        """Let the threads of the application end, as far as they do in time."""
        if self.threads is not None:
            await self.threads.close(self.limits.application_close_timeout)

    def cancel(self) -> list[asyncio.Task[None]]:
        """Cancel the tasks of all live exchanges, and return them."""
        tasks = [exchange.task for exchange in self.live if exchange.task is not None]
        for task in tasks:
            task.cancel()
        return tasks


def _waiting_in(task: asyncio.Task[None]) -> str:
    """The application's coroutines that `task` waits in, outermost first."""
    names: list[str] = []
    awaited = _awaited_by(task.get_coro())
    while inspect.iscoroutine(awaited):
        names.append(awaited.cr_code.co_qualname)
        awaited = _awaited_by(awaited)
    return " > ".join(names)


def _awaited_by(coroutine: Any) -> Any:
    """What `coroutine` waits for; one that is compiled does not tell, but refers to it."""
    if inspect.iscoroutine(coroutine):
        return coroutine.cr_await
    awaiting = [found for found in gc.get_referents(coroutine) if isinstance(found, Generator)]
    return next(filter(inspect.iscoroutine, gc.get_referents(*awaiting)), None)


def counted(things: Collection[object], name: str) -> str:
    """How many `things` there are, for a log line: "1 request", "2 requests"."""
    return f"{len(things)} {name}" + ("" if len(things) == 1 else "s")


def settle(future: asyncio.Future[None]) -> None:
    """Give `future` its result, unless it has one."""
    if not future.done():
        future.set_result(None)


# A real task: asyncio.timeout, anyio and asgiref need one. Started at once where Python can:
# most requests are then answered without a turn of the loop.
_EAGER: dict[str, Any] = {"eager_start": True} if sys.version_info >= (3, 12) else {}
_start_task: Callable[..., asyncio.Task[None]] = (
    partial(asyncio.Task, **_EAGER) if _EAGER else asyncio.Task
)
