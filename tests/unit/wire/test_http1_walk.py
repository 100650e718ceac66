"""HTTP1Connection in any order of events: what a client, an application and time can do to it.

The client sends a fixed script of requests, in segments of any size. Whatever happens in between,
requests come in order, one at a time and unchanged; responses go out in order and unchanged; and
a connection that nobody ends serves all of the script.
"""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from daphne_like.testing import RecordedExchange
from tests.support.http1 import Served, read_responses

BODY = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


def message(number: int, *fields: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join([b"POST /%d HTTP/1.1" % number, b"Host: a", *fields, b"", b""]) + body


def counted(number: int, body: bytes, *fields: bytes) -> tuple[bytes, bytes]:
    return message(number, b"Content-Length: %d" % len(body), *fields, body=body), body


def chunked(number: int, *pieces: bytes) -> tuple[bytes, bytes]:
    chunks = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (*pieces, b"")]
    return message(number, b"Transfer-Encoding: chunked", body=b"".join(chunks)), b"".join(pieces)


SCRIPT = [
    (message(0), b""),
    counted(1, BODY),
    (b"\r\n" + message(2), b""),
    chunked(3, b"ab", BODY, b"c" * 20),
    counted(4, BODY * 3, b"Expect: 100-continue"),
    chunked(5),
    counted(6, b"x" * 150),
    (message(7), b""),
    (message(8), b""),
    counted(9, b"y"),
]
BYTES = b"".join(raw for raw, _ in SCRIPT)
BODIES = [body for _, body in SCRIPT]

SEGMENT = 300
READ_BUDGET = 40


class Walk:
    """One connection, and what its client and its application have done so far."""

    def __init__(self, *, answers: bool, write_budget: int) -> None:
        self.at = 0
        self.sent: list[bytes] = []
        self.started = False
        self.read = 0
        self.served = Served(
            opened=self.opened,
            ended=self.answer_at_once if answers else None,
            reads=False,
            read_budget=READ_BUDGET,
            discard_size=200,
            write_budget=write_budget,
        )

    def opened(self, exchange: RecordedExchange) -> None:
        self.sent.append(b"")
        self.started = False
        self.read = 0

    def answer_at_once(self, exchange: RecordedExchange) -> None:
        if not self.started:
            self.sent[-1] = b"at once"
            exchange.answer(b"at once")

    @property
    def exchange(self) -> RecordedExchange | None:
        """The exchange that is not over."""
        exchanges = self.served.open.exchanges
        return exchanges[-1] if exchanges and not exchanges[-1].over else None

    # --- The client -----------------------------------------------------------------------

    def send(self, size: int) -> None:
        self.served.wire.send(BYTES[self.at : self.at + size])
        self.at += size

    def stop_reading(self, size: int) -> None:
        self.served.wire.stop_reading()

    def read_some(self, size: int) -> None:
        self.served.wire.read(size)

    def read_all(self, size: int) -> None:
        self.served.wire.read()

    def half_close(self, size: int) -> None:
        self.at = len(BYTES)
        self.served.wire.send_eof()

    def vanish(self, size: int) -> None:
        self.served.wire.vanish()

    # --- The application ------------------------------------------------------------------

    def answer(self, size: int) -> None:
        if self.exchange and not self.started:
            self.sent[-1] = b"z" * size
            self.exchange.answer(self.sent[-1])

    def start(self, size: int) -> None:
        if self.exchange and not self.started:
            self.started = True
            self.sent[-1] = b"z" * (size % 3)
            self.exchange.start(self.sent[-1])

    def send_body(self, size: int) -> None:
        if self.exchange and self.started:
            self.sent[-1] += b"z" * size
            self.exchange.stream.send_body(b"z" * size)

    def end(self, size: int) -> None:
        if self.exchange and self.started:
            self.exchange.end()

    def abort(self, size: int) -> None:
        if self.exchange:
            self.exchange.abort()

    def take_body(self, size: int) -> None:
        if self.exchange:
            self.exchange.stream.wanted()
            size = min(size, len(self.exchange.body) - self.read)
            self.read += size
            if size:
                self.exchange.stream.consumed(size)

    # --- Time -----------------------------------------------------------------------------

    def turn(self, size: int) -> None:
        self.served.turn()

    def wait(self, size: int) -> None:
        self.served.wait(size % 4)

    def wait_long(self, size: int) -> None:
        self.served.wait(size % 100)

    # --- What holds at any time -----------------------------------------------------------

    def check(self) -> None:
        self.check_requests()
        self.check_responses()
        if self.exchange:
            assert len(self.exchange.body) - self.read <= READ_BUDGET + SEGMENT

    def check_requests(self) -> None:
        exchanges = self.served.open.exchanges
        assert self.served.targets == [f"/{number}" for number in range(len(exchanges))]
        assert all(exchange.over for exchange in exchanges[:-1])
        for exchange, body in zip(exchanges, BODIES, strict=False):
            whole = "body_ended" in exchange.events
            assert exchange.body == body if whole else body.startswith(exchange.body)

    def check_responses(self) -> None:
        responses = read_responses(self.served.raw)
        assert all(response.complete for response in responses[:-1])
        if responses and responses[-1].status != 200:
            assert responses.pop().status in {400, 408}
        assert len(responses) <= len(self.sent)
        for response, body in zip(responses, self.sent, strict=False):
            assert response.status == 200
            assert response.body == body if response.complete else body.startswith(response.body)

    def finish(self) -> None:
        """All goes well from now on: what the server has not ended, it serves to the end."""
        wire = self.served.wire
        wire.read()
        self.served.turn()
        for _ in range(100):
            if wire.eof or wire.aborted or len(self.served.requests) == len(SCRIPT):
                break
            self.take_body(SEGMENT)
            if self.started:
                self.end(0)
            elif self.exchange and "body_ended" in self.exchange.events:
                self.answer(0)
            self.send(SEGMENT)
            self.served.turn()
            self.check()
        else:
            raise AssertionError("the connection is stuck")
        wire.vanish()
        self.served.turn()
        assert self.served.clock.getDelayedCalls() == []


OFTEN = [Walk.send] * 6 + [Walk.answer] * 2 + [Walk.take_body] * 3 + [Walk.turn] * 3
SOMETIMES = [Walk.stop_reading, Walk.read_some, Walk.read_all, Walk.start, Walk.end, Walk.wait]
SELDOM = [Walk.send_body, Walk.half_close, Walk.vanish, Walk.abort, Walk.wait_long]

SIZES = st.integers(1, SEGMENT) | st.integers(1, 5)


class HTTP1Machine(RuleBasedStateMachine):
    """The steps in the order that Hypothesis thinks of, and finds the shortest of."""

    @initialize(answers=st.booleans(), write_budget=st.sampled_from([10, 300, 65536]))
    def connect(self, answers: bool, write_budget: int) -> None:
        self.walk = Walk(answers=answers, write_budget=write_budget)

    @rule(step=st.sampled_from(OFTEN * 3 + SOMETIMES * 3 + SELDOM), size=SIZES)
    def take(self, step: Callable[[Walk, int], None], size: int) -> None:
        step(self.walk, size)

    @invariant()
    def everything_is_in_order(self) -> None:
        if hasattr(self, "walk"):
            self.walk.check()

    def teardown(self) -> None:
        if hasattr(self, "walk"):
            self.walk.finish()


TestHTTP1Machine = HTTP1Machine.TestCase
TestHTTP1Machine.settings = settings(max_examples=60, stateful_step_count=60)
