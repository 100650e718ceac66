"""The handshakes of a server: whose turn it is, how many there are, and which have failed.

A handshake costs more than a hundred requests: of those who come at once only some are worked on
in one turn of the loop, so that who is connected already does not stand still. This module must
not know TLS.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import Counter
from itertools import islice
from typing import Any, Protocol

from daphne_like.clock import Deadline
from daphne_like.tally import ONE_BY_ONE, Tally, and_others
from daphne_like.transport.arrival import Roll, shown

_logger = logging.getLogger("daphne_like.server")

_AT_A_TIME = 8
"""Handshakes that begin in one turn of the loop; each may take a millisecond."""


class Shaking(Protocol):
    """A connection that has begun to shake hands."""

    def proceed(self) -> None:
        """It is this connection's turn."""

    def give_way(self) -> None:
        """Others wait, and this connection's client has had its time."""


class Handshakes:
    """Every handshake of a server that has begun: those under way, and those that wait.

    `answer` is what is sent to a client that speaks in plain, before the connection closes.
    ``outcomes`` counts those that are over: ``"complete"`` and ``"failed"``.
    """

    def __init__(self, roll: Roll, answer: bytes = b"") -> None:
        self.roll = roll
        self.answer = answer
        self.outcomes: Counter[str] = Counter()
        self._most = roll.limits.handshakes or sys.maxsize
        self._waiting: dict[Shaking, None] = {}
        self._under_way: dict[Shaking, float] = {}
        self._patience = roll.limits.handshake_patience
        self._slow = Deadline(roll.clock, self._make_room)
        self._due = False
        self._begun = 0
        self._tally = Tally(roll.clock.seconds, most=ONE_BY_ONE)
        self._broken = Tally(roll.clock.seconds, most=ONE_BY_ONE)

    def enter(self, connection: Shaking) -> bool:
        """Whether `connection` may go on at once; if not, it proceeds when its turn has come."""
        crowded = self._begun == _AT_A_TIME or len(self._under_way) >= self._most
        if crowded or self._waiting:
            self._waiting[connection] = None
            self._expect_turn()
            return False
        self._begin(connection)
        self._expect(True)
        return True

    def _begin(self, connection: Shaking) -> None:
        self._begun += 1
        self._under_way[connection] = self.roll.clock.seconds()

    @property
    def pending(self) -> int:
        """How many have begun and are not over."""
        return len(self._under_way) + len(self._waiting)

    def succeeded(self, connection: Shaking) -> None:
        """The handshake of `connection` is complete."""
        self.outcomes["complete"] += 1
        self.leave(connection)

    def leave(self, connection: Shaking) -> None:
        """The handshake of `connection` is over, or nobody waits for it any more."""
        self._under_way.pop(connection, None)
        if self._waiting:
            self._waiting.pop(connection, None)
            self._expect_turn()

    def _expect_turn(self) -> None:
        there_is_room = len(self._under_way) < self._most
        if not self._waiting:
            self._slow.stop()
        elif not there_is_room:
            self._slow.set(self._oldest() + self._patience - self.roll.clock.seconds())
        self._expect(bool(self._waiting) and there_is_room)

    def _expect(self, due: bool) -> None:
        """See to the next turn of the loop, in which others may begin."""
        if due and not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _oldest(self) -> float:
        return next(iter(self._under_way.values()))

    def _make_room(self) -> None:
        """Who does not finish takes no place for long from those who would begin."""
        now = self.roll.clock.seconds()
        slow = [each for each, began in self._under_way.items() if now - began >= self._patience]
        for connection in slow[: len(self._waiting)]:
            connection.give_way()
        self._expect_turn()

    def _turn(self) -> None:
        self._due = False
        self._begun = 0
        room = min(_AT_A_TIME, self._most - len(self._under_way))
        try:
            for connection in list(islice(self._waiting, room)):
                del self._waiting[connection]
                self._begin(connection)
                connection.proceed()
        finally:  # Who breaks does not stop those behind him.
            self._expect_turn()

    def failed(self, peer: Any, reason: str, level: int = logging.WARNING) -> None:
        """A connection is closed without a protocol: log it, but for a flood."""
        self.outcomes["failed"] += 1
        told = self._tally.count()
        if told:
            line = "Closed a connection from %s: its TLS handshake %s%s"
            _logger.log(level, line, shown(peer), reason, and_others(told))

    def broke(self, peer: Any, reason: str) -> None:
        """What came after a handshake was no TLS: log it, but for a flood."""
        told = self._broken.count()
        if told:
            line = "Lost a connection from %s: TLS: %s%s"
            _logger.info(line, shown(peer), reason, and_others(told))
