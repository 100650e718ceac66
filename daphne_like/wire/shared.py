"""What all connections of one server share: its limits, clock, default fields and live ones.

This module must not know any one wire.
"""

from __future__ import annotations

import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable
from email.utils import formatdate
from typing import Any, Protocol

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import ISSLTransport

from daphne_like.clock import Clock
from daphne_like.errors import RemoteFault
from daphne_like.exchange import Address, Field, Open, Snapshot, peer_name, unmapped
from daphne_like.headers import DEFAULTABLE
from daphne_like.limits import Limits
from daphne_like.tally import ONE_BY_ONE, Flood, and_others

_logger = logging.getLogger("daphne_like.http")

_ROOMY = 0.95
"""The part of the connections that there may be at which more are accepted again.

With one place free the next who comes would take it, and so on: no end of stopping and starting.
"""

_REASONS = 64
"""Kinds of refusals that are counted apart; there are fewer, as long as nobody makes one up."""


METHODS = {name.encode(): name for name in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")}
"""The methods whose names are known."""


class Drainable(Protocol):
    """A connection as the server sees it: where it comes from, what it does, how it stops."""

    client: Address | None

    def drain(self) -> None:
        """Finish what is in flight, take nothing new, then close."""

    def cut(self, reason: str) -> None:
        """Close at once; the exchanges that it carries are told the reason."""

    def snapshot(self) -> Snapshot:
        """What it does now."""


class DefaultFields:
    """The fields that every response gets unless the application set them: Date, Server, ours.

    The lines are made once a second: a Date has no finer grain (RFC 9110, section 5.6.7).
    """

    def __init__(
        self,
        server: bytes | None = None,
        date: bool = True,
        extra: Iterable[Field] = (),
        now: Callable[[], float] = time.time,
    ) -> None:
        self._fixed = [(b"server", server)] if server else []
        self._extra = list(extra)
        self._date = date
        self._now = now
        self._second = -math.inf
        self._listed: list[Field] = []
        self._lines = b""

    def fields(self, own: frozenset[bytes] = frozenset()) -> list[Field]:
        """The fields of now, without those in `own`."""
        date = [(b"date", formatdate(self._now(), usegmt=True).encode())] if self._date else []
        ours = [field for field in date + self._fixed if field[0] not in own & DEFAULTABLE]
        return ours + self._extra

    def lines(self, own: frozenset[bytes] = frozenset()) -> bytes:
        """The same as lines of HTTP/1.1, each with its CRLF."""
        if own:
            return _lines(self.fields(own))
        now = self._now()
        if not self._second <= now < self._second + 1:
            self._keep_up(now)
        return self._lines

    def listed(self, own: frozenset[bytes] = frozenset()) -> list[Field]:
        """The same, for wires that number their fields: one list until its content changes."""
        if own:
            return self.fields(own)
        now = self._now()
        if not self._second <= now < self._second + 1:
            self._keep_up(now)
        return self._listed

    def _keep_up(self, now: float) -> None:
        self._second = now // 1
        self._listed = self.fields()
        self._lines = _lines(self._listed)


def _lines(fields: Iterable[Field]) -> bytes:
    return b"".join([b"%b: %b\r\n" % field for field in fields])


class Shared:
    """One object for all connections of a server; each connection keeps a reference.

    ``accepted`` counts the connections that protocols were built for, ``clients`` those from each
    address now. ``crowded`` is called with ``True`` when there are as many connections as there
    may be, and with ``False`` when a twentieth of them, one at least, has left. ``refusals``
    counts the requests that were refused, by status and reason. Who is served while the server is
    ``leaving`` had better go elsewhere next time; ``draining``, it serves nobody new.
    """

    def __init__(
        self,
        open: Open,
        clock: Clock,
        limits: Limits,
        defaults: DefaultFields,
    ) -> None:
        self.open = open
        self.clock = clock
        self.limits = limits
        self.defaults = defaults
        self.connections: set[Drainable] = set()
        self.accepted = 0
        self.clients: Counter[str] = Counter()
        self.refusals: Counter[tuple[int, str]] = Counter()
        self._floods: list[Flood] = []
        self._refused = self.flood(_tell_refused, ONE_BY_ONE)
        self.leaving = self.draining = False
        self.crowded: Callable[[bool], None] = _nobody_minds
        self._roomy = min(limits.connections - 1, int(limits.connections * _ROOMY))
        self._full = False
        self._emptied: Callable[[], None] | None = None

    def flood(self, tell: Callable[[int], None], most: int = 1) -> Flood:
        """A tally whose last word comes when the server stops at the latest."""
        flood = Flood(self.clock, tell, most)
        self._floods.append(flood)
        return flood

    def client_of(self, peer: Any) -> Address | None:
        """Whose a connection is, by Twisted's address."""
        return address_of(peer)

    def opened(self, connection: Drainable) -> None:
        """A connection was made."""
        self.connections.add(connection)
        if connection.client is not None:
            self.clients[connection.client[0]] += 1
        if len(self.connections) == self.limits.connections and not self._full:
            self._full = True
            self.crowded(True)

    def closed(self, connection: Drainable) -> None:
        """A connection was lost."""
        self.connections.discard(connection)
        if connection.client is not None:
            self._forget(connection.client[0])
        if self._full and len(self.connections) <= self._roomy:
            self._full = False
            self.crowded(False)
        if self._emptied is not None and not self.connections:
            self._emptied()

    def refused(self, client: Address | None, fault: RemoteFault, *, left: bool) -> None:
        """A request was refused: count it, and log it, but for a flood.

        That a client has `left` in the middle of its request is an everyday thing.
        """
        kind = fault.status, fault.reason
        known = kind in self.refusals or len(self.refusals) < _REASONS
        self.refusals[kind if known else (fault.status, "other")] += 1
        told = self._refused.count()
        if not told:
            return
        level = logging.INFO if left else logging.WARNING
        said = peer_name(client), fault.status, fault.reason, and_others(told)
        _logger.log(level, "Refused a request from %s: %d %s%s", *said)

    def _forget(self, host: str) -> None:
        self.clients[host] -= 1
        if not self.clients[host]:
            del self.clients[host]

    def drain(self, emptied: Callable[[], None]) -> None:
        """Let every connection finish; `emptied` is called when the last is gone."""
        self.leaving = self.draining = True
        self._emptied = emptied
        self._tell_rest()
        if not self.connections:
            emptied()
            return
        for connection in list(self.connections):
            connection.drain()

    def abort(self) -> None:
        """Close what is left."""
        for connection in list(self.connections):
            connection.cut("the server stops")
        self._tell_rest()

    def _tell_rest(self) -> None:
        for flood in self._floods:
            flood.end()


def _tell_refused(untold: int) -> None:
    _logger.warning("Refused %d other requests", untold)


def _nobody_minds(crowded: bool) -> None:
    """Where accepting cannot be stopped."""


_WITH_PORT = (IPv4Address, IPv6Address)


def address_of(address: Any) -> Address | None:
    """A Twisted address as ASGI wants it; ``None`` for an unnamed Unix peer.

    An IPv4 client of a dual-stack socket is shown as what it is.
    """
    if isinstance(address, _WITH_PORT):
        return unmapped(address.host), address.port
    name = address.name if isinstance(address, UNIXAddress) else None
    return (name.decode("utf-8", "replace"), None) if name else None


def security_of(transport: Any) -> tuple[str, dict[str, Any] | None]:
    """The scheme of what comes over `transport`, and what the ASGI extension ``tls`` says of it.

    Twisted's own TLS transports tell nothing that they could not tell wrong.
    """
    scheme = "https" if ISSLTransport.providedBy(transport) else "http"
    return scheme, getattr(transport, "tls", None)


def nobody_knows() -> int:
    """How many bytes wait for the client, where the transport does not tell."""
    return 0
