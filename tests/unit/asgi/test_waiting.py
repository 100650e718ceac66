"""Coroutines whose loop is gone, and those that raise what looks like it."""

from __future__ import annotations

import asyncio

import pytest

from daphne_like.asgi.waiting import is_dropped


async def judged(error: BaseException) -> bool:
    return is_dropped(error)


def test_who_is_closed_without_a_loop_is_dropped() -> None:
    assert is_dropped(GeneratorExit())
    assert not is_dropped(ValueError())


@pytest.mark.parametrize("error", [GeneratorExit(), ValueError()])
def test_while_a_loop_runs_an_application_has_raised_it(error: BaseException) -> None:
    assert not asyncio.run(judged(error))
