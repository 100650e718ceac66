"""An HTTP/2 client for tests that look at streams and at the connection's end: ngh2 on a socket."""

from __future__ import annotations

import socket
from collections.abc import Callable

from ngh2 import (
    Connection,
    ConnectionClosed,
    ConnectionStateError,
    DataReceived,
    GoAwayReceived,
    ResponseReceived,
    Role,
    Setting,
    StreamClosed,
)

from daphne_like.exchange import Field


class Client:
    """One connection; it reads only while something is waited for.

    ``statuses`` and ``bodies`` have what has come on each stream, ``closed`` the codes with which
    streams were closed, ``last_streams`` what each GOAWAY named. Without `pushes` it takes none.
    """

    def __init__(
        self, connection: socket.socket, scheme: str = "http", *, pushes: bool = True
    ) -> None:
        self._socket = connection
        self._scheme = scheme.encode()
        self._engine = Connection(Role.CLIENT)
        self._engine.initiate_connection({Setting.ENABLE_PUSH: int(pushes)})
        self.statuses: dict[int, int] = {}
        self.bodies: dict[int, bytes] = {}
        self.closed: dict[int, int] = {}
        self.last_streams: list[int] = []
        self.over = False

    def ask(
        self, path: str = "/", body: bytes | None = None, *more: Field, end: bool = True
    ) -> int:
        """Send a request; the number of its stream. Of a body, this may be but the beginning."""
        head = self._head(b"GET" if body is None else b"POST", path)
        stream = self._engine.send_request([*head, *more], end_stream=body is None)
        if body is not None:
            self._engine.send_data(stream, body, end_stream=end)
        self.send()
        return stream

    def open(self, path: str = "/") -> int:
        """Ask for a WebSocket (RFC 8441): the stream whose bytes are its frames."""
        self.send()
        self.wait_until(lambda: self._engine.remote_settings.get(Setting.ENABLE_CONNECT_PROTOCOL))
        more = (b":protocol", b"websocket"), (b"sec-websocket-version", b"13")
        head = [*self._head(b"CONNECT", path), *more]
        stream = self._engine.send_request(head, end_stream=False)
        self.send()
        return stream

    def say(self, stream: int, data: bytes) -> None:
        """Send more on a stream."""
        self._engine.send_data(stream, data)
        self.send()

    def _head(self, method: bytes, path: str) -> list[Field]:
        asked = (b":method", method), (b":path", path.encode())
        return [*asked, (b":scheme", self._scheme), (b":authority", b"testserver")]

    def reset(self, stream: int) -> None:
        self._engine.reset_stream(stream)
        self.send()

    def send(self) -> None:
        """Send what there is."""
        while data := self._engine.data_to_send():
            self._socket.sendall(data)

    @property
    def can_ask(self) -> bool:
        """Whether the server takes more requests, as far as is known."""
        return not self.over and not self.last_streams and self._engine.can_send_request

    def wait_until(self, condition: Callable[[], object]) -> None:
        """Read until `condition` holds, or the connection is over."""
        while not condition() and not self.over:
            self.read()

    def read(self) -> None:
        """Read what is there, or wait for it."""
        data = self._socket.recv(1 << 16)
        if not data:
            self.over = True
            return
        try:
            self._engine.receive_data(data)
        except ConnectionStateError:
            self.over = True  # All is said, on both sides.
        for event in self._engine.events():
            self._take(event)
        self.send()

    def _take(self, event: object) -> None:
        if isinstance(event, ResponseReceived):
            self.statuses[event.stream_id] = int(dict(event.headers)[b":status"])
        elif isinstance(event, DataReceived):
            self.bodies[event.stream_id] = self.bodies.get(event.stream_id, b"") + event.data
        elif isinstance(event, StreamClosed):
            self.closed[event.stream_id] = event.error_code
        elif isinstance(event, GoAwayReceived):
            self.last_streams.append(event.last_stream_id)
        elif isinstance(event, ConnectionClosed):
            self.over = True
