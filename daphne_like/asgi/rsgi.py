"""RSGI applications as ASGI 3 applications: RSGI 1.6, as Granian runs them.

``__rsgi__`` is called with a scope and a protocol object for each request and each WebSocket;
``__rsgi_init__`` and ``__rsgi_del__`` are the lifespan. This module must not know a wire format.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from daphne_like.asgi.rsgi_http import HTTPProtocol
from daphne_like.asgi.rsgi_scope import Scope
from daphne_like.asgi.rsgi_websocket import WebsocketProtocol
from daphne_like.asgi.rsgi_words import Receive, Send
from daphne_like.asgi.scope import Scope as ASGIScope

_logger = logging.getLogger("daphne_like.lifespan")


class RSGI:
    """The RSGI application `application` as an ASGI 3 application."""

    def __init__(self, application: Any) -> None:
        self._call = getattr(application, "__rsgi__", application)
        self._init = getattr(application, "__rsgi_init__", None)
        self._del = getattr(application, "__rsgi_del__", None)

    async def __call__(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "lifespan":
            await self._live(receive, send)
            return
        protocol = (
            HTTPProtocol(scope, receive, send)
            if kind == "http"
            else WebsocketProtocol(receive, send)
        )
        try:
            await self._call(Scope(scope), protocol)
        except Exception:
            await protocol.outbox.flush()  # What it has said before it failed holds.
            raise
        await protocol.finish()

    async def _live(self, receive: Receive, send: Send) -> None:
        if self._init is None and self._del is None:
            raise NotImplementedError("the application has no __rsgi_init__ and no __rsgi_del__")
        await receive()
        try:
            await _in_a_thread(self._init)
        except (asyncio.CancelledError, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            _logger.error("Exception in the application's __rsgi_init__:", exc_info=error)
            await send({"type": "lifespan.startup.failed", "message": repr(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await _in_a_thread(self._del)
        await send({"type": "lifespan.shutdown.complete"})


class LoopFromThread:
    """The event loop for what is no coroutine and wants to wait for one.

    Granian calls ``__rsgi_init__`` while its loop stands still, and applications run it by
    ``run_until_complete``. Ours runs already: they are called in a thread, and what starts
    something on the loop does so from there. All else is the loop's own.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def run_until_complete(self, awaitable: Any) -> Any:
        """Wait for `awaitable`: its result, or what it raises."""
        return asyncio.run_coroutine_threadsafe(_awaited(awaitable), self._loop).result()

    def create_task(self, coroutine: Coroutine[Any, Any, Any], **more: Any) -> asyncio.Task[Any]:
        """Start a task; it lives on when the function has returned."""

        async def create() -> asyncio.Task[Any]:
            return self._loop.create_task(coroutine, **more)

        task: asyncio.Task[Any] = self.run_until_complete(create())
        return task

    def call_soon(self, call: Callable[..., object], *args: Any, **more: Any) -> asyncio.Handle:
        """As the loop's, from this thread."""
        return self._loop.call_soon_threadsafe(call, *args, **more)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)


async def _awaited(awaitable: Any) -> Any:
    return await awaitable


async def _in_a_thread(call: Callable[[Any], object] | None) -> None:
    if call is not None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, call, LoopFromThread(loop))
