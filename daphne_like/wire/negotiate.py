"""Which HTTP a client speaks: what TLS has agreed on (ALPN), or else what it begins with.

A connection in the clear begins as HTTP/1, and is handed over where its first request turns out
to be HTTP/2's preface (RFC 9113, section 3.3): whoever speaks HTTP/1 pays nothing for it. An
``Upgrade: h2c`` is never honoured: a proxy that lets it pass has lost sight of what follows.
This module must not know how either is spoken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IProtocol

from daphne_like.exchange import Open
from daphne_like.wire.http1 import HTTP1Connection
from daphne_like.wire.http1_request import PREFACE
from daphne_like.wire.shared import Shared

if TYPE_CHECKING:
    from daphne_like.wire.http2 import HTTP2Connection

H2, HTTP_1_1 = b"h2", b"http/1.1"
"""The names of ALPN (RFC 7301)."""


def http2_connections() -> type[HTTP2Connection] | None:
    """What carries HTTP/2, ``None`` where its engine, ngh2, is not installed."""
    try:
        from daphne_like.wire.http2 import HTTP2Connection
    except ModuleNotFoundError as error:
        if error.name != "ngh2":
            raise
        return None
    return HTTP2Connection


class Negotiation:
    """Builds the one right connection; ``protocols`` are what TLS may agree on, best first.

    Without `http2` all is HTTP/1; without `in_the_clear` HTTP/2 needs TLS. `open` takes the place
    of what the server opens requests with.
    """

    def __init__(
        self,
        shared: Shared,
        open: Open | None = None,
        *,
        http2: bool = True,
        in_the_clear: bool = True,
    ) -> None:
        self._shared = shared
        self._open = open
        self._http2 = http2_connections() if http2 else None
        can_switch = self._http2 is not None and in_the_clear
        self._switch = self._begin_with_preface if can_switch else None

    @property
    def has_http2(self) -> bool:
        """Whether HTTP/2 can be spoken."""
        return self._http2 is not None

    @property
    def protocols(self) -> tuple[bytes, ...]:
        return (H2, HTTP_1_1) if self.has_http2 else (HTTP_1_1,)

    def connection(self, negotiated: bytes | None = None) -> HTTP1Connection | HTTP2Connection:
        """The protocol of one connection, by what TLS has agreed on."""
        if negotiated == H2 and self._http2 is not None:
            return self._http2(self._shared, self._open)
        return HTTP1Connection(self._shared, self._switch, self._open)

    def _begin_with_preface(self, transport: Any, rest: bytes) -> None:
        connection = self.connection(H2)
        hand_over(transport, connection)
        connection.dataReceived(PREFACE + rest)


def hand_over(transport: Any, protocol: Any) -> None:
    """Let `protocol` take the place of the protocol that `transport` has begun with.

    Our own transports have a word for it. Of Twisted's, those that wrap another (TLS, for
    example) have a ``wrappedProtocol``, all others a ``protocol``.
    """
    change = getattr(transport, "hand_over", None)
    if change is not None:
        change(protocol)
        return
    name = "wrappedProtocol" if IProtocol.providedBy(transport) else "protocol"
    setattr(transport, name, protocol)
    protocol.makeConnection(transport)
