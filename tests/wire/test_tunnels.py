"""What a tunnel is on any wire: the way of a WebSocket, once its upgrade is granted."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from daphne_like.testing import RecordedExchange
from tests.support.http1 import answering
from tests.wire.under_test import Wire

Connect = Callable[..., Wire]
KIB = 1024

accepting = RecordedExchange.accept


def test_the_request_says_what_it_wants_to_become(connect: Connect) -> None:
    wire = connect()
    wire.ask_for_a_tunnel(b"/chat?room=1", [(b"x-one", b"1")])
    request = wire.last.request
    assert (request.method, request.upgrade) == ("GET", "websocket")
    assert (request.raw_path, request.query) == (b"/chat", b"room=1")
    assert (request.scheme, request.authority) == ("http", b"a.example")
    assert request.http_version == wire.http_version
    assert (b"x-one", b"1") in request.headers
    assert (b"sec-websocket-version", b"13") in request.headers


class TestGranted:
    def test_its_head_has_the_fields_of_the_application(self, connect: Connect) -> None:
        wire = connect()
        asked = wire.ask_for_a_tunnel()
        assert asked.response is None
        wire.last.accept([(b"x-one", b"1"), (b"set-cookie", b"a"), (b"set-cookie", b"b")])
        assert asked.response is not None
        assert asked.response.status == 101
        assert asked.response[b"x-one"] == b"1"
        cookies = [value for name, value in asked.response.headers if name == b"set-cookie"]
        assert cookies == [b"a", b"b"]

    @pytest.mark.parametrize("at_once", [False, True], ids=["later", "at once"])
    def test_bytes_go_both_ways_as_they_are(self, connect: Connect, at_once: bool) -> None:
        wire = connect(opened=accepting if at_once else None)
        asked = wire.ask_for_a_tunnel()
        if not at_once:
            wire.last.accept()
        for data in (b"a", b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n", b"\x00" * 100_000):
            before = len(wire.last.body)
            asked.send(data)
            assert wire.last.body[before:] == data
            before = len(asked.received)
            wire.last.send(data)
            assert asked.received[before:] == data
        assert len(wire.open.exchanges) == 1
        assert not wire.closed

    def test_it_has_no_limit_of_size(self, connect: Connect) -> None:
        wire = connect(opened=accepting, body_size=10)
        wire.ask_for_a_tunnel().send(b"x" * 1000)
        assert len(wire.last.body) == 1000

    def test_it_has_no_limit_of_time(self, connect: Connect) -> None:
        wire = connect(opened=accepting, http_timeout=5, body_timeout=5)
        wire.ask_for_a_tunnel()
        wire.wait(24 * 3600)
        assert "timed_out" not in wire.last.events
        assert wire.last.over is None
        assert not wire.closed

    def test_one_that_is_not_granted_yet_has_none_either(self, connect: Connect) -> None:
        wire = connect(http_timeout=5)
        wire.ask_for_a_tunnel()
        wire.wait(24 * 3600)
        assert "timed_out" not in wire.last.events
        assert not wire.closed


class TestRefused:
    def test_the_client_gets_a_response(self, connect: Connect) -> None:
        wire = connect(opened=answering(b"no", 403, [(b"x-one", b"1")]))
        asked = wire.ask_for_a_tunnel()
        assert asked.response is not None
        assert (asked.response.status, asked.response.body) == (403, b"no")
        assert asked.response[b"x-one"] == b"1"
        assert asked.response.complete

    def test_one_that_comes_piece_by_piece_too(self, connect: Connect) -> None:
        wire = connect()
        asked = wire.ask_for_a_tunnel()
        wire.last.start(b"n", 403)
        wire.last.send(b"o")
        wire.last.end()
        assert asked.response is not None
        assert (asked.response.status, asked.response.body) == (403, b"no")
        assert asked.response.complete


class TestFlow:
    def test_a_slow_application_is_not_flooded(self, connect: Connect) -> None:
        wire = connect(opened=accepting, reads=False, read_budget=64 * KIB)
        asked = wire.ask_for_a_tunnel()
        asked.send(b"x" * (1024 * KIB))
        exchange, taken = wire.last, 0
        while taken < 1024 * KIB:
            waiting = len(exchange.body) - taken
            assert 0 < waiting <= 96 * KIB
            exchange.stream.consumed(waiting)
            taken += waiting
            wire.wait()

    def test_a_slow_client_is_told_to_the_exchange(self, connect: Connect) -> None:
        wire = connect(opened=accepting, write_budget=64 * KIB)
        asked = wire.ask_for_a_tunnel()
        wire.stop_reading()
        pieces = 0
        while not wire.last.stream.full:
            wire.last.send(b"x" * 16 * KIB)
            pieces += 1
            assert pieces <= 9
        assert "drained" not in wire.last.events
        wire.read_on()
        assert wire.last.events[-1] == "drained"
        assert not wire.last.stream.full
        assert len(asked.received) == pieces * 16 * KIB

    def test_a_client_that_takes_nothing_is_cut(self, connect: Connect) -> None:
        wire = connect(opened=accepting, write_budget=KIB, write_timeout=60)
        asked = wire.ask_for_a_tunnel()
        wire.stop_reading()
        wire.last.send(b"x" * 16 * KIB)
        wire.wait(59)
        assert not asked.broken
        wire.wait(1)
        assert wire.last.events[-1] == "disconnected"
        assert asked.broken


class TestEnds:
    @pytest.mark.parametrize("how", ["end", "cancel"])
    def test_a_client_that_leaves_is_told_to_the_exchange_once(
        self, connect: Connect, how: str
    ) -> None:
        wire = connect(opened=accepting)
        asked = wire.ask_for_a_tunnel()
        asked.send(b"abc")
        getattr(asked, how)()
        wire.wait()
        assert wire.last.body == b"abc"
        assert wire.last.events.count("disconnected") == 1
        wire.leave()
        assert wire.last.events[-1] == "disconnected"

    def test_one_that_has_closed_its_side_before_too(self, connect: Connect) -> None:
        """There is no half of a tunnel."""
        wire = connect()
        asked = wire.ask_for_a_tunnel()
        asked.end()
        if wire.last.over is None:
            wire.last.accept()
            wire.wait()
        assert wire.last.events[-1] == "disconnected"

    def test_an_application_that_ends_it_is_told_nothing_more(self, connect: Connect) -> None:
        wire = connect(opened=accepting)
        asked = wire.ask_for_a_tunnel()
        wire.last.send(b"bye")
        wire.last.end()
        asked.send(b"too late")
        wire.wait(wire.limits.linger)
        assert asked.received == b"bye"
        assert wire.last.body == b""
        assert "disconnected" not in wire.last.events
        assert not asked.broken or wire.closed

    def test_an_application_that_breaks_it_off_is_not_believed_to_have_ended_it(
        self, connect: Connect
    ) -> None:
        wire = connect(opened=accepting)
        asked = wire.ask_for_a_tunnel()
        wire.last.abort()
        wire.wait()
        assert asked.broken
        assert "disconnected" not in wire.last.events

    def test_a_server_that_stops_tells_the_exchange_and_waits(self, connect: Connect) -> None:
        wire = connect(opened=accepting)
        asked = wire.ask_for_a_tunnel()
        emptied = wire.drain()
        assert wire.last.events[-1] == "drain"
        assert (emptied, wire.closed) == ([], False)
        wire.last.send(b"bye")
        wire.last.end()
        asked.end()
        wire.wait()
        assert asked.received == b"bye"
        assert emptied == [True]

    def test_one_whose_time_is_over_cuts_it(self, connect: Connect) -> None:
        wire = connect(opened=accepting)
        asked = wire.ask_for_a_tunnel()
        emptied = wire.drain()
        wire.cut()
        assert wire.last.events[-2:] == ["drain", "disconnected"]
        assert asked.broken
        assert emptied == [True]
