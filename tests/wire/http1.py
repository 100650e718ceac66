"""HTTP/1.1 as a wire under test: the client writes heads by itself and reads with h11."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from daphne_like.exchange import Field
from daphne_like.testing import RecordedExchange
from tests.support.http1 import Response, Served

SEGMENT = 16 * 1024


class HTTP1Asked:
    """One request on a connection that carries one at a time."""

    def __init__(self, served: Served, number: int) -> None:
        self._served = served
        self._number = number

    def send(self, data: bytes) -> None:
        pieces = [data[at : at + SEGMENT] for at in range(0, len(data), SEGMENT)]
        self._served.send(*[b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces])

    def end(self) -> None:
        self._served.send(b"0\r\n\r\n")

    def cancel(self) -> None:
        """HTTP/1 has no other word for it than the end of the connection."""
        self._served.wire.vanish("cancelled")

    @property
    def response(self) -> Response | None:
        responses = self._served.responses
        return responses[self._number] if self._number < len(responses) else None

    @property
    def broken(self) -> bool:
        wire = self._served.wire
        return wire.aborted or (wire.closed and not (self.response and self.response.complete))


class HTTP1Wire:
    """A :class:`tests.wire.under_test.Wire`."""

    name = "http1"
    http_version = "1.1"

    def __init__(self, **options: Any) -> None:
        self._served = Served(**options)
        self._asked = 0
        self.open = self._served.open
        self.limits = self._served.limits

    def ask(
        self,
        method: str = "GET",
        target: bytes = b"/",
        fields: Sequence[Field] = (),
        body: bytes | None = None,
        *,
        more: bool = False,
    ) -> HTTP1Asked:
        framing: list[Field] = []
        if more:
            framing = [(b"Transfer-Encoding", b"chunked")]
        elif body is not None:
            framing = [(b"Content-Length", b"%d" % len(body))]
        lines = [b"%b %b HTTP/1.1" % (method.encode(), target)]
        lines += [b"%b: %b" % field for field in [(b"Host", b"a.example"), *fields, *framing]]
        self._served.send(b"\r\n".join([*lines, b"", b""]))
        asked = HTTP1Asked(self._served, self._asked)
        self._asked += 1
        if body is not None:
            asked.send(body) if more else self._served.send(body)
        return asked

    def ask_badly(self) -> None:
        self._served.send(b"GET / HTTP/1.1\r\nHost: a.example\r\nX : y\r\n\r\n")

    def leave(self) -> None:
        self._served.wire.vanish()
        self._served.turn()

    def stop_reading(self) -> None:
        self._served.wire.stop_reading()

    def read_on(self) -> None:
        self._served.wire.read()
        self._served.turn()

    def wait(self, seconds: float = 0) -> None:
        self._served.wait(seconds)

    def drain(self) -> list[bool]:
        emptied: list[bool] = []
        self._served.shared.drain(lambda: emptied.append(True))
        self._served.turn()
        return emptied

    def cut(self) -> None:
        self._served.shared.abort()
        self._served.turn()

    @property
    def closed(self) -> bool:
        return self._served.wire.eof

    @property
    def timers(self) -> int:
        return len(self._served.clock.getDelayedCalls())

    @property
    def last(self) -> RecordedExchange:
        return self._served.last
