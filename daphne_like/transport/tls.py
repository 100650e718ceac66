"""TLS over native transports: a handshake, and then records.

The loop carries the connection in plain, as it carries any other. Its own TLS could not look at a
first byte, close one side, stand behind a preamble, nor count its handshakes. The protocol is
built when the handshake is over.

This module must not know which protocol is served, nor where certificates come from.
"""

from __future__ import annotations

import logging
import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any, Protocol, cast

from twisted.internet.interfaces import IProtocolFactory

from daphne_like.clock import Deadline
from daphne_like.transport.handshakes import Handshakes
from daphne_like.transport.records import Records, why

_HANDSHAKE = 0x16
"""The type of the first record of a client (RFC 8446, section 5.1)."""


class Identity(Protocol):
    """What the server shows of itself, and lets its clients choose from, at this moment."""

    @property
    def context(self) -> ssl.SSLContext:
        """The context for the next connection."""

    def facts(self, connection: ssl.SSLObject) -> dict[str, Any]:
        """What there is to tell of a connection whose handshake is over."""


class Secured:
    """What the connections of one TLS listener have in common."""

    def __init__(self, handshakes: Handshakes, identity: Identity) -> None:
        self.handshakes = handshakes
        self.identity = identity
        self.outgoing = ssl.MemoryBIO()

    def carry(self, factory: IProtocolFactory, write_budget: int) -> TLSTransport:
        """Make what carries one connection."""
        return TLSTransport(self, factory, write_budget)


class TLSTransport(Records):
    """A connection that shakes hands, and is then a Twisted transport like any other.

    Where the factory has a ``buildNegotiated(address, name)`` it is called for the protocol,
    with the name that ALPN has led to, or ``None``. Where it has ``admits(address)`` that is
    asked before: whoever is counted must not have handshakes without number.
    """

    awaits = "handshake"

    _hush: Callable[[], AbstractContextManager[None]]

    def __init__(self, secured: Secured, factory: IProtocolFactory, write_budget: int) -> None:
        self._handshakes = secured.handshakes
        super().__init__(self._handshakes.roll, factory, write_budget)
        self._identity = secured.identity
        self._outgoing = secured.outgoing
        self._received = b""
        self._hear: Callable[[TLSTransport, bytes], None] = TLSTransport._begin_handshake

    # --- Until the handshake is over ------------------------------------------------------

    def _begin(self) -> None:
        admits = getattr(self._factory, "admits", None)
        if admits is not None and not admits(self._peer):
            self._hear = TLSTransport._ignore
            self._native.abort()
            return
        self.client = self._roll.client_of(self._peer)
        self._wait(self._roll.limits.handshake_timeout)

    def data_received(self, data: bytes) -> None:
        self._hear(self, data)

    def _begin_handshake(self, data: bytes) -> None:
        """Its first bytes have come. They are kept, and no more are read, until its turn comes."""
        if data[0] != _HANDSHAKE:
            self._handshakes.failed(self._peer, "did not come: it speaks in plain")
            self._part(self._handshakes.answer)
            return
        if self._handshakes.enter(self):
            self._start()
            self._shake(data)
            return
        self._received = data
        self._hear = TLSTransport._keep
        self._native.pause_reading()
        cast(Deadline, self._waiting).clear()  # While it waits for us, the time is not its own.

    def _keep(self, data: bytes) -> None:
        """One more segment has come before reading paused."""
        self._received += data

    def proceed(self) -> None:
        """It is this connection's turn to shake hands."""
        self._start()
        cast(Deadline, self._waiting).set(self._roll.limits.handshake_timeout)
        self._native.resume_reading()
        received, self._received = self._received, b""
        self._shake(received)

    def _start(self) -> None:
        context = self._identity.context
        self._hush = nullcontext if context.sni_callback is None else _hushed
        self._encrypt_by(context)
        self._hear = TLSTransport._shake

    def _shake(self, data: bytes) -> None:
        self._incoming.write(data)
        try:
            with self._hush():
                self._ssl.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLError as error:
            self._handshakes.failed(self._peer, f"failed: {why(error)}")
            self._part(self._outgoing.read())  # What is wrong, for the client.
        else:
            self._flush()
            self._shaken()

    def _shaken(self) -> None:
        """Build the protocol; what has come behind the handshake is for it."""
        self._handshakes.succeeded(self)
        self._hear = TLSTransport._ignore
        self.tls = self._identity.facts(self._ssl)
        name = self._ssl.selected_alpn_protocol()
        self.negotiatedProtocol = name.encode() if name else None
        super()._begin()
        self._stop_waiting()
        self._empty = self._incoming.pending
        if self._incoming.pending or self._ssl.pending():
            self.hand_on(b"")

    def _build(self) -> Any:
        build = getattr(self._factory, "buildNegotiated", None)
        if build is None:
            return super()._build()
        return build(self._peer, self.negotiatedProtocol)

    def _part(self, last_words: bytes) -> None:
        """Close, but not with unread input: the reset would destroy what is in flight."""
        self._handshakes.leave(self)
        self._hear = TLSTransport._ignore
        if last_words:
            self._native.write(last_words)
        with suppress(OSError):  # A peer that has reset the connection.
            self._native.write_eof()
        cast(Deadline, self._waiting).set(self._roll.limits.linger)

    def _ignore(self, data: bytes) -> None:
        """Nothing that comes matters any more."""

    @property
    def _shaking(self) -> bool:
        return self._hear in {TLSTransport._keep, TLSTransport._shake}

    def _too_late(self) -> None:
        if self._hear is not TLSTransport._ignore:
            self._handshakes.failed(self._peer, "was not over in time", logging.INFO)
        self._end()

    def give_way(self) -> None:
        """Others wait."""
        self._handshakes.failed(self._peer, "was slow, and others waited", logging.INFO)
        self._end()

    def _end(self) -> None:
        self._hear = TLSTransport._ignore
        self._handshakes.leave(self)
        super()._end()

    def hand_on(self, rest: bytes) -> None:
        """Receive what has come behind a preamble, or behind the handshake."""
        if self._waiting is None:
            super().hand_on(rest)
        else:
            self.data_received(rest)

    # --- From the event loop --------------------------------------------------------------

    def eof_received(self) -> bool:
        """The peer has closed its side, with a word or without."""
        if self.connected:
            return True if self._eof else super().eof_received()
        self._lost_before()
        self._end()
        return True

    def connection_lost(self, reason: Exception | None) -> None:
        if not self.connected:
            self._lost_before()
            self._handshakes.leave(self)
        super().connection_lost(reason)

    def _lost_before(self) -> None:
        """Who goes without a word, a probe for example, is nothing to tell of."""
        if self._shaking:
            self._hear = TLSTransport._ignore
            self._handshakes.failed(self._peer, "ended early", logging.INFO)


@contextmanager
def _hushed() -> Iterator[None]:
    """Let Python write nothing of a host name beyond ASCII, which fails the handshake anyway.

    The callback that chooses by the name is not called with such a one; a traceback is written
    instead, each time, as of an error that nobody would hear of.
    """
    tell = sys.unraisablehook

    def tell_others(said: Any) -> None:
        if not isinstance(said.exc_value, UnicodeDecodeError):
            tell(said)

    sys.unraisablehook = tell_others
    try:
        yield
    finally:
        sys.unraisablehook = tell
