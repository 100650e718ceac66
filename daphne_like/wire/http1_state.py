"""What the parts of one HTTP/1 connection have in common: its state, and what it can do.

The parts stand one upon the other, from here to ``http1``; with this module each can be read
alone. One line of classes, in which an attribute is declared once, is what mypyc can compile;
what is abstract is for mypy to see to. This module must not know how anything is done.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from enum import IntEnum

from daphne_like.clock import Deadline
from daphne_like.errors import RemoteFault
from daphne_like.exchange import Address, Exchange
from daphne_like.wire.http1_request import RequestReader
from daphne_like.wire.protocol import TransportProtocol
from daphne_like.wire.shared import Shared


class Phase(IntEnum):
    """What the next byte from the client belongs to."""

    HEAD = 0
    COUNTED = 1
    """A body whose Content-Length is known."""
    CHUNKED = 2
    AHEAD = 3
    """The request is whole, its response is not: what comes now waits."""
    DROPPED = 4
    """The connection is ending: what comes now is thrown away."""
    TUNNEL = 5
    """An upgrade was granted: what comes now belongs to it, to the end."""


BODY = frozenset((Phase.COUNTED, Phase.CHUNKED))


class ConnectionState(TransportProtocol):
    """The whole connection, as its parts see it."""

    client: Address | None
    full = False
    """The transport takes no more for now."""

    _shared: Shared
    _exchange: Exchange | None
    _responding = False
    """An exchange has the stream."""
    _phase: Phase
    _reader: RequestReader
    _deadline: Deadline
    """The end of the phase."""
    _patience: Deadline
    """When the client has to have made progress."""
    _opened: float
    _left: int
    """Requests that may still come."""
    _unsent: Callable[[], int]
    """How many bytes wait for the client."""

    _head_begun: bool
    _ahead: bytes
    """What has come ahead of its time."""
    _eof: bool
    """The client has closed its side."""
    _paused: bool
    """Nothing is read."""
    _remaining: int
    """Bytes of a counted body that are still to come."""
    _owed: int
    """Bytes that the application has not taken yet."""
    _discarded: int
    """Bytes of a body that nobody waits for."""

    _head_sent = False
    _bodiless = False
    """Its head is out, and nothing will be written behind it."""
    _keep_alive = True
    _settled = False
    """The request is whole and its client still there: sure to be able to go on."""
    _continue_due = False
    """The client waits for a 100."""

    @abstractmethod
    def _may_go_on(self) -> bool:
        """Whether the rest of the request may be read, and another one after it."""

    @abstractmethod
    def _response_over(self) -> None:
        """The response is complete; the stream belongs to no exchange any more."""

    @abstractmethod
    def _take_next(self) -> None:
        """Read the next request, once the one in front is done with."""

    @abstractmethod
    def _release(self) -> Exchange:
        """Take the stream from its exchange, which is returned."""

    @abstractmethod
    def _pause_reading(self) -> None:
        """Read nothing until `_resume_reading`."""

    @abstractmethod
    def _resume_reading(self) -> None:
        """Read on."""

    @abstractmethod
    def _refuse(self, fault: RemoteFault) -> None:
        """Answer in the application's place, and end."""

    @abstractmethod
    def _body_broke(self, fault: RemoteFault) -> None:
        """Tell the application that its body turned bad, and end."""

    @abstractmethod
    def _linger(self) -> None:
        """End our side, and wait for the client's."""

    @abstractmethod
    def _close(self) -> None:
        """End in order."""

    @abstractmethod
    def abort(self, reason: str = "") -> None:
        """Break off."""

    @abstractmethod
    def cut(self, reason: str) -> None:
        """Break off; the exchange is told `reason`."""

    @abstractmethod
    def drain(self) -> None:
        """End when what is in flight is over."""
