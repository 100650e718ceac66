"""The door: how many requests may be with the application at once, and sockets of one client.

Who comes beyond that is answered 503 or 429 at once: a queue would only make everybody wait. It
wraps ``open``; it must not know who runs the application, nor how a response is spelt.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Collection

from daphne_like.answers import answer
from daphne_like.exchange import Exchange, Open, Request, Stream
from daphne_like.tally import Flood

_logger = logging.getLogger("daphne_like.http")

_BODY = b"503 Service Unavailable\n"
_REASON = 503, "too many requests at once"


def admitted(
    open: Open,
    live: Collection[object],
    most: int,
    flood: Callable[[Callable[[int], None]], Flood],
    refusals: Counter[tuple[int, str]],
) -> Open:
    """Wrap `open`: with `most` in `live` already, a request is answered 503.

    Each is counted in `refusals`, by status and reason. The log tells of the first, and then
    how many there were: that is counted by what `flood` makes of the function that says it.
    """

    def tell(away: int) -> None:
        _logger.warning("Answered 503 to %d, with %d requests running", away, len(live))

    counted = flood(tell)

    def open_admitted(request: Request, stream: Stream) -> Exchange:
        if len(live) < most:
            return open(request, stream)
        refusals[_REASON] += 1
        if away := counted.count():
            tell(away)
        return answer(request, stream, 503, _BODY, (b"retry-after", b"1"))

    return open_admitted


_BODY_FOR_SOCKETS = b"429 Too Many Requests\n"
_REASON_FOR_SOCKETS = 429, "too many WebSockets of one client"


def admitted_sockets(
    open: Open,
    sockets: Counter[str],
    most: int,
    flood: Callable[[Callable[[int], None]], Flood],
    refusals: Counter[tuple[int, str]],
) -> Open:
    """Wrap `open`: with `most` in `sockets` for its client already, a WebSocket is answered 429.

    Counted and told as by `admitted`.
    """

    def tell(away: int) -> None:
        _logger.warning("Answered 429 to %d WebSockets of clients that have %d already", away, most)

    counted = flood(tell)

    def open_admitted(request: Request, stream: Stream) -> Exchange:
        client = request.client
        if request.upgrade is None or client is None or sockets[client[0]] < most:
            return open(request, stream)
        refusals[_REASON_FOR_SOCKETS] += 1
        if away := counted.count():
            tell(away)
        return answer(request, stream, 429, _BODY_FOR_SOCKETS)

    return open_admitted
