"""The service when too many come, and when its ports do not close as they should."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail

from daphne_like import assembly, server
from daphne_like.orders import Orders
from tests.unit.asgi.fakes import body, sending, start, turn
from tests.unit.fakes import GET, House, Port, serving

OTHER = IPv4Address("TCP", "192.0.2.9", 1)


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> Callable[..., House]:
    return lambda *given, **options: House(monkeypatch, *given, **options)


async def hello(scope, receive, send) -> None:
    await sending(start(), body(b"hello"))(scope, receive, send)


async def slow(scope, receive, send) -> None:
    await asyncio.sleep(1)
    await hello(scope, receive, send)


@pytest.mark.parametrize(("given", "files", "most"), [(2, 9, 2), (0, 2, 2)])
def test_while_there_are_too_many_connections_no_port_accepts(
    house, caplog, monkeypatch, given, files, most
):
    async def main(at: House) -> None:
        wires = [at.connect(b"") for _ in range(most - 1)]
        assert [port.paused for port in at.ports] == [False, False]
        wires.append(at.connect(b""))
        assert [port.paused for port in at.ports] == [True, True]
        wires[0].vanish()
        assert [port.paused for port in at.ports] == [False, False]
        at.connect(b"")  # So soon again, that is not worth a line.
        assert [port.paused for port in at.ports] == [True, True]

    monkeypatch.setattr(assembly, "room_for_connections", lambda: files)
    serving(house(hello, endpoints=("tcp:0", "tcp:1"), connections=given), main)
    assert caplog.messages == ["2 connections: more have to wait"]


def test_all_ports_close_before_any_is_waited_for(house):
    closing: list[Deferred[None]] = []

    def stop_listening(port: Port) -> Deferred[None]:
        port.open = False
        closing.append(Deferred())
        return closing[-1]

    async def main(at: House) -> None:
        for port in at.ports:
            port.stopListening = lambda port=port: stop_listening(port)
        stopping = asyncio.ensure_future(at.stopped())
        await turn()
        assert [port.open for port in at.ports] == [False, False]
        for each in closing:
            each.callback(None)
        await stopping

    serving(house(hello, endpoints=("tcp:0", "tcp:1")), main)


@pytest.mark.parametrize("how", [lambda: fail(OSError("stuck")), lambda: 1 / 0])
def test_a_port_that_does_not_close_stops_nothing_else(house, caplog, how: Any):
    async def main(at: House) -> list[bool]:
        at.ports[0].stopListening = how
        other, wire = at.ports[1], at.connect(GET)
        await at.stopped()
        return [other.open, wire.closed]

    assert serving(house(hello, endpoints=("tcp:0", "tcp:1")), main) == [False, True]
    assert caplog.messages == ["A port did not close cleanly:"]
    assert caplog.records[0].levelno == logging.ERROR


def test_a_stop_that_fails_is_told_and_still_over(house, caplog, monkeypatch):
    monkeypatch.setattr(server.Application, "drain", lambda self, seconds: 1 / 0)
    serving(house(hello))
    assert caplog.messages == ["The server did not stop cleanly:"]


def test_a_process_that_has_served_enough_is_told_to_stop(house, caplog):
    async def main(at: House) -> list[int]:
        stopped = []
        at.stop = lambda: stopped.append(answers)
        answers = 0
        for _ in range(6):
            answers += "200" in await at.get()
            await asyncio.sleep(1)
        return stopped

    caplog.set_level(logging.INFO, "daphne_like.server")
    at = house(hello, max_requests=3, max_requests_jitter=2)
    [when] = serving(at, main)
    assert when in (3, 4, 5)
    assert "Stopping: as many requests as --limit-max-requests says have come" in caplog.messages
    assert serving(house(hello), main) == []


def test_who_comes_by_a_port_that_is_late_to_close_pauses_nothing(house):
    async def main(at: House) -> None:
        await at.stopped()
        wires = [at.connect(b"") for _ in range(2)]
        assert not any(port.paused for port in at.ports)
        for wire in wires:
            wire.vanish()

    serving(house(hello, connections=2), main)


def test_a_worker_that_has_served_enough_asks_for_another_and_serves_on(house, tmp_path):
    async def main(at: House) -> None:
        for _ in range(3):
            assert "200" in await at.get()

    orders = Orders(1, 1, {"127.0.0.1:8000": 5}, 9, str(tmp_path))
    at = house(hello, orders=orders, max_requests=2)
    serving(at, main)
    assert [words for words in at.words if b"X_RETIRE=1" in words] == [RETIRES]


RETIRES = b"X_RETIRE=1\nSTATUS=Has served enough"
