"""The records of TLS, when the handshake is over: the standard library's ``ssl``, in memory.

A segment from the loop passes through one function here, and so does a write. This module must
not know which protocol is served, nor how a handshake begins.
"""

from __future__ import annotations

import ssl
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

from twisted.internet.interfaces import INegotiated
from twisted.internet.protocol import Protocol as TwistedProtocol
from zope.interface import implementer

from daphne_like.limits import A_TURN
from daphne_like.transport.arrival import ArrivingTransport
from daphne_like.transport.handshakes import Handshakes

_RECORD = 16 * 1024
"""Bytes that a record holds at the most: reading as many never leaves a part of one."""

_PORTION = 16 * 1024
"""Bytes that are decrypted at a time.

OpenSSL's buffers grow to the largest portion there ever was, and stay: an idle connection keeps
little more than this, whatever it has carried.
"""

_BULK = 64 * 1024
"""Bytes that are encrypted at a time, into the buffer that all connections have in common."""

_AROUND = {"TLSv1.2": 29, "TLSv1.3": 22}
"""Bytes of a record beside what it carries, at the most where nobody pads."""

_FILLING = 5
"""Of what a record carries the 32nd part may be padding (RFC 8446, section 5.4): a shift."""


@implementer(INegotiated)
class Records(ArrivingTransport):
    """A connection whose bytes are encrypted, as a Twisted transport like any other."""

    sends_files = False

    negotiatedProtocol: bytes | None = None
    """What ALPN has led to."""

    tls: dict[str, Any]
    """What there is to tell of the connection."""

    _handshakes: Handshakes
    _outgoing: ssl.MemoryBIO
    """Where OpenSSL writes to. Other connections have it too: what is written is taken at once."""
    _deliver: Callable[[bytes], None]

    _over = False
    """The peer has said that it sends no more."""
    _end_said = False
    _paused = False
    """The protocol wants nothing to come."""
    _empty = 0
    """Bytes that have come and carried nothing, a record that is not whole yet among them."""
    _most_empty = 0
    _forgiven_at = 0.0

    def _encrypt_by(self, context: ssl.SSLContext) -> None:
        self._most_empty = self._roll.limits.tls_empty_size or sys.maxsize
        self._incoming = ssl.MemoryBIO()
        self._ssl = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    def connection_lost(self, reason: Exception | None) -> None:
        if self.connected:
            del self._deliver, self._send
        super().connection_lost(reason)

    # --- Reading --------------------------------------------------------------------------

    def _speak_to(self, protocol: TwistedProtocol) -> None:
        self._deliver = protocol.dataReceived
        self.data_received = self._decrypt
        self._native.set_protocol(self)

    def _decrypt(self, data: bytes) -> None:
        """Deliver what a segment holds: mostly one record, with nothing before or behind it."""
        size = len(data)
        if size > _PORTION or self._empty:
            plain = b"".join(self._portions(data))
            if size > A_TURN:
                self._rest()
        else:
            self._feed(data)
            plain = self._next(size or _RECORD)
            whole = plain and size - len(plain) == self._around
            if whole and not self._outgoing.pending:
                self._deliver(plain)
                return
            plain = self._counted(size, plain)
        if self._outgoing.pending:
            self._answer()
        if plain:
            self._deliver(plain)
        if self._over:
            self._loop.call_soon(self._end_reading)

    def _rest(self) -> None:
        """Let others go first."""
        self._native.pause_reading()
        self._loop.call_soon(self._read_on)

    def _read_on(self) -> None:
        if not self._paused:
            self.resumeProducing()

    def _answer(self) -> None:
        """Send what OpenSSL answers by itself to some records, unless our side is closed."""
        answer = self._outgoing.read()
        if not self._end_said:
            self._native.write(answer)

    def _portions(self, data: bytes) -> Iterator[bytes]:
        view = memoryview(data)
        for start in range(0, len(data) or 1, _PORTION):
            if self._raised is not None:
                return
            portion = view[start : start + _PORTION]
            self._feed(portion)
            yield self._counted(len(portion), self._next(_RECORD))

    def _counted(self, size: int, plain: bytes) -> bytes:
        """What so many bytes hold that begin with `plain`, or carry nothing."""
        self._empty += size
        pieces = []
        while plain:
            paid = len(plain) + (len(plain) >> _FILLING) + self._around
            self._empty = max(0, self._empty - paid)
            pieces.append(plain)
            plain = self._next(_RECORD)
        if self._empty > self._most_empty:
            self._look_at_empty()
        return b"".join(pieces)

    def _look_at_empty(self) -> None:
        """End who sends records that carry nothing, one after the other.

        That keys change (RFC 8446, section 4.6.3) costs a few bytes, and us more than a request;
        OpenSSL changes them as often as it is asked to, in one go.
        """
        now = self._roll.clock.seconds()
        forgiven = round((now - self._forgiven_at) * self._roll.limits.tls_empty_rate)
        self._empty, self._forgiven_at = max(0, self._empty - forgiven), now
        if self._empty > self._most_empty:
            self._distrust(ssl.SSLError(1, "too many records that carry nothing"))

    def _next(self, most: int) -> bytes:
        """What the next record holds; nothing where none is complete, or none will come."""
        try:
            plain = self._read(most)
        except ssl.SSLWantReadError:
            return b""
        except ssl.SSLZeroReturnError:  # The same as nothing, once our own side is closed.
            plain = b""
        except ssl.SSLError as error:
            self._distrust(error)
            return b""
        self._over = not plain
        return plain

    def _end_reading(self) -> None:
        """The peer has said that it sends no more (RFC 8446, section 6.1)."""
        if self.connected and not (self._eof or self.disconnecting or self._aborted):
            self._guarded(super().eof_received)

    def pauseProducing(self) -> None:
        self._paused = True
        super().pauseProducing()

    def resumeProducing(self) -> None:
        self._paused = False
        super().resumeProducing()

    # --- Writing --------------------------------------------------------------------------

    def _open_writing(self) -> None:
        self._feed, self._read = self._incoming.write, self._ssl.read
        self._seal, self._take = self._ssl.write, self._outgoing.read
        self._send = self._native.write
        self._around = _AROUND[str(self._ssl.version())]
        self.write = self._encrypt

    def _encrypt(self, data: bytes) -> None:
        """Write `data`: in one call below, where it is not much."""
        if len(data) > _BULK:
            self._encrypt_all([data])
        elif data:
            try:
                self._seal(data)
            except ssl.SSLError as error:
                self._distrust(error)
            else:
                self._send(self._take())

    def _encrypt_all(self, pieces: list[bytes]) -> None:
        sealed = []
        try:
            for portion in _portioned(pieces):
                self._seal(portion)
                sealed.append(self._take())
        except ssl.SSLError as error:
            self._distrust(error)
        super().writeSequence(sealed)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Write all pieces as one: each by itself would be a record by itself."""
        pieces = list(data)
        if sum(map(len, pieces)) <= _BULK or self._mute:
            self.write(b"".join(pieces))
        else:
            self._encrypt_all(pieces)

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


def _portioned(pieces: Iterable[bytes]) -> Iterator[bytes | memoryview]:
    """The same bytes, as many at a time as are encrypted at a time; copied where pieces meet."""
    kept: bytes | memoryview = b""
    for piece in pieces:
        view = memoryview(piece)
        while len(view) >= (room := _BULK - len(kept)):
            yield b"".join((kept, view[:room])) if kept else view[:room]
            kept, view = b"", view[room:]
        kept = b"".join((kept, view)) if kept else view
    if kept:
        yield kept


def why(error: ssl.SSLError) -> str:
    """What OpenSSL complains about, in words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the client's certificate is refused: {error.verify_message}"
    return (getattr(error, "reason", None) or str(error)).replace("_", " ").lower()
