"""HTTP2Connection: whose bytes leave first (RFC 9218)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from daphne_like.testing import RecordedExchange
from tests.support.frames import priority_update
from tests.support.http2 import Served

Connect = Callable[..., Served]
KIB = 1024


class TestPriorities:
    """Who is more urgent leaves first (RFC 9218)."""

    def order(self, served: Served, *fields: bytes | None) -> list[int]:
        """Let all answer while the window is shut; the streams in the order they leave in."""
        blocked = served.ask(target=b"/blocked")
        served.last.start(b"x" * 65535)
        asked = [
            served.ask(fields=[] if value is None else [(b"priority", value)]) for value in fields
        ]
        for exchange in served.open.exchanges[1:]:
            exchange.answer(b"x" * 40 * KIB)
        self.change(served)
        before = len(served.frames("DATA"))
        served.client.give(1000 * KIB)
        order = served.frames("DATA")[before:]
        assert all(each.reply.complete for each in asked)
        assert blocked.reply.status == 200
        return order

    def change(self, served: Served) -> None:
        """What happens before the window opens."""

    def test_it_is_what_the_client_says(self, connect: Connect) -> None:
        order = self.order(connect(window=65535, gives=False), b"u=5", None, b"u=1")
        assert list(dict.fromkeys(order)) == [7, 5, 3]
        assert order == sorted(order, reverse=True)

    def test_it_may_say_it_later(self, connect: Connect) -> None:
        self.change = lambda served: served.wire.send(priority_update(3, b"u=0"))  # type: ignore[method-assign]
        order = self.order(connect(window=65535, gives=False), b"u=5", None, b"u=1")
        assert list(dict.fromkeys(order)) == [3, 7, 5]

    def test_it_may_say_it_before(self, connect: Connect) -> None:
        served = connect(window=65535, gives=False)
        served.wire.send(priority_update(7, b"u=0"))
        order = self.order(served, None, b"u=1", None)
        assert list(dict.fromkeys(order)) == [7, 5, 3]

    @pytest.mark.parametrize(
        "value", [b"u=9", b"u=-1", b"u", b"u=1.5", b"\xff", b"", b"u=1;u=0, x"]
    )
    def test_what_cannot_be_read_is_nothing(self, connect: Connect, value: bytes) -> None:
        served = connect(window=65535, gives=False)
        self.change = lambda served: served.wire.send(priority_update(3, value))  # type: ignore[method-assign]
        order = self.order(served, None, b"u=0", b"u=7")
        assert list(dict.fromkeys(order)) == [5, 3, 7]

    def test_what_may_come_in_parts_comes_in_turns(self, connect: Connect) -> None:
        order = self.order(connect(window=65535, gives=False), b"u=3, i", b"u=3, i")
        assert order[:4] in ([3, 5, 3, 5], [5, 3, 5, 3])

    def test_what_may_not_does_not(self, connect: Connect) -> None:
        order = self.order(connect(window=65535, gives=False), b"u=3", b"u=3")
        assert order == sorted(order)


class TestStreamsWithoutEnd:
    """Who is more urgent has the connection, where it is the client's reading that is slow."""

    def read(self, served: Served, *fields: bytes | None) -> list[int]:
        """Let all send as much as there is room for; the streams of the last that has come."""
        served.stop_reading()
        for value in fields:
            served.ask(fields=[] if value is None else [(b"priority", value)])
            served.last.start()
        for exchange in served.open.exchanges:
            exchange.drained = partial(pour, exchange)  # type: ignore[method-assign]
            pour(exchange)
        self.read_on(served)
        return self.read_on(served)

    def read_on(self, served: Served) -> list[int]:
        before = len(served.frames("DATA"))
        for _ in range(40):
            served.wire.read(30 * KIB)
            served.turn()
        return served.frames("DATA")[before:]

    def test_the_most_urgent_one_leaves_though_others_came_before(self, connect: Connect) -> None:
        order = self.read(connect(), b"u=5", b"u=3", b"u=1")
        assert set(order) == {5}

    def test_another_may_become_so(self, connect: Connect) -> None:
        served = connect()
        assert set(self.read(served, b"u=5", b"u=3")) == {3}
        served.wire.send(priority_update(1, b"u=0"))
        self.read_on(served)
        assert set(self.read_on(served)) == {1}

    def test_those_that_come_in_parts_have_it_together(self, connect: Connect) -> None:
        order = self.read(connect(), b"u=3, i", b"u=3, i")
        assert abs(order.count(1) - order.count(3)) < len(order) // 10

    def test_so_have_those_whose_client_has_said_nothing(self, connect: Connect) -> None:
        order = self.read(connect(), None, None)
        assert abs(order.count(1) - order.count(3)) < len(order) // 10

    def test_and_those_that_may_not_come_in_parts_do_not(self, connect: Connect) -> None:
        assert set(self.read(connect(), b"u=2", b"u=2")) == {1}

    def test_a_socket_does_not_wait_for_them(self, connect: Connect) -> None:
        served = connect()
        self.read(served, b"u=0, i", None)
        socket = served.ask_for_a_tunnel()
        served.last.accept()
        served.last.send(b"ping")
        self.read_on(served)
        assert socket.reply.body == b"ping"

    def test_a_client_may_say_that_it_does(self, connect: Connect) -> None:
        served = connect()
        self.read(served, b"u=0, i")
        socket = served.ask_for_a_tunnel(fields=[(b"priority", b"u=5")])
        served.last.accept()
        served.last.send(b"ping")
        self.read_on(served)
        assert socket.reply.body == b""

    def test_what_is_sent_later_goes_before_what_is_less_urgent_too(self, connect: Connect) -> None:
        served = connect(window=65535, gives=False)
        served.ask()
        served.last.start(bytes(65535))
        left = {}
        for value in (b"u=5", b"u=1"):
            served.ask(fields=[(b"priority", value)])
            exchange = served.last
            exchange.start()
            left[exchange] = 60
            exchange.drained = partial(pour, exchange, left)  # type: ignore[method-assign]
            pour(exchange, left)
        before = len(served.frames("DATA"))
        for number in (3, 5, None):
            served.client.give(1000 * KIB, number)
        order = served.frames("DATA")[before:]
        assert order == sorted(order, reverse=True)
        assert left == dict.fromkeys(left, 0)

    def test_files_too(self, connect: Connect, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(bytes(500 * KIB))
        served = connect(window=65535, gives=False)
        served.ask()
        served.last.start(bytes(65535))
        with (tmp_path / "file").open("rb") as file:
            for value in (b"u=5", b"u=1"):
                served.ask(fields=[(b"priority", value)])
                served.last.start()
                served.last.stream.send_file(file.fileno(), 0, 500 * KIB)
            before = len(served.frames("DATA"))
            for number in (3, 5, None):
                served.client.give(1100 * KIB, number)
            order = served.frames("DATA")[before:]
        assert order == sorted(order, reverse=True)
        assert order.count(3) >= 500 // 16

    def test_none_has_more_waiting_than_the_budget(self, connect: Connect) -> None:
        served = connect()
        self.read(served, b"u=5", b"u=1")
        waiting = served.connection.engine.queued_body_size
        assert waiting(1) < served.limits.write_budget + 16 * KIB


def pour(exchange: RecordedExchange, left: dict[RecordedExchange, int] | None = None) -> None:
    """Send as long as there is room, and pieces are `left`."""
    while not exchange.stream.full and (left is None or left[exchange]):
        exchange.send(bytes(8 * KIB))
        if left is not None:
            left[exchange] -= 1
