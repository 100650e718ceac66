"""How an HTTP/2 connection ends: in order, by its limit, or because the rules were broken."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from daphne_like.testing import MemoryWire
from daphne_like.wire.http2 import HTTP2Connection
from tests.support.frames import ACK, DATA, ENHANCE_YOUR_CALM, NO_ERROR, PING, PROTOCOL_ERROR, frame
from tests.support.http1 import answering
from tests.support.http2 import ALL_STREAMS, Client, Served, pseudo

Connect = Callable[..., Served]
KIB = 1024
BYE = (ALL_STREAMS, NO_ERROR)


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
        served.wire.send(frame(PING, b"goodbye ", ACK))
        assert served.client.goodbyes == []

    def test_nor_does_one_that_comes_late(self, connect: Connect) -> None:
        """The client cannot have heard of the end when it sent it."""
        served = connect(http2_ping_interval=30)
        served.ask()
        with served.in_one_segment():
            served.clock.advance(30)
            served.shared.drain(lambda: None)
            served.wire.send(frame(PING, b"there?  ", ACK))
            assert bytes(served.wire.received).count(b"goodbye ") == 1
            on_its_way = served.client.ask(pseudo(), ended=True)
        assert served.client.goodbyes == [BYE, (on_its_way, NO_ERROR)]

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

    def test_one_that_comes_while_it_stops_is_told_so(self) -> None:
        client, at = Client(65535), Served(linger=5)
        client.ask(pseudo(), ended=True)
        at.shared.draining = True
        wire = MemoryWire(HTTP2Connection(at.shared), at.clock)
        wire.send(client.h2.data_to_send())
        client.receive(bytes(wire.received))
        assert client.goodbyes == [BYE]
        assert len(at.requests) == 1


class TestClientsThatBreakTheRules:
    def test_one_that_reads_hears_of_it(self, connect: Connect) -> None:
        served = connect()
        served.ask()
        served.wire.send(frame(DATA))
        served.turn()
        assert served.client.goodbyes == [(1, PROTOCOL_ERROR)]
        assert served.wire.closed

    def test_one_that_reads_slowly_does_after_all_else(self, connect: Connect) -> None:
        served = connect(write_budget=KIB, linger=5, write_timeout=60)
        served.ask()
        served.stop_reading()
        served.last.start(b"x" * 10 * KIB)
        served.wire.send(frame(DATA))
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
        pings = [frame(PING, b"12345678")] * 20
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
            served.wire.send(said + frame(DATA))
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
