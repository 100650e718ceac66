"""Health: what the server says of its state, and the path on which a balancer may ask.

It wraps ``open``. This module must not know what brings a server from one state to the next.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from daphne_like.answers import answer
from daphne_like.exchange import Exchange, Open, Request, Stream

NO_STORE = b"cache-control", b"no-store"
"""What was healthy is not for ever: nobody may repeat an answer (RFC 9111, section 5.2.2.5)."""


class Stage(StrEnum):
    """How far a server is; it is served from in ``READY`` only."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    STOPPED = "stopped"
    """Every request is answered; the application shuts down."""
    FAILED = "failed"
    """It could not start."""


class Leaving(Protocol):
    """What knows that a server stops; the wires' ``Shared``, as far as used."""

    leaving: bool


def checked(open: Open, path: str, server: Leaving) -> Open:
    """Wrap `open`: a GET or HEAD of `path`, whatever its query, is answered by the server itself.

    200 while it serves, 503 from the moment that it stops.
    """
    raw_path = path.encode("ascii")

    def open_checked(request: Request, stream: Stream) -> Exchange:
        if request.raw_path != raw_path or request.method not in ("GET", "HEAD"):
            return open(request, stream)
        if server.leaving:
            return answer(request, stream, 503, b"draining\n", NO_STORE)
        return answer(request, stream, 200, b"ok\n", NO_STORE)

    return open_checked
