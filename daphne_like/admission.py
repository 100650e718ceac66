"""The door: how many requests may be with the application at once.

Who comes beyond that is answered 503 at once: a queue would only make everybody wait. It
wraps ``open``; it must not know who runs the application, nor how a response is spelt.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection

from daphne_like.exchange import Exchange, Field, Open, Request, ResponseHead, Stream
from daphne_like.limits import Tally

_logger = logging.getLogger("daphne_like.http")

_FIELDS: list[Field] = [
    (b"content-type", b"text/plain; charset=utf-8"),
    (b"retry-after", b"1"),
]
_BODY = b"503 Service Unavailable\n"


class _TurnedAway:
    """The exchange of a request that was answered at the door: nothing follows."""

    def body_received(self, data: bytes) -> None:
        """The stream has parted from us."""

    def body_ended(self) -> None:
        """The stream has parted from us."""

    def drained(self) -> None:
        """The stream has parted from us."""

    def timed_out(self) -> None:
        """The stream has parted from us."""

    def drain(self) -> None:
        """The stream has parted from us."""

    def disconnected(self, reason: str) -> None:
        """The stream has parted from us."""


_TURNED_AWAY: Exchange = _TurnedAway()


def admitted(open: Open, live: Collection[object], most: int, now: Callable[[], float]) -> Open:
    """Wrap `open`: with `most` in `live` already, a request is answered 503.

    `now` is a clock in seconds. The log tells of the first, and then how many there were.
    """
    tally = Tally(now)

    def open_admitted(request: Request, stream: Stream) -> Exchange:
        if len(live) < most:
            return open(request, stream)
        if away := tally.count():
            _logger.warning("Answered 503 to %d, with %d requests running", away, len(live))
        bodiless = request.method == "HEAD"
        head = ResponseHead(503, _FIELDS, bodiless=bodiless)
        stream.respond(head, b"" if bodiless else _BODY)
        return _TURNED_AWAY

    return open_admitted
