"""TLS over native transports: the standard library's ``ssl`` between the loop and the protocol.

The loop carries the connection in plain, as it carries any other, and what goes in and out is
encrypted here, in memory. The loop's own TLS could not look at a first byte, close one side,
stand behind a preamble, nor count its handshakes. The protocol is built when the handshake is
over; from then on a segment passes through one function here, and so does a write.

This module must not know which protocol is served, nor where certificates come from.
"""

from __future__ import annotations

import logging
import ssl
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol, cast

from twisted.internet.interfaces import INegotiated, IProtocolFactory
from twisted.internet.protocol import Protocol as TwistedProtocol
from zope.interface import implementer

from daphne_like.clock import Deadline
from daphne_like.transport.arrival import ArrivingTransport
from daphne_like.transport.handshakes import Handshakes

_HANDSHAKE = 0x16
"""The type of the first record of a client (RFC 8446, section 5.1)."""

_RECORD = 16 * 1024
"""Bytes that a record holds at the most: reading as many never leaves a part of one."""

_PORTION = 16 * 1024
"""Bytes that are encrypted or decrypted at a time.

OpenSSL's buffers grow to the largest portion there ever was, and stay: an idle connection keeps
little more than this for each way, whatever it has carried.
"""

_AROUND = {"TLSv1.2": 29, "TLSv1.3": 22}
"""Bytes of a record beside what it carries, at the most where nobody pads."""

_FILLING = 5
"""Of what a record carries the 32nd part may be padding (RFC 8446, section 5.4): a shift."""

_MOST_EMPTY = 24 * 1024
"""Bytes that may come and carry nothing; a record that is not whole yet is among them."""

_EMPTY_RATE = 16 * 1024
"""So many of them are forgiven in a second."""


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

    def carry(self, factory: IProtocolFactory, write_budget: int) -> TLSTransport:
        """Make what carries one connection."""
        return TLSTransport(self, factory, write_budget)


@implementer(INegotiated)
class TLSTransport(ArrivingTransport):
    """A connection that shakes hands, and is then a Twisted transport like any other.

    Where the factory has a ``buildNegotiated(address, name)`` it is called for the protocol,
    with the name that ALPN has led to, or ``None``. Where it has ``admits(address)`` that is
    asked before: whoever is counted must not have handshakes without number.
    """

    awaits = "handshake"
    sends_files = False

    negotiatedProtocol: bytes | None = None
    """What ALPN has led to."""

    tls: dict[str, Any]
    """What there is to tell of the connection."""

    _deliver: Callable[[bytes], None]

    def __init__(self, secured: Secured, factory: IProtocolFactory, write_budget: int) -> None:
        self._handshakes = secured.handshakes
        super().__init__(self._handshakes.roll, factory, write_budget)
        self._identity = secured.identity
        self._received = b""
        self._hear: Callable[[TLSTransport, bytes], None] = TLSTransport._begin_handshake
        self._over = False
        self._end_said = False
        self._empty = 0
        self._forgiven_at = 0.0

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
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = self._identity.context
        self._ssl = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._hear = TLSTransport._shake

    def _shake(self, data: bytes) -> None:
        self._incoming.write(data)
        try:
            with _hushed():
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
        self._handshakes.leave(self)
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
        else:
            del self._deliver, self._send
        super().connection_lost(reason)

    def _lost_before(self) -> None:
        """Who goes without a word, a probe for example, is nothing to tell of."""
        if self._shaking:
            self._hear = TLSTransport._ignore
            self._handshakes.failed(self._peer, "ended early", logging.INFO)

    # --- Reading --------------------------------------------------------------------------

    def _speak_to(self, protocol: TwistedProtocol) -> None:
        self._deliver = protocol.dataReceived
        self.data_received = self._decrypt  # type: ignore[method-assign]
        self._native.set_protocol(self)

    def _decrypt(self, data: bytes) -> None:
        """Deliver what a segment holds: mostly one record, with nothing behind it."""
        if len(data) > _PORTION:
            plain = b"".join(self._portions(data))
        else:
            self._feed(data)
            self._empty += len(data)
            plain = self._next()
            if plain and (self._incoming.pending or self._ssl.pending()):
                plain += b"".join(iter(self._next, b""))
            if self._empty > _MOST_EMPTY:
                self._look_at_empty()
        if self._outgoing.pending:
            self._answer()
        if plain:
            self._deliver(plain)
        if self._over:
            self._loop.call_soon(self._end_reading)

    def _answer(self) -> None:
        """Send what OpenSSL answers by itself to some records, unless our side is closed."""
        if not self._end_said:
            self._flush()

    def _portions(self, data: bytes) -> Iterator[bytes]:
        view = memoryview(data)
        for start in range(0, len(data), _PORTION):
            if self._raised is not None:
                return
            portion = view[start : start + _PORTION]
            self._feed(portion)
            self._empty += len(portion)
            yield from iter(self._next, b"")
            if self._empty > _MOST_EMPTY:
                self._look_at_empty()

    def _look_at_empty(self) -> None:
        """End who sends records that carry nothing, one after the other.

        That keys change (RFC 8446, section 4.6.3) costs a few bytes, and us more than a request;
        OpenSSL changes them as often as it is asked to, in one go.
        """
        now = self._roll.clock.seconds()
        forgiven = round((now - self._forgiven_at) * _EMPTY_RATE)
        self._empty, self._forgiven_at = max(0, self._empty - forgiven), now
        if self._empty > _MOST_EMPTY:
            self._distrust(ssl.SSLError(1, "too many records that carry nothing"))

    def _next(self) -> bytes:
        """What the next record holds; nothing where none is complete, or none will come."""
        try:
            plain = self._read(_RECORD)
        except ssl.SSLWantReadError:
            return b""
        except ssl.SSLZeroReturnError:  # The same as nothing, once our own side is closed.
            plain = b""
        except ssl.SSLError as error:
            self._distrust(error)
            return b""
        if not plain:
            self._over = True
            return b""
        paid = len(plain) + (len(plain) >> _FILLING) + self._around
        self._empty = max(0, self._empty - paid)
        return plain

    def _end_reading(self) -> None:
        """The peer has said that it sends no more (RFC 8446, section 6.1)."""
        if self.connected and not (self._eof or self.disconnecting or self._aborted):
            self._guarded(super().eof_received)

    # --- Writing --------------------------------------------------------------------------

    def _open_writing(self) -> None:
        self._feed, self._read = self._incoming.write, self._ssl.read
        self._seal, self._take = self._ssl.write, self._outgoing.read
        self._send = self._native.write
        self._around = _AROUND[str(self._ssl.version())]
        self.write = self._encrypt

    def _encrypt(self, data: bytes) -> None:
        """Write `data`: in one call below, where it is not much."""
        if len(data) > _PORTION:
            super().writeSequence(self._sealed(data))
        elif data:
            try:
                self._seal(data)
            except ssl.SSLError as error:
                self._distrust(error)
            else:
                self._send(self._take())

    def _sealed(self, data: bytes) -> list[bytes]:
        view, sealed = memoryview(data), []
        try:
            for start in range(0, len(data), _PORTION):
                self._seal(view[start : start + _PORTION])
                sealed.append(self._take())
        except ssl.SSLError as error:
            self._distrust(error)
        return sealed

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Write all pieces as one: each by itself would be a record by itself."""
        self.write(b"".join(data))

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._native.write(self._outgoing.read())

    def _say_end(self) -> None:
        """Say that nothing follows; nothing can, from now on."""
        if not self._end_said:
            self._end_said = True
            self._fall_silent()
            with suppress(ssl.SSLError):  # It waits for the peer to say so too; we do not.
                self._ssl.unwrap()
            self._flush()

    def _distrust(self, error: ssl.SSLError) -> None:
        """A record is not what the peer has sent: nothing more is believed, and nothing said."""
        if self._raised is not None:
            return  # What was read with it is no better.
        self._handshakes.broke(self._peer, why(error))
        self._answer()
        self._fall_silent()
        self._native.pause_reading()
        self._raised = error.with_traceback(None)  # Its frames have us, and we it.
        self._loop.call_soon(self._native.abort)

    def getPeerCertificate(self) -> Any:
        """What the client has shown, as ``ssl`` has it; nothing where it was not asked."""
        return self._ssl.getpeercert()


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


def why(error: ssl.SSLError) -> str:
    """What OpenSSL complains about, in words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the client's certificate is refused: {error.verify_message}"
    return (getattr(error, "reason", None) or str(error)).replace("_", " ").lower()
