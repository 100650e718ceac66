"""A fuzz target for the HTTP/1 connection: whatever a client sends, the rules of the house hold.

The first byte of an input says what the application does, the second how long the segments are;
the rest comes from the client. ``make fuzz`` lets atheris think of inputs; the tests run those
in ``corpus/http1``.
"""

from __future__ import annotations

from collections.abc import Callable

from daphne_like.exchange import Fields
from daphne_like.testing import RecordedExchange
from tests.support.http1 import Served, answering

Ended = Callable[[RecordedExchange], None]


def start(exchange: RecordedExchange) -> None:
    """Begin a response before the request is whole."""
    exchange.start(_piece(exchange))


def end(exchange: RecordedExchange) -> None:
    """Complete it with a piece in between."""
    exchange.stream.send_body(_piece(exchange))
    exchange.end()


def abort(exchange: RecordedExchange) -> None:
    """Break off in the middle."""
    exchange.start(_piece(exchange))
    exchange.abort()


def _piece(exchange: RecordedExchange) -> bytes:
    """A piece of a body, where one may be."""
    return b"" if exchange.request.method == "HEAD" else b"piece"


APPLICATIONS: list[tuple[Ended | None, Ended | None]] = [
    (None, answering(b"hello")),
    (answering(b"early"), None),
    (start, end),
    (None, abort),
    (None, None),
]
"""What the application does when a request comes, and when its body is complete."""


Seen = tuple[str, str, Fields, bytes | None]


def seen_by(application: int, segment: int, data: bytes) -> list[Seen]:
    """Serve `data`; the requests that the application saw, with their bodies.

    What the seam forbids, and what is no response to h11, raises.
    """
    opened, ended = APPLICATIONS[application]
    served = Served(opened=opened, ended=ended, head_size=4096, body_timeout=1.0)
    for at in range(0, len(data), segment):
        served.send(data[at : at + segment])
    responses = served.responses
    assert len(responses) <= len(served.requests) + 1
    served.send_eof()
    served.wait(1000)
    served.wire.vanish()
    served.turn()
    assert served.clock.getDelayedCalls() == []
    assert served.shared.connections == set()
    return [_seen(exchange) for exchange in served.open.exchanges]


def _seen(exchange: RecordedExchange) -> Seen:
    """A request; of a body that broke off, segments decide how much has come."""
    request = exchange.request
    body = exchange.body if "body_ended" in exchange.events else None
    return request.method, request.target, request.headers, body


def one_input(data: bytes) -> None:
    """Serve one input in segments, and whole: segments have no meaning."""
    if len(data) < 3:
        return
    application, segment, sent = data[0] % len(APPLICATIONS), data[1] or 256, data[2:]
    in_segments = seen_by(application, segment, sent)
    if APPLICATIONS[application] == APPLICATIONS[0]:
        assert in_segments == seen_by(application, len(sent), sent)
