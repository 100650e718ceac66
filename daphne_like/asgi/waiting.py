"""Coroutines that wait for the wire: the slots in which the two colours meet.

A slot is ``None`` while nobody waits. This module must not know what is waited for.
"""

from __future__ import annotations

import asyncio

Waiters = list[asyncio.Future[None]]


async def wait(waiters: Waiters, loop: asyncio.AbstractEventLoop) -> None:
    """Wait to be woken; cancelled, nobody is told of it and nothing is lost."""
    waiter = loop.create_future()
    waiters.append(waiter)
    try:
        await waiter
    finally:
        if waiter in waiters:
            waiters.remove(waiter)


def wake(waiters: Waiters) -> None:
    """Let every waiter go on and look again."""
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(None)


def is_dropped(error: BaseException) -> bool:
    """Whether a coroutine ends because its loop is gone, and nobody waits for it any more.

    An application that raises ``GeneratorExit`` by itself does so while the loop runs.
    """
    if not isinstance(error, GeneratorExit):
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return True
    return False
