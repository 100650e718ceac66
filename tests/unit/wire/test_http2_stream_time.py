"""How long an HTTP/2 stream waits: for its body, for its answer, for its reader."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.frames import CANCEL
from tests.support.http1 import answering
from tests.support.http2 import Asked, Served

Connect = Callable[..., Served]
KIB = 1024
ROOM = 65535


def give(served: Served, size: int, number: int | None) -> None:
    served.client.give(size, number)
    served.turn()


class TestBodies:
    def test_one_that_does_not_come_is_not_waited_for(self, connect: Connect) -> None:
        served = connect(body_timeout=30)
        asked = served.ask("POST", more=True)
        served.wait(29)
        assert served.last.over is None
        served.wait(1)
        assert served.last.events == ["disconnected"]
        assert (served.last.refused, served.last.over) == (408, "the body came too slowly")
        assert asked.reply.status == 408

    @pytest.mark.parametrize(("size", "enough"), [(300, True), (299, False)])
    def test_it_has_to_come_at_a_rate(self, connect: Connect, size: int, enough: bool) -> None:
        served = connect(body_timeout=30, body_rate=10)
        asked = served.ask("POST", more=True)
        for _ in range(5):
            asked.send(b"x" * size)
            served.wait(30)
        assert (served.last.over is None) is enough

    def test_without_a_rate_one_byte_does(self, connect: Connect) -> None:
        served = connect(body_timeout=30, body_rate=0)
        asked = served.ask("POST", more=True)
        for _ in range(5):
            asked.send(b"x")
            served.wait(30)
        assert served.last.over is None
        served.wait(30)
        assert served.last.refused == 408

    def test_the_time_of_a_slow_application_does_not_count(self, connect: Connect) -> None:
        served = connect(reads=False, body_timeout=30, read_budget=64 * KIB)
        asked = served.ask("POST", more=True)
        asked.send(b"x" * (64 * KIB))
        served.wait(1000)
        assert served.last.over is None
        served.last.stream.consumed(64 * KIB)
        served.wait(60)
        assert served.last.refused == 408

    def test_nor_does_that_in_which_the_client_waits_to_be_asked(self, connect: Connect) -> None:
        served = connect(body_timeout=30)
        asked = served.ask("POST", fields=[(b"expect", b"100-continue")], more=True)
        served.wait(1000)
        assert served.last.over is None
        served.last.stream.wanted()
        served.wait(60)
        assert served.last.refused == 408
        assert asked.reply.interim == [100]

    def test_one_that_is_complete_is_not_waited_for(self, connect: Connect) -> None:
        served = connect(body_timeout=30)
        served.ask("POST", body=b"abc")
        served.wait(1000)
        assert served.last.events == ["body_ended"]


class TestAnswers:
    def test_an_exchange_may_have_a_limit(self, connect: Connect) -> None:
        served = connect(http_timeout=5)
        served.ask()
        served.wait(3)
        served.ask()
        first, second = served.open.exchanges
        served.wait(2)
        assert (first.events[-1], second.events[-1]) == ("timed_out", "body_ended")
        served.wait(3)
        assert second.events[-1] == "timed_out"

    def test_one_that_has_answered_is_not_told(self, connect: Connect) -> None:
        served = connect(http_timeout=5, ended=answering())
        served.ask()
        served.wait(10)
        assert served.last.events == ["body_ended"]

    def test_one_that_answers_at_once_is_not_either(self, connect: Connect) -> None:
        served = connect(http_timeout=5, opened=answering())
        served.ask("POST", more=True)
        served.wait(4)
        assert served.last.events == []

    def test_what_it_answers_then_ends_the_wait_for_its_body(self, connect: Connect) -> None:
        served = connect(http_timeout=30, body_timeout=30)
        asked, other = (served.ask("POST", more=True) for _ in range(2))
        exchange = served.open.exchanges[0]
        exchange.timed_out = lambda: exchange.answer(status=503)  # type: ignore[method-assign]
        served.wait(30)
        assert asked.reply.status == 503
        assert exchange.events == []
        assert other.reply.status == 408


class TestReaders:
    """Each stream has a window; all have one together."""

    def slow(self, served: Served) -> Asked:
        asked = served.ask()
        served.last.start(b"x" * (2 * KIB))
        assert asked.reply.body == b"x" * KIB
        return asked

    def test_one_that_takes_nothing_is_reset(self, connect: Connect) -> None:
        served = connect(window=KIB, gives=False, write_timeout=60)
        asked = self.slow(served)
        served.wait(59)
        assert served.last.over is None
        served.wait(1)
        assert served.last.events == ["body_ended", "disconnected"]
        assert served.last.unsent == KIB
        assert asked.reply.reset == CANCEL
        assert not served.wire.closed

    def test_one_that_takes_something_each_time_may_go_on(self, connect: Connect) -> None:
        served = connect(window=KIB, gives=False, write_timeout=60)
        asked = self.slow(served)
        for _ in range(20):
            served.wait(59)
            give(served, 1, asked.number)
        assert served.last.over is None
        assert len(asked.reply.body) == KIB + 20

    def test_a_response_that_is_complete_is_not_waited_for_either(self, connect: Connect) -> None:
        served = connect(window=KIB, gives=False, write_timeout=60, ended=answering(b"x" * 2048))
        asked = served.ask()
        served.wait(60)
        assert served.last.events == ["body_ended"]
        assert asked.reply.reset == CANCEL

    def test_once_all_is_taken_the_time_is_over(self, connect: Connect) -> None:
        served = connect(window=KIB, gives=False, write_timeout=60)
        asked = self.slow(served)
        give(served, KIB, asked.number)
        served.wait(70)
        assert served.last.over is None
        served.last.send(b"y")
        served.wait(59)
        assert served.last.over is None
        served.wait(1)
        assert served.last.unsent == 1

    def crowd(self, served: Served) -> tuple[Asked, Asked]:
        """Two responses, of which the first takes all that the client gives the connection."""
        first, second = served.ask(), served.ask()
        served.client.give(ROOM, first.number)
        for exchange, size in zip(served.open.exchanges, (2 * ROOM, ROOM), strict=True):
            exchange.start(b"x" * size)
        served.turn()
        return first, second

    def test_one_that_others_leave_no_room_is_not_its_own_fault(self, connect: Connect) -> None:
        served = connect(window=ROOM, gives=False, write_timeout=60, write_budget=200 * KIB)
        first, second = self.crowd(served)
        for _ in range(10):
            served.wait(50)
            give(served, 100, None)
        assert (len(first.reply.body), len(second.reply.body)) == (ROOM + 1000, 0)
        assert [exchange.over for exchange in served.open.exchanges] == [None] * 2

    def test_but_where_all_is_shut_for_long_it_is(self, connect: Connect) -> None:
        served = connect(window=ROOM, gives=False, write_timeout=60, write_budget=200 * KIB)
        asked = self.crowd(served)
        served.wait(60)
        served.wait(60)
        assert [exchange.over is None for exchange in served.open.exchanges] == [False] * 2
        assert [each.reply.reset for each in asked] == [CANCEL] * 2

    def test_while_the_transport_is_full_it_is_the_connections_time(self, connect: Connect) -> None:
        served = connect(window=ROOM, gives=False, write_timeout=60, write_budget=KIB)
        served.ask()
        served.last.start(b"x" * (ROOM + 100))
        served.wait(30)
        served.stop_reading()
        served.ask()
        served.last.start(b"y")
        give(served, ROOM, 3)
        give(served, ROOM, None)
        served.last.send(b"y" * (ROOM - 100))
        assert served.connection.full
        for _ in range(5):
            served.wait(31)
            served.wire.read(100)
        assert [exchange.over for exchange in served.open.exchanges] == [None] * 2
        served.read_on()
