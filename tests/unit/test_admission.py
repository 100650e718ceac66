"""The door: so many requests at once, and 503 for the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.task import Clock

from daphne_like.admission import admitted
from daphne_like.exchange import Exchange, Request
from daphne_like.tally import Flood
from daphne_like.testing import FakeStream, RecordingOpen


class Door:
    """A door for two, with a clock; ``live`` are those that are in."""

    def __init__(self) -> None:
        self.live: set[object] = set()
        self.clock = Clock()
        self.inside = RecordingOpen()
        self.refusals: Counter[tuple[int, str]] = Counter()
        self.open = admitted(self._enter, self.live, 2, self._flood, self.refusals)

    def _flood(self, tell: Callable[[int], None]) -> Flood:
        return Flood(self.clock, tell)

    def _enter(self, request: Request, stream: Any) -> Exchange:
        exchange = self.inside(request, stream)
        self.live.add(exchange)
        return exchange

    def ask(self, method: str = "GET") -> FakeStream:
        stream = FakeStream()
        asked = Request(method, b"/", b"", [], "1.1", "http", b"a", None, None)
        self.open(asked, stream)
        return stream


def test_who_comes_when_all_places_are_taken_is_answered_503(
    caplog: pytest.LogCaptureFixture,
) -> None:
    door = Door()
    for _ in range(2):
        assert door.ask().outcome is None
    assert caplog.messages == []
    stream = door.ask()
    assert stream.head.status == 503
    assert (b"retry-after", b"1") in stream.head.fields
    assert stream.body == b"503 Service Unavailable\n"
    assert len(door.inside.requests) == 2
    assert door.refusals == {(503, "too many requests at once"): 1}
    assert caplog.messages == ["Answered 503 to 1, with 2 requests running"]


def test_a_place_that_is_left_is_free() -> None:
    door = Door()
    door.ask(), door.ask()
    assert door.ask().outcome == "complete"
    door.live.pop()
    assert door.ask().outcome is None


def test_head_gets_no_body() -> None:
    door = Door()
    door.ask(), door.ask()
    stream = door.ask("HEAD")
    assert (stream.head.status, stream.head.bodiless, stream.body) == (503, True, b"")


def test_a_flood_is_told_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    door = Door()
    for _ in range(102):
        door.ask()
    door.clock.advance(10)
    door.ask()
    assert caplog.messages == [
        "Answered 503 to 1, with 2 requests running",
        "Answered 503 to 99, with 2 requests running",
        "Answered 503 to 1, with 2 requests running",
    ]
