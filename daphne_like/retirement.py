"""The end of a process that has served enough: a valve for applications that leak.

It wraps ``open``; it must not know who runs the application, nor how a process ends.
"""

from __future__ import annotations

from collections.abc import Callable

from daphne_like.exchange import Exchange, Open, Request, Stream


def retiring(open: Open, most: int, retire: Callable[[], None]) -> Open:
    """Wrap `open`: with the request that is number `most`, `retire` is called, once.

    That request is served, and so is whatever comes until nobody can connect any more.
    """
    served = 0

    def open_counted(request: Request, stream: Stream) -> Exchange:
        nonlocal served
        served += 1
        if served == most:
            retire()
        return open(request, stream)

    return open_counted
