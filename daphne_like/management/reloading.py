"""The two processes of a ``runserver`` that reloads, and how each of them ends in order.

The outer one starts the inner one again and again. The inner one serves in a thread, while its
main thread watches the files, and leaves where one has changed. Django's own outer process kills
the inner one at once when it is told to stop: then no application could shut down. This module
must not know what is served.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

from django.utils.autoreload import DJANGO_AUTORELOAD_ENV, get_child_arguments

AGAIN = 3
"""The exit status of an inner process that wants to be started again: Django's."""

PATIENCE = 5.0
"""Seconds in which a server ends in order; a file has changed, and somebody waits for it."""

_KILLED_AFTER = PATIENCE + 2.0
"""Seconds that the outer process gives the inner one: a little more than that gives itself."""


class Running:
    """A `server` that runs in one thread, and can be ended from another."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self._over = threading.Event()

    def run(self) -> None:
        """Run it to its end."""
        try:
            self._server.run()
        finally:
            self._over.set()

    def end(self, seconds: float = PATIENCE) -> None:
        """Stop it in order, and wait for that, but no longer than `seconds`.

        Who presses Control-C meanwhile waits no more.
        """
        self._server.stop()
        with suppress(KeyboardInterrupt):
            self._over.wait(seconds)


def is_inner() -> bool:
    """Whether this is the process that serves."""
    return os.environ.get(DJANGO_AUTORELOAD_ENV) == "true"


def hear_no_more() -> None:
    """SIGTERM means nothing to an inner process that is about to leave."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def serve_again_and_again(start: Callable[..., Any] = subprocess.Popen) -> int:
    """Run the inner process until it leaves for good; its exit status, 0 where we are stopped."""
    signal.signal(signal.SIGTERM, _leave)
    environment = {**os.environ, DJANGO_AUTORELOAD_ENV: "true"}
    status = AGAIN
    while status == AGAIN:
        inner = start(get_child_arguments(), env=environment, close_fds=False)
        status = _status_of(inner)
    return status


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(0)


def _status_of(inner: Any) -> int:
    """Wait for its end, which a signal to this process brings about."""
    try:
        return int(inner.wait())
    except KeyboardInterrupt:  # A terminal tells both processes.
        return 0
    finally:
        if inner.poll() is None:
            inner.terminate()
            _see_off(inner)


def _see_off(inner: Any) -> None:
    try:
        inner.wait(_KILLED_AFTER)
    except (subprocess.TimeoutExpired, KeyboardInterrupt, SystemExit):
        inner.kill()
        inner.wait()
