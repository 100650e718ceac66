"""WebSockets by hand: what no client would send, and what comes back byte by byte."""

from __future__ import annotations

import socket
import zlib
from typing import NamedTuple

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
LAST, COMPRESSED = 0x80, 0x40
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def handshake(path: str = "/echo", *fields: str, key: str = KEY, version: str = "13") -> bytes:
    """The request that asks for a WebSocket, with more fields."""
    head = (
        f"GET {path} HTTP/1.1",
        "Host: x",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        f"Sec-WebSocket-Version: {version}",
        *fields,
    )
    return "\r\n".join([*head, "", ""]).encode("latin-1")


def frame(first: int, payload: bytes = b"", *, announced: int | None = None) -> bytes:
    """A frame from a client, whose mask changes nothing; it may announce another length."""
    size = len(payload) if announced is None else announced
    if size < 126:
        length = bytes((0x80 | size,))
    elif size < 65536:
        length = b"\xfe" + size.to_bytes(2, "big")
    else:
        length = b"\xff" + size.to_bytes(8, "big")
    return bytes((first,)) + length + bytes(4) + payload


def deflated(size: int) -> bytes:
    """A message of `size` zeros, as permessage-deflate sends it."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = bytes(1024 * 1024)
    packed = [packer.compress(piece) for _ in range(size // len(piece))]
    return b"".join([*packed, packer.flush(zlib.Z_SYNC_FLUSH)]).removesuffix(b"\0\0\xff\xff")


def first_message(connection: socket.socket, path: str = "/") -> bytes:
    """What the application says first on a WebSocket of a connection."""
    connection.sendall(handshake(path))
    came = b""
    while not (answer := answer_in(came)).frames:
        data = connection.recv(65536)
        assert data, came
        came += data
    return answer.frames[0][1]


class Answer(NamedTuple):
    """What has come back on one connection."""

    status: int
    frames: list[tuple[int, bytes]]

    @property
    def code(self) -> int | None:
        """The code of the last frame, if that closes."""
        opcode, payload = self.frames[-1] if self.frames else (0, b"")
        return int.from_bytes(payload[:2], "big") if opcode == CLOSE else None


def answer_in(data: bytes) -> Answer:
    """The response's status and the whole frames behind it."""
    head, _, data = data.partition(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1]) if head else 0
    return Answer(status, frames_in(data) if status == 101 else [])


def frames_in(data: bytes) -> list[tuple[int, bytes]]:
    """The opcodes and payloads of the server's frames, as far as they are whole."""
    frames, at = [], 0
    while at + 2 <= len(data):
        size, start = data[at + 1], at + 2
        if size > 125:
            more = 2 if size == 126 else 8
            size, start = int.from_bytes(data[start : start + more], "big"), start + more
        if start + size > len(data):
            break
        frames.append((data[at] & 0xF, data[start : start + size]))
        at = start + size
    return frames
