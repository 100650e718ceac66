"""What concerns this process: its reactor, threads and signals.

The only module that installs a reactor; the entry points call it. It must not know what is
served.
"""

from __future__ import annotations

import asyncio
import atexit
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from types import FrameType, TracebackType
from typing import Any

from daphne_like.config import Config
from daphne_like.errors import ConfigError
from daphne_like.urgency import Asked

_REACTOR = "twisted.internet.reactor"

_LAST_MOMENT = 1.0
"""Seconds for tasks to end that are cancelled when everything else is over."""

_LARGE = 8 * 1024 * 1024
"""Bytes: twice as much free memory is kept rather than given back."""

_COLLECT_OFTEN = (700, 10, 10)
"""Python's own thresholds, up to 3.13; those of later ones are left alone."""
_COLLECT_IN_TIME = (10_000, 20, 20)

_logger = logging.getLogger("daphne_like.process")


def new_loop(kind: str) -> asyncio.AbstractEventLoop:
    """An event loop of `kind`: ``uvloop``, ``asyncio``, or the best there is for ``auto``.

    Raises :class:`ConfigError` where uvloop is asked for and not installed.
    """
    if kind != "asyncio":
        try:
            import uvloop
        except ImportError:
            if kind == "uvloop":
                raise ConfigError(
                    "--loop uvloop: it is not installed; pip install uvloop."
                ) from None
        else:
            return uvloop.new_event_loop()
    if sys.platform == "win32":
        return asyncio.SelectorEventLoop()
    return asyncio.new_event_loop()


def install_reactor(kind: str = "auto", *, tls: bool = False) -> Any:
    """Install Twisted's asyncio reactor on a new loop of `kind`, or take the one there is.

    Raises :class:`ConfigError` where another reactor is installed already: it is never
    replaced. Without `tls`, pyOpenSSL is not loaded into the reactor.
    """
    if _REACTOR in sys.modules:
        return _installed()
    threads = _thread_count(os.environ.get("ASGI_THREADS"))
    loop = new_loop(kind)
    if threads is not None:
        loop.set_default_executor(ThreadPoolExecutor(max_workers=threads))
    with _all_modules() if tls else _without_openssl():
        reactor = reactor_on(loop)
    _keep_freed_memory()
    _collect_in_time()
    return reactor


def reactor_on(loop: asyncio.AbstractEventLoop) -> Any:
    """Install Twisted's asyncio reactor on `loop`, and no more; the reactor.

    Raises Twisted's ``ReactorAlreadyInstalledError`` where there is one.
    """
    from twisted.internet import asyncioreactor

    asyncio.set_event_loop(loop)
    asyncioreactor.install(loop)
    reactor: Any = sys.modules[_REACTOR]
    if not isinstance(loop, asyncio.BaseEventLoop) and hasattr(signal, "SIGCHLD"):
        reactor.callWhenRunning(_hear_of_children, reactor)
    return reactor


def _hear_of_children(reactor: Any) -> None:
    """Let Twisted hear of the end of processes that it has started, on uvloop.

    Twisted lets Python write the signals that come into a pipe of its own, and uvloop, when it
    runs, into another; so the signal itself has to tell. Where Twisted handles none, in a thread
    for example, we do not either.
    """
    if signal.getsignal(signal.SIGCHLD) is signal.SIG_DFL:
        return
    from twisted.internet.process import reapAllProcesses

    signal.signal(signal.SIGCHLD, lambda *_: reactor.callFromThread(reapAllProcesses))


def preload(config: Config) -> None:
    """Import what every worker needs, and install nothing: copies of this process have it all.

    The application too, if `config` says so: raises :class:`DaphneLikeError` where that fails, or
    has installed a reactor, which no copy could use.
    """
    from daphne_like import assembly, server  # noqa: F401

    with suppress(ImportError):
        from daphne_like.wire import http2  # noqa: F401
    with _without_openssl(), suppress(ImportError):
        from twisted.internet import asyncioreactor  # noqa: F401
    with suppress(ImportError):
        import uvloop  # noqa: F401
    if config.preload_app:
        assembly.application_of(config)
    if _REACTOR in sys.modules:
        raise ConfigError("The application installs a reactor: leave out --preload-app.")
    # The garbage collector would write to all that there is, and every copy would have it anew.
    gc.collect()
    gc.freeze()


def _keep_freed_memory() -> None:
    """Let the C library keep what large bodies leave, for the next ones.

    glibc learns from the largest block that is freed how much it may keep (mallopt(3), "dynamic
    mmap threshold"); the kernel would have to clear a few hundred pages for every megabyte
    otherwise. The block is never touched, so that it takes no memory.
    """
    bytes(_LARGE)


def _collect_in_time() -> None:
    """Let the garbage collector look at what is new every few hundred requests, not every few.

    A hundred requests that are served at once are some thousand objects, all of them alive: to
    look at them each time that 700 have come costs a twentieth of a request and finds nothing.
    Whoever has said something else before us has his reasons.
    """
    if gc.get_threshold() == _COLLECT_OFTEN:
        gc.set_threshold(*_COLLECT_IN_TIME)


def _installed() -> Any:
    from twisted.internet.asyncioreactor import AsyncioSelectorReactor

    reactor: Any = sys.modules[_REACTOR]
    if not isinstance(reactor, AsyncioSelectorReactor):
        raise ConfigError(
            f"The reactor {type(reactor).__module__}.{type(reactor).__name__} is installed "
            "already, and daphne-like needs the asyncio reactor: do not import "
            "twisted.internet.reactor before it, or start twistd, or twist, with --reactor=asyncio."
        )
    return reactor


def loop_of(reactor: Any) -> asyncio.AbstractEventLoop:
    """The event loop that an asyncio `reactor` runs, also before it runs.

    Twisted keeps it to itself (24.10 to 26.10): the only name of its inside that we use here.
    """
    loop: asyncio.AbstractEventLoop = reactor._asyncioEventloop
    return loop


def _thread_count(text: str | None) -> int | None:
    if not text:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise ConfigError(f"ASGI_THREADS={text!r} is not a number of threads; unset it, or 1 up.")
    return int(text)


@contextmanager
def _all_modules() -> Iterator[None]:
    yield


@contextmanager
def _without_openssl() -> Iterator[None]:
    """Let Twisted's reactor be imported as if pyOpenSSL were not there: 13 MB less.

    Twisted loads it for ``startTLS`` on its own socket transports, which we do not use, and
    goes on without it where it is missing. Afterwards it can be imported as ever.
    """
    if "OpenSSL" in sys.modules:
        yield
        return
    sys.modules["OpenSSL"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules["OpenSSL"]


_STOP_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGBREAK") if hasattr(signal, name)
)
_REOPEN_SIGNAL: int | None = getattr(signal, "SIGUSR1", None)
_RELOAD_SIGNAL: int | None = getattr(signal, "SIGHUP", None)


def on_signals(
    reactor: Any, asked: Asked, reopen: Callable[[], object], reload: Callable[[], object]
) -> None:
    """Let SIGTERM and SIGINT be `asked`; call in the reactor's thread `reopen` for SIGUSR1.

    And `reload` for SIGHUP.
    """
    for number in _STOP_SIGNALS:
        signal.signal(number, asked)
    for other, call in ((_REOPEN_SIGNAL, reopen), (_RELOAD_SIGNAL, reload)):
        if other is not None:
            signal.signal(other, lambda *_, call=call: reactor.callFromThread(call))


def on_hangup(reactor: Any, reload: Callable[[], object]) -> None:
    """Call `reload` in the reactor's thread for SIGHUP, where that would end the process.

    For whoever's process it is: what somebody else does at that signal, or ignores, stays.
    """
    if _RELOAD_SIGNAL is None or threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(_RELOAD_SIGNAL) is signal.SIG_DFL:
        signal.signal(_RELOAD_SIGNAL, lambda *_: reactor.callFromThread(reload))


def on_reopen(reactor: Any, reopen: Callable[[], object]) -> None:
    """Call `reopen` in the reactor's thread for SIGUSR1, behind what somebody else does at it.

    For whoever's process it is, once the reactor runs: twistd takes the signal, to rotate its log,
    where nobody has taken it before.
    """
    if _REOPEN_SIGNAL is None or threading.current_thread() is not threading.main_thread():
        return
    before = signal.getsignal(_REOPEN_SIGNAL)

    def told(number: int, frame: FrameType | None) -> None:
        if callable(before):
            before(number, frame)
        reactor.callFromThread(reopen)

    signal.signal(_REOPEN_SIGNAL, told)


def run(
    reactor: Any,
    start: Callable[[], object],
    stop: Callable[[], object],
    force: Callable[[], object],
    reopen: Callable[[], object],
    reload: Callable[[], object],
) -> None:
    """Run the reactor from `start` until it is stopped, by a signal for example.

    `stop` may return a Deferred, which is waited for; a second signal calls `force`, and ends the
    process where the loop does not hear. SIGUSR1
    calls `reopen`: what writes files has to let go of those that were moved away. SIGHUP calls
    `reload`: what has read files has to read them again.
    """
    reactor.addSystemEventTrigger("before", "shutdown", stop)
    asked = Asked(reactor, _first(partial(_stop, reactor), then=force))
    on_signals(reactor, asked, reopen, reload)
    # Once more, because Twisted takes SIGTERM for itself when the reactor starts.
    reactor.callWhenRunning(on_signals, reactor, asked, reopen, reload)
    reactor.callWhenRunning(start)
    reactor.run()
    for number in _STOP_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    for other in (_REOPEN_SIGNAL, _RELOAD_SIGNAL):
        if other is not None:
            signal.signal(other, signal.SIG_IGN)
    _end(asyncio.get_event_loop())


def run_beside(reactor: Any, start: Callable[[], object], stop: Callable[[], object]) -> None:
    """Run the reactor where signals are somebody else's: in a thread, or in a process of tests.

    From `start` until :func:`stop_from_thread`, or the reactor's own stop; `stop` may return a
    Deferred, which is waited for.
    """
    loops: list[asyncio.AbstractEventLoop] = []
    reactor.addSystemEventTrigger("before", "shutdown", stop)
    reactor.callLater(0, lambda: loops.append(asyncio.get_running_loop()))
    reactor.callWhenRunning(start)
    reactor.run(installSignalHandlers=False)
    _end(loops[0])


def stop_from_thread(reactor: Any) -> None:
    """Stop the reactor, which runs in another thread; it may be called twice."""
    reactor.callFromThread(partial(_stop, reactor))


def run_once(main: Coroutine[Any, Any, None]) -> None:
    """Run `main` on the loop of the reactor that is installed, and end what it leaves running.

    A signal has its usual meaning meanwhile.
    """
    for number in _STOP_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    loop = asyncio.get_event_loop()
    try:
        loop.run_until_complete(main)
    finally:
        _end(loop)


def _first(call: Callable[[], object], then: Callable[[], object]) -> Callable[[], None]:
    """What does `call` the first time, and `then` every time after it."""
    calls = iter((call,))

    def called() -> None:
        next(calls, then)()

    return called


def _stop(reactor: Any) -> None:
    from twisted.internet.error import ReactorNotRunning

    with suppress(ReactorNotRunning):  # It is stopping already, by itself.
        reactor.stop()


def _end(loop: asyncio.AbstractEventLoop) -> None:
    """End what the application has left running on `loop`, as ``asyncio.run`` does; close it."""
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.wait(left, timeout=_LAST_MOMENT))
    loop.run_until_complete(loop.shutdown_asyncgens())
    # A task that does not end even so was told of when it was cancelled: once is enough.
    loop.set_exception_handler(lambda loop, context: None)
    loop.close()


def exit_with(status: int) -> None:
    """Let the process end with `status`, though its main program, twistd's, always says 0."""
    atexit.register(_leave, status)


def end_by(kind: type[Exception], complain: Callable[[Exception], int]) -> None:
    """Let an error of `kind` that ends the process be told by `complain`, without a traceback.

    What `complain` returns is the exit status.
    """
    others = sys.excepthook

    def hook(
        raised: type[BaseException], error: BaseException, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, kind):
            exit_with(complain(error))
        else:
            others(raised, error, traceback)

    sys.excepthook = hook


def leave(status: int, seconds: float) -> None:
    """Let the process end with `status` in `seconds`, if it has not until then.

    Python waits for the threads of an application when it exits, for ever; the application
    has had its time.
    """
    timer = threading.Timer(seconds, _leave_behind, [status])
    timer.daemon = True
    timer.start()


def _leave_behind(status: int) -> None:
    _logger.warning("A thread of the application does not end: leaving without it.")
    _leave(status)


def _leave(status: int) -> None:
    sys.stdout.flush()
    os._exit(status)
