"""HTTP2Connection in any order of events: what a client, applications and time can do to it.

Whatever happens, no stream hears or says what belongs to another, each exchange is told of its end
once, the client sees nothing that breaks the rules, and a connection that nobody ends serves all
that is asked of it, with all the room that it had.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from h2.exceptions import FlowControlError
from h2.settings import SettingCodes
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from daphne_like.testing import RecordedExchange
from tests.support.frames import priority_update
from tests.support.http2 import ALL_STREAMS, Asked, Served, connecting, pseudo

STREAMS = 6
READ_BUDGET = 1000
LONG = 3000


class Walk:
    """One connection, and what its client and its applications have done so far."""

    def __init__(self, *, at_once: bool, window: int, write_budget: int) -> None:
        self.asked: dict[bytes, Asked] = {}
        self.uploads: dict[bytes, bytes] = {}
        self.open: list[Asked] = []
        self.sent: dict[RecordedExchange, bytes] = {}
        self.started: set[RecordedExchange] = set()
        self.taken: dict[RecordedExchange, int] = {}
        self.at_once = at_once
        self.served = Served(
            opened=self.opened,
            reads=False,
            window=window,
            gives=False,
            write_budget=write_budget,
            read_budget=READ_BUDGET,
            http2_streams=STREAMS,
            discard_size=500,
            http_timeout=50,
        )
        self.client = self.served.client
        self.room = self.client.h2.outbound_flow_control_window
        self.served._held = True

    def opened(self, exchange: RecordedExchange) -> None:
        self.sent[exchange] = b""
        self.taken[exchange] = 0
        if self.at_once:
            self.respond(exchange, b"at once")

    # --- Whom it concerns ---------------------------------------------------------------------

    @property
    def gone(self) -> bool:
        wire = self.served.wire
        return wire.eof or wire.aborted

    @property
    def leaving(self) -> bool:
        return any(last != ALL_STREAMS for last, _ in self.client.goodbyes)

    def one(self, size: int) -> Asked | None:
        return self.open[size % len(self.open)] if self.open and not self.gone else None

    def exchange(self, size: int) -> RecordedExchange | None:
        live = [each for each in self.served.open.exchanges if not each.over]
        return live[size % len(live)] if live else None

    # --- The client ---------------------------------------------------------------------------

    def ask(self, size: int) -> None:
        self.begin(pseudo("GET", self.name), ended=True)

    def ask_more(self, size: int) -> None:
        expect = [(b"expect", b"100-continue")] * (size % 2)
        self.begin([*pseudo("POST", self.name), *expect], ended=False)

    def ask_for_a_tunnel(self, size: int) -> None:
        self.begin(connecting(self.name), ended=False)

    @property
    def name(self) -> bytes:
        return b"/%d" % len(self.asked)

    def begin(self, head: Any, *, ended: bool) -> None:
        busy = self.client.h2.open_outbound_streams
        if self.gone or self.leaving or busy >= STREAMS:
            return
        name = self.name
        asked = self.asked[name] = Asked(self.served, self.client.ask(head, ended=ended))
        self.uploads[name] = b""
        if not ended:
            self.open.append(asked)

    def upload(self, size: int) -> None:
        if asked := self.one(size):
            name = next(name for name, each in self.asked.items() if each is asked)
            data = (b"%b:" % name) * (size // 3)
            self.uploads[name] += data
            self.client.upload(asked.number, data)

    def end_upload(self, size: int) -> None:
        if asked := self.one(size):
            self.open.remove(asked)
            self.client.upload(asked.number, ended=True)

    def reset(self, size: int) -> None:
        if asked := self.one(size):
            self.open.remove(asked)
            self.client.reset(asked.number)

    def give(self, size: int) -> None:
        for number in [None, *[asked.number for asked in self.asked.values()]]:
            with suppress(FlowControlError):
                self.client.give(size + 1, number)

    def give_one(self, size: int) -> None:
        if asked := self.one(size):
            self.client.give(size + 1, asked.number)

    def change_window(self, size: int) -> None:
        self.client.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: size})

    def prioritize(self, size: int) -> None:
        if asked := self.one(size):
            self.say(priority_update(asked.number, b"u=%d, i" % (size % 8)))

    def ping(self, size: int) -> None:
        self.client.h2.ping(b"12345678")

    def say(self, more: bytes = b"", size: int = LONG) -> None:
        said = self.client.h2.data_to_send() + more
        if not self.served.wire.closed:
            self.served.wire.send(*[said[at : at + size] for at in range(0, len(said), size)])

    def deliver(self, size: int) -> None:
        self.say(size=size + 1)

    def hear(self, size: int) -> None:
        read = bytes(self.served.wire.received[self.served._read :])
        self.served._read += len(read)
        self.client.receive(read)

    def stop_reading(self, size: int) -> None:
        self.served.wire.stop_reading()

    def read_some(self, size: int) -> None:
        self.served.wire.read(size)

    def read_all(self, size: int) -> None:
        self.served.wire.read()

    def half_close(self, size: int) -> None:
        self.served.wire.send_eof()

    def vanish(self, size: int) -> None:
        self.served.wire.vanish()

    # --- The applications ---------------------------------------------------------------------

    def answer(self, size: int) -> None:
        if exchange := self.exchange(size):
            self.respond(exchange, b"%b=" % exchange.request.raw_path * (size // 3))

    def respond(self, exchange: RecordedExchange, body: bytes) -> None:
        if exchange in self.started:
            exchange.end()
        else:
            self.sent[exchange] = body
            exchange.answer(body)

    def start(self, size: int) -> None:
        exchange = self.exchange(size)
        if exchange is None or exchange in self.started:
            return
        self.started.add(exchange)
        if exchange.request.upgrade:
            exchange.accept()
        else:
            exchange.start()

    def send(self, size: int) -> None:
        exchange = self.exchange(size)
        if exchange in self.started:
            data = b"%b=" % exchange.request.raw_path * (size // 3)
            self.sent[exchange] += data
            exchange.send(data)

    def abort(self, size: int) -> None:
        if exchange := self.exchange(size):
            exchange.abort()

    def take_body(self, size: int) -> None:
        if exchange := self.exchange(size):
            exchange.stream.wanted()
            size = min(size + 1, len(exchange.body) - self.taken[exchange])
            self.taken[exchange] += size
            if size:
                exchange.stream.consumed(size)

    def hint(self, size: int) -> None:
        exchange = self.exchange(size)
        there = exchange.stream.supports if exchange else ()
        if "http.response.early_hint" in there and exchange not in self.started:
            exchange.stream.send_hints([(b"link", b"</a>")])

    def push(self, size: int) -> None:
        exchange = self.exchange(size)
        if exchange and "http.response.push" in exchange.stream.supports:
            exchange.stream.push(b"/pushed", [])

    # --- Time ---------------------------------------------------------------------------------

    def turn(self, size: int) -> None:
        self.served.clock.advance(0)

    def turn_all(self, size: int) -> None:
        self.served._held = False
        self.served.turn()
        self.served._held = True

    def wait(self, size: int) -> None:
        self.served.clock.advance(size % 4)

    def wait_long(self, size: int) -> None:
        self.served.clock.advance(size % 100)

    def drain(self, size: int) -> None:
        if not self.served.shared.draining:
            self.served.shared.drain(list)

    # --- What holds at any time ---------------------------------------------------------------

    def check(self) -> None:
        for exchange in self.served.open.exchanges:
            name = exchange.request.raw_path
            assert exchange.events.count("disconnected") <= 1
            assert self.uploads.get(name, b"").startswith(exchange.body)
            assert len(exchange.body) - self.taken[exchange] <= READ_BUDGET
            if name in self.asked:
                reply = self.client.replies[self.asked[name].number]
                assert reply.status in {0, 200, 408}
                if reply.status == 200:
                    self.check_body(reply, self.sent[exchange])

    def check_body(self, reply: Any, sent: bytes) -> None:
        if reply.complete:
            assert reply.body == sent
        else:
            assert sent.startswith(reply.body)

    def finish(self) -> None:
        """All goes well from now on: what nobody has ended is served to the end."""
        self.served.wire.read()
        self.turn_all(0)
        for step in range(100):
            if self.gone or not self.go_on():
                break
            self.turn_all(0)
            # The rest of a body that nobody takes is not thrown away without end.
            self.wait(step // 50)
            self.check()
        else:
            raise AssertionError("the connection is stuck")
        if not self.gone:
            self.check_end()
        self.served.wire.vanish()
        self.turn_all(0)
        assert self.served.clock.getDelayedCalls() == []
        assert all(exchange.over for exchange in self.served.open.exchanges)

    def go_on(self) -> bool:
        """Let everything that is still there come nearer to its end; false when nothing is."""
        while self.open:
            self.end_upload(0)
        self.give(LONG)
        for number in [number for number in self.client.replies if number % 2 == 0]:
            self.client.give(LONG, number)
        live = [exchange for exchange in self.served.open.exchanges if not exchange.over]
        for exchange in live:
            if not exchange.over:
                self.finish_one(exchange)
        return bool(live or self.served.connection._streams)

    def finish_one(self, exchange: RecordedExchange) -> None:
        waiting = len(exchange.body) - self.taken[exchange]
        self.taken[exchange] += waiting
        if exchange.request.upgrade and exchange not in self.started:
            self.started.add(exchange)
            exchange.accept()
        elif waiting:
            exchange.stream.consumed(waiting)
        elif "body_ended" in exchange.events:
            self.respond(exchange, b"")

    def check_end(self) -> None:
        last = min((last for last, _ in self.client.goodbyes), default=ALL_STREAMS)
        for number, reply in self.client.replies.items():
            served = reply.complete or reply.reset is not None
            assert served or number in self.client.forgotten or number > last
        assert self.client.h2.outbound_flow_control_window >= self.room // 2


OFTEN = [Walk.ask, Walk.ask_more, Walk.upload, Walk.deliver, Walk.hear, Walk.turn_all]
USUALLY = [
    Walk.answer,
    Walk.start,
    Walk.send,
    Walk.take_body,
    Walk.give,
    Walk.turn,
    Walk.end_upload,
]
SOMETIMES = [Walk.ask_for_a_tunnel, Walk.reset, Walk.give_one, Walk.change_window, Walk.push]
SOMETIMES += [Walk.stop_reading, Walk.read_some, Walk.read_all, Walk.hint, Walk.wait, Walk.abort]
SELDOM = [Walk.prioritize, Walk.ping, Walk.wait_long, Walk.drain, Walk.half_close, Walk.vanish]

SIZES = st.integers(0, LONG) | st.integers(0, 9)


class HTTP2Machine(RuleBasedStateMachine):
    """The steps in the order that Hypothesis thinks of, and finds the shortest of."""

    @initialize(
        at_once=st.booleans(),
        window=st.sampled_from([0, 100, 65535]),
        write_budget=st.sampled_from([10, 300, 65536]),
    )
    def connect(self, at_once: bool, window: int, write_budget: int) -> None:
        self.walk = Walk(at_once=at_once, window=window, write_budget=write_budget)

    @rule(step=st.sampled_from(OFTEN * 6 + USUALLY * 6 + SOMETIMES * 3 + SELDOM), size=SIZES)
    def take(self, step: Callable[[Walk, int], None], size: int) -> None:
        step(self.walk, size)

    @invariant()
    def everything_is_in_order(self) -> None:
        if hasattr(self, "walk"):
            self.walk.check()

    def teardown(self) -> None:
        if hasattr(self, "walk"):
            self.walk.finish()


TestHTTP2Machine = HTTP2Machine.TestCase
TestHTTP2Machine.settings = settings(
    max_examples=60, stateful_step_count=60, report_multiple_bugs=False
)
