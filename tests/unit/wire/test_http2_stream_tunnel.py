"""One HTTP/2 stream that becomes a tunnel: what comes before, in between and at its ends."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from daphne_like.testing import RecordedExchange
from tests.support.frames import CANCEL, NO_ERROR
from tests.support.http2 import Served

Connect = Callable[..., Served]
KIB = 1024

accepting = RecordedExchange.accept


class TestBytesAheadOfTheGrant:
    def test_they_wait_until_it_is_granted_and_come_in_order(self, connect: Connect) -> None:
        served = connect()
        asked = served.ask_for_a_tunnel()
        for data in (b"1", b"2"):
            asked.send(data)
        assert served.last.events == ["body_ended"]
        served.last.accept()
        assert served.last.body == b"", "not from within the application's own call"
        with served.in_one_segment():
            asked.send(b"3")
        served.turn()
        asked.send(b"4")
        assert served.last.body == b"1234"

    def test_the_next_ones_do_not_overtake_them(self, connect: Connect) -> None:
        served = connect()
        asked = served.ask_for_a_tunnel()
        asked.send(b"1")
        served.last.accept()
        served.client.upload(asked.number, b"2")
        served.wire.send(served.client.h2.data_to_send())
        assert served.last.pieces == []
        served.turn()
        assert served.last.pieces == [b"12"]

    def test_there_is_no_more_of_them_than_a_window(self, connect: Connect) -> None:
        served = connect(read_budget=64 * KIB)
        asked = served.ask_for_a_tunnel()
        asked.send(b"x" * (100 * KIB))
        assert served.client.waiting(asked.number) == 36 * KIB
        served.last.accept()
        served.turn()
        assert len(served.last.body) == 100 * KIB

    @pytest.mark.parametrize("how", ["answer", "abort"])
    def test_where_it_is_not_they_go_nowhere(self, connect: Connect, how: str) -> None:
        served = connect(http2_streams=2)
        for _ in range(20):
            asked = served.ask_for_a_tunnel()
            asked.send(b"x" * (40 * KIB))
            served.last.answer(b"no", 403) if how == "answer" else served.last.abort()
            asked.send(b"y" * (10 * KIB))
            assert served.last.body == b""
            if how == "answer":
                assert (asked.reply.status, asked.reply.body) == (403, b"no")
            asked.cancel()
        assert served.client.h2.outbound_flow_control_window >= 2 * 64 * KIB

    def test_those_of_one_that_has_ended_meanwhile_go_nowhere(self, connect: Connect) -> None:
        served = connect()
        asked = served.ask_for_a_tunnel()
        asked.send(b"late")
        served.last.accept()
        served.last.end()
        served.turn()
        assert served.last.body == b""
        assert asked.reply.complete

    def test_what_they_say_may_be_the_end(self, connect: Connect) -> None:
        served = connect()
        asked = served.ask_for_a_tunnel()
        for data in (b"good bye", b"and more"):
            asked.send(data)
        exchange = served.last
        exchange.body_received = lambda data: exchange.end()  # type: ignore[method-assign]
        exchange.accept()
        assert asked.reply.complete
        assert exchange.over == "ended"


class TestEnds:
    def test_a_client_that_ends_its_side_has_left(self, connect: Connect) -> None:
        served = connect(opened=accepting)
        asked = served.ask_for_a_tunnel()
        asked.send(b"abc", ended=True)
        assert served.last.body == b"abc"
        assert served.last.over == "the client closed its side"
        assert (asked.reply.complete, asked.reply.reset) == (True, None)

    def test_what_was_sent_to_it_is_still_on_its_way(self, connect: Connect) -> None:
        served = connect(opened=accepting, window=100, gives=False)
        asked = served.ask_for_a_tunnel()
        served.last.send(b"x" * 150)
        asked.end()
        assert served.last.unsent == 50
        served.client.give(50, asked.number)
        served.client.give(50)
        assert asked.reply.body == b"x" * 150
        assert asked.reply.complete

    @pytest.mark.parametrize("ahead", [b"", b"abc"])
    def test_it_may_have_ended_before_the_tunnel_is_there(
        self, connect: Connect, ahead: bytes
    ) -> None:
        served = connect()
        asked = served.ask_for_a_tunnel()
        asked.send(ahead, ended=True)
        assert served.last.over is None
        served.last.accept()
        served.turn()
        assert served.last.body == ahead
        assert served.last.over == "the client closed its side"
        assert asked.reply.complete

    def test_it_may_have_ended_with_its_head(self, connect: Connect) -> None:
        served = connect(opened=accepting)
        with served.in_one_segment():
            asked = served.ask_for_a_tunnel()
            asked.end()
        assert served.last.over == "the client closed its side"
        assert asked.reply.complete

    def test_an_application_may_end_it_before_it_hears_of_that(self, connect: Connect) -> None:
        served = connect()
        asked = served.ask_for_a_tunnel()
        asked.send(b"abc", ended=True)
        served.last.accept()
        served.last.end()
        served.turn()
        assert served.last.over == "ended"
        assert asked.reply.complete

    @pytest.mark.parametrize("granted", [False, True])
    def test_a_client_may_break_it_off(self, connect: Connect, granted: bool) -> None:
        served = connect(opened=accepting if granted else None)
        asked = served.ask_for_a_tunnel()
        asked.send(b"abc")
        asked.cancel()
        assert served.last.events[-1] == "disconnected"
        assert served.last.body == (b"abc" if granted else b"")

    def test_or_just_when_it_is_granted(self, connect: Connect) -> None:
        served = connect()
        asked = served.ask_for_a_tunnel()
        asked.send(b"abc")
        served.last.accept()
        served.client.reset(asked.number)
        served.wire.send(served.client.h2.data_to_send())
        assert served.last.events[-1] == "disconnected"
        served.turn()
        assert served.last.body == b""

    @pytest.mark.parametrize("others", [False, True])
    @pytest.mark.parametrize("last", [b"bye", b""])
    def test_one_that_the_application_ends_is_over_when_that_is_said(
        self, connect: Connect, last: bytes, others: bool
    ) -> None:
        served = connect(opened=accepting, linger=5)
        if others:
            served.ask_for_a_tunnel()
        asked = served.ask_for_a_tunnel()
        served.last.send(last)
        served.last.end()
        served.turn()
        assert (asked.reply.body, asked.reply.complete) == (last, True)
        assert asked.reply.reset == NO_ERROR

    @pytest.mark.parametrize("others", [False, True])
    @pytest.mark.parametrize("body", [b"no", b""])
    def test_so_is_one_that_was_refused(self, connect: Connect, body: bytes, others: bool) -> None:
        served = connect(linger=5)
        if others:
            served.ask_for_a_tunnel()
        asked = served.ask_for_a_tunnel()
        served.last.answer(body, 403)
        served.turn()
        assert (asked.reply.status, asked.reply.body, asked.reply.complete) == (403, body, True)
        assert asked.reply.reset == NO_ERROR

    def test_but_what_waits_for_the_client_is_sent_first(self, connect: Connect) -> None:
        served = connect(opened=accepting, window=100, gives=False, linger=5)
        asked = served.ask_for_a_tunnel()
        served.last.send(b"x" * 150)
        served.last.end()
        served.turn()
        assert (asked.reply.complete, asked.reply.reset) == (False, None)
        served.client.give(50, asked.number)
        served.client.give(50)
        assert (asked.reply.body, asked.reply.complete) == (b"x" * 150, True)
        served.wait(5)
        assert asked.reply.reset == NO_ERROR

    @pytest.mark.parametrize("granted", [False, True])
    def test_a_client_that_never_ends_its_side_may_have_one_after_the_other(
        self, connect: Connect, granted: bool
    ) -> None:
        """So does Firefox 153; the engine ends a connection that has too many of them."""
        served = connect(opened=accepting if granted else None, http2_streams=2)
        for _ in range(20):
            asked = served.ask_for_a_tunnel()
            served.last.end() if granted else served.last.answer(b"no", 403)
            assert asked.reply.complete
        assert not served.wire.eof

    def test_an_application_that_breaks_it_off_says_no_end(self, connect: Connect) -> None:
        served = connect(opened=accepting)
        asked = served.ask_for_a_tunnel()
        served.last.abort()
        assert asked.reply.reset == CANCEL
        assert not asked.reply.complete


class TestServers:
    def test_one_that_stops_tells_the_exchange(self, connect: Connect) -> None:
        served = connect(opened=accepting)
        asked = served.ask_for_a_tunnel()
        served.shared.drain(lambda: None)
        assert served.last.events[-1] == "drain"
        asked.send(b"still there")
        assert served.last.body == b"still there"

    def test_one_that_stops_waits_for_no_word_behind_the_last(self, connect: Connect) -> None:
        served = connect(opened=accepting)
        asked = served.ask_for_a_tunnel()
        emptied: list[bool] = []
        served.shared.drain(lambda: emptied.append(True))
        served.last.send(b"bye")
        served.last.end()
        served.turn()
        assert (asked.reply.body, asked.reply.reset) == (b"bye", NO_ERROR)
        assert emptied == [True]

    def test_one_that_opens_while_the_server_stops_is_told_so(self, connect: Connect) -> None:
        served = connect()
        served.ask()
        served.shared.drain(lambda: None)
        served.ask_for_a_tunnel()
        served.last.accept()
        assert "drain" not in served.last.events
        served.turn()
        assert "drain" in served.last.events


@pytest.mark.parametrize("http_timeout", [None, 5])
def test_the_times_of_requests_are_not_for_it(connect: Connect, http_timeout: float | None) -> None:
    served = connect(http_timeout=http_timeout, body_timeout=1, keep_alive=1, linger=1)
    served.ask_for_a_tunnel()
    for _ in range(60):
        served.wait(10)
    served.last.accept()
    for _ in range(60):
        served.wait(10)
    assert served.last.events == ["body_ended"]
    assert not served.wire.eof


@pytest.mark.parametrize("granted", [False, True])
def test_it_tells_what_it_does(connect: Connect, granted: bool) -> None:
    served = connect(opened=accepting if granted else None)
    served.ask_for_a_tunnel()
    shot = served.connection.snapshot()
    assert (shot.requests, shot.state) == (1, "request")
    assert shot.current[0].request is served.last.request
