"""The admin listener: what probes, Prometheus and operators may ask a server about itself.

It has connections and limits of its own. This module must not know when a server starts and
stops, nor what is measured.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, cast

from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IListeningPort, IPushProducer

from daphne_like import exposition
from daphne_like.answers import Later, answer
from daphne_like.asgi.application import settle
from daphne_like.assembly import HTTPFactory, admin_endpoint, describe
from daphne_like.clock import LoopClock
from daphne_like.errors import StartupError
from daphne_like.exchange import (
    Address,
    Exchange,
    Progress,
    Request,
    Snapshot,
    Stream,
    escaped,
    peer_name,
)
from daphne_like.health import NO_STORE, Stage
from daphne_like.limits import KIB, Limits
from daphne_like.merging import Pages, best, merged_connections, merged_metrics
from daphne_like.metrics import Sources, metrics
from daphne_like.siblings import PREFIX, Siblings
from daphne_like.wire.negotiate import Negotiation
from daphne_like.wire.shared import DefaultFields, Drainable, Shared

_logger = logging.getLogger("daphne_like.admin")

_LIMITS = Limits(
    head_size=16 * KIB, head_timeout=5.0, keep_alive=10.0, body_size=KIB, connections=16
)
"""Who asks here is quick and brief. So few connections leave the application its files."""

_LONGEST = 200
"""Bytes of a target that are shown: with longer ones a crowd could make the page huge."""

_MOST = 1000
"""Connections that are shown: to write down more would keep the loop for too long."""

_LAST_WORDS = 1.0
"""Seconds for an answer to reach who has asked, and for a reset to be noticed."""


class _Reply(NamedTuple):
    status: int
    body: bytes
    content_type: bytes = b"text/plain; charset=utf-8"


class Admin:
    """A listener at `address` that answers by itself, from a table of paths.

    `stage` tells how far the server is; `sources` are what there is to show. From now on the
    application's requests are counted. A worker answers for its `siblings` too, on a shared
    `socket`.
    """

    def __init__(
        self,
        address: Address,
        reactor: Any,
        stage: Callable[[], Stage],
        sources: Sources,
        siblings: Siblings | None = None,
        socket: int | None = None,
    ) -> None:
        clock = LoopClock(sources.application.loop)
        self._shared = Shared(self._open, clock, _LIMITS, DefaultFields())
        self._shared.crowded = self._crowded
        self._endpoints = [admin_endpoint(address, reactor, _LIMITS)]
        if socket is not None:
            self._endpoints[0].share(socket)
        if siblings is not None:
            self._endpoints.append(admin_endpoint((siblings.place, None), reactor, _LIMITS))
        sources.application.observers.append(sources.requests)
        self._sources = sources
        self._stage = stage
        self._negotiation = Negotiation(self._shared, http2=False)
        self._ports: list[IListeningPort] = []
        self._siblings = siblings
        self._asking: set[asyncio.Task[None]] = set()
        self._pages: dict[bytes, Callable[[], _Reply]] = {
            b"/livez": self._live,
            b"/readyz": self._ready,
            b"/metrics": self._metrics,
            b"/connections": self._connections,
        }
        if siblings is not None:
            self._pages |= {PREFIX + path: page for path, page in self._pages.items()}

    def bind(self) -> None:
        """Bind ahead of `listen`, for whoever may do so now and not later.

        Raises :class:`StartupError`.
        """
        try:
            for endpoint in self._endpoints:
                endpoint.bind()
        except StartupError as error:
            raise StartupError(f"For --admin-bind: {error}") from None

    async def listen(self) -> None:
        """Listen; raises :class:`StartupError`."""
        factory, loop = HTTPFactory(self._shared, self._negotiation), asyncio.get_running_loop()
        try:
            for endpoint in self._endpoints:
                # Whoever waits may be cancelled now: what listens is closed all the same.
                await endpoint.listen(factory).addCallback(self._ports.append).asFuture(loop)
        except StartupError as error:
            raise StartupError(f"For --admin-bind: {error}") from None
        host = self._ports[0].getHost()
        _logger.info("Admin pages on %s", describe(host))
        if not _is_private(host):
            what = (
                "The admin pages on %s show addresses and targets of requests to all who reach it"
            )
            _logger.warning(what, describe(host))

    async def close(self) -> None:
        """Listen no more, and see every answer on its way."""
        self._stop_listening()
        gone = asyncio.get_running_loop().create_future()
        self._shared.drain(partial(settle, gone))
        await asyncio.wait([gone], timeout=_LAST_WORDS)
        self._shared.abort()
        await asyncio.wait([gone], timeout=_LAST_WORDS)

    def abort(self) -> None:
        """The same, and wait for nothing."""
        self._stop_listening()
        self._shared.abort()

    def _stop_listening(self) -> None:
        for endpoint in self._endpoints:
            endpoint.unbind()
        ports, self._ports = self._ports, []
        for port in ports:
            maybeDeferred(port.stopListening)

    def _crowded(self, crowded: bool) -> None:
        for port in self._ports:
            pausable = cast(IPushProducer, port)
            (pausable.pauseProducing if crowded else pausable.resumeProducing)()

    # --- Pages ----------------------------------------------------------------------------

    def _open(self, request: Request, stream: Stream) -> Exchange:
        page = self._pages.get(request.raw_path)
        if page is None:
            there_are = b", ".join(self._pages)
            return answer(request, stream, 404, b"There is %b.\n" % there_are, NO_STORE)
        if request.method not in ("GET", "HEAD"):
            allow = b"allow", b"GET, HEAD"
            return answer(request, stream, 405, b"405 Method Not Allowed\n", allow, NO_STORE)
        if self._siblings is not None and request.raw_path in _MERGED:
            return self._answer_for_all(Later(request, stream), request.raw_path, self._siblings)
        status, body, content_type = page()
        return answer(request, stream, status, body, NO_STORE, content_type=content_type)

    def _answer_for_all(self, later: Later, path: bytes, siblings: Siblings) -> Later:
        asking = asyncio.ensure_future(_answer_for_all(later, path, siblings))
        self._asking.add(asking)
        asking.add_done_callback(self._asking.discard)
        return later

    def _live(self) -> _Reply:
        """That it is answered says it all."""
        return _Reply(200, b"ok\n")

    def _ready(self) -> _Reply:
        return _readiness(self._stage())

    def _metrics(self) -> _Reply:
        return _Reply(200, metrics(self._sources), exposition.CONTENT_TYPE)

    def _connections(self) -> _Reply:
        shared, running = self._sources.shared, self._sources.application.live
        now = shared.clock.seconds()
        taken = [(connection, connection.snapshot()) for connection in shared.connections]
        taken.sort(key=_busy_first)
        shown = [_shown(*each, now) for each in taken[:_MOST]]
        totals = {"open": len(taken), "accepted": shared.accepted, "running": len(running)}
        page = {"stage": self._stage(), "totals": totals, "connections": shown}
        # On one line: to lay it out would take the loop many times as long.
        return _Reply(200, json.dumps(page).encode() + b"\n", b"application/json")


def _readiness(stage: str) -> _Reply:
    return _Reply(200 if stage == Stage.READY else 503, f"{stage}\n".encode())


def _all_ready(pages: Pages) -> _Reply:
    return _readiness(best(json.loads(page)["stage"] for page in pages.values()))


_MERGED: dict[bytes, tuple[bytes, Callable[[Pages], _Reply]]] = {
    b"/readyz": (b"/connections", _all_ready),
    b"/metrics": (
        b"/metrics",
        lambda pages: _Reply(200, merged_metrics(pages), exposition.CONTENT_TYPE),
    ),
    b"/connections": (
        b"/connections",
        lambda pages: _Reply(200, merged_connections(pages), b"application/json"),
    ),
}
"""Pages of all workers: the page that each is asked for, and what is made of those."""


async def _answer_for_all(later: Later, path: bytes, siblings: Siblings) -> None:
    asked, merge = _MERGED[path]
    status, body, content_type = merge(await siblings.pages(asked))
    later.answer(status, body, NO_STORE, content_type=content_type)


def _is_private(host: Any) -> bool:
    """Whether a place can be reached from this machine alone."""
    return not hasattr(host, "host") or ipaddress.ip_address(host.host).is_loopback


def _busy_first(each: tuple[Drainable, Snapshot]) -> tuple[float, float]:
    """The request that has been served for longest, then the oldest connection."""
    _, snapshot = each
    ages = [progress.age or 0.0 for progress in snapshot.current]
    return -max(ages, default=-1.0), snapshot.opened


def _shown(connection: Drainable, snapshot: Snapshot, now: float) -> dict[str, Any]:
    opened, requests, state, current = snapshot
    client = current[0].request.client if current else connection.client
    return {
        "client": _name(client),
        "peer": _name(connection.client),
        "age": _rounded(now - opened),
        "requests": requests,
        "state": state,
        "current": [_shown_request(progress) for progress in current],
    }


def _shown_request(progress: Progress) -> dict[str, Any]:
    request, age, state = progress
    return {
        "method": request.method,
        "target": escaped(request.raw_target, _LONGEST),
        "age": _rounded(age or 0.0),
        "state": state,
    }


def _name(client: Address | None) -> str | None:
    return None if client is None else peer_name(client)


def _rounded(seconds: float) -> float:
    return round(seconds, 3)
