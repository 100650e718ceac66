"""The door: so many requests at once, and 503 for the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.task import Clock

from daphne_like.admission import admitted, admitted_sockets
from daphne_like.exchange import Exchange, Request
from daphne_like.tally import Flood
from daphne_like.testing import FakeStream, RecordingOpen
from tests.unit.asgi.fakes import request


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


class Entrance:
    """A door for two WebSockets of each client; ``sockets`` are those that are in."""

    def __init__(self) -> None:
        self.sockets: Counter[str] = Counter()
        self.clock = Clock()
        self.inside = RecordingOpen()
        self.refusals: Counter[tuple[int, str]] = Counter()
        self.open = admitted_sockets(self._enter, self.sockets, 2, self._flood, self.refusals)

    def _flood(self, tell: Callable[[int], None]) -> Flood:
        return Flood(self.clock, tell)

    def _enter(self, asked: Request, stream: Any) -> Exchange:
        if asked.upgrade and asked.client:
            self.sockets[asked.client[0]] += 1
        return self.inside(asked, stream)

    def ask(self, host: str | None, upgrade: str | None = "websocket") -> FakeStream:
        stream = FakeStream()
        client = None if host is None else (host, len(self.inside.requests))
        self.open(request(client=client, upgrade=upgrade), stream)
        return stream


def test_a_client_has_so_many_sockets_and_then_429(caplog: pytest.LogCaptureFixture) -> None:
    door = Entrance()
    assert [door.ask("a").outcome for _ in range(2)] == [None, None]
    assert caplog.messages == []
    stream = door.ask("a")
    assert (stream.head.status, stream.body) == (429, b"429 Too Many Requests\n")
    assert stream.head.close
    assert len(door.inside.requests) == 2
    assert door.refusals == {(429, "too many WebSockets of one client"): 1}
    assert caplog.messages == ["Answered 429 to 1 WebSockets of clients that have 2 already"]


def test_another_client_and_one_without_an_address_are_not_counted_with_it() -> None:
    door = Entrance()
    door.ask("a"), door.ask("a")
    assert [door.ask(host).outcome for host in ("b", None, None, None)] == [None] * 4


def test_a_request_is_no_socket() -> None:
    door = Entrance()
    door.ask("a"), door.ask("a")
    assert door.ask("a", upgrade=None).outcome is None


def test_a_socket_that_is_closed_leaves_its_place() -> None:
    door = Entrance()
    door.ask("a"), door.ask("a")
    assert door.ask("a").outcome == "complete"
    door.sockets["a"] -= 1
    assert door.ask("a").outcome is None


def test_who_asks_without_end_is_told_of_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    door = Entrance()
    for _ in range(102):
        door.ask("a")
    door.clock.advance(10)
    door.ask("a")
    assert [int(message.split()[3]) for message in caplog.messages] == [1, 99, 1]
    assert "a" in door.sockets
    assert door.sockets["b"] == 0
