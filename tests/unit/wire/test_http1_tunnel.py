"""HTTP1Connection as a tunnel: the head that grants it, the bytes behind it, and its ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from daphne_like.exchange import ResponseHead
from daphne_like.testing import RecordedExchange
from tests.support.http1 import (
    END,
    GET,
    GONE,
    SMUGGLED,
    Served,
    answering,
    expect_clean_end,
    nothing,
    seconds_until_it_is_over,
    splits,
    upgrade,
)

Serve = Callable[..., Served]

UPGRADE = upgrade()
HEAD = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
accepting = RecordedExchange.accept


def sent(served: Served) -> bytes:
    """What the client has got behind the head."""
    return served.raw.partition(END)[2]


class TestHead:
    def test_it_says_what_the_connection_becomes(self, serve: Serve) -> None:
        served = serve().send(UPGRADE)
        assert served.raw == b""
        served.last.accept()
        assert served.raw == HEAD + b"\r\n"
        assert served.wire.writes == 1

    def test_it_has_the_fields_of_the_application_and_those_of_every_response(
        self, serve: Serve
    ) -> None:
        served = serve(date=True).send(UPGRADE)
        served.last.accept([(b"Set-Cookie", b"a=1"), (b"set-cookie", b"b=2")])
        assert served.raw == HEAD + (
            b"Set-Cookie: a=1\r\nset-cookie: b=2\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n"
        )

    def test_but_not_those_that_the_application_sets_itself(self, serve: Serve) -> None:
        served = serve(date=True).send(UPGRADE)
        own = ResponseHead(101, [(b"date", b"today")], own=frozenset({b"date"}))
        served.last.stream.open_tunnel(own)
        assert served.raw == HEAD + b"date: today\r\n\r\n"


class TestBytesBehindTheHandshake:
    @pytest.mark.parametrize("first", [b"", GET])
    def test_they_wait_until_it_is_granted(self, serve: Serve, first: bytes) -> None:
        served = serve(ended=lambda each: None if each.request.upgrade else each.answer())
        served.send(first + UPGRADE + SMUGGLED)
        assert served.last.request.upgrade == "websocket"
        assert served.last.body == b""
        served.last.accept()
        assert served.last.body == b"", "not from within the application's own call"
        served.turn()
        assert served.last.body == SMUGGLED
        assert len(served.requests) == (2 if first else 1)

    @pytest.mark.parametrize("pieces", list(splits(UPGRADE + b"\x81\x80abcd")))
    @pytest.mark.parametrize("at_once", [False, True], ids=["later", "at once"])
    def test_they_come_in_order_wherever_they_are_cut(
        self, serve: Serve, pieces: tuple[bytes, ...], at_once: bool
    ) -> None:
        served = serve(opened=accepting if at_once else None).send(*pieces)
        if not at_once:
            assert served.last.body == b""
            served.last.accept()
            served.turn()
        served.send(b"next")
        assert served.last.body == b"\x81\x80abcdnext"
        assert len(served.requests) == 1

    def test_the_next_ones_do_not_overtake_them(self, serve: Serve) -> None:
        served = serve().send(UPGRADE + b"1")
        served.wire.send(b"2", b"3")
        served.last.accept()
        served.wire.send(b"4")
        assert served.last.pieces == []
        served.turn()
        assert served.last.body == b"1234"

    def test_those_of_one_that_has_ended_meanwhile_go_nowhere(self, serve: Serve) -> None:
        served = serve().send(UPGRADE + b"late")
        served.last.accept()
        served.last.end()
        served.turn()
        assert served.last.body == b""
        assert served.wire.eof

    def test_they_too_are_more_than_a_slow_application_takes(self, serve: Serve) -> None:
        served = serve(reads=False, read_budget=100).send(UPGRADE + b"x" * 101, b"y")
        served.last.accept()
        served.turn()
        assert len(served.last.body) == 101
        assert served.wire.paused
        served.last.stream.consumed(51)
        served.turn()
        assert served.last.body[101:] == b"y"


class TestRefused:
    @pytest.mark.parametrize("behind", [b"", SMUGGLED])
    def test_what_follows_is_no_request(self, serve: Serve, behind: bytes) -> None:
        """A client that believes in its upgrade may have sent frames, with anything in them."""
        served = serve().send(UPGRADE + behind)
        served.last.answer(b"no", 403)
        served.send(SMUGGLED)
        assert (served.response.status, served.response.body) == (403, b"no")
        assert served.response[b"connection"] == b"close"
        assert len(served.requests) == 1
        served.send_eof()
        expect_clean_end(served)

    def test_the_handshake_itself_may_be_what_is_wrong(self, serve: Serve) -> None:
        served = serve().send(UPGRADE.replace(b"13", b"12") + SMUGGLED)
        assert served.response.status == 426
        assert served.requests == []
        served.send_eof()
        expect_clean_end(served)

    def test_what_cannot_become_a_websocket_is_a_request_like_any_other(self, serve: Serve) -> None:
        served = serve(ended=answering())
        served.send(UPGRADE.replace(b"GET", b"HEAD"), GET)
        assert len(served.responses) == 2


class TestFlow:
    def test_reading_pauses_until_half_of_it_is_paid_for(self, serve: Serve) -> None:
        served = serve(opened=accepting, reads=False, read_budget=100).send(UPGRADE, b"x" * 100)
        assert not served.wire.paused
        served.send(b"x", b"y")
        assert served.wire.paused
        assert served.wire.unread == 1
        served.last.stream.consumed(50)
        assert served.wire.paused
        served.last.stream.consumed(1)
        served.turn()
        assert not served.wire.paused
        assert served.last.body == b"x" * 101 + b"y"

    def test_who_takes_nothing_is_cut(self, serve: Serve) -> None:
        served = serve(opened=accepting, write_budget=100, write_timeout=60).send(UPGRADE)
        served.wire.stop_reading()
        served.last.send(b"x" * 101)
        assert served.connection.full
        assert seconds_until_it_is_over(served, nothing) == 60
        assert served.wire.aborted
        assert served.last.unsent == 101

    def test_who_takes_something_each_time_may_go_on(self, serve: Serve) -> None:
        served = serve(opened=accepting, write_budget=100, write_timeout=60).send(UPGRADE)
        served.wire.stop_reading()
        served.last.send(b"x" * 200)
        for _ in range(20):
            served.wait(59)
            served.wire.read(1)
        assert served.last.over is None
        served.wire.read()
        assert served.last.events[-1] == "drained"
        assert seconds_until_it_is_over(served, nothing, 300) == 300


class TestEnds:
    def test_a_client_that_closes_its_side_has_left(self, serve: Serve) -> None:
        served = serve(opened=accepting).send(UPGRADE, b"abc").send_eof()
        assert served.last.body == b"abc"
        assert served.last.over == "the client closed its side"
        expect_clean_end(served)

    def test_what_was_sent_to_it_is_still_on_its_way(self, serve: Serve) -> None:
        served = serve(opened=accepting).send(UPGRADE)
        served.wire.stop_reading()
        served.last.send(b"bye")
        served.send_eof()
        assert not served.wire.closed
        served.wire.read()
        served.turn()
        assert sent(served) == b"bye"
        expect_clean_end(served)

    @pytest.mark.parametrize("behind", [b"", b"abc"])
    def test_it_may_have_closed_it_before_the_tunnel_is_there(
        self, serve: Serve, behind: bytes
    ) -> None:
        served = serve().send(UPGRADE + behind)
        served.connection.readConnectionLost()
        served.last.accept()
        assert served.last.over is None
        served.turn()
        assert served.last.body == behind
        assert served.last.over == "the client closed its side"
        expect_clean_end(served)

    def test_or_before_all_that_it_has_sent_is_delivered(self, serve: Serve) -> None:
        served = serve().send(UPGRADE + b"abc")
        served.last.accept()
        served.connection.readConnectionLost()
        assert served.last.over is None
        served.turn()
        assert served.last.body == b"abc"
        assert served.last.over == "the client closed its side"
        expect_clean_end(served)

    def test_what_it_has_sent_may_be_the_orderly_end(self, serve: Serve) -> None:
        served = serve().send(UPGRADE + b"good bye")
        served.last.body_received = lambda data: served.last.end()  # type: ignore[method-assign]
        served.connection.readConnectionLost()
        served.last.accept()
        served.turn()
        assert served.last.over == "ended"
        expect_clean_end(served)

    @pytest.mark.parametrize("behind", [b"", b"abc"])
    def test_an_application_may_end_it_before_it_hears_of_that(
        self, serve: Serve, behind: bytes
    ) -> None:
        served = serve().send(UPGRADE + behind)
        served.connection.readConnectionLost()
        served.last.accept()
        served.last.end()
        served.turn()
        assert served.last.over == "ended"
        expect_clean_end(served)

    def test_a_client_that_is_lost(self, serve: Serve) -> None:
        served = serve(opened=accepting).send(UPGRADE)
        served.wire.stop_reading()
        served.last.send(b"x" * 10)
        served.wire.vanish("reset by peer")
        assert served.last.events[-1] == GONE
        assert "reset by peer" in str(served.last.over)
        assert served.last.unsent == 10 + len(HEAD) + 2 - len(served.raw)

    def test_the_server_closes_its_side_first_and_waits_for_the_clients(self, serve: Serve) -> None:
        served = serve(opened=accepting, linger=5).send(UPGRADE)
        served.last.send(b"bye")
        served.last.end()
        assert served.wire.eof
        served.send(b"not for the application")
        assert not served.wire.closed
        served.send_eof()
        assert sent(served) == b"bye"
        assert served.last.body == b""
        expect_clean_end(served)

    def test_but_not_for_ever(self, serve: Serve) -> None:
        served = serve(opened=accepting, linger=5).send(UPGRADE)
        served.last.end()
        served.wait(4.9)
        assert not served.wire.closed
        served.wait(0.1)
        assert served.wire.closed
        assert served.wire.aborted

    def test_input_that_nobody_reads_does_not_reset_the_end(self, serve: Serve) -> None:
        served = serve(opened=accepting, reads=False, read_budget=10).send(UPGRADE, b"x" * 11)
        served.wire.send(b"y" * 1000)
        assert served.wire.unread == 1000
        served.last.send(b"bye")
        served.last.end()
        served.turn()
        assert served.wire.unread == 0
        served.send_eof()
        assert sent(served) == b"bye"
        expect_clean_end(served)

    def test_a_slow_client_gets_all_before_the_end(self, serve: Serve) -> None:
        served = serve(opened=accepting, write_budget=100, linger=5).send(UPGRADE)
        served.wire.stop_reading()
        served.last.send(b"x" * 500)
        served.last.end()
        served.wait(30)
        assert not served.wire.eof
        served.wire.read()
        served.turn()
        assert served.wire.eof
        assert len(sent(served)) == 500

    def test_an_application_may_break_it_off(self, serve: Serve) -> None:
        served = serve(opened=accepting).send(UPGRADE)
        served.last.abort()
        served.send(b"late")
        assert served.wire.aborted
        assert served.last.body == b""
        assert GONE not in served.last.events


class TestTime:
    @pytest.mark.parametrize("granted", [False, True])
    @pytest.mark.parametrize("first", [b"", GET])
    @pytest.mark.parametrize("http_timeout", [None, 5])
    def test_the_times_of_requests_are_not_for_it(
        self, serve: Serve, granted: bool, first: bytes, http_timeout: Any
    ) -> None:
        served = serve(
            ended=lambda each: None if each.request.upgrade else each.answer(),
            http_timeout=http_timeout,
            head_timeout=1,
            body_timeout=1,
            keep_alive=1,
            half_close_grace=1,
        )
        served.send(first + UPGRADE[:10], UPGRADE[10:])
        if granted:
            served.last.accept()
        served.wait(24 * 3600)
        assert served.last.events == ["body_ended"]
        assert not served.wire.eof


class TestServers:
    def test_one_that_stops_tells_the_exchange(self, serve: Serve) -> None:
        served = serve(opened=accepting).send(UPGRADE)
        served.shared.drain(lambda: None)
        assert served.last.events[-1] == "drain"
        served.send(b"still there")
        assert served.last.body == b"still there"

    def test_one_whose_time_is_over_cuts_it(self, serve: Serve) -> None:
        served = serve(opened=accepting).send(UPGRADE)
        served.wire.stop_reading()
        served.last.send(b"x" * 7)
        served.shared.abort()
        assert served.last.over == "the server stops"
        assert served.last.unsent == 7
        assert served.wire.aborted


def test_one_that_opens_while_the_server_stops_is_told_so(serve: Serve) -> None:
    served = serve().send(UPGRADE[:-1])
    served.shared.drain(lambda: None)
    served.send(UPGRADE[-1:])
    served.last.accept()
    assert "drain" not in served.last.events
    served.turn()
    assert "drain" in served.last.events


def test_it_tells_what_it_does(serve: Serve) -> None:
    served = serve(linger=5).send(UPGRADE)
    (connection,) = served.shared.connections
    for act in (nothing, served.last.accept):
        act()
        shot = connection.snapshot()
        assert (shot.requests, shot.state) == (1, "request")
        assert shot.current[0].request is served.last.request
    served.last.end()
    assert connection.snapshot()[1:] == (1, "ending", ())
