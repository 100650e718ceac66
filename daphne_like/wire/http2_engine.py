"""The HTTP/2 engine: ngh2, which is libnghttp2 (RFC 9113), as this server uses it.

It parses and writes frames, compresses heads, keeps the windows, schedules by priority (RFC 9218)
and holds the peer to the grammar. This module must not know what a request is. ngh2 is imported
here and nowhere else.
"""

from __future__ import annotations

from ngh2 import (
    Configuration,
    Connection,
    ConnectionClosed,
    DataReceived,
    DenialOfServiceError,
    ErrorCode,
    Event,
    GoAwayReceived,
    NGH2Error,
    PingAcknowledged,
    PingReceived,
    Priority,
    PriorityUpdateReceived,
    RequestReceived,
    Role,
    Setting,
    SettingsReceived,
    StreamClosed,
    StreamReset,
    TrailersReceived,
    WindowUpdated,
    pack_settings_payload,
)

from daphne_like.limits import Limits

__all__ = [
    "Connection",
    "ConnectionClosed",
    "DataReceived",
    "DenialOfServiceError",
    "Event",
    "GoAwayReceived",
    "NGH2Error",
    "PingAcknowledged",
    "PingReceived",
    "PriorityUpdateReceived",
    "RequestReceived",
    "SettingsReceived",
    "StreamClosed",
    "StreamReset",
    "TrailersReceived",
    "WindowUpdated",
    "greeting",
    "last_words",
    "made_engine",
    "named",
    "pushes_at_once",
    "share",
]

NO_ERROR = 0x00
PROTOCOL_ERROR = 0x01
INTERNAL_ERROR = 0x02
REFUSED_STREAM = 0x07
CANCEL = 0x08
ENHANCE_YOUR_CALM = 0x0B

_BEYOND = 2
"""The engine gives up a connection whose head is so many times over its limit: until there, we
answer its stream, 431, and others go on."""

_LARGEST_HEAD = 1024 * 1024
"""Bytes of fields that an application may send at once; more breaks the stream off."""

_LARGEST_WINDOW = 2**31 - 1

_ENDING = 2
"""The engine has room for so many times the streams that a client may have. Some clients forget
those that were answered before they had ended their own side, and for one too many the engine would
end the whole connection, where RFC 9113, section 5.1.2, would have it refuse the stream."""

_NOTHING_SAID = Priority(3, False)
_IN_TURNS = Priority(3, True)
_FIRST = Priority(0, True)


def made_engine(limits: Limits) -> Connection:
    """The server's end of one connection, its SETTINGS ready to be sent.

    A stream's window is what may wait for the application; that of the connection has room for
    twice as much as all streams, so that no stream waits for another's application: the engine
    gives the client room only when half of it is used up. What is too much of resets and of
    oddities (frames of unknown types too: RFC 9113, section 5.5) is said above; the engine's own
    limits are a second net.
    """
    configuration = Configuration(
        auto_window_update=False,
        max_inbound_header_list_size=_BEYOND * limits.head_size,
        max_inbound_header_count=_BEYOND * limits.head_fields,
        stream_reset_rate_limit=(2 * limits.http2_resets, 2 * limits.http2_reset_rate),
        glitch_rate_limit=(10 * limits.http2_resets, 10 * limits.http2_reset_rate),
        max_outbound_ack=limits.http2_control_frames,
        max_send_header_block_length=_LARGEST_HEAD,
    )
    engine = Connection(Role.SERVER, configuration)
    window = min(limits.read_budget, _LARGEST_WINDOW)
    engine.initiate_connection(
        {
            Setting.MAX_CONCURRENT_STREAMS: _ENDING * limits.http2_streams,
            Setting.INITIAL_WINDOW_SIZE: window,
            Setting.MAX_HEADER_LIST_SIZE: limits.head_size,
            Setting.ENABLE_CONNECT_PROTOCOL: 1,
            Setting.NO_RFC7540_PRIORITIES: 1,
        }
    )
    of_all = min(2 * window * limits.http2_streams, _LARGEST_WINDOW)
    engine.set_local_window_size(max(of_all, 65535))
    return engine


def greeting(engine: Connection, limits: Limits) -> bytes:
    """The first bytes of a connection: the engine's, with the streams that a client may have."""
    allowed, announced = (
        pack_settings_payload({Setting.MAX_CONCURRENT_STREAMS: times * limits.http2_streams})
        for times in (_ENDING, 1)
    )
    return engine.data_to_send().replace(allowed, announced, 1)


def pushes_at_once(engine: Connection) -> int:
    """How many pushes the peer takes at a time, by its SETTINGS (RFC 9113, section 8.4)."""
    said: dict[int, int] = engine.remote_settings
    return said[Setting.MAX_CONCURRENT_STREAMS] if said[Setting.ENABLE_PUSH] else 0


def share(engine: Connection, number: int, *, first: bool = False) -> None:
    """Let a stream whose client has said nothing of its priority have turns with others.

    By the book (RFC 9218, section 4.2) such streams go one after the other. Behind a long one a
    proxy would wait with what all its other clients have asked for. What is to go `first` does
    not wait for the rest either: a socket's few bytes, and its pings.
    """
    if engine.get_stream_priority(number) == _NOTHING_SAID:
        engine.set_stream_priority(number, _FIRST if first else _IN_TURNS)


def named(code: int) -> str:
    """An error's code for a log line (RFC 9113, section 7): one of a few words, whoever says it."""
    try:
        return ErrorCode(code).name
    except ValueError:
        return "an unknown error"


def last_words(error: NGH2Error, last_stream: int) -> bytes:
    """A GOAWAY, where the engine has given up with `error` and writes no more."""
    code = ENHANCE_YOUR_CALM if isinstance(error, DenialOfServiceError) else PROTOCOL_ERROR
    payload = last_stream.to_bytes(4, "big") + code.to_bytes(4, "big")
    return len(payload).to_bytes(3, "big") + b"\x07\x00" + bytes(4) + payload
