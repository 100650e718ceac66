"""How a wire is slowed down, and how it ends."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.http1 import answering
from tests.wire.under_test import Wire

Connect = Callable[..., Wire]
KIB = 1024


class TestFlow:
    def test_a_slow_application_is_not_flooded(self, connect: Connect) -> None:
        wire = connect(reads=False, read_budget=64 * KIB)
        asked = wire.ask("POST", more=True)
        asked.send(b"x" * (1024 * KIB))
        exchange, taken = wire.last, 0
        while taken < 1024 * KIB:
            waiting = len(exchange.body) - taken
            assert 0 < waiting <= 96 * KIB
            exchange.stream.consumed(waiting)
            taken += waiting
            wire.wait()
        asked.end()
        assert exchange.events == ["body_ended"]

    def test_a_slow_client_is_told_to_the_exchange(self, connect: Connect) -> None:
        wire = connect(write_budget=64 * KIB)
        asked = wire.ask()
        wire.stop_reading()
        wire.last.start()
        pieces = 0
        while not wire.last.stream.full:
            wire.last.stream.send_body(b"x" * 16 * KIB)
            pieces += 1
            assert pieces <= 9
        assert "drained" not in wire.last.events
        wire.read_on()
        assert wire.last.events == ["body_ended", "drained"]
        assert not wire.last.stream.full
        wire.last.end()
        assert asked.response is not None
        assert len(asked.response.body) == pieces * 16 * KIB


class TestClients:
    @pytest.mark.parametrize("started", [False, True])
    def test_one_that_leaves_is_told_to_the_exchange_once(
        self, connect: Connect, started: bool
    ) -> None:
        wire = connect()
        wire.ask()
        if started:
            wire.last.start(b"a")
        wire.leave()
        assert wire.last.events == ["body_ended", "disconnected"]

    def test_one_that_cancels_too(self, connect: Connect) -> None:
        wire = connect()
        asked = wire.ask("POST", more=True)
        asked.send(b"abc")
        asked.cancel()
        assert wire.last.body == b"abc"
        assert wire.last.events == ["disconnected"]

    def test_one_that_leaves_after_its_response_is_told_to_nobody(self, connect: Connect) -> None:
        wire = connect(ended=answering())
        wire.ask()
        wire.leave()
        assert wire.last.events == ["body_ended"]


class TestTime:
    def test_an_exchange_may_have_a_limit(self, connect: Connect) -> None:
        wire = connect(http_timeout=5)
        asked = wire.ask()
        wire.wait(4)
        assert "timed_out" not in wire.last.events
        wire.wait(1)
        assert wire.last.events == ["body_ended", "timed_out"]
        wire.last.answer(status=503)
        assert asked.response is not None
        assert asked.response.status == 503

    def test_an_exchange_may_have_none(self, connect: Connect) -> None:
        wire = connect(http_timeout=None)
        wire.ask()
        wire.wait(24 * 3600)
        assert wire.last.over is None
        assert not wire.closed

    def test_a_client_that_asks_for_nothing_is_let_go(self, connect: Connect) -> None:
        wire = connect()
        wire.wait(wire.limits.head_timeout)
        assert wire.closed

    def test_a_client_that_asks_for_nothing_more_is_let_go_later(self, connect: Connect) -> None:
        wire = connect(ended=answering())
        wire.ask()
        wire.wait(wire.limits.keep_alive - 1)
        assert not wire.closed
        wire.wait(1)
        assert wire.closed


class TestServers:
    def test_one_that_stops_closes_idle_connections(self, connect: Connect) -> None:
        wire = connect(ended=answering())
        wire.ask()
        assert wire.drain() == [True]
        assert wire.closed

    def test_one_that_stops_lets_an_exchange_finish(self, connect: Connect) -> None:
        wire = connect()
        asked = wire.ask()
        emptied = wire.drain()
        assert wire.last.events == ["body_ended", "drain"]
        assert emptied == []
        wire.last.answer(b"done")
        wire.wait()
        assert asked.response is not None
        assert asked.response.body == b"done"
        assert wire.closed
        assert emptied == [True]

    def test_one_whose_time_is_over_cuts_it(self, connect: Connect) -> None:
        wire = connect()
        asked = wire.ask()
        wire.last.start(b"a")
        emptied = wire.drain()
        wire.cut()
        assert wire.last.events == ["body_ended", "drain", "disconnected"]
        assert asked.broken
        assert emptied == [True]
