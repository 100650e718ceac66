"""How long an HTTP/2 connection waits for its client."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from daphne_like.testing import RecordedExchange
from tests.support.frames import NO_ERROR
from tests.support.http1 import answering
from tests.support.http2 import ALL_STREAMS, Served

Connect = Callable[..., Served]
KIB = 1024
BYE = (ALL_STREAMS, NO_ERROR)


class TestIdle:
    def test_who_asks_for_nothing_is_let_go(self, connect: Connect) -> None:
        served = connect(head_timeout=30)
        served.wait(29)
        assert not served.wire.eof
        served.wait(1)
        assert served.client.goodbyes == [(0, NO_ERROR)]
        assert served.wire.closed
        assert not served.wire.aborted

    def test_who_has_asked_may_take_longer(self, connect: Connect) -> None:
        served = connect(head_timeout=30, keep_alive=75, ended=answering())
        for _ in range(3):
            served.ask()
            served.wait(74)
        assert not served.wire.eof
        served.wait(1)
        assert served.client.goodbyes == [(5, NO_ERROR)]
        assert served.wire.closed

    def test_one_who_is_served_is_not_idle(self, connect: Connect) -> None:
        served = connect(head_timeout=30, keep_alive=40)
        served.ask()
        served.wait(1000)
        assert not served.wire.eof
        served.last.answer()
        served.wait(39)
        assert not served.wire.eof
        served.wait(1)
        assert served.wire.closed

    def test_pings_are_no_reason_to_stay(self, connect: Connect) -> None:
        served = connect(head_timeout=30)
        for _ in range(3):
            served.client.h2.ping(b"12345678")
            served.wait(10)
        assert served.wire.closed


class TestStreams:
    """One alarm rings for all of them."""

    def test_each_has_its_own_time(self, connect: Connect) -> None:
        served = connect(http_timeout=10)
        for _ in range(4):
            served.ask()
            served.wait(2)
        for number, exchange in enumerate(served.open.exchanges):
            served.wait(2)
            assert exchange.events[-1] == "timed_out"
            later = served.open.exchanges[number + 1 :]
            assert not any("timed_out" in other.events for other in later)

    @pytest.mark.parametrize("shut", [False, True])
    def test_the_window_of_all_is_not_the_fault_of_one(self, connect: Connect, shut: bool) -> None:
        served = connect(window=65535, gives=False, write_timeout=60, write_budget=200 * KIB)
        asked = [served.ask(), served.ask()]
        served.client.give(65535, asked[0].number)
        for exchange, size in zip(served.open.exchanges, (2 * 65535, 65535), strict=True):
            exchange.start(b"x" * size)
        for _ in range(3):
            if not shut:
                served.client.give(100)
            served.client.give(1, asked[0].number)
            served.wait(50)
        assert [exchange.over is not None for exchange in served.open.exchanges] == [shut] * 2

    def test_nor_is_the_transport(self, connect: Connect) -> None:
        served = connect(write_timeout=60, write_budget=KIB, window=10 * KIB, gives=False)
        first, second = served.ask(), served.ask()
        served.open.exchanges[0].start(b"x" * 11 * KIB)
        served.wait(30)
        served.stop_reading()
        served.open.exchanges[1].start(b"y" * 5 * KIB)
        served.wait(31)
        assert served.connection.full
        assert [exchange.over for exchange in served.open.exchanges] == [None] * 2
        served.read_on()
        assert (len(first.reply.body), len(second.reply.body)) == (10 * KIB, 5 * KIB)


class TestPulse:
    def test_one_that_is_served_and_silent_is_pinged(self, connect: Connect) -> None:
        served = connect(http2_ping_interval=30, http2_ping_timeout=20)
        served.ask()
        for _ in range(10):
            served.wait(30)
        assert len(served.frames("PING")) == 10
        assert served.last.over is None

    def test_one_that_does_not_answer_is_cut(self, connect: Connect) -> None:
        served = connect(http2_ping_interval=30, http2_ping_timeout=20)
        served.ask()
        with served.in_one_segment():
            served.clock.advance(30)
            served.clock.advance(19.9)
            assert served.last.over is None
            served.clock.advance(0.1)
            assert served.last.over == "no answer to a ping"
        assert served.wire.aborted

    def test_anything_that_it_sends_is_an_answer(self, connect: Connect) -> None:
        served = connect(http2_ping_interval=30, http2_ping_timeout=20)
        served.ask()
        served.client.h2.ping(b"12345678")
        said = served.client.h2.data_to_send()
        with served.in_one_segment():
            served.clock.advance(30)
            served.wire.send(said)
            served.clock.advance(20)
            assert served.last.over is None

    def test_one_that_says_something_now_and_then_is_not_pinged(self, connect: Connect) -> None:
        served = connect(http2_ping_interval=30)
        asked = served.ask("POST", more=True)
        for _ in range(10):
            served.wait(20)
            asked.send(b"x" * KIB * 8)
        assert served.frames("PING") == []

    def test_nor_is_one_who_waits_for_nothing(self, connect: Connect) -> None:
        served = connect(http2_ping_interval=30, ended=answering(), keep_alive=300)
        served.ask()
        served.wait(200)
        assert served.frames("PING") == []
        served.ask()
        served.wait(200)
        assert served.frames("PING") == []

    def test_there_may_be_none(self, connect: Connect) -> None:
        served = connect(http2_ping_interval=0)
        served.ask()
        served.wait(1000)
        assert served.frames("PING") == []

    def test_one_that_reads_slowly_is_alive(self, connect: Connect) -> None:
        served = connect(http2_ping_interval=30, http2_ping_timeout=20, write_budget=KIB)
        served.ask()
        served.stop_reading()
        served.last.start(b"x" * 100 * KIB)
        for _ in range(20):
            served.wait(10)
            served.wire.read(100)
        assert served.last.over is None
        served.wire.read(50 * KIB)
        served.wait(29)
        served.read_on()
        assert served.frames("PING") == []
        assert served.last.over is None


class TestReading:
    def slow(self, connect: Connect) -> Served:
        served = connect(write_budget=KIB, write_timeout=60)
        served.ask()
        served.stop_reading()
        served.last.start(b"x" * 10 * KIB)
        assert served.connection.full
        return served

    def test_who_takes_nothing_is_cut(self, connect: Connect) -> None:
        served = self.slow(connect)
        served.wait(59)
        assert served.last.over is None
        served.wait(1)
        assert served.last.over == "the client takes nothing of the responses"
        assert served.wire.aborted

    def test_who_takes_something_each_time_may_go_on(self, connect: Connect) -> None:
        served = self.slow(connect)
        for _ in range(20):
            served.wait(59)
            served.wire.read(1)
        assert served.last.over is None

    def test_who_has_taken_all_may_wait(self, connect: Connect) -> None:
        served = self.slow(connect)
        served.read_on()
        served.wait(100)
        assert served.last.events == ["body_ended"]

    def test_of_whom_nothing_is_known_takes_nothing(
        self, connect: Connect, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delattr("daphne_like.testing.memory.MemoryWire.unsent")
        served = self.slow(connect)
        served.wire.read(1)
        served.wait(60)
        assert served.wire.aborted


def test_a_timer_is_not_made_anew_for_each_request(connect: Connect) -> None:
    served = connect(http_timeout=5, ended=RecordedExchange.answer)
    served.ask()
    before = served.clock.getDelayedCalls()
    for _ in range(100):
        served.ask("POST", body=b"abc")
    assert set(served.clock.getDelayedCalls()) <= set(before)
