"""A fuzz target for the HTTP/2 connection: whatever frames a client sends, the house rules hold.

The first byte of an input says what the application does, the second how long the segments are,
the third what the client begins with. The rest are steps: of what kind, with which flags, on which
stream, how many bytes of payload, and these. Most are frames; some are heads of requests that need
not be thought of, and things that clients do beside sending. ``make fuzz TARGET=http2`` lets
atheris think of inputs; the tests run those in ``corpus/http2``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from daphne_like.testing import RecordedExchange
from tests.support.attacker import WRITE_BUDGET, Attacker
from tests.support.frames import (
    ACK,
    GET,
    POST,
    PREFACE,
    SETTINGS,
    changed,
    data,
    frame,
    headers,
    packed,
    priority_update,
    read_frames,
    read_heads,
    reset,
    settings,
    window_update,
)

FILE = os.open(__file__, os.O_RDONLY)
Ended = Callable[[RecordedExchange], None]

SOCKET = [
    *changed(GET, method=b"CONNECT"),
    (b":protocol", b"websocket"),
    (b"sec-websocket-version", b"13"),
]
HEADS = [
    packed(head)
    for head in (
        GET,
        POST,
        [*POST, (b"content-length", b"5")],
        [*POST, (b"expect", b"100-continue")],
        [*GET, (b"te", b"trailers")],
        changed(GET, method=b"HEAD"),
        SOCKET,
        [(b"x-checksum", b"42")],
    )
]


# --- What the application does --------------------------------------------------------------


def answer(exchange: RecordedExchange) -> None:
    exchange.answer(b"hello")


def begin(exchange: RecordedExchange) -> None:
    """Grant what is asked for, or begin to answer, and push."""
    if exchange.request.upgrade is not None:
        exchange.accept()
        exchange.send(b"hello")
        return
    if "http.response.push" in exchange.stream.supports:
        exchange.stream.push(b"/pushed", [(b"accept", b"text/css")])
    exchange.start(b"" if exchange.request.method == "HEAD" else b"piece" * 4000)


def end(exchange: RecordedExchange) -> None:
    if exchange.request.upgrade is None and not exchange.over:
        exchange.over = "ended"
        exchange.stream.end([(b"x-checksum", b"42")])


def abort(exchange: RecordedExchange) -> None:
    begin(exchange)
    exchange.abort()


def linger(exchange: RecordedExchange) -> None:
    exchange.lingers = True


def send_file(exchange: RecordedExchange) -> None:
    exchange.start()
    if exchange.request.method != "HEAD":
        exchange.stream.send_file(FILE, 0, os.fstat(FILE).st_size)


APPLICATIONS: list[tuple[Ended | None, Ended | None]] = [
    (None, answer),
    (answer, None),
    (begin, end),
    (begin, None),
    (None, abort),
    (linger, None),
    (send_file, None),
]
"""What the application does when a request comes, and when its body is complete."""


# --- What the client does ---------------------------------------------------------------------

ACKNOWLEDGED = settings() + frame(SETTINGS, b"", ACK)
BEGINS = [
    PREFACE + ACKNOWLEDGED,
    PREFACE,
    PREFACE + settings((4, 0), (2, 0)) + frame(SETTINGS, b"", ACK),
    PREFACE + settings((4, 2**31 - 1)) + frame(SETTINGS, b"", ACK) + window_update(0, 2**30),
    b"",
]


class Client(Attacker):
    """What steps are told to."""

    def head(self, flags: int, stream: int, payload: bytes) -> bytes:
        """A request on the next stream, or on any; its body may follow."""
        number = self.next() if stream % 4 else stream // 4 % 16
        return headers(number, HEADS[flags % 8] + payload, end=flags < 128)

    def body(self, flags: int, stream: int, payload: bytes) -> bytes:
        return data(stream, bytes(flags % 128 * 128) + payload, end=flags < 128)

    def trailers(self, flags: int, stream: int, payload: bytes) -> bytes:
        return headers(stream, HEADS[7] + payload, end=flags > 3)

    def cancel(self, flags: int, stream: int, payload: bytes) -> bytes:
        return reset(stream, flags)

    def let_come(self, flags: int, stream: int, payload: bytes) -> bytes:
        return window_update(stream * (flags % 2), flags * 997 + 1)

    def set(self, flags: int, stream: int, payload: bytes) -> bytes:
        return settings((flags % 10, len(payload) << (stream % 24)))

    def prefer(self, flags: int, stream: int, payload: bytes) -> bytes:
        return priority_update(stream, payload)

    def raw(self, flags: int, stream: int, payload: bytes) -> bytes:
        return payload

    def pause(self, flags: int, stream: int, payload: bytes) -> bytes:
        self.wait(flags % 64)
        return b""

    def stop_reading(self, flags: int, stream: int, payload: bytes) -> bytes:
        self.wire.stop_reading()
        return b""

    def read_on(self, flags: int, stream: int, payload: bytes) -> bytes:
        self.read()
        return b""

    def close(self, flags: int, stream: int, payload: bytes) -> bytes:
        if flags < 16:
            self.wire.send_eof()
        return b""

    def stop_server(self, flags: int, stream: int, payload: bytes) -> bytes:
        """Not the client does that."""
        if flags < 32 and not self.shared.draining:
            self.shared.drain(lambda: None)
        return b""


WORDS = [
    Client.head,
    Client.head,
    Client.head,
    Client.body,
    Client.body,
    Client.trailers,
    Client.cancel,
    Client.let_come,
    Client.set,
    Client.prefer,
    Client.raw,
    Client.pause,
    Client.stop_reading,
    Client.read_on,
    Client.close,
    Client.stop_server,
]
"""Steps that are more than a frame as it is."""


def steps(client: Client, said: bytes) -> Iterator[bytes]:
    """What the client sends, step by step."""
    at = 0
    while at + 4 <= len(said):
        kind, flags, stream, size = said[at : at + 4]
        payload = said[at + 4 : at + 4 + size % 64]
        at += 4 + len(payload)
        number = stream if stream >= 240 else stream % 16
        if kind < 20:
            yield frame(kind, payload, flags, number)
        else:
            yield WORDS[kind % len(WORDS)](client, flags, number, payload)


def serve(application: int, segment: int, begin: int, said: bytes) -> None:
    """Serve it; what the seam forbids, and what is no response, raises."""
    opened, ended = APPLICATIONS[application % len(APPLICATIONS)]
    client = Client(
        said=BEGINS[begin % len(BEGINS)],
        opened=opened,
        ended=ended,
        reads=application < 128,
        head_size=4096,
        body_timeout=5,
        http2_streams=10,
        http2_control_frames=50,
        http2_resets=20,
    )
    for step in steps(client, said):
        client.send(*[step[at : at + segment] for at in range(0, len(step), segment)])
        assert len(client.wire.outgoing) <= 2 * WRITE_BUDGET
        live = [one for one in client.open.exchanges if not one.over]
        assert len(live) <= client.limits.http2_streams
    _finish(client)


def _finish(attacker: Attacker) -> None:
    """Read all, and see that nothing is left when the client has gone."""
    attacker.read()
    attacker.leave()
    assert all(one.over for one in attacker.open.exchanges)
    raw = bytes(attacker.wire.received)
    frames = list(read_frames(raw))
    assert all(len(one.payload) <= 16384 for one in frames)
    if not attacker.wire.aborted:
        assert sum(9 + len(one.payload) for one in frames) == len(raw)
    for _, head in read_heads(frames):
        assert len(head.get(b":status", b"42")) in {2, 3}


def one_input(given: bytes) -> None:
    """Serve one input."""
    if len(given) > 3:
        serve(given[0], given[1] or 1024, given[2], given[3:])
