"""The event loop that the native transports run on, taken by hand."""

from __future__ import annotations

import asyncio

import pytest

from tests.unit.transport.fakes import Loop


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Loop:
    made = Loop()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: made)
    return made
