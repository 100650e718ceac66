"""The door: how many requests may be with the application at once.

Who comes beyond that is answered 503 at once: a queue would only make everybody wait. It
wraps ``open``; it must not know who runs the application, nor how a response is spelt.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Collection

from daphne_like.answers import answer
from daphne_like.exchange import Exchange, Open, Request, Stream
from daphne_like.limits import Flood

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
