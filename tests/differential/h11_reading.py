"""The other opinion: what h11 makes of the bytes that a client sends."""

from __future__ import annotations

from dataclasses import dataclass, field

import h11

from daphne_like.exchange import Field


@dataclass
class Heard:
    """One request as h11 has it; ``complete`` tells that its body has ended."""

    method: bytes
    target: bytes
    headers: list[Field]
    http_version: bytes
    body: bytes = b""
    complete: bool = False
    trailers: list[Field] = field(default_factory=list)


@dataclass
class Hearing:
    """The requests that h11 finds in what a client sends, up to the one that it refuses."""

    requests: list[Heard] = field(default_factory=list)
    refusal: str = ""


def heard(raw: bytes, *, ignored: bytes = b"") -> Hearing:
    """What h11 makes of `raw`; it is not shown bytes of `ignored` in front of a request."""
    hearing = Hearing()
    while raw := raw.lstrip(ignored):
        server = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
        server.receive_data(raw)
        try:
            request = _one(server)
        except h11.RemoteProtocolError as error:
            hearing.refusal = str(error)
            break
        if request is None:
            break
        hearing.requests.append(request)
        if not request.complete or server.their_state is h11.MUST_CLOSE:
            break
        raw = server.trailing_data[0]
    return hearing


def _one(server: h11.Connection) -> Heard | None:
    request: Heard | None = None
    while True:
        event = server.next_event()
        if isinstance(event, h11.Request):
            request = Heard(
                bytes(event.method),
                bytes(event.target),
                [(bytes(name), bytes(value)) for name, value in event.headers],
                bytes(event.http_version),
            )
        elif isinstance(event, h11.Data) and request is not None:
            request.body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage) and request is not None:
            request.complete = True
            request.trailers = [(bytes(name), bytes(value)) for name, value in event.headers]
            return request
        else:
            return request
