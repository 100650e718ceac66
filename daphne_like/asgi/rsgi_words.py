"""What RSGI's two protocols have in common: the errors, and saying something without await.

This module must not know HTTP nor WebSockets.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Awaitable, Callable

from daphne_like.asgi.scope import Message
from daphne_like.errors import DaphneLikeError

Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class _ProtocolError(DaphneLikeError, RuntimeError):
    """The application asks for what cannot be any more, or not yet."""


class _ProtocolClosed(DaphneLikeError, RuntimeError):
    """The client has left."""


def granians(name: str, own: type[Exception]) -> type[Exception]:
    """The exception of that name in ``granian.rsgi``, where the application has loaded it.

    That is the one it catches then; else `own`.
    """
    found: type[Exception] = getattr(sys.modules.get("granian.rsgi"), name, own)
    return found


ProtocolError = granians("ProtocolError", _ProtocolError)
ProtocolClosed = granians("ProtocolClosed", _ProtocolClosed)


class Outbox:
    """What the application's plain functions have said, until a coroutine does it, in order.

    An application that returns is waited for no longer; one that goes on has it done on the next
    turn of the loop.
    """

    __slots__ = ("_calls", "_due", "_loop", "_task", "_turn")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._calls: deque[Callable[[], Awaitable[None]]] = deque()
        self._due: asyncio.Handle | None = None
        self._task: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()

    def put(self, call: Callable[[], Awaitable[None]]) -> None:
        """Let ``call()`` be awaited behind all others."""
        self._calls.append(call)
        if self._due is None:
            self._due = self._loop.call_soon(self._begin)

    def _begin(self) -> None:
        self._due = None
        if self._calls:
            self._task = self._loop.create_task(self._empty())

    async def do(self, call: Callable[[], Awaitable[None]]) -> None:
        """Do now what is left, and then ``call()``."""
        self._calls.append(call)
        await self.flush()

    async def flush(self) -> None:
        """Do now what is left, and raise what any of it has raised."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        await self._empty()
        if self._task is not None:
            task, self._task = self._task, None
            await task

    async def _empty(self) -> None:
        async with self._turn:
            while self._calls:
                await self._calls.popleft()()
