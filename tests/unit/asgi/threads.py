"""Tests that let threads run: they wait for events, and never longer than there is patience."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from tests.unit.asgi.fakes import turn

PATIENCE = 30.0


def run_for_real(main: Coroutine[Any, Any, Any]) -> Any:
    """Like ``asyncio.run``, where threads have their own time."""

    async def bounded() -> Any:
        async with asyncio.timeout(PATIENCE):
            return await main

    return asyncio.run(bounded())


async def until(happened: Callable[[], object]) -> None:
    """Turn the loop until something has `happened` that no event tells of."""
    while not happened():
        await turn()


class Gate:
    """Where a thread waits until the test opens it; ``reached`` tells that it is there."""

    def __init__(self) -> None:
        self._reached = threading.Event()
        self._open = threading.Event()

    def __call__(self) -> str:
        self._reached.set()
        assert self._open.wait(PATIENCE)
        return threading.current_thread().name

    def open(self) -> None:
        self._open.set()

    async def reached(self) -> None:
        """Wait until the thread is there."""
        assert await asyncio.to_thread(self._reached.wait, PATIENCE)
