"""Threads for synchronous code: a bounded number of them, kept and lent out.

A request borrows one thread at most, at its first synchronous call, and keeps it to its end:
code that is bound to a thread (a database connection of Django's) always finds the same one.
While all threads are lent, further requests wait their turn. This module must not know what
runs in a thread.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, Future
from functools import partial
from queue import SimpleQueue
from typing import Any

from asgiref.sync import ThreadSensitiveContext

from daphne_like.asgi.application import ASGIApplication
from daphne_like.asgi.scope import Message, Scope
from daphne_like.errors import ConfigError

_logger = logging.getLogger("daphne_like.server")

_Job = Callable[[], None]


class Threads:
    """At most `most` threads, each started when it is needed first, and then kept.

    They end with :meth:`close`; one that does not is left behind when the process exits.
    """

    def __init__(self, most: int, name: str) -> None:
        self.most = most
        self._name = name
        self._lock = threading.Lock()
        self._all: list[_Thread] = []
        self._idle: list[_Thread] = []
        self._waiting: dict[Loan, None] = {}
        self._closed = False

    def lend(self) -> Loan:
        """What one request borrows; it takes no thread before it needs one."""
        return Loan(self)

    async def close(self, seconds: float) -> None:
        """Let every thread end what it does, for `seconds` at the most."""
        with self._lock:
            self._closed = True
            ending = list(self._all)
        for thread in ending:
            thread.end()
        left = await _ends(ending, seconds)
        if left:
            _logger.warning("%d of the threads %s-… do not end: left behind", left, self._name)

    # --- For the loans, which hold the lock -----------------------------------------------

    def take(self, loan: Loan) -> _Thread | None:
        """A thread for `loan`; without one, it is its turn later."""
        if self._closed:
            raise RuntimeError("the server stops: no synchronous code is started any more")
        if self._idle:
            return self._idle.pop()
        if len(self._all) < self.most:
            self._all.append(_Thread(f"{self._name}-{len(self._all)}"))
            return self._all[-1]
        self._waiting[loan] = None
        return None

    def give_back(self, thread: _Thread) -> None:
        """Who waits longest has it next."""
        loan = next(iter(self._waiting), None)
        if loan is None:
            self._idle.append(thread)
        else:
            del self._waiting[loan]
            loan.granted(thread)

    def forget(self, loan: Loan) -> None:
        """It waits no more."""
        self._waiting.pop(loan, None)

    @property
    def lock(self) -> threading.Lock:
        """Loans are asked for, and end, in any thread."""
        return self._lock


async def _ends(threads: list[_Thread], seconds: float) -> int:
    """How many of `threads` have not ended in time."""
    ends = [asyncio.wrap_future(thread.over) for thread in threads]
    if not ends:
        return 0
    _, late = await asyncio.wait(ends, timeout=seconds)
    for end in late:
        end.cancel()  # Nobody is to be told of it, when there may be no loop any more.
    return len(late)


class _Thread:
    """One thread, which does what it is given in its order."""

    def __init__(self, name: str) -> None:
        self.over: Future[None] = Future()
        self.over.set_running_or_notify_cancel()
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        # What Python would wait for at its exit, without end, is no daemon: `close` waits.
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def do(self, job: _Job) -> None:
        self._jobs.put(job)

    def end(self) -> None:
        """End when everything is done."""
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
            del job  # Idle, it keeps nothing alive.
        self.over.set_result(None)


class Loan(Executor):
    """An executor of one request's own, whose calls all run in one thread, one by one.

    The thread is taken at the first ``submit`` and given back when :meth:`over` was said and
    nothing runs any more: neither a call that hangs nor a task that outlives its request gets
    into another's way. What such a task submits takes a thread again, for as long as it needs.
    """

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        self._thread: _Thread | None = None
        self._waiting: list[tuple[Future[Any], _Job]] = []
        self._unfinished = 0
        self._over = False

    def submit(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run ``call(*args, **kwargs)`` in the thread, behind what was submitted before."""
        future: Future[Any] = Future()
        job = partial(self._do, future, partial(call, *args, **kwargs))
        with self._threads.lock:
            if self._thread is None and not self._waiting:
                self._thread = self._threads.take(self)
            self._unfinished += 1
            if self._thread is None:
                self._waiting.append((future, job))
            else:
                self._thread.do(job)
        return future

    def over(self) -> None:
        """The request is over: its thread is for the next one, as soon as nothing runs in it."""
        with self._threads.lock:
            self._over = True
            waiting = [each for each in self._waiting if not each[0].cancelled()]
            self._unfinished -= len(self._waiting) - len(waiting)
            self._waiting = waiting
            if not waiting:
                self._threads.forget(self)
            self._settle()

    def granted(self, thread: _Thread) -> None:
        """It is its turn; the lock is held."""
        self._thread = thread
        waiting, self._waiting = self._waiting, []
        for _, job in waiting:
            thread.do(job)

    def _do(self, future: Future[Any], call: Callable[[], Any]) -> None:
        tell = _outcome(future, call) if future.set_running_or_notify_cancel() else None
        with self._threads.lock:
            self._unfinished -= 1
            self._settle()
        if tell is not None:
            tell()

    def _settle(self) -> None:
        if self._over and not self._unfinished and self._thread is not None:
            thread, self._thread = self._thread, None
            self._threads.give_back(thread)


def _outcome(future: Future[Any], call: Callable[[], Any]) -> _Job:
    """What tells of it: who hears it finds the thread given back already."""
    try:
        return partial(future.set_result, call())
    except StopIteration as error:  # No future of asyncio's takes it: who waits would hang.
        stopped = RuntimeError("synchronous code raised StopIteration")
        stopped.__cause__ = error
        return partial(future.set_exception, stopped)
    except BaseException as error:
        return partial(future.set_exception, error)


class ThreadSensitive:
    """An ASGI application whose HTTP requests run thread-sensitive code in `threads`.

    That is what asgiref's ``sync_to_async`` and Django's synchronous views are. Without this
    asgiref starts a thread for each request. WebSockets and the lifespan are left to it: they
    live too long to keep a thread that others wait for. Raises :class:`ConfigError` where
    asgiref cannot be given an executor.
    """

    def __init__(self, call: ASGIApplication, threads: Threads) -> None:
        if "executor" not in inspect.signature(ThreadSensitiveContext).parameters:
            raise ConfigError("--sync-threads needs asgiref 3.13 or newer: pip install -U asgiref.")
        self._call = call
        self._threads = threads

    async def __call__(
        self,
        scope: Scope,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        if scope["type"] != "http":
            await self._call(scope, receive, send)
            return
        loan = self._threads.lend()
        # Never left: asgiref would refuse tasks that outlive the request. Its context is this
        # task's own, and `loan` knows when it is over.
        await ThreadSensitiveContext(executor=loan).__aenter__()
        try:
            await self._call(scope, receive, send)
        finally:
            loan.over()
