"""HTTP/2 by hand: frames as bytes, for clients that break the rules (RFC 9113, section 4).

Only HPACK is a library's. Nothing here holds its user to anything: that is what it is for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from hpack import Decoder, Encoder

from daphne_like.exchange import Field

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY = range(8)
WINDOW_UPDATE, CONTINUATION, PRIORITY_UPDATE = 8, 9, 16

END_STREAM = ACK = 0x01
END_HEADERS = 0x04
PADDED = 0x08
WITH_PRIORITY = 0x20

NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR = range(4)
STREAM_CLOSED, FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR = range(5, 10)
ENHANCE_YOUR_CALM = 11

INITIAL_WINDOW_SIZE = 4


class Frame(NamedTuple):
    """One frame."""

    kind: int
    flags: int
    stream: int
    payload: bytes

    @property
    def number(self) -> int:
        """The last four bytes: an error's code, of RST_STREAM and of GOAWAY without debug data."""
        at = 4 if self.kind == GOAWAY else 0
        return int.from_bytes(self.payload[at : at + 4], "big")


def frame(kind: int, payload: bytes = b"", flags: int = 0, stream: int = 0) -> bytes:
    """Any frame."""
    head = len(payload).to_bytes(3, "big") + bytes([kind, flags])
    return head + stream.to_bytes(4, "big") + payload


def read_frames(raw: bytes) -> Iterator[Frame]:
    """The frames in `raw`; the last one may have been cut off."""
    at = 0
    while at + 9 <= len(raw):
        end = at + 9 + int.from_bytes(raw[at : at + 3], "big")
        if end > len(raw):
            return
        number = int.from_bytes(raw[at + 5 : at + 9], "big")
        yield Frame(raw[at + 3], raw[at + 4], number, raw[at + 9 : end])
        at = end


def settings(*pairs: tuple[int, int]) -> bytes:
    payload = b"".join(name.to_bytes(2, "big") + value.to_bytes(4, "big") for name, value in pairs)
    return frame(SETTINGS, payload)


def data(stream: int, payload: bytes = b"", *, end: bool = False) -> bytes:
    return frame(DATA, payload, END_STREAM if end else 0, stream)


def reset(stream: int, code: int = CANCEL) -> bytes:
    return frame(RST_STREAM, code.to_bytes(4, "big"), 0, stream)


def window_update(stream: int, size: int) -> bytes:
    return frame(WINDOW_UPDATE, size.to_bytes(4, "big"), 0, stream)


def priority(stream: int, payload: bytes = bytes(5)) -> bytes:
    return frame(PRIORITY, payload, 0, stream)


def priority_update(stream: int, value: bytes = b"u=1") -> bytes:
    return frame(PRIORITY_UPDATE, stream.to_bytes(4, "big") + value)


def ping(what: bytes = bytes(8)) -> bytes:
    return frame(PING, what)


def headers(stream: int, block: bytes, *, end: bool = True, whole: bool = True) -> bytes:
    """A block of fields, with more to come unless it is `whole`."""
    flags = (END_STREAM if end else 0) | (END_HEADERS if whole else 0)
    return frame(HEADERS, block, flags, stream)


def continuation(stream: int, block: bytes, *, whole: bool = False) -> bytes:
    return frame(CONTINUATION, block, END_HEADERS if whole else 0, stream)


def continued(stream: int, block: bytes, size: int = 16384) -> bytes:
    """A block of fields of any size, in as few frames as it takes."""
    pieces = [block[at : at + size] for at in range(0, len(block), size)]
    first = headers(stream, pieces[0], whole=len(pieces) == 1)
    rest = [continuation(stream, piece) for piece in pieces[1:-1]]
    last = [continuation(stream, pieces[-1], whole=True)] if len(pieces) > 1 else []
    return b"".join([first, *rest, *last])


GET: list[Field] = [
    (b":method", b"GET"),
    (b":scheme", b"http"),
    (b":authority", b"a.example"),
    (b":path", b"/"),
]
POST = [(b":method", b"POST"), *GET[1:]]


def changed(head: Sequence[Field], **others: bytes) -> list[Field]:
    """A head whose pseudo-header fields are others: ``changed(GET, path=b"/x")``."""
    left = {b":" + name.encode(): value for name, value in others.items()}
    found = [(name, left.pop(name, value)) for name, value in head]
    return [*left.items(), *found]


def packed(fields: Sequence[Field]) -> bytes:
    """Fields as HPACK has them that leaves nothing in the table: good in any order."""
    return b"".join(b"\x00" + _string(name) + _string(value) for name, value in fields)


def indexed(fields: Sequence[Field]) -> bytes:
    """The same, each of them put into the table."""
    return b"".join(b"\x40" + _string(name) + _string(value) for name, value in fields)


def _string(text: bytes) -> bytes:
    return _integer(len(text), 7) + text


def _integer(value: int, bits: int) -> bytes:
    """A number as HPACK writes it (RFC 7541, section 5.1), the bits before it 0."""
    most = (1 << bits) - 1
    if value < most:
        return bytes([value])
    value -= most
    written = bytearray([most])
    while value >= 128:
        written.append(value & 127 | 128)
        value >>= 7
    return bytes([*written, value])


def compressed(*heads: Sequence[Field]) -> list[bytes]:
    """Heads as an ordinary client compresses them, one after the other."""
    encoder = Encoder()
    return [encoder.encode(head) for head in heads]


def read_heads(frames: Sequence[Frame]) -> list[tuple[int, dict[bytes, bytes]]]:
    """The heads in `frames`, each with its stream, where none takes more than one frame."""
    decoder = Decoder()
    heads = []
    for one in frames:
        if one.kind == HEADERS:
            assert one.flags & END_HEADERS
            fields = decoder.decode(one.payload, raw=True)
            heads.append((one.stream, dict(fields)))
    return heads
