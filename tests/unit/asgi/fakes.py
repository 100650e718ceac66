"""Doubles for the application side: a loop whose time only jumps, and a stream that remembers.

No test of the application side opens a socket or waits for a real second.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from daphne_like import testing
from daphne_like.asgi.application import Application
from daphne_like.asgi.http import HTTPExchange
from daphne_like.asgi.scope import Message
from daphne_like.exchange import Fields, Record, Request, ResponseHead
from daphne_like.limits import Limits

Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Call = tuple[Any, ...]

START = {"type": "http.response.start", "status": 200, "headers": []}
DISCONNECT = {"type": "http.disconnect"}


def start(status: Any = 200, *headers: Any) -> Message:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def body(data: Any = b"", *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}


def received(data: bytes = b"", *, more: bool = False) -> Message:
    return {"type": "http.request", "body": data, "more_body": more}


class _JumpingSelector(selectors.SelectSelector):
    """Never waits: time jumps to the next timer instead."""

    now = 1000.0

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "the test waits for something that will never happen"
            self.now += max(timeout, 0)
        return ready


class TimelessLoop(asyncio.SelectorEventLoop):
    """An event loop in which hours pass in microseconds."""

    def __init__(self) -> None:
        self.clock = _JumpingSelector()
        super().__init__(self.clock)

    def time(self) -> float:
        return self.clock.now

    def advance(self, seconds: float) -> None:
        """Let time pass without turning the loop."""
        self.clock.now += seconds


def run(main: Coroutine[Any, Any, Any]) -> Any:
    """Like ``asyncio.run``, on a loop whose time jumps."""
    with asyncio.Runner(loop_factory=TimelessLoop) as runner:
        return runner.run(main)


async def turn(times: int = 4) -> None:
    """Let everything happen that can happen now."""
    for _ in range(times):
        await asyncio.sleep(0)


class FakeStream(testing.FakeStream):
    """A fake stream that also keeps its calls apart, in their order."""

    def __init__(self, *supports: str) -> None:
        super().__init__(*supports)
        self.calls: list[Call] = []

    @property
    def over(self) -> bool:
        return self.outcome is not None

    def respond(self, head: ResponseHead, body: bytes) -> None:
        self.calls.append(("respond", head.status, body))
        super().send_head(head)
        super().send_body(body)
        super().end()

    def send_head(self, head: ResponseHead, body: bytes = b"") -> None:
        self.calls.append(("head", head.status, body))
        super().send_head(head)
        super().send_body(body)

    def open_tunnel(self, head: ResponseHead) -> Callable[[bytes], None]:
        self.calls.append(("tunnel", head.status))
        return super().open_tunnel(head)

    def send_body(self, data: bytes) -> None:
        self.calls.append(("body", data))
        super().send_body(data)

    def end(self, trailers: Fields | tuple[()] = ()) -> None:
        self.calls.append(("end", *trailers))
        super().end(trailers)

    def send_hints(self, fields: Fields) -> None:
        self.calls.append(("hints", *fields))
        super().send_hints(fields)

    def push(self, target: bytes, fields: Fields) -> None:
        self.calls.append(("push", target, *fields))
        super().push(target, fields)

    def abort(self, reason: str) -> None:
        self.calls.append(("abort",))
        super().abort(reason)


def request(method: str = "GET", target: bytes = b"/", **changes: Any) -> Request:
    path, _, query = target.partition(b"?")
    values: dict[str, Any] = {
        "method": method,
        "raw_path": path,
        "query": query,
        "headers": [(b"host", b"example.org")],
        "http_version": "1.1",
        "scheme": "http",
        "authority": b"example.org",
        "client": ("192.0.2.1", 50000),
        "server": ("192.0.2.2", 80),
    }
    return Request(**(values | changes))


class Served:
    """One application on a running :class:`TimelessLoop`, with what it did to its streams."""

    def __init__(self, call: Any, limits: Limits | None = None, **options: Any) -> None:
        self.loop = asyncio.get_running_loop()
        self.application = Application(call, limits or Limits(), self.loop, **options)
        self.records: list[Record] = []
        self.application.observers.append(self.records.append)

    def open(self, stream: FakeStream, asked: Request | None = None) -> HTTPExchange:
        return self.application.open(asked or request(), stream)

    async def get(
        self, asked: Request | None = None, stream: FakeStream | None = None
    ) -> list[Call]:
        """One request without a body, to its end; what reached the wire."""
        stream = stream or FakeStream()
        exchange = self.open(stream, asked)
        if not stream.over:
            exchange.body_ended()
        await ended(exchange)
        return stream.calls

    @property
    def record(self) -> Record:
        (record,) = self.records
        return record


async def ended(exchange: HTTPExchange) -> None:
    """Wait until the exchange's task is over, however it ends."""
    assert exchange.task is not None
    await asyncio.wait([exchange.task])


def calls_of(app: Any, **changes: Any) -> list[Call]:
    """What `app` lets the wire do for one GET."""

    async def main() -> list[Call]:
        return await Served(app).get(request(**changes))

    calls: list[Call] = run(main())
    return calls


FAILED = ("respond", 500, b"500 Internal Server Error\n")


def sending(*messages: Any) -> Any:
    async def app(scope, receive, send):
        for message in messages:
            await send(message)

    return app


WITH_TRAILERS = START | {"trailers": True}


def hint(*links: Any) -> dict[str, Any]:
    return {"type": "http.response.early_hint", "links": list(links)}


def push(path: Any, *fields: Any) -> dict[str, Any]:
    return {"type": "http.response.push", "path": path, "headers": list(fields)}


def trailers(*fields: Any, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.trailers", "headers": list(fields), "more_trailers": more}
