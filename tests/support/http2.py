"""HTTP/2 over memory: a connection with all that is around it, and h2 as its client.

Every byte of the server is judged by h2: what breaks the rules raises its ``ProtocolError``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.exceptions import NoSuchStreamError, StreamClosedError
from h2.settings import SettingCodes, Settings

from daphne_like.exchange import Field
from daphne_like.wire.http2 import HTTP2Connection
from tests.support import http1
from tests.support.frames import CANCEL, reset

ALL_STREAMS = 2**31 - 1
"""What the first GOAWAY of an orderly end names: any stream may still be taken."""

ROOMY = 16 * 1024 * 1024
"""Bytes of window that a browser gives."""

KINDS = (
    "DATA",
    "HEADERS",
    "PRIORITY",
    "RST_STREAM",
    "SETTINGS",
    "PUSH_PROMISE",
    "PING",
    "GOAWAY",
    "WINDOW_UPDATE",
    "CONTINUATION",
)
_FRAME_HEAD = 9


@dataclass
class Reply(http1.Response):
    """What has come on one stream; ``status`` is 0 while there is no final head.

    ``hints`` are the fields of each interim response, ``pushes`` the streams that it has promised,
    ``promised`` the request that a pushed one answers, ``reset`` the code with which it broke off.
    """

    status: int = 0
    headers: list[Field] = field(default_factory=list)
    hints: list[list[Field]] = field(default_factory=list)
    trailers: list[Field] = field(default_factory=list)
    pushes: list[int] = field(default_factory=list)
    promised: list[Field] = field(default_factory=list)
    reset: int | None = None


class Client:
    """One client: what h2 makes of the bytes, stream by stream.

    ``frames`` are the kinds and streams of all frames that have come, ``goodbyes`` the last stream
    and the error code of each GOAWAY, ``forgotten`` the streams that it has reset. It sends of its
    uploads what the server has room for, and gives room for what it reads, unless `gives` is false.
    """

    def __init__(self, window: int, *, pushes: bool = True, gives: bool = True) -> None:
        self.h2 = H2Connection(H2Configuration(client_side=True, header_encoding=None))
        said = {SettingCodes.INITIAL_WINDOW_SIZE: window, SettingCodes.ENABLE_PUSH: int(pushes)}
        self.h2.local_settings = Settings(client=True, initial_values=said)
        self.h2.initiate_connection()
        if window > 65535:
            self.h2.increment_flow_control_window(window - 65535)
        self.replies: dict[int, Reply] = {}
        self.frames: list[tuple[str, int]] = []
        self.goodbyes: list[tuple[int, int]] = []
        self.pongs = 0
        self._gives = gives
        self._buffer = b""
        self._uploads: dict[int, bytearray] = {}
        self._ending: set[int] = set()
        self.forgotten: set[int] = set()

    # --- What it sends ----------------------------------------------------------------------

    def ask(self, head: Sequence[Field], *, ended: bool) -> int:
        number = self.h2.get_next_available_stream_id()
        self.replies[number] = Reply()
        self.h2.send_headers(number, head, end_stream=ended)
        return number

    def upload(self, number: int, data: bytes = b"", *, ended: bool = False) -> None:
        """Send `data` as far as the server takes it, the rest later."""
        self._uploads.setdefault(number, bytearray()).extend(data)
        if ended:
            self._ending.add(number)
        self._send_on(number)

    def reset(self, number: int, code: int = CANCEL) -> None:
        self._uploads.pop(number, None)
        self.forgotten.add(number)
        with suppress(StreamClosedError, NoSuchStreamError):
            self.h2.reset_stream(number, code)

    def give(self, size: int, number: int | None = None) -> None:
        """Let `size` bytes more come, on the connection or on a stream."""
        with suppress(KeyError, StreamClosedError, NoSuchStreamError):
            self.h2.increment_flow_control_window(size, number)

    def waiting(self, number: int) -> int:
        """Bytes of an upload that the server has no room for."""
        return len(self._uploads.get(number, b""))

    def _send_on(self, number: int) -> None:
        data = self._uploads[number]
        with suppress(StreamClosedError, NoSuchStreamError):
            while data and (room := self._room(number)):
                self.h2.send_data(number, bytes(data[:room]))
                del data[:room]
            if not data and number in self._ending:
                self._ending.discard(number)
                self.h2.end_stream(number)

    def _room(self, number: int) -> int:
        return max(0, min(self.h2.local_flow_control_window(number), 16384))

    # --- What it reads ----------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= _FRAME_HEAD:
            size = _FRAME_HEAD + int.from_bytes(self._buffer[:3], "big")
            if len(self._buffer) < size:
                return
            taken, self._buffer = self._buffer[:size], self._buffer[size:]
            self._take(taken)

    def _take(self, taken: bytes) -> None:
        kind = KINDS[taken[3]]
        self.frames.append((kind, int.from_bytes(taken[5:_FRAME_HEAD], "big")))
        if kind == "GOAWAY":
            # h2 would take it for the end of all streams, which it is not.
            words = taken[_FRAME_HEAD:]
            last, code = (int.from_bytes(words[at : at + 4], "big") for at in (0, 4))
            self.goodbyes.append((last, code))
            return
        if self._is_forgotten(kind, taken):
            return
        for event in self.h2.receive_data(taken):
            react = _REACTIONS.get(type(event))
            if react is not None:
                react(self, event)

    def _is_forgotten(self, kind: str, taken: bytes) -> bool:
        """Whether the frame was on its way when its stream was reset here.

        h2 takes some that may come then for mistakes. Heads are read all the same: those that
        follow may refer to them (RFC 7541).
        """
        number = self.frames[-1][1]
        if number not in self.forgotten:
            return False
        block = taken[_FRAME_HEAD:]
        if kind == "PUSH_PROMISE":
            promised, block = int.from_bytes(block[:4], "big"), block[4:]
            self.forgotten.add(promised)
            self.h2._data_to_send += reset(promised)
        if kind in {"HEADERS", "PUSH_PROMISE"}:
            self.h2.decoder.decode(block)
            return True
        return number % 2 == 0

    def _headed(self, event: events.ResponseReceived) -> None:
        reply = self.replies[event.stream_id]
        (_, status), *reply.headers = event.headers
        reply.status = int(status)

    def _informed(self, event: events.InformationalResponseReceived) -> None:
        (_, status), *fields = event.headers
        self.replies[event.stream_id].interim.append(int(status))
        self.replies[event.stream_id].hints.append(fields)

    def _trailed(self, event: events.TrailersReceived) -> None:
        self.replies[event.stream_id].trailers = list(event.headers)

    def _got_data(self, event: events.DataReceived) -> None:
        self.replies[event.stream_id].body += event.data
        if self._gives and event.flow_controlled_length:
            with suppress(StreamClosedError, NoSuchStreamError):
                size = event.flow_controlled_length
                self.h2.acknowledge_received_data(size, event.stream_id)

    def _ended(self, event: events.StreamEnded) -> None:
        self.replies[event.stream_id].complete = True

    def _was_reset(self, event: events.StreamReset) -> None:
        assert event.remote_reset, "the server has broken the rules of a stream"
        self.replies[event.stream_id].reset = int(event.error_code)
        self._uploads.pop(event.stream_id, None)

    def _promised(self, event: events.PushedStreamReceived) -> None:
        self.replies[event.parent_stream_id].pushes.append(event.pushed_stream_id)
        self.replies[event.pushed_stream_id] = Reply(promised=list(event.headers))

    def _has_room(self, event: events.Event) -> None:
        for number in list(self._uploads):
            self._send_on(number)

    def _ponged(self, event: events.PingAckReceived) -> None:
        self.pongs += 1


_REACTIONS: dict[type, Callable[[Client, Any], None]] = {
    events.ResponseReceived: Client._headed,
    events.InformationalResponseReceived: Client._informed,
    events.TrailersReceived: Client._trailed,
    events.DataReceived: Client._got_data,
    events.StreamEnded: Client._ended,
    events.StreamReset: Client._was_reset,
    events.PushedStreamReceived: Client._promised,
    events.WindowUpdated: Client._has_room,
    events.RemoteSettingsChanged: Client._has_room,
    events.PingAckReceived: Client._ponged,
}


class Asked:
    """One request of a client, or the tunnel that it has asked for."""

    def __init__(self, served: Served, number: int) -> None:
        self._served = served
        self.number = number

    def send(self, data: bytes, *, ended: bool = False) -> None:
        self._served.client.upload(self.number, data, ended=ended)
        self._served.turn()

    def end(self) -> None:
        self.send(b"", ended=True)

    def cancel(self, code: int = CANCEL) -> None:
        self._served.client.reset(self.number, code)
        self._served.turn()

    @property
    def reply(self) -> Reply:
        """What has come of the response until now."""
        self._served.turn()
        return self._served.client.replies[self.number]


class Served(http1.Served):
    """One client's connection, spoken by :class:`Client` in ``client``.

    `window` is what the client lets come, in all and on each stream; see there for `gives`. What it
    sends comes in segments of `segment` bytes.
    """

    speaks = HTTP2Connection

    def __init__(
        self,
        *,
        window: int = ROOMY,
        pushes: bool = True,
        gives: bool = True,
        segment: int = ROOMY,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._segment = segment
        self.client = Client(window, pushes=pushes, gives=gives)
        self._read = 0
        self._held = False
        self.turn()

    # --- The client -------------------------------------------------------------------------

    def ask(
        self,
        method: str = "GET",
        target: bytes = b"/",
        fields: Sequence[Field] = (),
        body: bytes | None = None,
        *,
        more: bool = False,
    ) -> Asked:
        """Ask for `target`, with a `body` of known size, or with `more` to come."""
        length = [] if body is None or more else [(b"content-length", b"%d" % len(body))]
        head = [*pseudo(method, target), *fields, *length]
        return self.ask_with(head, body, more=more)

    def ask_with(
        self, head: Sequence[Field], body: bytes | None = None, *, more: bool = False
    ) -> Asked:
        """Ask with this very head."""
        ended = body is None and not more
        asked = Asked(self, self.client.ask(head, ended=ended))
        if not ended:
            self.client.upload(asked.number, body or b"", ended=not more)
        self.turn()
        return asked

    def ask_for_a_tunnel(self, target: bytes = b"/", fields: Sequence[Field] = ()) -> Asked:
        return self.ask_with([*connecting(target), *fields], more=True)

    def ask_unchecked(self, head: Sequence[Field], *, ended: bool = True) -> Asked:
        """Ask with what h2 would not send."""
        config = self.client.h2.config
        config.validate_outbound_headers = config.normalize_outbound_headers = False
        asked = Asked(self, self.client.ask(head, ended=ended))
        config.validate_outbound_headers = config.normalize_outbound_headers = True
        self.turn()
        return asked

    @contextmanager
    def in_one_segment(self) -> Iterator[None]:
        """What the client does meanwhile arrives together."""
        self._held = True
        yield
        self._held = False
        self.turn()

    def stop_reading(self) -> None:
        self.wire.stop_reading()

    def read_on(self) -> None:
        self.wire.read()
        self.turn()

    def turn(self) -> None:
        """Let everything happen that can happen now, at both ends."""
        busy = not self._held
        while busy:
            busy = self._client_turn()
            self.clock.advance(0)

    def _client_turn(self) -> bool:
        said = self.client.h2.data_to_send()
        for at in range(0, 0 if self.wire.closed else len(said), self._segment):
            self.wire.send(said[at : at + self._segment])
        read = bytes(self.wire.received[self._read :])
        self._read += len(read)
        self.client.receive(read)
        if self.wire.eof and not self.wire.closed and not self._answered_eof:
            self._answered_eof = True
            self.wire.send_eof()
            return True
        due = any(call.getTime() <= self.clock.seconds() for call in self.clock.getDelayedCalls())
        return bool(said or read or due)

    _answered_eof = False

    @property
    def replies(self) -> dict[int, Reply]:
        self.turn()
        return self.client.replies

    @property
    def responses(self) -> list[Reply]:  # type: ignore[override]
        """All responses that have begun, in the order of their streams."""
        return [reply for _, reply in sorted(self.replies.items()) if reply.status]

    def frames(self, kind: str) -> list[int]:
        """The streams of all frames of one kind, in the order in which they have come."""
        self.turn()
        return [number for name, number in self.client.frames if name == kind]


def pseudo(method: str = "GET", target: bytes = b"/") -> list[Field]:
    """The fields of the protocol in front of each request, in curl's order."""
    asked = (b":method", method.encode()), (b":scheme", b"http")
    return [*asked, (b":authority", b"a.example"), (b":path", target)]


def connecting(target: bytes = b"/") -> list[Field]:
    """An extended CONNECT that asks for a WebSocket (RFC 8441, section 5)."""
    head = [*pseudo("CONNECT", target), (b":protocol", b"websocket")]
    return [*head, (b"sec-websocket-version", b"13")]
