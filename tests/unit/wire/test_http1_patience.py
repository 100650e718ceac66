"""A connection's patience: bodies that come too slowly, responses that are not read, sizes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.http1 import (
    GET,
    GONE,
    Served,
    answering,
    expect_clean_end,
    nothing,
    seconds_until_it_is_over,
)

Serve = Callable[..., Served]


LONG = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


CLOSE = GET.replace(b"Host", b"Connection: close\r\nHost")


class TestBodies:
    def test_a_body_that_stops_is_answered_408(
        self, serve: Serve, caplog: pytest.LogCaptureFixture
    ) -> None:
        served = serve(body_timeout=30).send(LONG)
        assert seconds_until_it_is_over(served, nothing) == 30
        assert served.response.status == 408
        assert served.wire.eof
        (line,) = caplog.records
        assert line.levelno == logging.WARNING
        assert line.getMessage().endswith("408 the body came too slowly")

    def test_one_that_stops_later_has_twice_the_time_at_the_most(self, serve: Serve) -> None:
        served = serve(body_timeout=30, body_rate=10).send(LONG, b"x" * 10_000)
        assert 30 < seconds_until_it_is_over(served, nothing) <= 60

    @pytest.mark.parametrize(("rate", "over"), [(9, 30), (10, 300)])
    def test_it_has_to_come_at_a_rate(self, serve: Serve, rate: int, over: int) -> None:
        served = serve(body_timeout=30, body_rate=10).send(LONG)
        assert seconds_until_it_is_over(served, lambda: served.send(b"x" * rate), 300) == over

    def test_a_rate_of_nothing_is_one_byte(self, serve: Serve) -> None:
        served = serve(body_timeout=30, body_rate=0).send(CHUNKED)
        for _ in range(10):
            served.wait(29)
            served.send(b"1\r\nx\r\n")
        assert GONE not in served.last.events
        assert seconds_until_it_is_over(served, nothing) <= 60

    def test_a_chunked_body_that_never_ends_goes_on(self, serve: Serve) -> None:
        served = serve(body_timeout=30, body_rate=1).send(CHUNKED)
        chunk = b"10\r\n" + b"x" * 16 + b"\r\n"
        assert seconds_until_it_is_over(served, lambda: served.send(chunk), 300) == 300

    def test_after_the_response_has_begun_it_breaks_off(self, serve: Serve) -> None:
        served = serve(body_timeout=30).send(LONG)
        served.last.start()
        served.wait(30)
        assert served.last.events[-1] == GONE
        assert served.wire.aborted

    def test_time_in_which_the_application_does_not_read_does_not_count(self, serve: Serve) -> None:
        served = serve(reads=False, read_budget=100, body_timeout=30, body_rate=10)
        served.send(LONG, b"x" * 101)
        assert seconds_until_it_is_over(served, nothing, 300) == 300
        served.last.stream.consumed(101)
        assert seconds_until_it_is_over(served, nothing) == 30

    def test_nor_does_time_in_which_nobody_has_asked_for_it(self, serve: Serve) -> None:
        head = LONG.replace(b"Host", b"Expect: 100-continue\r\nHost")
        served = serve(body_timeout=30).send(head)
        assert seconds_until_it_is_over(served, nothing, 300) == 300
        served.last.stream.wanted()
        assert seconds_until_it_is_over(served, nothing) <= 60

    def test_a_whole_body_is_waited_for_no_more(self, serve: Serve) -> None:
        served = serve(body_timeout=30).send(CHUNKED, b"1\r\nx\r\n0\r\n\r\n")
        assert seconds_until_it_is_over(served, nothing, 300) == 300
        served.last.answer()
        assert served.response.status == 200


class TestReading:
    def slow(self, serve: Serve, **limits: Any) -> Served:
        served = serve(write_budget=100, write_timeout=60, **limits)
        served.wire.stop_reading()
        served.send(GET).last.start(b"x" * 200)
        assert served.connection.full
        return served

    def test_who_takes_nothing_is_cut(self, serve: Serve) -> None:
        served = self.slow(serve)
        assert seconds_until_it_is_over(served, nothing) == 60
        assert served.wire.aborted

    def test_who_takes_something_each_time_may_go_on(self, serve: Serve) -> None:
        served = self.slow(serve)
        for _ in range(20):
            served.wait(59)
            served.wire.read(1)
        assert GONE not in served.last.events
        assert seconds_until_it_is_over(served, nothing) <= 120

    def test_of_whom_nothing_is_known_takes_nothing(
        self, serve: Serve, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delattr("daphne_like.testing.memory.MemoryWire.unsent")
        served = self.slow(serve)
        assert seconds_until_it_is_over(served, lambda: served.wire.read(1)) == 60

    def test_who_has_taken_all_may_wait(self, serve: Serve) -> None:
        served = self.slow(serve)
        served.wire.read()
        assert seconds_until_it_is_over(served, nothing, 300) == 300
        assert served.last.events[-1] == "drained"

    def test_it_also_counts_when_the_application_is_done(self, serve: Serve) -> None:
        served = self.slow(serve)
        served.last.stream.end()
        served.wait(60)
        assert served.wire.closed


class TestTime:
    def test_a_client_that_sends_nothing_is_let_go(self, serve: Serve) -> None:
        served = serve(head_timeout=30)
        served.wait(29)
        assert not served.wire.closed
        served.wait(1)
        assert served.raw == b""
        expect_clean_end(served)

    @pytest.mark.parametrize("before", [b"", GET])
    def test_a_head_that_takes_too_long_is_answered_408(
        self, serve: Serve, caplog: pytest.LogCaptureFixture, before: bytes
    ) -> None:
        served = serve(ended=answering(), head_timeout=30, keep_alive=75).send(before + b"G")
        for at in range(1, 4):
            served.wait(9)
            served.send(GET[at : at + 1])
        served.wait(3)
        assert served.responses[-1].status == 408
        assert len(caplog.messages) == 1

    def test_a_head_that_came_in_parts_is_forgotten_with_its_end(self, serve: Serve) -> None:
        served = serve(ended=answering()).send(GET[:9], GET[9:])
        served.wait(75)
        assert len(served.responses) == 1
        expect_clean_end(served)

    def test_empty_lines_do_not_gain_time(self, serve: Serve) -> None:
        served = serve(head_timeout=30)
        for piece in (b"\r", b"\n", b"\r\n"):
            served.wait(9)
            served.send(piece)
        served.wait(3)
        assert served.raw == b""
        expect_clean_end(served)

    def test_a_connection_without_a_next_request_is_closed(self, serve: Serve) -> None:
        served = serve(ended=answering(), keep_alive=75).send(GET)
        served.wait(74)
        served.send(GET)
        served.wait(74)
        assert not served.wire.closed
        served.wait(1)
        assert len(served.responses) == 2
        expect_clean_end(served)

    def test_an_empty_line_behind_a_request_is_no_next_one(self, serve: Serve) -> None:
        served = serve(keep_alive=75).send(GET + b"\r\n")
        served.last.answer()
        served.wait(74)
        assert not served.wire.closed
        served.wait(1)
        expect_clean_end(served)

    def test_a_last_response_may_be_read_slowly(self, serve: Serve) -> None:
        served = serve(ended=answering(b"x" * 1000), write_budget=100)
        served.wire.stop_reading()
        served.send(CLOSE)
        for _ in range(100):
            served.wait(59)
            served.wire.read(5)
        served.wire.read()
        served.turn()
        assert len(served.response.body) == 1000
        expect_clean_end(served)

    def test_an_exchange_has_all_the_time_that_there_is(self, serve: Serve) -> None:
        served = serve(http_timeout=None).send(GET + GET)
        for _ in range(2):
            served.wait(3600)
            assert served.last.events == ["body_ended"]
            served.last.answer()
        assert len(served.responses) == 2

    def test_unless_it_is_limited(self, serve: Serve) -> None:
        served = serve(http_timeout=5).send(GET)
        served.wait(5)
        assert served.last.events == ["body_ended", "timed_out"]
        served.last.answer(status=503)
        assert served.response.status == 503

    def test_the_limit_is_for_each_exchange(self, serve: Serve) -> None:
        served = serve(http_timeout=5)
        for _ in range(3):
            served.send(GET).wait(4)
            served.last.answer()
        assert [exchange.events for exchange in served.open.exchanges] == [["body_ended"]] * 3

    def test_who_has_closed_its_side_waits_for_its_answer_for_a_while(self, serve: Serve) -> None:
        served = serve(half_close_grace=10).send(GET).send_eof()
        assert seconds_until_it_is_over(served, nothing) == 10
        assert served.wire.aborted

    def test_what_a_refused_client_still_sends_is_read_for_a_while(self, serve: Serve) -> None:
        served = serve(linger=5).send(b"oops\r\n\r\n")
        served.wait(4)
        assert not served.wire.closed
        served.wait(1)
        assert served.wire.aborted
