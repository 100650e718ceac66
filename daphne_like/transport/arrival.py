"""Connections that have to say something before they are anybody's.

Until its protocol is built such a connection is entered on the roll by itself: it counts, it
has its time, and it ends when the server does. This module must not know what is waited for.
"""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.address import UNIXAddress
from twisted.internet.interfaces import IProtocolFactory

from daphne_like.clock import ROUND_TRIP, Clock, Deadline
from daphne_like.exchange import Address, Snapshot, spelled, unmapped
from daphne_like.limits import Limits
from daphne_like.transport.stream import NativeTransport


class Roll(Protocol):
    """Where every open connection is entered: it counts them, and ends them.

    Of a connection it uses ``client``, ``drain()``, ``cut(reason)`` and ``snapshot()``.
    """

    clock: Clock
    limits: Limits

    def client_of(self, peer: Any) -> Address | None:
        """Whose connection it is, by Twisted's address, for ``client``."""

    def opened(self, connection: Any) -> None:
        """A connection waits for what has to come first."""

    def closed(self, connection: Any) -> None:
        """It waits no more: its protocol has been entered, or it is lost."""


def shown(peer: Any) -> str:
    """A peer by its Twisted address, for a log line."""
    if isinstance(peer, UNIXAddress):
        return "a Unix socket"
    return spelled(unmapped(peer.host), peer.port)


class ArrivingTransport(NativeTransport):
    """A connection whose protocol is built when something has come from its client."""

    client: Address | None = None
    """Nobody, for the roll, as long as who it is has not been said."""

    awaits = ""
    """What is waited for, in a word."""

    def __init__(self, roll: Roll, factory: IProtocolFactory, write_budget: int) -> None:
        super().__init__(factory, write_budget)
        self._roll = roll
        self._waiting: Deadline | None = None
        self._last: Deadline | None = None

    def drain(self) -> None:
        """The server stops: what is waited for, and a request behind it, may be on their way."""
        if self._last is None:
            self._last = Deadline(self._roll.clock, self._end)
            self._last.set(ROUND_TRIP)

    def cut(self, reason: str) -> None:
        """Close at once."""
        self._end()

    def snapshot(self) -> Snapshot:
        """There is nothing to tell yet."""
        return Snapshot(self._opened, 0, self.awaits, ())

    def _wait(self, seconds: float) -> Deadline:
        roll = self._roll
        self._waiting = Deadline(roll.clock, self._too_late)
        self._waiting.set(seconds)
        self._opened = roll.clock.seconds()
        roll.opened(self)
        return self._waiting

    def _too_late(self) -> None:
        """The time is over."""
        raise NotImplementedError

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.stop()
            self._waiting = None
            self._roll.closed(self)
        if self._last is not None:
            self._last.end()

    def _end(self) -> None:
        if not self._aborted:
            self._aborted = True
            self._native.pause_reading()
            self._loop.call_soon(self._native.abort)

    def connection_lost(self, reason: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(reason)
