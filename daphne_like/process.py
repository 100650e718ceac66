"""What concerns this process: its reactor, threads, signals and log.

The only module that installs a reactor; the entry points call it. It must not know what is
served.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from daphne_like.errors import ConfigError

_REACTOR = "twisted.internet.reactor"


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
    loop = new_loop(kind)
    asyncio.set_event_loop(loop)
    threads = os.environ.get("ASGI_THREADS")
    if threads:
        loop.set_default_executor(ThreadPoolExecutor(max_workers=_thread_count(threads)))
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


def _thread_count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
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


def on_stop_signals(reactor: Any, stop: Callable[[], None]) -> None:
    """Call `stop` in the reactor's thread for every SIGTERM and SIGINT from now on."""
    names = ("SIGTERM", "SIGINT", "SIGBREAK")
    for number in [getattr(signal, name) for name in names if hasattr(signal, name)]:
        signal.signal(number, lambda *_: reactor.callFromThread(stop))


_LEVELS = {0: logging.WARNING, 1: logging.INFO}


def set_up_logging(verbosity: int, log_format: str) -> None:
    """Log to standard error at the level of `verbosity`; the root logger is left alone.

    Our loggers get a handler of their own only where nobody has configured logging.
    """
    level = _LEVELS.get(verbosity, logging.DEBUG)
    ours = logging.getLogger("daphne_like")
    ours.setLevel(level)
    if verbosity >= 3:
        logging.getLogger("asyncio").setLevel(logging.DEBUG)
    if not logging.getLogger().handlers and not ours.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter(log_format))
        ours.addHandler(handler)
        for name in ("asyncio", "twisted"):
            logging.getLogger(name).addHandler(handler)


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
    stopping = False

    def on_signal() -> None:
        nonlocal stopping
        if stopping:
            force()
        elif reactor.running:
            stopping = True
            reactor.stop()

    reactor.addSystemEventTrigger("before", "shutdown", stop)
    reactor.callWhenRunning(on_stop_signals, reactor, on_signal)
    reactor.callWhenRunning(start)
    reactor.run()
