"""What a worker does because it has a supervisor: it ends when that is gone, and can be asked.

This module must not know what is served, nor how a supervisor works.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import signal
import threading
import time
from collections.abc import Callable

from daphne_like.orders import Orders

_logger = logging.getLogger("daphne_like.server")


def hold(orders: Orders, stop: Callable[[], object], seconds: float) -> None:
    """Call `stop` when the supervisor is gone, in a thread; `seconds` later the process ends.

    From now on it writes its stacks to standard error when it is asked (SIGUSR2).
    """
    faulthandler.register(signal.SIGUSR2, all_threads=True)
    watching = threading.Thread(
        target=watch, args=(orders.lifeline, stop, seconds), name="daphne_like.lifeline"
    )
    watching.daemon = True
    watching.start()


def watch(
    lifeline: int,
    stop: Callable[[], object],
    seconds: float,
    sleep: Callable[[float], object] = time.sleep,
    end: Callable[[int], object] = os._exit,
) -> None:
    """What the thread does: wait for the end of `lifeline`, whose other end dies with its owner."""
    os.read(lifeline, 1)
    _logger.error("The supervisor is gone: stopping")
    stop()
    sleep(seconds)
    end(1)
