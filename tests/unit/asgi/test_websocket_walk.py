"""A WebSocket exchange in any order of events: client, application, time and server.

Whatever happens, the application sees no error that is not meant for it; its stream is left alone
after the end; each message arrives once and in its order; there is one close frame at the most,
nothing behind it, and at last one record and no timer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from itertools import count
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from daphne_like.errors import AppFault, ClientDisconnected
from tests.unit.asgi.fakes import Message, TimelessLoop, body, start, turn
from tests.unit.asgi.sockets import (
    ACCEPT,
    BINARY,
    CLOSE,
    CONNECT,
    CONTINUATION,
    PONG,
    TEXT,
    binary,
    close,
    closing,
    connecting,
    heard,
    masked,
    ping,
    said,
    text,
)


@pytest.fixture(autouse=True, scope="module")
def quiet() -> Iterator[None]:
    """Nobody reads the log of a walk."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


READ_BUDGET = 40
SEGMENT = 100

LIMITS = {
    "read_budget": READ_BUDGET,
    "websocket_timeout": 300,
    "websocket_drain_time": 3,
    "websocket_max_message_size": 1000,
}

FAULTY = [
    {},
    said(),
    said(text="a", bytes=b"a"),
    said(text="\ud800"),
    closing(1005),
    closing(1000, 7),
    ACCEPT | {"subprotocol": "none"},
    ACCEPT | {"headers": [(b"a b", b"")]},
    start(),
    {**start("200"), "type": "websocket.http.response.start"},
]

DENIAL = [
    {**start(401), "type": "websocket.http.response.start"},
    {**start(401, (b"content-length", b"3")), "type": "websocket.http.response.start"},
    {**body(b"a", more=True), "type": "websocket.http.response.body"},
    {**body(b"b"), "type": "websocket.http.response.body"},
]


class Walk:
    """One socket, and what its client and its application have done so far."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner(loop_factory=TimelessLoop)
        self.broken: list[dict[str, Any]] = []
        loop = self.runner.get_loop()
        loop.set_exception_handler(lambda loop, context: self.broken.append(context))
        self.socket = self.runner.run(connecting(**LIMITS))
        self.number = count()
        self.unsent = b""
        self.silent = False
        self.saying: list[Message] = []
        self.ends: list[int] = []
        self.written = self.delivered = 0
        self.got: list[Message] = []
        self.receiving: list[asyncio.Task[None]] = []
        self.sending: list[asyncio.Task[None]] = []
        self.promised: list[tuple[int, bytes]] = []

    @property
    def stream(self) -> Any:
        return self.socket.stream

    # --- The client -------------------------------------------------------------------------

    def write(self, data: bytes, message: Message | None = None) -> None:
        if self.silent:
            return
        self.unsent += data
        self.written += len(data)
        if message is not None:
            self.saying.append(message)
            self.ends.append(self.written)

    async def say_text(self, size: int) -> None:
        words = f"{next(self.number)}".rjust(size)
        self.write(text(words), heard(text=words))

    async def say_bytes(self, size: int) -> None:
        data = b"%d" % next(self.number) + b"\x00" * size
        self.write(binary(data), heard(bytes=data))

    async def say_in_fragments(self, size: int) -> None:
        words = f"{next(self.number)}" + "ü" * size
        raw = words.encode()
        at = len(raw) // 2
        frames = masked(TEXT, raw[:at], last=False) + ping() + masked(CONTINUATION, raw[at:])
        self.write(frames, heard(text=words))

    async def say_ping(self, size: int) -> None:
        self.write(ping(b"p") * (size % 9))

    async def say_pong(self, size: int) -> None:
        self.write(masked(PONG))

    async def say_close(self, size: int) -> None:
        self.write(close(*[(), (1001,), (4000, "bye")][size % 3]))
        self.silent = True

    async def say_nonsense(self, size: int) -> None:
        self.write([masked(3), masked(TEXT, b"\xff"), binary(b"x" * 1001)][size % 3])
        self.silent = True

    async def deliver(self, size: int) -> None:
        """The wire delivers while it is paid for, and what is a tunnel's only to a tunnel."""
        owed = self.delivered - self.stream.credit
        if self.stream.tunnel and not self.stream.over and owed <= READ_BUDGET and self.unsent:
            data, self.unsent = self.unsent[:size], self.unsent[size:]
            self.delivered += len(data)
            self.socket.says(data)

    async def deliver_all(self, size: int) -> None:
        for _ in range(20):
            await self.deliver(SEGMENT)

    async def read_slowly(self, size: int) -> None:
        self.stream.full = True

    async def read_on(self, size: int) -> None:
        self.socket.reads()

    async def be_served(self, size: int) -> None:
        """Nobody is slow."""
        for _ in range(200):
            await self.take(Walk.deliver, SEGMENT)
            if all(task.done() for task in self.receiving):
                await self.take(Walk.receive, 0)

    async def leave(self, size: int) -> None:
        self.socket.leaves()

    # --- The application --------------------------------------------------------------------

    async def receive(self, size: int) -> None:
        self.receiving.append(self.socket.pending(self._receive()))

    async def _receive(self) -> None:
        self.got.append(await self.socket.receive())

    async def receive_many(self, size: int) -> None:
        for _ in range(size):
            await self.receive(0)
            await turn(1)

    async def cancel_receive(self, size: int) -> None:
        pending = [task for task in self.receiving if not task.done()]
        for task in pending[: 1 + size % 2]:
            task.cancel()

    async def cancel_while_a_message_comes(self, size: int) -> None:
        await self.receive(0)
        await turn(size % 3)
        await self.deliver(size)
        await self.cancel_receive(size)

    def _sends(self, message: Message) -> None:
        self.sending.append(self.socket.pending(self._send(message)))

    async def _send(self, message: Message) -> None:
        with suppress(AppFault, ClientDisconnected):
            await self.socket.send(message)

    async def accept(self, size: int) -> None:
        self._sends(ACCEPT)

    async def send(self, size: int) -> None:
        data = b"%d" % next(self.number) + b"x" * size
        closed = CLOSE in [opcode for opcode, _ in self.socket.frames]
        if self.stream.tunnel and not self.stream.over and not closed:
            self.promised.append((BINARY, data))
        self._sends(said(bytes=data))

    async def cancel_send(self, size: int) -> None:
        for task in self.sending[-1:]:
            task.cancel()

    async def close(self, size: int) -> None:
        self._sends(closing(4000 + size, "x" * size))

    async def deny(self, size: int) -> None:
        self._sends(DENIAL[size % len(DENIAL)])

    async def err(self, size: int) -> None:
        self._sends(FAULTY[size % len(FAULTY)])

    async def end(self, size: int) -> None:
        if not self.socket.finish.done():
            if size % 2:
                self.socket.finish.set_result(None)
            else:
                self.socket.finish.set_exception(ValueError("the walk says so"))

    # --- Time, and the server ---------------------------------------------------------------

    async def wait(self, size: int) -> None:
        await asyncio.sleep(size % 8)

    async def wait_long(self, size: int) -> None:
        await asyncio.sleep(size)

    async def drain(self, size: int) -> None:
        if not self.stream.over:
            self.socket.exchange.drain()

    async def stop(self, size: int) -> None:
        self.socket.served.application.cancel()

    # --- What holds at any time -------------------------------------------------------------

    async def take(self, step: Step, size: int) -> None:
        await step(self, size)
        await turn()

    def check(self) -> None:
        assert self.broken == []
        for task in self.receiving + self.sending:
            if task.done() and not task.cancelled():
                assert task.exception() is None, "an error that is not meant for the application"
        frames = self.socket.frames
        opcodes = [opcode for opcode, _ in frames]
        assert CLOSE not in opcodes[:-1]
        assert [each for each in frames if each[0] in (TEXT, BINARY)] == self.promised
        told = [each for each in self.got if each["type"] == "websocket.disconnect"]
        assert self.got == [*[CONNECT, *self.saying][: len(self.got) - len(told)], *told]
        assert all(each == told[0] for each in told)
        assert len(self.socket.served.records) <= 1
        if told or CLOSE in opcodes or self.stream.over:
            assert all(task.done() for task in self.sending), "nobody will read any more"

    async def finish(self, last: list[tuple[Step, int]]) -> None:
        """All goes well from now on, until the client leaves; then the application hears all."""
        self.socket.reads()
        for step, size in last:
            await self.take(step, size)
        closed = CLOSE in [opcode for opcode, _ in self.socket.frames]
        self.socket.leaves()
        for _ in range(200):
            await self.take(Walk.receive, 0)
        self.check()
        assert all(task.done() for task in self.receiving + self.sending)
        assert self.got[-1]["type"] == "websocket.disconnect"
        if self.stream.outcome == "lost" and not closed:
            self.check_that_all_was_told()
        await self.take(Walk.end, 1)
        await asyncio.sleep(10_000)
        self.check()
        self.check_that_nothing_is_left()

    def check_that_all_was_told(self) -> None:
        """It was the client who left: what it has said until then is told."""
        whole = self.saying[: sum(end <= self.delivered for end in self.ends)]
        if self.stream.tunnel:
            assert [each for each in self.got if each["type"] == "websocket.receive"] == whole

    def check_that_nothing_is_left(self) -> None:
        application, loop = self.socket.served.application, self.socket.loop
        assert [timer for timer in loop._scheduled if not timer.cancelled()] == []
        assert application.live == set()
        assert application.sockets == {}
        record = self.socket.record
        assert record.kind == "websocket"
        assert record.outcome in {"complete", "disconnected", "failed", "timed out", "refused"}
        assert record.bytes_out >= 0


Step = Callable[[Walk, int], Awaitable[None]]

OFTEN = [
    Walk.say_text,
    Walk.say_bytes,
    Walk.say_in_fragments,
    Walk.say_ping,
    Walk.deliver,
    Walk.deliver,
    Walk.deliver_all,
    Walk.receive,
    Walk.receive_many,
    Walk.cancel_receive,
    Walk.cancel_while_a_message_comes,
    Walk.send,
    Walk.send,
]
SOMETIMES = [Walk.read_slowly, Walk.read_on, Walk.wait, Walk.say_pong, Walk.cancel_send]
SELDOM = [
    Walk.say_close,
    Walk.say_nonsense,
    Walk.leave,
    Walk.close,
    Walk.err,
    Walk.deny,
    Walk.accept,
    Walk.end,
    Walk.wait_long,
    Walk.drain,
    Walk.stop,
]

LAST = [
    [(Walk.be_served, 0)],
    [(Walk.deliver_all, 0)],
    [*[(Walk.say_text, 5)] * 12, (Walk.say_close, 2), (Walk.deliver, 10 * SEGMENT)],
]
"""What the client does last: it is patient, hasty, or hasty and polite."""

SIZES = st.integers(1, SEGMENT) | st.integers(1, 8)


class WebSocketMachine(RuleBasedStateMachine):
    """The steps in the order that Hypothesis thinks of, and finds the shortest of."""

    walk: Walk
    last: list[tuple[Step, int]]

    @initialize(accepted=st.sampled_from([True, True, True, False]), last=st.sampled_from(LAST))
    def connect(self, accepted: bool, last: list[tuple[Step, int]]) -> None:
        self.walk = Walk()
        self.last = last
        if accepted:
            self.run(Walk.accept, 0)

    def run(self, step: Step, size: int) -> None:
        self.walk.runner.run(self.walk.take(step, size))

    @rule(step=st.sampled_from(OFTEN * 4 + SOMETIMES * 3 + SELDOM), size=SIZES)
    def take(self, step: Step, size: int) -> None:
        self.run(step, size)

    @invariant()
    def everything_is_in_order(self) -> None:
        if hasattr(self, "walk"):
            self.walk.check()

    def teardown(self) -> None:
        if hasattr(self, "walk"):
            with self.walk.runner as runner:
                runner.run(self.walk.finish(self.last))


TestWebSocketMachine = WebSocketMachine.TestCase
TestWebSocketMachine.settings = settings(max_examples=100, stateful_step_count=60)
