"""What concerns this process: its reactor, threads, signals and log.

The only module that installs a reactor; the entry points call it. It must not know what is
served.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from daphne_like.errors import ConfigError

_REACTOR = "twisted.internet.reactor"

_LAST_MOMENT = 1.0
"""Seconds for tasks to end that are cancelled when everything else is over."""

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
    asyncio.set_event_loop(loop)
    if threads is not None:
        loop.set_default_executor(ThreadPoolExecutor(max_workers=threads))
    with _all_modules() if tls else _without_openssl():
        from twisted.internet import asyncioreactor

        asyncioreactor.install(loop)
    return sys.modules[_REACTOR]


def _installed() -> Any:
    from twisted.internet.asyncioreactor import AsyncioSelectorReactor

    reactor: Any = sys.modules[_REACTOR]
    if not isinstance(reactor, AsyncioSelectorReactor):
        raise ConfigError(
            f"The reactor {type(reactor).__module__}.{type(reactor).__name__} is installed "
            "already, and daphne-like needs the asyncio reactor: do not import "
            "twisted.internet.reactor before it, or start with twistd --reactor=asyncio."
        )
    return reactor


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


def on_stop_signals(reactor: Any, stop: Callable[[], None]) -> None:
    """Call `stop` in the reactor's thread for every SIGTERM and SIGINT from now on."""
    for number in _STOP_SIGNALS:
        signal.signal(number, lambda *_: reactor.callFromThread(stop))


_LEVELS = {0: logging.WARNING, 1: logging.INFO}


def set_up_logging(verbosity: int, log_format: str) -> None:
    """Log to standard error at the level of `verbosity`; the root logger is left alone.

    Our handler is quiet where somebody has given the root logger one, before or later: so
    every line is written once, by whom the operator chose.

    Raises :class:`ConfigError` for a format that cannot be used.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(_formatter(log_format))
    handler.addFilter(lambda record: not logging.getLogger().handlers)
    _log_with(handler, verbosity, "daphne_like", "asyncio", "twisted")


def log_to_twisted(verbosity: int) -> None:
    """Let our log, at the level of `verbosity`, reach Twisted's, under its loggers' names."""
    _log_with(_TwistedLog(), verbosity, "daphne_like", "asyncio")


def _log_with(handler: logging.Handler, verbosity: int, *names: str) -> None:
    logging.getLogger("daphne_like").setLevel(_LEVELS.get(verbosity, logging.DEBUG))
    if verbosity >= 3:
        logging.getLogger("asyncio").setLevel(logging.DEBUG)
    for name in names:
        logging.getLogger(name).addHandler(handler)


class _TwistedLog(logging.Handler):
    """Hands records over to Twisted's log."""

    def emit(self, record: logging.LogRecord) -> None:
        from twisted.logger import Logger, LogLevel

        level = LogLevel.levelWithName(_TWISTED_LEVELS.get(record.levelname, "info"))
        Logger(record.name).emit(level, "{text}", text=self.format(record))


_TWISTED_LEVELS = {
    "DEBUG": "debug", "INFO": "info", "WARNING": "warn", "ERROR": "error", "CRITICAL": "critical",
}  # fmt: skip


def _formatter(log_format: str) -> logging.Formatter:
    try:
        formatter = logging.Formatter(log_format)
        formatter.format(logging.makeLogRecord({"msg": "a line, to try the format"}))
    except (ValueError, TypeError) as error:
        raise ConfigError(f"--log-fmt {log_format!r}: {error}.") from None
    return formatter


def bridge_twisted_log() -> None:
    """Let Twisted's own log reach ``logging``, under the name ``twisted``."""
    from twisted.logger import STDLibLogObserver, globalLogBeginner

    globalLogBeginner.beginLoggingTo([STDLibLogObserver()], redirectStandardIO=False)


def run(
    reactor: Any,
    start: Callable[[], object],
    stop: Callable[[], object],
    force: Callable[[], object],
) -> None:
    """Run the reactor from `start` until it is stopped, by a signal for example.

    `stop` may return a Deferred, which is waited for; a second signal calls `force`.
    """
    reactor.addSystemEventTrigger("before", "shutdown", stop)
    signalled = _first(partial(_stop, reactor), then=force)
    on_stop_signals(reactor, signalled)
    # Once more, because Twisted takes SIGTERM for itself when the reactor starts.
    reactor.callWhenRunning(on_stop_signals, reactor, signalled)
    reactor.callWhenRunning(start)
    reactor.run()
    for number in _STOP_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    _end(asyncio.get_event_loop())


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
