"""HTTP1Connection: how it ends, by the client, by time, by the application and by the server."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from daphne_like.exchange import ResponseHead
from daphne_like.testing import MemoryWire, RecordedExchange
from daphne_like.wire.http1 import HTTP1Connection
from tests.support.http1 import (
    GET,
    GONE,
    SMUGGLED,
    Served,
    answering,
    expect_clean_end,
    nothing,
    seconds_until_it_is_over,
)

Serve = Callable[..., Served]

POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
CLOSE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


class TestHalfClose:
    def test_a_client_that_has_sent_all_still_gets_its_answer(self, serve: Serve) -> None:
        served = serve().send(GET).send_eof()
        assert served.last.events == ["body_ended"]
        served.last.answer(b"hi")
        served.turn()
        assert served.response.body == b"hi"
        assert served.response[b"connection"] == b"close"
        expect_clean_end(served)

    def test_it_gets_the_answers_to_all_that_it_has_sent(self, serve: Serve) -> None:
        served = serve().send(GET + GET).send_eof()
        for _ in range(2):
            served.last.answer()
            served.turn()
        assert len(served.responses) == 2
        expect_clean_end(served)

    @pytest.mark.parametrize("requests", [1, 2])
    def test_its_patience_is_not_believed_for_ever(self, serve: Serve, requests: int) -> None:
        served = serve(half_close_grace=10).send(GET * requests).send_eof()
        for _ in range(requests - 1):
            served.wait(9)
            served.last.answer()
            served.turn()
        served.wait(9.9)
        assert served.last.over is None
        served.wait(0.1)
        assert served.last.over == "the client closed its side and waited too long"
        assert served.wire.aborted

    def test_an_answer_that_has_begun_may_take_longer(self, serve: Serve) -> None:
        served = serve(half_close_grace=10).send(GET).send_eof()
        served.last.start(b"a")
        served.wait(3600)
        assert served.last.over is None
        served.last.end()
        served.turn()
        assert served.response.body == b"a"
        expect_clean_end(served)

    @pytest.mark.parametrize("early", [False, True])
    def test_one_without_a_body_never_writes_again(self, serve: Serve, early: bool) -> None:
        served = serve(half_close_grace=10).send(b"HEAD" + GET[3:])
        if early:
            served.last.stream.send_head(ResponseHead(200, [], bodiless=True))
        served.send_eof()
        if not early:
            served.last.stream.send_head(ResponseHead(200, [], bodiless=True))
        served.wait(9.9)
        assert served.last.over is None
        served.wait(0.1)
        assert served.last.over == "the client closed its side and waited too long"

    def test_one_behind_a_response_without_a_body_may_take_longer(self, serve: Serve) -> None:
        served = serve(half_close_grace=10).send(b"HEAD" + GET[3:])
        served.last.stream.send_head(ResponseHead(200, [], bodiless=True))
        served.last.end()
        served.turn()
        served.send(GET).send_eof()
        served.last.start(b"a")
        served.wait(3600)
        assert served.last.over is None

    def test_the_time_for_the_exchange_goes_on(self, serve: Serve) -> None:
        served = serve(half_close_grace=10, http_timeout=60).send(GET).send_eof()
        served.last.start(b"a")
        served.wait(59)
        assert "timed_out" not in served.last.events
        served.wait(1)
        assert served.last.events == ["body_ended", "timed_out"]

    @pytest.mark.parametrize("full", [False, True])
    def test_it_may_tell_of_it_between_two_requests(self, serve: Serve, full: bool) -> None:
        served = serve(ended=answering(b"x" * 100), write_budget=50)
        if full:
            served.wire.stop_reading()
        served.wire.send(GET + GET)
        served.connection.readConnectionLost()
        served.wire.read()
        served.turn()
        assert [len(response.body) for response in served.responses] == [100, 100]
        expect_clean_end(served)

    def test_an_idle_connection_is_closed(self, serve: Serve) -> None:
        expect_clean_end(serve().send_eof())
        expect_clean_end(serve(ended=answering()).send(GET).send_eof())
        expect_clean_end(serve(ended=answering()).send(GET + GET).send_eof())

    def test_a_part_of_a_head_is_not_answered(self, serve: Serve) -> None:
        served = serve().send(GET[:9]).send_eof()
        assert served.raw == b""
        expect_clean_end(served)

    def test_a_part_of_a_head_behind_a_request_neither(self, serve: Serve) -> None:
        served = serve().send(GET + GET[:9])
        served.connection.readConnectionLost()
        served.last.answer()
        served.turn()
        assert len(served.responses) == 1
        expect_clean_end(served)

    def test_a_transport_may_tell_of_it_before_all_is_read(self, serve: Serve) -> None:
        served = serve(half_close_grace=10).send(GET + GET)
        served.connection.readConnectionLost()
        served.wait(9)
        served.last.answer()
        served.wait(9)
        assert len(served.requests) == 2
        assert served.last.over is None
        served.wait(1)
        assert served.last.over == "the client closed its side and waited too long"

    @pytest.mark.parametrize("head", [POST + b"hel", CHUNKED + b"5\r\nhel"])
    def test_a_body_that_is_not_whole_is_refused(
        self, serve: Serve, head: bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        served = serve().send(head).send_eof()
        assert served.last.events == ["disconnected"]
        assert served.last.over == "the body ended early"
        assert [line.levelno for line in caplog.records] == [logging.INFO], "it has just left"
        assert served.response.status == 400
        expect_clean_end(served)

    def test_a_body_that_nobody_waits_for_may_end_early(self, serve: Serve) -> None:
        served = serve(opened=answering()).send(POST).send_eof()
        assert served.response.status == 200
        expect_clean_end(served)

    def test_a_slow_client_gets_all_before_the_end(self, serve: Serve) -> None:
        served = serve(ended=answering(b"x" * 1000), write_budget=100)
        served.wire.stop_reading()
        served.send(GET).wire.resumeProducing()
        served.send_eof()
        served.wire.read()
        served.turn()
        assert len(served.response.body) == 1000
        expect_clean_end(served)


class TestLostConnections:
    def test_the_exchange_is_told(self, serve: Serve) -> None:
        served = serve().send(POST)
        served.wire.vanish("gone")
        assert served.last.events == ["disconnected"]
        assert "gone" in str(served.last.over)

    def test_between_exchanges_nobody_is(self, serve: Serve) -> None:
        served = serve(ended=answering()).send(GET)
        served.wire.vanish()
        assert served.last.events == ["body_ended"]

    @pytest.mark.parametrize("how", ["vanish", "cut"])
    def test_what_the_client_never_got_is_told(self, serve: Serve, how: str) -> None:
        served = serve()
        served.wire.stop_reading()
        served.send(GET).last.start(b"x" * 500)
        waiting = len(served.wire.outgoing)
        served.wire.vanish() if how == "vanish" else served.connection.cut("enough")
        assert served.last.unsent == waiting > 500
        assert served.last.refused is None

    def test_a_body_that_breaks_after_the_head_refuses_nothing(self, serve: Serve) -> None:
        served = serve().send(POST)
        served.last.start(b"x")
        served.send_eof()
        assert served.last.refused is None


class TestSlowReaders:
    def test_of_a_foreign_transport_only_what_is_taken_whole_counts(
        self, serve: Serve, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delattr("daphne_like.testing.memory.MemoryWire.unsent")
        served = serve(write_budget=100, write_timeout=60)
        served.wire.stop_reading()
        served.send(GET).last.start(b"x" * 200)
        served.wait(59)
        served.wire.read(100)
        served.wait(1)
        assert served.last.events[-1] == GONE

    def test_a_body_is_waited_for_again_when_the_response_is_taken(self, serve: Serve) -> None:
        served = serve(write_budget=100, write_timeout=60, body_timeout=30)
        served.wire.stop_reading()
        served.send(POST).last.start(b"x" * 200)
        assert seconds_until_it_is_over(served, nothing, 59) == 59
        served.wire.read()
        assert seconds_until_it_is_over(served, nothing) == 30


class TestLingering:
    def test_what_a_refused_client_still_sends_is_read(self, serve: Serve) -> None:
        served = serve().send(b"oops\r\n\r\n", *[b"x" * 1000] * 10)
        assert served.wire.eof
        assert served.wire.unread == 0
        expect_clean_end(served.send_eof())

    def test_but_not_for_ever(self, serve: Serve) -> None:
        served = serve(linger=5).send(b"oops\r\n\r\n")
        served.wait(4)
        served.send(b"more")
        served.wait(1)
        assert served.wire.aborted
        assert served.wire.closed

    def test_a_slow_client_gets_the_response_before_time_counts(self, serve: Serve) -> None:
        served = serve(opened=answering(b"x" * 1000), write_budget=100, linger=5, discard_size=0)
        served.wire.stop_reading()
        served.send(POST + b"hel")
        for _ in range(100):
            served.wait(59)
            served.wire.read(5)
        assert not served.wire.eof
        served.wire.read()
        assert served.wire.eof
        served.wait(4)
        assert len(served.response.body) == 1000
        expect_clean_end(served.send_eof())

    def test_a_client_that_half_closes_meanwhile_too(self, serve: Serve) -> None:
        served = serve(opened=answering(b"x" * 1000), write_budget=100, discard_size=0)
        served.wire.stop_reading()
        served.send(POST + b"hel").send_eof()
        served.wire.read()
        served.turn()
        assert len(served.response.body) == 1000
        expect_clean_end(served)

    def test_unread_input_is_read_before_the_end(self, serve: Serve) -> None:
        """Or the kernel would reset the connection, and the response with it."""
        served = serve(reads=False, read_budget=4).send(POST + b"hello", SMUGGLED)
        assert served.wire.unread == len(SMUGGLED)
        served.shared.draining = True
        served.last.answer()
        served.turn()
        assert served.wire.unread == 0
        assert served.targets == ["/"]
        expect_clean_end(served.send_eof())


class TestBreakingOff:
    def test_an_exchange_may_break_off(self, serve: Serve) -> None:
        served = serve().send(GET + GET)
        served.last.start(b"a")
        served.last.abort()
        served.turn()
        assert served.wire.aborted
        assert served.wire.closed
        assert not served.response.complete

    def test_even_at_once(self, serve: Serve) -> None:
        served = serve(opened=RecordedExchange.abort).send(POST + b"hello" + SMUGGLED)
        assert served.wire.aborted
        assert served.targets == ["/"]

    def test_even_within_the_body(self, serve: Serve) -> None:
        served = serve(ended=RecordedExchange.abort).send(POST + b"hello" + SMUGGLED)
        assert served.wire.aborted
        assert served.targets == ["/"]

    def test_the_server_may_cut_a_connection(self, serve: Serve) -> None:
        served = serve().send(GET)
        served.shared.abort()
        served.turn()
        assert served.last.over == "the server stops"
        assert served.wire.aborted

    def test_even_an_idle_one(self, serve: Serve) -> None:
        served = serve()
        served.shared.abort()
        served.turn()
        assert served.wire.closed


class TestDraining:
    def drain(self, served: Served) -> list[bool]:
        emptied: list[bool] = []
        served.shared.drain(lambda: emptied.append(True))
        served.turn()
        return emptied

    def test_an_idle_connection_closes(self, serve: Serve) -> None:
        served = serve(ended=answering()).send(GET)
        assert self.drain(served) == [True]
        expect_clean_end(served)

    def test_a_new_one_has_a_moment_for_what_is_on_its_way(self, serve: Serve) -> None:
        served = serve(ended=answering())
        assert self.drain(served) == []
        served.clock.advance(0.9)
        served.send(GET)
        assert served.response[b"connection"] == b"close"
        expect_clean_end(served)

    def test_and_no_longer(self, serve: Serve) -> None:
        served = serve(ended=answering())
        self.drain(served)
        served.clock.advance(1)
        served.turn()
        assert served.targets == []
        expect_clean_end(served)

    def test_the_same_is_so_of_one_that_comes_now(self, serve: Serve) -> None:
        served = serve()
        served.shared.draining = True
        wire = MemoryWire(HTTP1Connection(served.shared), served.clock)
        served.clock.advance(0.9)
        assert not wire.closed
        served.clock.advance(0.1)
        served.turn()
        assert (wire.closed, wire.aborted) == (True, False)

    def test_a_busy_one_closes_after_its_response(self, serve: Serve) -> None:
        served = serve().send(GET)
        assert self.drain(served) == []
        assert served.last.events == ["body_ended", "drain"]
        served.last.answer()
        served.turn()
        assert served.response[b"connection"] == b"close"
        expect_clean_end(served)

    def test_also_where_it_had_promised_more(self, serve: Serve) -> None:
        served = serve().send(GET)
        served.last.start(b"a")
        self.drain(served)
        served.last.end()
        served.turn()
        assert served.response.complete
        expect_clean_end(served)

    def test_a_request_that_has_begun_is_served(self, serve: Serve) -> None:
        served = serve(ended=answering()).send(GET[:9])
        assert self.drain(served) == []
        assert served.send(GET[9:]).response[b"connection"] == b"close"
        expect_clean_end(served)

    def test_what_waits_behind_a_response_is_not(self, serve: Serve) -> None:
        served = serve().send(GET + SMUGGLED[:9])
        served.last.answer()
        self.drain(served)
        assert served.targets == ["/"]
        expect_clean_end(served)

    def test_a_connection_that_ends_already_is_left_alone(self, serve: Serve) -> None:
        served = serve().send(b"oops\r\n\r\n")
        assert self.drain(served) == []
        expect_clean_end(served.send_eof())
