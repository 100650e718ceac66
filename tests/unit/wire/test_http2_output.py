"""Output: what the streams of one connection write, together and when there is room."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.frames import PING, frame
from tests.support.http1 import answering
from tests.support.http2 import Served

Connect = Callable[..., Served]
KIB = 1024


class TestWrites:
    def test_a_response_is_one_write(self, connect: Connect) -> None:
        served = connect()
        served.ask()
        before = served.wire.writes
        served.last.answer(b"x" * 10 * KIB)
        served.turn()
        assert served.wire.writes == before + 1

    def test_so_are_many_that_come_in_one_turn(self, connect: Connect) -> None:
        served = connect()
        asked = [served.ask() for _ in range(50)]
        before = served.wire.writes
        for exchange in served.open.exchanges[:-1]:
            exchange.answer(b"hi")
        assert served.wire.writes == before
        served.turn()
        assert served.wire.writes == before + 1
        assert sum(each.reply.complete for each in asked) == 49

    def test_so_are_those_to_requests_of_one_segment(self, connect: Connect) -> None:
        served = connect(ended=answering(b"hi"))
        before = served.wire.writes
        with served.in_one_segment():
            for _ in range(50):
                served.ask()
            served.wire.send(served.client.h2.data_to_send())
            assert served.wire.writes == before + 1
        assert [reply.body for reply in served.responses] == [b"hi"] * 50

    def test_the_only_stream_does_not_wait_for_the_turn_to_end(self, connect: Connect) -> None:
        served = connect()
        asked = served.ask()
        served.last.answer(b"hi")
        served.client.receive(bytes(served.wire.received[served._read :]))
        served._read = len(served.wire.received)
        assert asked.reply.body == b"hi"

    def test_what_has_left_with_others_is_not_written_again(self, connect: Connect) -> None:
        served = connect()
        for _ in range(2):
            served.ask()
        served.last.start(b"a")
        before = served.wire.writes
        served.wire.send(frame(PING, b"12345678"))
        assert served.wire.writes == before + 1
        served.clock.advance(0)
        assert served.wire.writes == before + 1

    def test_who_goes_on_when_there_is_room_writes_with_the_others(self, connect: Connect) -> None:
        served = connect(write_budget=KIB, window=10 * KIB, gives=False)
        slow, quick = served.ask(), served.ask()
        first, second = served.open.exchanges
        first.drained = lambda: first.send(b"more")  # type: ignore[method-assign]
        first.start(b"x" * 12 * KIB)
        second.answer(b"y" * 11 * KIB)
        served.turn()
        for number in (slow.number, quick.number):
            served.client.give(10 * KIB, number)
        assert quick.reply.complete
        assert slow.reply.body == b"x" * 12 * KIB + b"more"

    def test_a_large_one_is_written_in_pieces(self, connect: Connect) -> None:
        served = connect()
        asked = served.ask()
        before = served.wire.writes
        served.last.answer(b"x" * 300 * KIB)
        assert len(asked.reply.body) == 300 * KIB
        assert served.wire.writes - before >= 4

    def test_no_more_is_written_than_a_slow_client_takes(self, connect: Connect) -> None:
        served = connect(write_budget=KIB)
        asked = served.ask()
        served.stop_reading()
        served.last.answer(b"x" * 300 * KIB)
        assert served.wire.unsent() <= 64 * KIB
        served.read_on()
        assert asked.reply.complete

    def test_all_that_wait_for_the_transport_are_told_when_it_goes_on(
        self, connect: Connect
    ) -> None:
        served = connect(write_budget=KIB)
        for _ in range(2):
            served.ask()
        first, second = served.open.exchanges
        served.stop_reading()
        for exchange in (second, first):
            exchange.start()
            while not exchange.stream.full:
                exchange.send(b"x" * KIB)
        served.turn()
        assert served.client.replies[1].status == 0
        served.read_on()
        assert [exchange.events[-1] for exchange in (first, second)] == ["drained"] * 2
        assert not first.stream.full
        assert not served.connection.awaited

    def test_nobody_waits_for_the_transport_alone(self, connect: Connect) -> None:
        """What waits is what the engine has to choose from."""
        served = connect(write_budget=KIB)
        served.ask()
        served.stop_reading()
        served.last.start(b"x" * 2 * KIB)
        assert served.connection.full
        assert not served.last.stream.full

    def test_but_not_who_waits_for_its_own_window(self, connect: Connect) -> None:
        served = connect(write_budget=KIB, window=10 * KIB, gives=False)
        for _ in range(2):
            served.ask()
        first, second = served.open.exchanges
        first.start(b"x" * 20 * KIB)
        served.turn()
        served.stop_reading()
        second.start(b"x" * 5 * KIB)
        served.read_on()
        assert (first.events[-1], second.events[-1]) == ("body_ended", "drained")
        assert first.stream.full

    def test_a_turn_that_comes_too_late_writes_nothing(self, connect: Connect) -> None:
        served = connect()
        for _ in range(2):
            served.ask()
        served.last.start(b"a")
        served.connection.readConnectionLost()
        served.turn()
        assert served.wire.closed
