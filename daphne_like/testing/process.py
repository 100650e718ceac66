"""A server in a process of its own, for tests that talk to it over a socket.

``ServerProcess`` is what ``channels.testing`` starts, under Daphne's name for it. This module
must not import a reactor before the process is there, nor know a test runner.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from daphne_like import compat
from daphne_like.endpoints import build_endpoint_description_strings

_LOOK_AGAIN = 0.1
"""Seconds, until which it does not listen yet."""


class ServerProcess(multiprocessing.Process):
    """Serves what `get_application` returns on `host`, and on a port that the kernel picks.

    ``ready`` is set when it listens, on the port that ``port`` then has; ``errors`` has pairs of
    an exception and its traceback, of what ended it. `kwargs` are further arguments of ``Server``.
    `setup` and `teardown` are called in the process, before and after it serves. All of them are
    pickled where processes are not forked. ``terminate()`` ends it.
    """

    def __init__(
        self,
        host: str,
        get_application: Callable[[], Any],
        kwargs: Mapping[str, Any] | None = None,
        setup: Callable[[], object] | None = None,
        teardown: Callable[[], object] | None = None,
        port: int | None = None,
    ) -> None:
        super().__init__()
        self.host = host
        self.get_application = get_application
        self.kwargs = dict(kwargs or {})
        self.setup = setup
        self.teardown = teardown
        self.port: Any = multiprocessing.Value("i", port or 0)
        self.ready = multiprocessing.Event()
        self.errors: multiprocessing.Queue[tuple[BaseException, str]] = multiprocessing.Queue()
        self.server: Any = None

    def __reduce__(self) -> tuple[Any, ...]:
        # What follows may be of modules that import daphne.
        return _again, (_NAMES, type(self)), self.__dict__

    def run(self) -> None:
        """Serve, in the process, until it is terminated."""
        try:
            _reinstall_reactor()
            self._serve()
        except BaseException as error:
            if not self.ready.is_set():
                traceback.print_exc()  # Who waits for it may look no further than here.
            self.errors.put((error, traceback.format_exc()))

    def _serve(self) -> None:
        from daphne_like.standalone import Server

        self.server = Server(
            application=self.get_application(),
            endpoints=build_endpoint_description_strings(self.host, self.port.value),
            signal_handlers=False,
            **self.kwargs,
        )
        self._look_again()
        if self.setup is not None:
            self.setup()
        try:
            self.server.run()
        finally:
            if self.teardown is not None:
                self.teardown()

    def resolve_port(self) -> None:
        """Tell the parent the port as soon as it is known: a timer of the reactor's calls it."""
        if self.server.listening_addresses:
            self.port.value = self.server.listening_addresses[0][1]
            self.ready.set()
        else:
            self._look_again()

    def _look_again(self) -> None:
        from daphne_like import process

        process.install_reactor().callLater(_LOOK_AGAIN, self.resolve_port)


DaphneProcess = ServerProcess
"""Daphne's name for it."""


class _Names:
    """Is pickled as a call that lets Daphne's names be imported."""

    def __reduce__(self) -> tuple[Any, ...]:
        return compat.install, ()


_NAMES = _Names()


def _again(names: None, kind: type[ServerProcess]) -> ServerProcess:
    return kind.__new__(kind)


def _reinstall_reactor() -> None:
    """Install a reactor of this process's own, in place of one that its parent has left it.

    Daphne has made the name public, underscore and all: who overrides ``run`` calls it first.
    """
    from daphne_like import process

    sys.modules.pop("twisted.internet.reactor", None)
    asyncio.set_event_loop(process.loop_of(process.install_reactor(tls=True)))
