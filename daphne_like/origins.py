"""Which pages may open WebSockets: a browser says where a page comes from, in ``Origin``.

Cookies go with every handshake, whoever's page asks for it (RFC 6455, section 10.2). It wraps
``open``; it must not know who runs the application, nor how a response is spelt.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable

from daphne_like.answers import answer
from daphne_like.exchange import Exchange, Open, Request, Stream, peer_name, printable
from daphne_like.tally import ONE_BY_ONE, Flood, and_others

_logger = logging.getLogger("daphne_like.http")

_BODY = b"403 Forbidden\n"
_REASON = 403, "a WebSocket from a page of elsewhere"
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def from_pages(
    open: Open,
    allowed: Iterable[str],
    flood: Callable[..., Flood],
    refusals: Counter[tuple[int, str]],
) -> Open:
    """Wrap `open`: a WebSocket that a page of elsewhere wants to open is answered 403.

    `allowed` has ``*`` for all, origins, ``https://example.org``, all of a domain's,
    ``https://*.example.org``, or ``same`` for pages of the host that is asked. Who sends no
    ``Origin`` is no browser. Each refusal is counted in `refusals`; the log tells of them as far
    as `flood` lets it.
    """
    may_open = judge_of(allowed)
    counted = flood(_tell_rest, ONE_BY_ONE)

    def open_judged(request: Request, stream: Stream) -> Exchange:
        if request.upgrade is None or may_open(request):
            return open(request, stream)
        refusals[_REASON] += 1
        if told := counted.count():
            origin = printable(_origin(request) or "")
            said = peer_name(request.client), request.label, origin, and_others(told)
            _logger.warning("Answered 403 to %s, %s: Origin %s is not in --ws-origins%s", *said)
        return answer(request, stream, 403, _BODY)

    return open_judged


def judge_of(allowed: Iterable[str]) -> Callable[[Request], bool]:
    """What tells whether the page that asks may open a WebSocket."""
    names = {_as_sent(name) for name in allowed}
    same = "same" in names
    exact = names - {"same"}
    domains = [_domain(name) for name in names if "*" in name]

    def may_open(request: Request) -> bool:
        origin = _origin(request)
        if origin is None or origin in exact or "*" in exact:
            return True
        if same and _is_same(origin, request):
            return True
        return any(domain.fullmatch(origin) for domain in domains)

    return may_open


def _origin(request: Request) -> str | None:
    """Where the page comes from; several answers are none that could be allowed."""
    said = [value for name, value in request.headers if name == b"origin"]
    return b", ".join(said).decode("latin-1").lower() if said else None


def _is_same(origin: str, request: Request) -> bool:
    """Whether the page is of the host that is asked; a proxy may have changed the scheme."""
    scheme, _, host = origin.partition("://")
    asked = request.authority.decode("latin-1").lower()
    return bool(host) and host == asked.removesuffix(_DEFAULT_PORTS.get(scheme, ""))


def _domain(origin: str) -> re.Pattern[str]:
    """What all origins of a domain look like: a name stands for the ``*``, and nothing else."""
    before, _, after = origin.partition("*")
    return re.compile(re.escape(before) + r"[a-z0-9._-]+" + re.escape(after))


def _as_sent(origin: str) -> str:
    """An origin as browsers send it: in lower case, without the port that goes without saying."""
    origin = origin.lower()
    return origin.removesuffix(_DEFAULT_PORTS.get(origin.partition("://")[0], ""))


def _tell_rest(untold: int) -> None:
    _logger.warning("Refused %d other WebSockets of pages of elsewhere", untold)
