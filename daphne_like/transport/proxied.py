"""Connections that begin with a preamble of the PROXY protocol.

The preamble is taken off, and the connection's addresses are those that it tells. From then
on it is a native transport like any other: neither a read nor a write passes through here.
This module must not know which protocol is served, nor which peers are trusted.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.address import UNIXAddress
from twisted.internet.interfaces import IProtocolFactory

from daphne_like.clock import Clock, Deadline
from daphne_like.exchange import Snapshot, spelled
from daphne_like.limits import Limits
from daphne_like.tally import ONE_BY_ONE, Tally, and_others
from daphne_like.transport.preamble import BadPreamble, Preamble, preamble
from daphne_like.transport.stream import NativeTransport, twisted_address

_logger = logging.getLogger("daphne_like.server")


class Roll(Protocol):
    """Where every open connection is entered: it counts them, and ends them.

    Of a connection it uses ``client``, ``drain()``, ``cut(reason)`` and ``snapshot()``.
    """

    clock: Clock
    limits: Limits

    def opened(self, connection: Any) -> None:
        """A connection waits for its preamble."""

    def closed(self, connection: Any) -> None:
        """It waits no more: its protocol has been entered, or it is lost."""


def everybody(peer: Any) -> bool:
    """Whoever connects has to send a preamble."""
    return True


class Preambles:
    """Of whom a preamble is required, by Twisted's address; anybody else is served as himself."""

    def __init__(self, roll: Roll, required: Callable[[Any], bool] = everybody) -> None:
        self.roll = roll
        self.required = required
        self._tally = Tally(roll.clock.seconds, most=ONE_BY_ONE)

    def carry(self, factory: IProtocolFactory, write_budget: int) -> NativeTransport:
        """Make what carries one connection."""
        return ProxiedTransport(self, factory, write_budget)

    def refused(self, peer: Any, reason: str) -> None:
        """A connection is closed: log it, but for a flood."""
        told = self._tally.count()
        if told:
            line = "Closed a connection from %s: its PROXY preamble %s%s"
            _logger.warning(line, _shown(peer), reason, and_others(told))


def _shown(peer: Any) -> str:
    if isinstance(peer, UNIXAddress):
        return "a Unix socket"
    return spelled(peer.host, peer.port)


class ProxiedTransport(NativeTransport):
    """A connection that may have to say first on whose behalf it comes."""

    client = None
    """Nobody, for the roll: the address of a proxy has any number of connections."""

    def __init__(self, preambles: Preambles, factory: IProtocolFactory, write_budget: int) -> None:
        super().__init__(factory, write_budget)
        self._preambles = preambles
        self._received = b""
        self._waiting: Deadline | None = None

    def drain(self) -> None:
        """The server stops: there is nothing to finish."""
        self._end()

    def cut(self, reason: str) -> None:
        """Close at once."""
        self._end()

    def snapshot(self) -> Snapshot:
        """There is nothing to tell yet."""
        return Snapshot(self._opened, 0, "preamble", ())

    def _begin(self) -> None:
        roll = self._preambles.roll
        if self._preambles.required(self._peer):
            self._waiting = Deadline(roll.clock, self._too_late)
            self._waiting.set(roll.limits.head_timeout)
            self._opened = roll.clock.seconds()
            roll.opened(self)
        else:
            super()._begin()

    def _told(self, said: Preamble) -> None:
        if said.family is not None:
            self._peer = twisted_address(said.family, said.source)
            self._host = twisted_address(said.family, said.destination)
        rest, self._received = self._received[said.size :], b""
        super()._begin()
        self._stop_waiting()
        over = self.disconnecting or self._aborted or self._raised
        if rest and self.connected and not over:
            self.data_received(rest)  # Now the protocol's.

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.stop()
            self._waiting = None
            self._preambles.roll.closed(self)

    def _too_late(self) -> None:
        self._refuse("did not come in time")

    def _refuse(self, reason: str) -> None:
        if not self._aborted:
            self._preambles.refused(self._peer, reason)
            self._end()

    def _end(self) -> None:
        if not self._aborted:
            self._aborted = True
            self._native.pause_reading()
            self._loop.call_soon(self._native.abort)

    # --- From the event loop, until the protocol is there --------------------------------

    def data_received(self, data: bytes) -> None:
        self._received += data
        try:
            said = preamble(self._received)
        except BadPreamble as bad:
            self._refuse(str(bad))
        else:
            if said is not None:
                self._told(said)

    def eof_received(self) -> bool:
        if self.connected:
            return super().eof_received()
        if self._received:
            self._refuse("ended early")
        self._end()  # Who goes without a word, a probe for example, is nothing to tell of.
        return True

    def connection_lost(self, reason: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(reason)
