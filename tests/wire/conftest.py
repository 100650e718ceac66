"""The wires that are held to the list of behaviours in this directory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.wire.http1 import HTTP1Wire
from tests.wire.http2 import HTTP2Wire
from tests.wire.under_test import Wire

WIRES: list[type[Wire]] = [HTTP1Wire, HTTP2Wire]


@pytest.fixture(params=WIRES, ids=lambda wire: wire.name)
def connect(request: pytest.FixtureRequest) -> Iterator[Callable[..., Wire]]:
    """Make a connection over each wire in turn; at the end it leaves no timer behind."""
    made: list[Wire] = []

    def make(**options: Any) -> Wire:
        made.append(request.param(**options))
        return made[-1]

    yield make
    for wire in made:
        wire.leave()
        assert wire.timers == 0
