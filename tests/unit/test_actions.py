"""What Daphne calls actions: the steps of requests and of WebSockets, and their details."""

from __future__ import annotations

from typing import Any

import pytest

from daphne_like.actions import Actions
from daphne_like.exchange import Address, Record, Request

Told = list[tuple[str, str, dict[str, Any]]]


def request(client: Address | None = ("10.0.0.7", 4711)) -> Request:
    return Request("GET", b"/p", b"a=1", [], "1.1", "http", b"a", client, None)


def record(kind: str, status: int | None) -> Record:
    return Record(kind, request(), status, 0, 22, 1_000_000.0, 0.1, 2.0, "complete")


@pytest.fixture
def told() -> Told:
    return []


@pytest.fixture
def actions(told: Told) -> Actions:
    return Actions(lambda *action: told.append(action))


def test_a_request_is_told_of_when_it_is_complete(actions: Actions, told: Told) -> None:
    actions.ended(record("http", 404))
    who = {"path": "/p?a=1", "client": "10.0.0.7:4711"}
    more = {"status": 404, "method": "GET", "time_taken": 2.0, "size": 22}
    assert told == [("http", "complete", who | more)]


def test_a_request_without_a_response_is_not_told_of(actions: Actions, told: Told) -> None:
    actions.ended(record("http", None))
    assert told == []


@pytest.mark.parametrize(
    ("status", "end"),
    [
        (1000, "disconnected"),
        (3000, "disconnected"),
        (None, "disconnected"),
        (403, "rejected"),
        (200, "rejected"),
    ],
)
def test_a_websocket_is_told_of_at_every_step(
    status: int | None, end: str, actions: Actions, told: Told
) -> None:
    for step in ("connecting", "connected"):
        actions.began(request(), step)
    actions.ended(record("websocket", status))
    who = {"path": "/p?a=1", "client": "10.0.0.7:4711"}
    assert told == [("websocket", step, who) for step in ("connecting", "connected", end)]


@pytest.mark.parametrize(
    ("client", "spelt"),
    [(None, None), (("/run/c.sock", None), None), (("::1", 80), "[::1]:80")],
)
def test_a_client_is_a_host_and_a_port_or_nothing(
    client: Address | None, spelt: str | None, actions: Actions, told: Told
) -> None:
    actions.began(request(client), "connecting")
    assert told[0][2]["client"] == spelt
