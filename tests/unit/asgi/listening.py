"""Doubles for who listens to a client's frames."""

from __future__ import annotations

from typing import Any

from daphne_like.asgi.frame_reader import FrameReader
from daphne_like.compression import Deflate
from daphne_like.limits import Limits

Event = tuple[Any, ...]


class Heard:
    """Who is told; after ``stalls`` messages it wants to hear no more."""

    def __init__(self, limits: Limits | None = None, deflate: Deflate | None = None) -> None:
        self.events: list[Event] = []
        self.yielded = 0
        self.stalls = False
        self.reader = FrameReader(self, limits or Limits(), deflate)

    def text_received(self, text: str, size: int) -> None:
        assert len(text.encode()) == size
        self._hear(text)

    def binary_received(self, data: bytes) -> None:
        assert type(data) is bytes
        self._hear(data)

    def _hear(self, message: str | bytes) -> None:
        self.events.append(("message", message))
        if self.stalls:
            self.reader.stall()

    def ping_received(self, payload: bytes) -> None:
        self.events.append(("ping", payload))

    def close_received(self, code: int | None, reason: str) -> None:
        self.events.append(("close", code, reason))

    def frames_broken(self, code: int, reason: str) -> None:
        self.events.append(("broken", code, reason))

    def more_to_read(self) -> None:
        self.yielded += 1

    def read(self, *pieces: bytes) -> list[Event]:
        for piece in pieces:
            self.reader.feed(piece)
        return self.events


class Counting(bytearray):
    """A buffer that counts what is put into it."""

    added = 0

    def __iadd__(self, data: Any) -> Any:
        self.added += len(data)
        return super().__iadd__(data)
