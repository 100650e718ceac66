"""A connection to serve, and the proof that it leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support import http1, http2
from tests.support.attacker import Attacker


@pytest.fixture
def serve() -> Iterator[Callable[..., http1.Served]]:
    """Make a :class:`http1.Served`; at the end its client vanishes, and no timer may be left."""
    yield from serving(http1.Served)


@pytest.fixture
def connect() -> Iterator[Callable[..., http2.Served]]:
    """The same of :class:`http2.Served`."""
    yield from serving(http2.Served)


def serving(kind: type[Any]) -> Iterator[Callable[..., Any]]:
    made: list[Any] = []

    def make(**options: Any) -> Any:
        made.append(kind(**options))
        return made[-1]

    yield make
    for served in made:
        served.wire.vanish()
        served.turn()
        assert served.clock.getDelayedCalls() == []
        assert served.shared.connections == set()


@pytest.fixture
def attack() -> Iterator[Callable[..., Attacker]]:
    """Make an :class:`Attacker`; at the end it vanishes, and no timer may be left."""
    made: list[Attacker] = []

    def make(**options: Any) -> Attacker:
        made.append(Attacker(**options))
        return made[-1]

    yield make
    for attacker in made:
        attacker.leave()
