"""What an HTTP/1.1 connection becomes when an upgrade is granted (RFC 9110, section 7.8).

From then on it carries bytes both ways and reads no more requests. It must not know what the
bytes mean.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from daphne_like.exchange import ResponseHead
from daphne_like.wire.http1_response import ResponseSide
from daphne_like.wire.http1_state import Phase

_SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: %b\r\nconnection: Upgrade\r\n"


class Tunnel(ResponseSide):
    """The connection's last use."""

    def open_tunnel(self, head: ResponseHead) -> Callable[[bytes], None]:
        """Grant the upgrade; what has come ahead of its time is the tunnel's first bytes."""
        self._phase = Phase.TUNNEL
        self._head_sent = True
        self._keep_alive = False
        upgrade = cast(str, self._reader.framing.upgrade).encode("ascii")
        self._write(self._switching(_SWITCHING % upgrade, head))
        # No request comes any more.
        self._reader.close()
        if self._shared.draining:
            self._shared.clock.callLater(0, self.drain)
        if self._ahead or self._eof:
            self._shared.clock.callLater(0, self._deliver_ahead)
        else:
            self._resume_reading()
        return self._write

    def _deliver_ahead(self) -> None:
        if self._phase is not Phase.TUNNEL:
            return
        if data := self._ahead:
            self._ahead = b""
            self._resume_reading()
            self._read_tunnel(data)
        if self._eof:
            self._tunnel_ended()

    def _read_tunnel(self, data: bytes) -> bytes:
        self._owed += len(data)
        if self._owed > self._shared.limits.read_budget:
            self._pause_reading()
        self._exchange.body_received(data)  # type: ignore[union-attr]
        return b""

    def _tunnel_ended(self) -> None:
        """The client sends no more: there is no half of a tunnel."""
        if self._ahead or self._exchange is None:
            return  # What it has sent comes first, and may be an end in order.
        self._release().disconnected("the client closed its side")
        self._close()
