"""Connections that begin with a preamble of the PROXY protocol.

The preamble is taken off, and the connection's addresses are those that it tells. From then
on it is a native transport like any other: neither a read nor a write passes through here.
This module must not know which protocol is served, nor which peers are trusted.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IProtocolFactory

from daphne_like.tally import ONE_BY_ONE, Tally, and_others
from daphne_like.transport.arrival import ArrivingTransport, Roll, shown
from daphne_like.transport.preamble import BadPreamble, Preamble, preamble
from daphne_like.transport.stream import Carry, NativeTransport, twisted_address

_logger = logging.getLogger("daphne_like.server")


def everybody(peer: Any) -> bool:
    """Whoever connects has to send a preamble."""
    return True


class Preambles:
    """Of whom a preamble is required, by Twisted's address; anybody else is served as himself."""

    def __init__(self, roll: Roll, required: Callable[[Any], bool] = everybody) -> None:
        self.roll = roll
        self.required = required
        self._tally = Tally(roll.clock.seconds, most=ONE_BY_ONE)

    def carry(
        self, factory: IProtocolFactory, write_budget: int, then: Carry | None = None
    ) -> NativeTransport:
        """Make what carries one connection, until `then`, if given, makes what does so."""
        return ProxiedTransport(self, factory, write_budget, then)

    def refused(self, peer: Any, reason: str) -> None:
        """A connection is closed: log it, but for a flood."""
        told = self._tally.count()
        if told:
            line = "Closed a connection from %s: its PROXY preamble %s%s"
            _logger.warning(line, shown(peer), reason, and_others(told))


class ProxiedTransport(ArrivingTransport):
    """A connection that may have to say first on whose behalf it comes."""

    awaits = "preamble"

    def __init__(
        self,
        preambles: Preambles,
        factory: IProtocolFactory,
        write_budget: int,
        then: Carry | None = None,
    ) -> None:
        super().__init__(preambles.roll, factory, write_budget)
        self._preambles = preambles
        self._then = then
        self._received = b""

    def _begin(self) -> None:
        if self._preambles.required(self._peer):
            self._wait(self._roll.limits.head_timeout)
        else:
            self._go_on()

    def _go_on(self) -> NativeTransport:
        """Build the protocol, or what the connection goes on with; return what carries it now."""
        if self._then is None:
            super()._begin()
            return self
        successor = self._then(self._factory, self._write_budget)
        successor.take_over(self)
        return successor

    def _told(self, said: Preamble) -> None:
        if said.family is not None:
            self._peer = twisted_address(said.family, said.source)
            self._host = twisted_address(said.family, said.destination)
        rest, self._received = self._received[said.size :], b""
        carrying = self._go_on()
        self._stop_waiting()
        if rest:
            carrying.hand_on(rest)

    def _too_late(self) -> None:
        self._refuse("did not come in time")

    def _refuse(self, reason: str) -> None:
        if not self._aborted:
            self._preambles.refused(self._peer, reason)
            self._end()

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
