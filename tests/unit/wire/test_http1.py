"""HTTP1Connection: whose turn it is, where the body ends, and how a connection comes to its end."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.http1 import GET, SMUGGLED, Served, answering, echoing

Serve = Callable[..., Served]

POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
EXPECTING = POST + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"
CLOSE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
OLD = b"GET / HTTP/1.0\r\n\r\n"


def counted(body: bytes, size: int | None = None) -> bytes:
    return POST + b"Content-Length: %d\r\n\r\n" % (len(body) if size is None else size) + body


def get(target: str) -> bytes:
    return b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % target.encode()


class TestRequests:
    def test_a_request_is_opened_when_its_head_is_whole(self, serve: Serve) -> None:
        served = serve().send(b"GET /a HTTP/1.1\r\nHost: a\r\n\r")
        assert served.targets == []
        served.send(b"\n")
        assert served.targets == ["/a"]
        assert served.last.events == ["body_ended"]

    def test_a_counted_body_comes_as_it_arrives(self, serve: Serve) -> None:
        served = serve().send(counted(b"ab", 5), b"cd")
        assert served.last.pieces == [b"ab", b"cd"]
        assert served.last.events == []
        served.send(b"e")
        assert served.last.body == b"abcde"
        assert served.last.events == ["body_ended"]

    def test_a_chunked_body_comes_as_it_arrives_small_chunks_together(self, serve: Serve) -> None:
        served = serve().send(CHUNKED, b"1\r\na\r\n" * 3, b"2", b"\r\nbb\r\n0\r\n")
        assert served.last.pieces == [b"aaa", b"bb"]
        assert served.last.events == []
        served.send(b"\r\n")
        assert served.last.events == ["body_ended"]

    def test_an_application_that_answers_at_once_is_not_called_again(self, serve: Serve) -> None:
        served = serve(opened=answering(b"hi")).send(GET + GET, GET)
        assert [exchange.events for exchange in served.open.exchanges] == [[]] * 3
        assert [response.body for response in served.responses] == [b"hi"] * 3

    def test_the_addresses_are_the_transports(self, serve: Serve) -> None:
        served = serve().send(GET)
        assert served.requests[0].client == ("192.0.2.1", 50000)
        assert served.requests[0].server == ("192.0.2.2", 80)

    def test_the_longest_head_may_come_byte_by_byte(self, serve: Serve) -> None:
        served = serve(ended=answering(), head_size=20_000)
        head = GET[:-2] + b"X: " + b"y" * 19_000 + b"\r\n\r\n"
        served.send(*[head[at : at + 1] for at in range(len(head))])
        assert served.response.status == 200

    def test_a_bad_head_is_refused(self, serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
        served = serve().send(b"GET / HTTP/1.1\r\n\r\n" + SMUGGLED)
        assert served.response.body == b"400 no Host\n"
        assert caplog.messages == ["Refused a request from 192.0.2.1:50000: 400 no Host"]
        assert served.send(SMUGGLED).targets == []

    def test_what_cannot_become_a_head_is_not_waited_for(self, serve: Serve) -> None:
        served = serve().send(b"GET / HTTP/1.1\n")
        assert served.response.body == b"400 malformed head\n"


class TestPipelining:
    def test_answers_come_in_order_and_one_request_is_open_at_a_time(self, serve: Serve) -> None:
        served = serve()
        served.wire.send(*[get(f"/{number}") for number in range(100)])
        for number in range(100):
            assert len(served.requests) == number + 1
            served.last.answer(served.last.request.target.encode())
            served.turn()
        bodies = [response.body for response in served.responses]
        assert bodies == [b"/%d" % number for number in range(100)]

    def test_while_a_request_waits_nothing_is_read(self, serve: Serve) -> None:
        served = serve().send(GET, GET, GET, GET)
        assert served.wire.paused
        assert served.wire.unread == 2 * len(GET)

    def test_nor_while_a_body_waits_too(self, serve: Serve) -> None:
        served = serve(reads=False, read_budget=4).send(counted(b"hello") + GET, GET)
        assert served.wire.unread == len(GET)

    def test_reading_a_body_does_not_let_more_requests_in(self, serve: Serve) -> None:
        served = serve(reads=False).send(counted(b"hello") + GET, GET)
        served.last.stream.consumed(5)
        served.turn()
        assert served.wire.paused
        assert served.wire.unread == len(GET)

    def test_a_part_of_a_head_waits_like_a_whole_one(self, serve: Serve) -> None:
        served = serve(ended=echoing)
        served.send(GET + GET[:5]).send(GET[5:])
        assert len(served.responses) == 2

    def test_a_bad_head_behind_a_good_one_is_refused_in_its_turn(self, serve: Serve) -> None:
        served = serve().send(GET + b"oops\r\n\r\n" + SMUGGLED)
        assert served.raw == b""
        served.last.answer()
        served.turn()
        assert [response.status for response in served.responses] == [200, 400]
        assert served.targets == ["/"]

    def test_a_client_that_has_read_all_does_not_hurry_the_next_request(self, serve: Serve) -> None:
        served = serve().send(GET + GET)
        served.last.answer()
        served.connection.pauseProducing()
        served.connection.resumeProducing()
        served.turn()
        served.send(GET, GET)
        assert len(served.requests) == 2
        assert served.wire.unread == len(GET)

    def test_a_client_that_vanishes_takes_its_waiting_requests_with_it(self, serve: Serve) -> None:
        served = serve().send(GET + GET)
        served.last.answer()
        served.wire.vanish()
        served.turn()
        assert len(served.requests) == 1

    def test_what_waits_behind_the_last_response_is_thrown_away(self, serve: Serve) -> None:
        served = serve().send(CLOSE + SMUGGLED, SMUGGLED)
        served.last.answer()
        served.turn()
        assert served.wire.unread == 0
        assert served.targets == ["/"]
        served.send_eof()
        assert served.wire.closed
        assert not served.wire.aborted

    def test_a_client_that_reads_no_responses_gets_no_more_requests_read(
        self, serve: Serve
    ) -> None:
        served = serve(ended=answering(b"x" * 1000), write_budget=2500)
        served.wire.stop_reading()
        served.send(*[GET] * 10)
        assert len(served.requests) == 3
        assert served.wire.unread > 0
        served.wire.read()
        served.turn()
        assert len(served.responses) == 10

    def test_a_client_that_reads_slowly_loses_nothing_however_long_it_takes(
        self, serve: Serve
    ) -> None:
        served = serve(ended=answering(b"x" * 1000), write_budget=100)
        served.wire.stop_reading()
        served.send(GET, GET)
        for _ in range(100):
            served.wait(59)
            served.wire.read(5)
        served.wire.read()
        served.turn()
        assert [len(response.body) for response in served.responses] == [1000, 1000]


class TestContinue:
    def test_it_goes_out_when_the_application_reads(self, serve: Serve) -> None:
        served = serve().send(EXPECTING)
        assert served.raw == b""
        served.last.stream.wanted()
        assert served.raw == b"HTTP/1.1 100 Continue\r\n\r\n"
        served.send(b"hello").last.answer()
        assert served.response.interim == [100]
        assert b"connection" not in served.response

    def test_after_a_final_response_nobody_knows_what_comes(self, serve: Serve) -> None:
        served = serve(opened=answering()).send(EXPECTING, SMUGGLED)
        assert served.response.interim == []
        assert served.response[b"connection"] == b"close"
        assert served.targets == ["/"]

    @pytest.mark.parametrize("length", [b"", b"Content-Length: 0\r\n"])
    def test_it_is_not_sent_where_no_body_is_announced(self, serve: Serve, length: bytes) -> None:
        served = serve().send(POST + b"Expect: 100-continue\r\n" + length + b"\r\n")
        served.last.stream.wanted()
        served.last.answer()
        assert served.response.interim == []

    def test_without_a_body_there_is_nothing_to_wait_for(self, serve: Serve) -> None:
        served = serve(ended=answering()).send(GET[:-2] + b"Expect: 100-continue\r\n\r\n", GET)
        assert [b"connection" in response for response in served.responses] == [False, False]

    def test_a_client_that_does_not_wait_for_it_is_served_on(self, serve: Serve) -> None:
        served = serve().send(EXPECTING + b"hello")
        served.last.stream.wanted()
        served.last.answer()
        assert served.response.interim == []
        assert b"connection" not in served.response


class TestEarlyResponses:
    def test_the_rest_of_a_small_body_is_thrown_away(self, serve: Serve) -> None:
        served = serve(opened=answering()).send(counted(SMUGGLED[:9], len(SMUGGLED)))
        served.send(SMUGGLED[9:], get("/next"))
        assert served.targets == ["/", "/next"]
        assert [response.status for response in served.responses] == [200, 200]

    def test_a_body_that_is_announced_as_too_large_ends_the_connection(self, serve: Serve) -> None:
        served = serve(opened=answering(), discard_size=9).send(counted(b"", 10))
        assert served.response[b"connection"] == b"close"
        assert served.wire.eof
        assert served.send(SMUGGLED).targets == ["/"]

    def test_the_limit_is_for_each_body(self, serve: Serve) -> None:
        served = serve(opened=answering(), discard_size=9)
        for _ in range(3):
            served.send(counted(b"x" * 9))
        assert [b"connection" in response for response in served.responses] == [False] * 3

    def test_a_body_that_becomes_too_large_ends_the_connection(self, serve: Serve) -> None:
        served = serve(opened=answering(), discard_size=9)
        served.send(CHUNKED, b"9\r\n" + b"x" * 9 + b"\r\n")
        assert not served.wire.eof
        served.send(b"1\r\nx\r\n0\r\n\r\n" + SMUGGLED)
        assert served.wire.eof
        assert served.targets == ["/"]

    def test_reading_goes_on_where_it_had_paused(self, serve: Serve) -> None:
        served = serve(reads=False, read_budget=5).send(counted(b"123456", 9), b"789", GET)
        assert served.wire.unread == 3 + len(GET)
        served.last.answer()
        served.turn()
        assert len(served.requests) == 2

    def test_the_body_has_to_come_soon(self, serve: Serve) -> None:
        served = serve(opened=answering(), linger=5).send(counted(b"", 5))
        served.wait(5)
        assert served.wire.aborted

    def test_while_it_is_streamed_the_body_still_comes(self, serve: Serve) -> None:
        served = serve().send(counted(b"", 5))
        served.last.start(b"a")
        served.send(b"hello")
        assert served.last.body == b"hello"
        served.last.end()
        assert served.send(GET).targets == ["/", "/"]


class TestBrokenBodies:
    def test_before_the_response_the_client_gets_400(
        self, serve: Serve, caplog: pytest.LogCaptureFixture
    ) -> None:
        served = serve().send(CHUNKED, b"5\r\nhel", b"lo!!" + SMUGGLED)
        assert served.last.body == b"hel"
        assert served.last.events == ["disconnected"]
        assert served.response.status == 400
        assert len(caplog.messages) == 1

    def test_within_the_response_the_connection_is_reset(
        self, serve: Serve, caplog: pytest.LogCaptureFixture
    ) -> None:
        served = serve().send(CHUNKED)
        served.last.start(b"a")
        served.send(b"oops\r\n")
        assert served.last.events == ["disconnected"]
        assert served.wire.aborted
        assert len(caplog.messages) == 1

    def test_after_the_response_the_connection_ends(self, serve: Serve) -> None:
        served = serve(opened=answering()).send(CHUNKED, b"oops\r\n" + SMUGGLED)
        assert served.targets == ["/"]
        assert served.wire.eof
        assert not served.wire.aborted


class TestFlowControl:
    def test_a_slow_application_stops_the_reading(self, serve: Serve) -> None:
        served = serve(reads=False, read_budget=10)
        served.send(counted(b"", 100), *[b"12345"] * 20)
        assert served.last.body == b"12345" * 3
        assert served.wire.unread == 85

    @pytest.mark.parametrize("body", [counted(b"", 100), CHUNKED + b"64\r\n"])
    def test_it_goes_on_when_half_is_paid_back(self, serve: Serve, body: bytes) -> None:
        served = serve(reads=False, read_budget=10).send(body, *[b"12345"] * 20)
        served.last.stream.consumed(9)
        served.turn()
        assert len(served.last.body) == 15
        served.last.stream.consumed(1)
        served.turn()
        assert len(served.last.body) == 25

    def test_what_one_exchange_did_not_take_is_no_debt_of_the_next(self, serve: Serve) -> None:
        served = serve(reads=False, read_budget=10).send(counted(b"0123456789"))
        served.last.answer()
        served.send(counted(b"0123456789"), GET)
        assert served.wire.unread == 0

    def test_a_slow_client_is_told_to_the_exchange(self, serve: Serve) -> None:
        served = serve(write_budget=10).send(GET)
        served.wire.stop_reading()
        served.last.start(b"0123456789")
        assert served.connection.full
        served.wire.read()
        assert not served.connection.full
        assert served.last.events == ["body_ended", "drained"]

    def test_between_requests_it_is_nobodys_business(self, serve: Serve) -> None:
        served = serve(write_budget=10)
        served.connection.pauseProducing()
        served.connection.resumeProducing()
        assert served.send(GET).targets == ["/"]


class TestHTTP10:
    def test_without_keep_alive_the_connection_ends(self, serve: Serve) -> None:
        served = serve(ended=answering(b"hi")).send(OLD)
        assert served.response.body == b"hi"
        assert served.wire.closed

    def test_with_keep_alive_it_goes_on(self, serve: Serve) -> None:
        head = b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
        served = serve(ended=answering(b"hi")).send(head, head)
        assert [response[b"connection"] for response in served.responses] == [b"keep-alive"] * 2

    def test_a_body_of_unknown_length_ends_with_the_connection(self, serve: Serve) -> None:
        served = serve().send(OLD[:-2] + b"Connection: keep-alive\r\n\r\n")
        served.last.start(b"a")
        served.last.stream.send_body(b"b")
        served.last.end()
        served.turn()
        assert served.raw.endswith(b"connection: close\r\n\r\nab")
        assert served.wire.closed
        assert not served.wire.aborted

    def test_nobody_waits_for_a_100(self, serve: Serve) -> None:
        served = serve().send(EXPECTING.replace(b"1.1", b"1.0"))
        served.last.stream.wanted()
        assert served.raw == b""


def test_two_connections_have_nothing_in_common(serve: Serve) -> None:
    one, other = serve(ended=echoing), serve(ended=echoing)
    one.send(b"POST /one HTTP/1.1\r\nHost: a\r\n")
    other.send(get("/other"))
    one.send(b"Content-Length: 3\r\n\r\nabc")
    assert one.response.body == b"POST /one abc"
    assert other.response.body == b"GET /other "


class TestSizes:
    def test_a_body_that_is_announced_too_large_is_never_served(self, serve: Serve) -> None:
        served = serve(body_size=5)
        served.send((POST + b"Content-Length: 5\r\n\r\n") + b"hello").last.answer()
        served.send((POST + b"Content-Length: 6\r\n\r\n") + b"hello!" + SMUGGLED)
        assert [response.status for response in served.responses] == [200, 413]
        assert len(served.requests) == 1

    @pytest.mark.parametrize("chunks", [b"6\r\nhello!\r\n", b"5\r\nhello\r\n1\r\n!\r\n"])
    def test_a_chunked_one_is_counted(self, serve: Serve, chunks: bytes) -> None:
        served = serve(body_size=5).send(CHUNKED, chunks + b"0\r\n\r\n" + SMUGGLED)
        assert served.last.events[-1] == "disconnected"
        assert served.response.status == served.last.refused == 413
        assert len(served.requests) == 1

    def test_each_body_is_counted_anew(self, serve: Serve) -> None:
        served = serve(ended=answering(), body_size=5)
        served.send(*[CHUNKED + b"5\r\nhello\r\n0\r\n\r\n"] * 3)
        assert [response.status for response in served.responses] == [200] * 3

    def test_a_connection_carries_so_many_requests(self, serve: Serve) -> None:
        served = serve(ended=answering(), connection_requests=3).send(GET, GET * 2, GET)
        assert [b"connection" in response for response in served.responses] == [False, False, True]
        assert served.wire.eof
