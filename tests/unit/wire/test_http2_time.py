"""How long an HTTP/2 connection waits for its client, and how it ends in order."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from daphne_like.testing import RecordedExchange
from tests.support.http1 import answering
from tests.support.http2 import (
    ALL_STREAMS,
    ENHANCE_YOUR_CALM,
    NO_ERROR,
    PROTOCOL_ERROR,
    Served,
    frame,
)

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
        assert served.last.events == ["body_ended", "drained"]

    def test_of_whom_nothing_is_known_takes_nothing(
        self, connect: Connect, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delattr("daphne_like.testing.memory.MemoryWire.unsent")
        served = self.slow(connect)
        served.wire.read(1)
        served.wait(60)
        assert served.wire.aborted


class TestServersThatStop:
    def test_an_idle_client_is_told_twice_and_let_go(self, connect: Connect) -> None:
        served = connect(ended=answering())
        served.ask()
        emptied: list[bool] = []
        served.shared.drain(lambda: emptied.append(True))
        served.turn()
        assert served.client.goodbyes == [BYE, (1, NO_ERROR)]
        assert (emptied, served.wire.aborted) == ([True], False)

    def test_what_it_has_asked_until_then_is_served(self, connect: Connect) -> None:
        served = connect()
        asked = [served.ask()]
        served.shared.drain(lambda: None)
        assert served.open.exchanges[0].events == ["body_ended", "drain"]
        asked.append(served.ask())
        assert served.client.goodbyes == [BYE, (3, NO_ERROR)]
        for exchange in served.open.exchanges:
            exchange.answer(b"done")
        assert [each.reply.body for each in asked] == [b"done"] * 2
        assert served.wire.closed

    def test_what_it_asks_later_is_not(self, connect: Connect) -> None:
        served = connect()
        asked = served.ask()
        served.shared.drain(lambda: None)
        served.turn()
        late = served.ask()
        assert len(served.requests) == 1
        served.last.answer(b"done")
        assert asked.reply.body == b"done"
        assert late.reply.status == 0
        assert served.wire.closed

    def test_one_that_does_not_answer_is_not_waited_for(self, connect: Connect) -> None:
        served = connect(linger=5)
        emptied: list[bool] = []
        served.shared.drain(lambda: emptied.append(True))
        with served.in_one_segment():
            served.clock.advance(0.9)
            assert not served.wire.eof
            served.clock.advance(0.1)
            assert served.wire.eof
            assert not served.wire.closed
            served.clock.advance(5)
            served.clock.advance(0)
        assert emptied == [True]
        assert served.wire.aborted

    def test_it_is_told_once_however_often_the_server_says_so(self, connect: Connect) -> None:
        served = connect()
        served.ask()
        for _ in range(3):
            served.shared.drain(lambda: None)
            served.turn()
        assert served.client.goodbyes == [BYE, (1, NO_ERROR)]
        served.wait(2)
        assert served.client.goodbyes == [BYE, (1, NO_ERROR)]

    def test_a_late_pong_changes_nothing(self, connect: Connect) -> None:
        served = connect()
        served.ask()
        with served.in_one_segment():
            served.shared.drain(lambda: None)
            served.clock.advance(1)
        assert served.client.goodbyes == [BYE, (1, NO_ERROR)]
        assert not served.wire.eof

    def test_a_pong_to_another_ping_means_nothing(self, connect: Connect) -> None:
        served = connect(http2_ping_interval=30)
        served.ask()
        served.wait(30)
        assert served.client.goodbyes == []
        served.wire.send(frame(6, 1, 0, b"goodbye "))
        assert served.client.goodbyes == []

    def test_one_that_is_being_closed_is_not_told_again(self, connect: Connect) -> None:
        served = connect(linger=5, head_timeout=30)
        with served.in_one_segment():
            served.clock.advance(30)
            assert served.wire.eof
            served.shared.drain(lambda: None)
        assert served.client.goodbyes == [(0, NO_ERROR)]

    def test_what_waits_for_a_slow_client_still_leaves(self, connect: Connect) -> None:
        served = connect(write_budget=KIB, linger=5, write_timeout=60)
        asked = served.ask()
        served.stop_reading()
        served.last.answer(b"x" * 200 * KIB)
        served.shared.drain(lambda: None)
        for _ in range(20):
            served.wait(30)
            served.wire.read(KIB)
        assert not served.wire.eof
        served.read_on()
        assert asked.reply.body == b"x" * 200 * KIB
        assert served.client.goodbyes[-1] == (1, NO_ERROR)
        assert served.wire.closed

    def test_unless_it_takes_nothing(self, connect: Connect) -> None:
        served = connect(write_budget=KIB, linger=5, write_timeout=60)
        served.ask()
        served.stop_reading()
        served.last.answer(b"x" * 200 * KIB)
        served.shared.drain(lambda: None)
        served.wait(60)
        assert served.wire.aborted

    def test_one_whose_time_is_over_cuts_it(self, connect: Connect) -> None:
        served = connect()
        served.ask()
        served.shared.abort()
        assert served.last.over == "the server stops"
        assert served.wire.aborted


class TestClientsThatBreakTheRules:
    def test_one_that_reads_hears_of_it(self, connect: Connect) -> None:
        served = connect()
        served.ask()
        served.wire.send(frame(0, 0, 0))
        served.turn()
        assert served.client.goodbyes == [(1, PROTOCOL_ERROR)]
        assert served.wire.closed

    def test_one_that_reads_slowly_does_after_all_else(self, connect: Connect) -> None:
        served = connect(write_budget=KIB, linger=5, write_timeout=60)
        served.ask()
        served.stop_reading()
        served.last.start(b"x" * 10 * KIB)
        served.wire.send(frame(0, 0, 0))
        served.wait(30)
        assert not served.wire.closed
        served.read_on()
        assert served.client.goodbyes == [(1, PROTOCOL_ERROR)]
        assert served.wire.closed
        assert not served.wire.aborted

    @pytest.mark.parametrize("at_once", [False, True])
    def test_one_that_asks_too_much_too(self, connect: Connect, at_once: bool) -> None:
        served = connect(http2_control_frames=5, write_budget=KIB, write_timeout=60)
        served.ask()
        served.stop_reading()
        served.last.start(b"x" * 10 * KIB)
        pings = [frame(6, 0, 0, b"12345678")] * 20
        served.wire.send(*([b"".join(pings)] if at_once else pings))
        assert served.last.events[-1] == "disconnected"
        served.wait(30)
        assert not served.wire.closed
        served.read_on()
        assert served.client.goodbyes == [(1, ENHANCE_YOUR_CALM)]
        assert served.wire.closed

    def test_the_last_request_may_come_with_what_breaks_them(self, connect: Connect) -> None:
        served = connect(connection_requests=1, http2_ping_interval=30)
        with served.in_one_segment():
            served.ask()
            said = served.client.h2.data_to_send()
            served.wire.send(said + frame(0, 0, 0))
        assert served.last.events == ["body_ended", "disconnected"]
        assert served.client.goodbyes[-1] == (1, PROTOCOL_ERROR)


class TestRequests:
    """One connection may carry so many."""

    def test_with_the_last_of_them_it_ends(self, connect: Connect) -> None:
        served = connect(connection_requests=3, ended=answering(b"hi"))
        for number in range(3):
            assert served.client.goodbyes == []
            assert served.ask().reply.body == b"hi", number
        assert served.client.goodbyes == [BYE, (5, NO_ERROR)]
        assert served.wire.closed

    def test_a_stream_that_goes_on_does_not_keep_others_coming(self, connect: Connect) -> None:
        served = connect(connection_requests=3)
        tunnel = served.ask_for_a_tunnel()
        served.last.accept()
        for _ in range(2):
            served.ask()
            served.last.answer()
        served.turn()
        assert served.client.goodbyes == [BYE, (5, NO_ERROR)]
        late = served.ask()
        assert late.reply.status == 0
        assert len(served.requests) == 3
        tunnel.send(b"still there")
        assert served.open.exchanges[0].body == b"still there"
        tunnel.end()
        assert served.wire.closed

    def test_without_a_limit_it_goes_on(self, connect: Connect) -> None:
        served = connect(connection_requests=0, ended=answering())
        for _ in range(300):
            served.ask()
        assert served.client.goodbyes == []


def test_a_timer_is_not_made_anew_for_each_request(connect: Connect) -> None:
    served = connect(http_timeout=5, ended=RecordedExchange.answer)
    served.ask()
    before = served.clock.getDelayedCalls()
    for _ in range(100):
        served.ask("POST", body=b"abc")
    assert set(served.clock.getDelayedCalls()) <= set(before)
