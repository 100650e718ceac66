"""The way out of an HTTP/2 stream: heads, bodies, trailers, hints and pushes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from h2.settings import SettingCodes

from daphne_like.exchange import ResponseHead
from daphne_like.headers_sent import response_head
from tests.support.frames import CANCEL, INTERNAL_ERROR
from tests.support.http1 import answering
from tests.support.http2 import Served

Connect = Callable[..., Served]
KIB = 1024
MIB = 1024 * KIB
DATE = b"Thu, 01 Jan 1970 00:00:00 GMT"


class TestHeads:
    def test_names_are_in_lower_case_and_values_without_space_around(
        self, connect: Connect
    ) -> None:
        served = connect()
        asked = served.ask()
        served.last.answer(fields=[(b"X-One", b" 1\t"), (b"Content-Type", b"text/plain")])
        assert asked.reply.headers[:2] == [(b"x-one", b"1"), (b"content-type", b"text/plain")]

    def test_those_of_every_response_stand_behind_the_applications(self, connect: Connect) -> None:
        served = connect(date=True)
        asked = served.ask()
        served.last.answer(b"hi", fields=[(b"x", b"y")])
        length = (b"content-length", b"2")
        assert asked.reply.headers == [(b"x", b"y"), (b"date", DATE), length]

    def test_a_head_that_is_used_again_has_the_date_of_now(self, connect: Connect) -> None:
        served = connect(date=True)
        head = response_head(200, [(b"X", b"y")], "GET")
        dates = []
        for _ in range(4):
            asked = served.ask()
            served.last.over = "answered"
            served.last.stream.respond(head, b"")
            dates.append(asked.reply[b"date"][-6:-4])
            assert asked.reply[b"x"] == b"y"
            served.wait(0.5)
        assert dates == [b"00", b"00", b"01", b"01"]

    def test_it_may_be_as_large_as_with_http1(self, connect: Connect) -> None:
        served = connect()
        asked = served.ask()
        fields = [(b"x-%d" % number, bytes([97]) * 4000) for number in range(100)]
        served.client.h2.decoder.max_header_list_size = MIB
        served.last.answer(b"hi", fields=fields)
        assert asked.reply.headers[:100] == fields
        assert asked.reply.body == b"hi"

    def test_it_is_lowered_once(self, connect: Connect) -> None:
        served = connect(date=True)
        head = response_head(200, [(b"X", b"y")], "GET")
        lists = []
        for _ in range(2):
            served.ask()
            served.last.over = "answered"
            served.last.stream.respond(head, b"a")
            lists.append(head.listed)
        assert lists[0] is lists[1]

    @pytest.mark.parametrize("own", [b"date", b"server"])
    def test_the_applications_own_come_instead_of_ours(self, connect: Connect, own: bytes) -> None:
        served = connect(date=True)
        for value in (b"today", b"tomorrow"):
            asked = served.ask()
            served.last.answer(fields=[(own, value)])
            assert asked.reply[own] == value
            assert [name for name, _ in asked.reply.headers].count(b"date") == 1

    def test_fields_of_the_connection_are_left_out(self, connect: Connect) -> None:
        served = connect()
        asked = served.ask()
        mine = b"connection", b"keep-alive", b"transfer-encoding", b"upgrade", b"proxy-connection"
        served.last.answer(fields=[(name, b"close") for name in mine])
        assert [name for name, _ in asked.reply.headers] == [b"content-length"]
        assert served.client.goodbyes == [], "whoever wants a connection closed wants HTTP/1"


class TestLengths:
    @pytest.mark.parametrize("body", [b"", b"hello"])
    def test_that_of_a_whole_response_is_said(self, connect: Connect, body: bytes) -> None:
        served = connect()
        asked = served.ask()
        served.last.answer(body)
        assert asked.reply[b"content-length"] == b"%d" % len(body)
        assert asked.reply.complete

    def test_that_of_another_is_not_known(self, connect: Connect) -> None:
        served = connect()
        asked = served.ask()
        served.last.start(b"a")
        served.last.end()
        assert b"content-length" not in asked.reply
        assert asked.reply.complete

    def test_the_applications_own_stands(self, connect: Connect) -> None:
        served = connect()
        asked = served.ask()
        served.last.answer(b"hello", fields=[(b"content-length", b"5")])
        assert asked.reply.headers == [(b"content-length", b"5")]

    @pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
    def test_where_there_is_no_body_none_is_made_up(
        self, connect: Connect, method: str, status: int
    ) -> None:
        served = connect()
        asked = served.ask(method)
        served.last.answer(status=status)
        assert (asked.reply.headers, asked.reply.complete) == ([], True)
        assert served.frames("DATA") == []


class TestPieces:
    def test_an_empty_one_is_no_frame(self, connect: Connect) -> None:
        served = connect()
        served.ask()
        served.last.start()
        served.last.send(b"")
        assert served.frames("DATA") == []
        served.last.send(b"a")
        assert len(served.frames("DATA")) == 1

    def test_each_leaves_at_once(self, connect: Connect) -> None:
        served = connect()
        asked = served.ask()
        served.last.start()
        assert served.client.replies[1].status == 0
        assert asked.reply.status == 200
        for piece in (b"a", b"b"):
            served.last.send(piece)
            assert asked.reply.body.endswith(piece)

    def test_trailers_end_it(self, connect: Connect) -> None:
        served = connect()
        asked = served.ask(fields=[(b"te", b"trailers")])
        assert "http.response.trailers" in served.last.stream.supports
        served.last.start(b"a")
        served.last.over = "ended"
        served.last.stream.end([(b"X-Sum", b" 1 ")])
        assert asked.reply.trailers == [(b"x-sum", b"1")]
        assert asked.reply.complete

    def test_who_does_not_ask_for_trailers_gets_none(self, connect: Connect) -> None:
        served = connect()
        served.ask()
        assert "http.response.trailers" not in served.last.stream.supports


class TestInterim:
    def test_hints_come_before_the_head(self, connect: Connect) -> None:
        served = connect()
        asked = served.ask()
        assert "http.response.early_hint" in served.last.stream.supports
        served.last.stream.send_hints([(b"Link", b"</a>; rel=preload")])
        assert (asked.reply.interim, asked.reply.status) == ([103], 0)
        assert asked.reply.hints == [[(b"link", b"</a>; rel=preload")]]
        served.last.answer(b"hi")
        assert asked.reply.body == b"hi"

    def test_who_waits_is_told_to_go_on_when_it_is_read_for_the_first_time(
        self, connect: Connect
    ) -> None:
        served = connect()
        asked = served.ask("POST", fields=[(b"expect", b"100-continue")], more=True)
        assert asked.reply.interim == []
        for _ in range(2):
            served.last.stream.wanted()
            assert asked.reply.interim == [100]

    @pytest.mark.parametrize("length", [b"0", None])
    def test_who_sends_no_body_waits_for_nothing(
        self, connect: Connect, length: bytes | None
    ) -> None:
        served = connect()
        sized = [] if length is None else [(b"content-length", length)]
        asked = served.ask("POST", fields=[(b"expect", b"100-continue"), *sized], more=bool(length))
        served.last.stream.wanted()
        assert asked.reply.interim == []


class TestPushes:
    def test_the_response_to_a_request_that_was_not_made(self, connect: Connect) -> None:
        served = connect()
        asked = served.ask(target=b"/page")
        page = served.last
        assert "http.response.push" in page.stream.supports
        page.stream.push(b"/style.css?v=1", [(b"accept", b"text/css")])
        style = served.last
        assert (style.request.method, style.request.target) == ("GET", "/style.css?v=1")
        assert (style.request.authority, style.request.scheme) == (b"a.example", "http")
        assert (b"accept", b"text/css") in style.request.headers
        assert style.events == ["body_ended"]
        assert asked.reply.pushes == [2]
        style.answer(b"css")
        page.answer(b"html")
        assert served.replies[2].body == b"css"
        assert served.replies[2].promised[1] == (b":scheme", b"http")
        assert asked.reply.body == b"html"

    def test_nothing_is_pushed_nor_hinted_at_for_what_was_pushed(self, connect: Connect) -> None:
        served = connect()
        served.ask()
        served.last.stream.push(b"/a", [])
        there = served.last.stream.supports
        assert there == {"http.response.pathsend", "http.response.zerocopysend"}

    def test_a_client_may_want_none(self, connect: Connect) -> None:
        served = connect(pushes=False)
        served.ask()
        assert "http.response.push" not in served.last.stream.supports
        served.last.stream.push(b"/a", [])
        assert len(served.requests) == 1

    @pytest.mark.parametrize("most", [0, 1, 2])
    def test_a_client_may_want_no_more_than_some_at_a_time(
        self, connect: Connect, most: int
    ) -> None:
        """A promise beyond would not be kept before another is, and the client waits for it."""
        served = connect()
        served.client.h2.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: most})
        served.ask()
        page = served.last
        assert ("http.response.push" in page.stream.supports) == (most > 0)
        for target in (b"/a", b"/b", b"/c"):
            page.stream.push(target, [])
        assert len(served.requests) == 1 + most
        for exchange in served.open.exchanges[1:]:
            exchange.answer(b"pushed")
        served.turn()
        page.stream.push(b"/d", [])
        assert len(served.requests) == 1 + most + (most > 0)

    def test_a_client_may_refuse_one(self, connect: Connect) -> None:
        served = connect()
        asked = served.ask()
        page = served.last
        page.stream.push(b"/a", [])
        served.turn()
        served.client.reset(2)
        served.turn()
        assert served.last.events == ["body_ended", "disconnected"]
        page.answer(b"html")
        assert asked.reply.complete

    def test_one_that_has_left_gets_none(self, connect: Connect) -> None:
        served = connect()
        asked = served.ask()
        with served.in_one_segment():
            served.client.reset(asked.number)
            served.connection.engine.receive_data(served.client.h2.data_to_send())
            served.last.stream.push(b"/a", [])
        assert len(served.requests) == 1

    def test_one_that_cannot_be_a_request_is_refused(self, connect: Connect) -> None:
        served = connect(line_size=100)
        asked = served.ask()
        served.last.stream.push(b"/" * 101, [])
        assert len(served.requests) == 1
        assert served.replies[2].status == 414
        served.last.answer()
        assert asked.reply.complete


class TestSlowClients:
    def test_more_than_the_budget_is_full_until_half_of_it_is_left(self, connect: Connect) -> None:
        served = connect(write_budget=KIB, window=100, gives=False)
        asked = served.ask()
        exchange = served.last
        exchange.start(b"x" * (KIB + 100))
        assert not exchange.stream.full
        exchange.send(b"x")
        assert exchange.stream.full
        grow(served, 1, KIB // 2)
        assert (exchange.stream.full, "drained" in exchange.events) == (True, False)
        grow(served, 1, 1)
        assert (exchange.stream.full, exchange.events[-1]) == (False, "drained")
        grow(served, 1, KIB)
        assert len(asked.reply.body) == KIB + 101

    def test_the_others_do_not_wait_for_it(self, connect: Connect) -> None:
        served = connect(write_budget=KIB, window=ROOM, gives=False)
        served.client.h2.increment_flow_control_window(10 * ROOM)
        slow, quick = served.ask(), served.ask()
        first, second = served.open.exchanges
        first.start(b"x" * (2 * ROOM))
        assert first.stream.full
        assert not second.stream.full
        second.answer(b"y" * KIB)
        assert quick.reply.complete
        assert len(slow.reply.body) == ROOM

    def test_what_is_unsent_is_told_when_it_leaves(self, connect: Connect) -> None:
        served = connect(window=100, gives=False)
        asked = served.ask()
        served.last.start(b"x" * 150)
        asked.cancel()
        assert served.last.unsent == 50

    def test_a_whole_response_may_wait_for_its_window_after_the_exchange(
        self, connect: Connect
    ) -> None:
        served = connect(window=100, gives=False, ended=answering(b"x" * 250))
        asked = served.ask()
        assert len(asked.reply.body) == 100
        grow(served, 1, 150)
        assert asked.reply.complete
        assert served.last.events == ["body_ended"]


ROOM = 65535


def grow(served: Served, number: int, size: int) -> None:
    """Let `size` bytes more come on a stream, and on the connection."""
    served.client.give(size)
    served.client.give(size, number)
    served.turn()


class TestEnds:
    def test_one_that_breaks_off_is_reset(self, connect: Connect) -> None:
        served = connect()
        asked = served.ask()
        served.last.start(b"a")
        served.last.abort()
        assert asked.reply.reset == INTERNAL_ERROR
        assert not asked.reply.complete

    def test_a_tunnel_is_cancelled(self, connect: Connect) -> None:
        served = connect()
        asked = served.ask_for_a_tunnel()
        served.last.accept()
        served.last.abort()
        assert asked.reply.reset == CANCEL

    def test_one_may_break_off_before_it_begins(self, connect: Connect) -> None:
        served = connect()
        asked = served.ask()
        served.last.abort()
        assert (asked.reply.reset, asked.reply.status) == (INTERNAL_ERROR, 0)
        assert served.ask(target=b"/next").reply.reset is None

    @pytest.mark.parametrize(
        "act",
        [
            lambda exchange: exchange.answer(b"hi"),
            lambda exchange: exchange.answer(b""),
            lambda exchange: exchange.start(b"hi"),
            lambda exchange: exchange.stream.send_hints([(b"link", b"x")]),
            lambda exchange: exchange.stream.wanted(),
            lambda exchange: exchange.abort(),
            lambda exchange: (exchange.start(), exchange.send(b"a"), exchange.end()),
            lambda exchange: (exchange.start(), exchange.stream.end([(b"x", b"y")])),
        ],
    )
    def test_what_is_sent_to_one_that_has_just_left_goes_nowhere(
        self, connect: Connect, act: Any
    ) -> None:
        """A reset may be in the segment that the application is answering."""
        served = connect(opened=act)
        with served.in_one_segment():
            expecting = [(b"expect", b"100-continue")]
            asked = served.ask("POST", fields=expecting, more=True)
            asked.cancel()
        assert len(served.requests) == 1
        assert served.client.replies[1].status == 0
        assert served.ask(target=b"/next").reply.reset in {None, INTERNAL_ERROR}


def test_a_head_for_a_tunnel_has_no_length(connect: Connect) -> None:
    served = connect(date=True)
    asked = served.ask_for_a_tunnel()
    own = ResponseHead(101, [(b"X", b"y"), (b"date", b"now")], own=frozenset({b"date"}))
    served.last.stream.open_tunnel(own)
    assert (asked.reply.status, asked.reply.headers) == (200, [(b"x", b"y"), (b"date", b"now")])
