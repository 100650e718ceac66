"""The transition table of an HTTP exchange, written a second time and checked against the first.

:class:`Model` says what must come out of every message, of every piece of the body and of the
client's leaving; :class:`Walk` does the same to a real exchange and compares after each step.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest

from daphne_like.errors import AppFault, ClientDisconnected
from daphne_like.limits import Limits
from tests.unit.asgi.fakes import (
    DISCONNECT,
    Call,
    FakeStream,
    Message,
    Receive,
    Send,
    Served,
    TimelessLoop,
    body,
    ended,
    received,
    request,
    start,
    turn,
)

LIMITS = Limits(send_grace=5.0, application_close_timeout=1e6)

MESSAGES: dict[str, Message] = {
    "start": start(200),
    "start of 3 bytes": start(201, (b"content-length", b"3")),
    "start without a body": start(204),
    "start with a bad status": start("200"),
    "start with a bad header": start(200, (b"bad name", b"")),
    "piece": body(b"ab", more=True),
    "empty piece": body(more=True),
    "bad piece": body("text", more=True),
    "last": body(b"a"),
    "last, empty": body(),
    "start with trailers": start(202) | {"trailers": True},
    "start of 3 bytes with trailers": start(203, (b"content-length", b"3")) | {"trailers": True},
    "trailers": {"type": "http.response.trailers", "headers": [(b"x-one", b"1")]},
    "no trailers": {"type": "http.response.trailers"},
    "some trailers": {
        "type": "http.response.trailers",
        "headers": [(b"x-two", b"2")],
        "more_trailers": True,
    },
    "bad trailers": {"type": "http.response.trailers", "headers": [(b"content-length", b"1")]},
    "hint": {"type": "http.response.early_hint", "links": [b"</a>; rel=preload"]},
    "bad hint": {"type": "http.response.early_hint", "links": [b"a\r\nb: c"]},
    "push": {"type": "http.response.push", "path": "/a.css", "headers": [(b"Accept", b"*/*")]},
    "bad push": {"type": "http.response.push", "path": "a.css", "headers": []},
    "of another protocol": {"type": "websocket.accept"},
}
"""Every kind of message an application may send, by what it is called in a failing walk."""


class Model:
    """What has to happen, with no coroutine in sight."""

    def __init__(self) -> None:
        self.state = "IDLE"
        self.calls: list[Call] = []
        self.status = 0
        self.length: int | None = None
        self.trailers: list[Any] | None = None
        self.sent = 0
        self.pieces: list[bytes] = []
        self.paid_back = 0
        self.complete = self.given = False
        self.listening = False
        self.left_at = 0.0
        self.answers: list[Message] = []
        self.waiting = 0

    @property
    def open(self) -> bool:
        return self.state in ("IDLE", "HEADED", "STREAMING", "TRAILERS")

    def turn(self) -> None:
        """A turn of the loop: a held head goes out, receivers take what there is."""
        if self.state == "HEADED":
            self.state = "STREAMING"
            self.calls.append(("head", self.status, b""))
        while self.waiting:
            if not self.open:
                self.listening = True
                self.answers.append(DISCONNECT)
            elif self.pieces or (self.complete and not self.given):
                self.answers.append(self._take())
            else:
                return
            self.waiting -= 1

    def _take(self) -> Message:
        data = b"".join(self.pieces)
        self.pieces.clear()
        self.given = self.complete
        self.paid_back += len(data)
        return received(data, more=not self.complete)

    def leave(self, now: float) -> None:
        self.state, self.left_at = "GONE", now
        self.pieces.clear()
        self.listening = self.waiting > 0

    def send(self, name: str, now: float) -> type[Exception] | None:
        """The error that the message has to raise, if any."""
        message = MESSAGES[name]
        kind = message["type"]
        if self.state == "DONE":
            return None
        if self.state == "GONE":
            return None if self.listening and now - self.left_at <= 5 else ClientDisconnected
        if "bad" in name:
            return AppFault
        return self._expected(kind, message, now)

    def _expected(self, kind: str, message: Message, now: float) -> type[Exception] | None:
        if self.state == "IDLE" and kind == "http.response.start":
            self.state, self.status = "HEADED", message["status"]
            self.length = 3 if message["headers"] else None
            self.trailers = [] if message.get("trailers") else None
            return None
        if self.state != "TRAILERS" and kind == "http.response.early_hint":
            if self.state != "STREAMING":
                self.calls.append(("hints", *[(b"link", link) for link in message["links"]]))
            return None
        if self.state != "TRAILERS" and kind == "http.response.push":
            self.calls.append(("push", b"/a.css", (b"accept", b"*/*")))
            return None
        if self.state == "TRAILERS" and kind == "http.response.trailers":
            return self._trailers(**message)
        if self.state in ("HEADED", "STREAMING") and kind == "http.response.body":
            return self._body(message["body"], message["more_body"], now)
        return AppFault

    def _body(self, data: bytes, more: bool, now: float) -> type[Exception] | None:
        data = b"" if self.status == 204 else data
        if self.length is not None and self.sent + len(data) > self.length:
            return AppFault
        self.sent += len(data)
        short = not more and self.length is not None and self.sent < self.length
        awaited = not more and not short and self.trailers is not None
        if self.state == "HEADED" and not more and not short and not awaited:
            self.calls.append(("respond", self.status, data))
        else:
            if self.state == "HEADED":
                self.calls.append(("head", self.status, data))
            elif data:
                self.calls.append(("body", data))
            self.calls += [] if more or awaited else [("abort",)] if short else [("end",)]
        over = "GONE" if short else "TRAILERS" if awaited else "DONE"
        self.state = "STREAMING" if more else over
        self.left_at = now
        return AppFault if short else None

    def _trailers(self, *, headers: Any = (), more_trailers: bool = False, **_: Any) -> None:
        assert self.trailers is not None
        self.trailers += headers
        if not more_trailers:
            self.calls.append(("end", *self.trailers))
            self.state = "DONE"

    def late(self, now: float) -> None:
        if self.state in ("STREAMING", "TRAILERS"):
            self.calls.append(("abort",))
            self.state, self.left_at = "GONE", now
        else:
            self.calls.append(("respond", 503, b"503 Service Unavailable\n"))
            self.state = "DONE"

    def end(self) -> None:
        """The application's task ends, by a return or an error."""
        if self.state == "IDLE":
            self.calls.append(("respond", 500, b"500 Internal Server Error\n"))
            self.state = "DONE"
        elif self.state in ("STREAMING", "TRAILERS"):
            self.calls.append(("abort",))
            self.state = "GONE"


class Walk:
    """The same steps, taken by a real exchange."""

    def __init__(self) -> None:
        self.model = Model()
        names = "early_hint", "push", "trailers"
        self.stream = FakeStream(*[f"http.response.{name}" for name in names])
        self.receives: list[asyncio.Task[Message]] = []
        self.blocked: list[asyncio.Task[None]] = []
        self.finish = asyncio.get_running_loop().create_future()
        self.served = Served(self._application, LIMITS)
        self.exchange = self.served.open(self.stream, request())

    async def _application(self, scope: Any, receive: Receive, send: Send) -> None:
        self.receive, self.send = receive, send
        await self.finish

    async def take(self, step: str, detail: Any) -> None:
        await getattr(self, f"_{step}")(detail)
        self._compare(step, detail)

    async def _message(self, name: str) -> None:
        """Sent in the same turn as the step before, as an application without awaits does."""
        if self.stream.full:
            await self._message_to_a_slow_client(name)
            return
        if self.model.state == "DONE":  # Ignored, but not without letting others go on.
            await self._turn(None)
        error = self.model.send(name, self.served.loop.time())
        with nullcontext() if error is None else pytest.raises(error):
            await self.send(MESSAGES[name])

    async def _message_to_a_slow_client(self, name: str) -> None:
        await self._turn(None)
        task = asyncio.create_task(self.send(MESSAGES[name]))
        error = self.model.send(name, self.served.loop.time())
        waits = error is None and self.model.state == "STREAMING"
        await self._turn(None)
        if waits:
            assert not task.done(), "send() did not wait for a client that reads too slowly"
            self.blocked.append(task)
        else:
            assert type(task.exception()) is (error or type(None))

    async def _slow(self, slow: bool) -> None:
        """The client stops reading, or has read enough."""
        if self.stream.over:
            return
        self.stream.full = slow
        if not slow:
            self.exchange.drained()
            await self._turn(None)

    async def _turn(self, _: None) -> None:
        await turn()
        self.model.turn()
        if self.model.state != "STREAMING" or not self.stream.full:
            self._see_that_senders_went_on()

    def _see_that_senders_went_on(self) -> None:
        """Silently, or with an error where the stream broke and nobody listened."""
        broken = self.model.state == "GONE" and not self.model.listening
        for task in self.blocked:
            assert task.done(), "a send() waits for a client that will never read again"
            assert type(task.exception()) is (ClientDisconnected if broken else type(None))
        self.blocked.clear()

    async def _request(self, piece: bytes | None) -> None:
        """A piece of the request's body, or its end; the wire is silent once all is over."""
        if self.model.complete or not self.model.open:
            return
        if piece is None:
            self.exchange.body_ended()
            self.model.complete = True
        else:
            self.exchange.body_received(piece)
            self.model.pieces.append(piece)
        await self._turn(None)

    async def _receive(self, _: None) -> None:
        self.receives.append(asyncio.create_task(self.receive()))
        self.model.waiting += 1
        await self._turn(None)

    async def _cancel(self, piece: bytes | None) -> None:
        """A receive is cancelled, with `piece` in the very turn in which data comes for it."""
        pending = [task for task in self.receives if not task.done()]
        if not pending:
            return
        if piece is not None and self.model.open and not self.model.complete:
            self.exchange.body_received(piece)
            self.model.pieces.append(piece)
        pending[0].cancel()
        self.model.waiting -= 1
        await self._turn(None)
        assert pending[0].cancelled()

    async def _leave(self, _: None) -> None:
        if not self.stream.over:
            self.stream.outcome = "lost"
            self.exchange.disconnected("the test left")
            self.model.leave(self.served.loop.time())
            await self._turn(None)

    async def _late(self, _: None) -> None:
        """The time for the whole exchange is over."""
        if not self.stream.over:
            self.exchange.timed_out()
            self.model.late(self.served.loop.time())
            await self._turn(None)

    async def _stop(self, _: None) -> None:
        """The server stops: that changes nothing."""
        if not self.stream.over:
            self.exchange.drain()

    async def _wait(self, seconds: float) -> None:
        assert isinstance(self.served.loop, TimelessLoop)
        self.served.loop.advance(seconds)

    async def close(self, how: str) -> None:
        """The application ends; whoever still receives hears of it."""
        await self._turn(None)
        ENDS[how](self)
        self.model.end()
        await ended(self.exchange)
        await self._turn(None)
        self._compare("end", how)
        assert all(task.done() for task in self.receives)
        assert len(self.served.records) == 1

    def _compare(self, step: str, detail: Any) -> None:
        where = f"after {step} {detail!r} in {self.model.state}"
        assert self.stream.calls == self.model.calls, where
        assert self.stream.credit == self.model.paid_back, where
        done = [task for task in self.receives if task.done() and not task.cancelled()]
        assert sorted(map(repr, (task.result() for task in done))) == sorted(
            map(repr, self.model.answers)
        ), where


ENDS: dict[str, Callable[[Walk], object]] = {
    "returns": lambda walk: walk.finish.set_result(None),
    "raises": lambda walk: walk.finish.set_exception(ValueError("the walk ends")),
    "raises what send() raised": lambda walk: walk.finish.set_exception(ClientDisconnected()),
    "is cancelled": lambda walk: walk.served.application.cancel(),
}
"""The ways in which an application ends."""
