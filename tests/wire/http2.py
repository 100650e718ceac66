"""HTTP/2 as a wire under test: the client is h2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from daphne_like.exchange import Field
from daphne_like.testing import RecordedExchange
from tests.support.http1 import Response
from tests.support.http2 import Asked, Served, pseudo


class HTTP2Asked:
    """One stream of a connection that carries many; a tunnel that is granted answers 101."""

    def __init__(self, served: Served, asked: Asked, *, tunnel: bool = False) -> None:
        self._served = served
        self._asked = asked
        self._tunnel = tunnel
        self.send, self.end, self.cancel = asked.send, asked.end, asked.cancel

    @property
    def response(self) -> Response | None:
        reply = self._asked.reply
        if self._tunnel and reply.status == 200:
            return replace(reply, status=101)
        return reply if reply.status else None

    @property
    def received(self) -> bytes:
        return self._asked.reply.body

    @property
    def broken(self) -> bool:
        reply, wire = self._asked.reply, self._served.wire
        gone = reply.reset is not None or wire.aborted or wire.closed
        return gone and not reply.complete


class HTTP2Wire:
    """A :class:`tests.wire.under_test.Wire`."""

    name = "http2"
    http_version = "2"

    def __init__(self, **options: Any) -> None:
        self._served = Served(**options)
        self.open = self._served.open
        self.limits = self._served.limits

    def ask(self, *head: Any, **options: Any) -> HTTP2Asked:
        return HTTP2Asked(self._served, self._served.ask(*head, **options))

    def ask_for_a_tunnel(self, target: bytes = b"/", fields: Sequence[Field] = ()) -> HTTP2Asked:
        asked = self._served.ask_for_a_tunnel(target, fields)
        return HTTP2Asked(self._served, asked, tunnel=True)

    def ask_badly(self) -> None:
        self._served.ask_unchecked([*pseudo(), (b"X-Upper", b"y")])

    def leave(self) -> None:
        self._served.wire.vanish()
        self._served.turn()

    def stop_reading(self) -> None:
        self._served.stop_reading()

    def read_on(self) -> None:
        self._served.read_on()

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
        self._served.turn()
        return self._served.wire.eof

    @property
    def timers(self) -> int:
        return len(self._served.clock.getDelayedCalls())

    @property
    def last(self) -> RecordedExchange:
        return self._served.last
