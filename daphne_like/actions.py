"""What Daphne calls actions: the steps of each exchange, told one by one.

An action is a protocol, what happened, and details: ``("http", "complete", {...})``, or
``"connecting"``, ``"connected"``, ``"disconnected"`` and ``"rejected"`` of ``"websocket"``. This
module must not know who is told.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from daphne_like.exchange import Address, Record, Request, peer_name

Tell = Callable[[str, str, dict[str, Any]], None]
"""Hears of a protocol, an action and its details."""

CLOSE_CODES = 1000
"""Where the codes begin that WebSockets are closed with; a status is smaller."""


class Actions:
    """Makes actions of beginnings and of records."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell

    def began(self, request: Request, step: str) -> None:
        """A WebSocket is on its way: a :data:`Beginning`."""
        self._tell("websocket", step, _who(request))

    def ended(self, record: Record) -> None:
        """An exchange is over: an :data:`Observer`. Requests without a response are not told of."""
        details = _who(record.request)
        if record.kind == "websocket":
            self._tell("websocket", "rejected" if rejected(record) else "disconnected", details)
        elif record.status is not None:
            details |= {
                "status": int(record.status),
                "method": record.request.method,
                "time_taken": record.duration,
                "size": record.bytes_out,
            }
            self._tell("http", "complete", details)


def rejected(record: Record) -> bool:
    """Whether a WebSocket got a response in its place."""
    return record.status is not None and record.status < CLOSE_CODES


def _who(request: Request) -> dict[str, Any]:
    return {"path": request.target, "client": _spelt(request.client)}


def _spelt(client: Address | None) -> str | None:
    """``host:port``, and ``None`` for a Unix socket, as Daphne says."""
    return None if client is None or client[1] is None else peer_name(client)
