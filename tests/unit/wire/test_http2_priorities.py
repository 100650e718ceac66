"""HTTP2Connection: whose bytes leave first (RFC 9218)."""

from __future__ import annotations

from collections.abc import Callable

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

    def test_what_may_come_in_parts_comes_in_turns(self, connect: Connect) -> None:
        order = self.order(connect(window=65535, gives=False), b"u=3, i", b"u=3, i")
        assert order[:4] in ([3, 5, 3, 5], [5, 3, 5, 3])

    def test_what_may_not_does_not(self, connect: Connect) -> None:
        order = self.order(connect(window=65535, gives=False), b"u=3", b"u=3")
        assert order == sorted(order)
