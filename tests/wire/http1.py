"""HTTP/1.1 as a wire under test: the client writes heads by itself and reads with h11."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import h11

from daphne_like.exchange import Field
from daphne_like.testing import RecordedExchange
from tests.support.http1 import END, Response, Served, upgrade

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
    def received(self) -> bytes:
        return b""

    @property
    def broken(self) -> bool:
        wire = self._served.wire
        return wire.aborted or (wire.closed and not (self.response and self.response.complete))


class HTTP1Tunnel:
    """A request that asks for an upgrade: the last one of its connection."""

    def __init__(self, served: Served) -> None:
        self._served = served

    def send(self, data: bytes) -> None:
        self._served.send(*[data[at : at + SEGMENT] for at in range(0, len(data), SEGMENT)])

    def end(self) -> None:
        self._served.send_eof()

    def cancel(self) -> None:
        self._served.wire.vanish("cancelled")

    @property
    def response(self) -> Response | None:
        raw = self._served.raw
        if raw.startswith(b"HTTP/1.1 101 "):
            client = h11.Connection(h11.CLIENT)
            asking = [("host", "a"), ("connection", "upgrade"), ("upgrade", "websocket")]
            client.send(h11.Request(method="GET", target="/", headers=asking))
            client.receive_data(raw[: raw.index(END) + len(END)])
            granted = client.next_event()
            assert isinstance(granted, h11.InformationalResponse)
            fields = [(bytes(name), bytes(value)) for name, value in granted.headers]
            return Response(granted.status_code, fields)
        return next(iter(self._served.responses), None)

    @property
    def received(self) -> bytes:
        return self._served.raw.partition(END)[2]

    @property
    def broken(self) -> bool:
        wire = self._served.wire
        return wire.aborted or (wire.closed and self.response is None)


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

    def ask_for_a_tunnel(self, target: bytes = b"/", fields: Sequence[Field] = ()) -> HTTP1Tunnel:
        self._served.send(upgrade(target, *fields))
        return HTTP1Tunnel(self._served)

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
