"""Between a thread, in which synchronous code serves a request, and the loop of its exchange.

The thread asks, and waits for the answer; or it tells, and goes on. The loop does one thing after
the other. This module must not know what is asked for.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

from daphne_like.asgi.threads import Loan
from daphne_like.errors import ClientDisconnected

_Call = Callable[[], Awaitable[Any]]
_Answer = tuple[Any, BaseException | None]


class Link:
    """One request's: `run` is the loop's side, a coroutine; `ask` and `tell` are the thread's.

    When `run` is cancelled the thread goes on, since no thread can be stopped; what has not begun
    does not begin. Whatever is asked when `run` is over raises :class:`ClientDisconnected`.
    """

    __slots__ = ("_answers", "_failure", "_gone", "_loop", "_said", "_turn", "_waiter")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._said: deque[tuple[_Call, bool] | None] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._turn = threading.Lock()
        self._answers: SimpleQueue[_Answer] = SimpleQueue()
        self._failure: BaseException | None = None
        self._gone = False

    # --- The thread's side ----------------------------------------------------------------

    def ask(self, call: _Call) -> Any:
        """Let the loop await ``call()``; returns its result, raises what it raises."""
        with self._turn:  # An application may read its request's body in yet another thread.
            self._say(call, True, True)
            result, error = self._answers.get()
        if error is not None:
            raise error
        return result

    def tell(self, call: _Call, *, last: bool = False) -> None:
        """Let the loop await ``call()``; what it raises is raised by `run`, at the end.

        The `last` word is heard when the thread ends, which it does at once: waking the loop is
        what costs most.
        """
        self._say(call, False, not last)

    def check(self) -> None:
        """Raise :class:`ClientDisconnected` where `run` is over."""
        if self._gone:
            raise ClientDisconnected("nobody waits for the request any more")

    def _say(self, call: _Call, waits: bool, wakes: bool) -> None:
        self.check()
        self._said.append((call, waits))
        if wakes:
            self._loop.call_soon_threadsafe(self._wake)

    def _work(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            self._failure = error
        self._said.append(None)
        if not self._gone:
            with suppress(RuntimeError):  # There is no loop any more.
                self._loop.call_soon_threadsafe(self._wake)

    # --- The loop's side ------------------------------------------------------------------

    async def run(self, loan: Loan, work: Callable[[], None]) -> None:
        """Run `work` in the thread of `loan`, and do what it says, to its end.

        Raises what it raises.
        """
        future = loan.submit(self._work, work)
        try:
            await self._listen()
        finally:  # Nobody waits for an answer for ever, not even a thread that was forgotten.
            self._gone = True
            future.cancel()  # It may not have had its turn yet.
            self._answers.put((None, ClientDisconnected("the request is over")))
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    async def _listen(self) -> None:
        while (said := await self._next()) is not None:
            call, waits = said
            result = error = None
            try:
                result = await call()
            except Exception as raised:
                error = raised
            if waits:
                self._answers.put((result, error))
            else:
                self._failure = self._failure or error

    async def _next(self) -> tuple[_Call, bool] | None:
        while not self._said:
            self._waiter = self._loop.create_future()
            await self._waiter
        return self._said.popleft()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
