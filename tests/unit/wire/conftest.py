"""A connection to serve, and the proof that it leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.attacker import Attacker
from tests.support.http1 import Served


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    """Make a :class:`Served`; at the end its client vanishes, and no timer may be left."""
    made: list[Served] = []

    def make(**options: Any) -> Served:
        made.append(Served(**options))
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
