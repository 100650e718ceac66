"""The service with a watchdog and an admin listener: in what order they come and go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from daphne_like import server
from tests.unit.fakes import House, serving


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> Callable[..., House]:
    return lambda *given, **options: House(monkeypatch, *given, **options)


class Dog:
    """A watchdog of which only the coming and going is seen."""

    def __init__(self, events: list[str], seconds: float) -> None:
        self._events = events
        events.append(f"watch for {seconds} s")

    def start(self) -> None:
        self._events.append("start")

    def stop(self) -> None:
        self._events.append("stop")


@pytest.mark.parametrize(("seconds", "watched"), [(2.5, True), (0.0, False)])
def test_the_loop_is_watched_while_anybody_may_wait_for_it(house, monkeypatch, seconds, watched):
    async def app(scope, receive, send):
        for phase in ("startup", "shutdown"):
            await receive()
            events.append(phase)
            await send({"type": f"lifespan.{phase}.complete"})

    events: list[str] = []
    monkeypatch.setattr(server, "Watchdog", lambda clock, limit: Dog(events, limit))
    serving(house(app, watchdog=seconds, lifespan="on"))
    all_of_it = ["watch for 2.5 s", "startup", "start", "shutdown", "stop", "stop"]
    assert events == (all_of_it if watched else ["startup", "shutdown"])


def test_the_admin_listener_opens_before_the_startup_and_closes_after_the_shutdown(house):
    async def app(scope, receive, send):
        for phase in ("startup", "shutdown"):
            await receive()
            events.append((phase, [port.open for port in at.ports]))
            await send({"type": f"lifespan.{phase}.complete"})

    events: list[Any] = []
    at = house(app, lifespan="on", admin_bind=("127.0.0.1", 9000))
    serving(at)
    assert events == [("startup", [True]), ("shutdown", [True, False])]
    assert [port.open for port in at.ports] == [False, False]
