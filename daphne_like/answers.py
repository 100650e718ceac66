"""Answers of the server's own: whole, at once, and no application hears of the request.

This module must not know why a request is answered so, nor how a response is spelt.
"""

from __future__ import annotations

from daphne_like.exchange import Exchange, Fields, Progress, Request, ResponseHead, Stream


class _Answered:
    """The exchange of a request that was answered before there was one: nothing follows."""

    def body_received(self, data: bytes) -> None:
        """The stream has parted from us."""

    def body_ended(self) -> None:
        """The stream has parted from us."""

    def drained(self) -> None:
        """The stream has parted from us."""

    def timed_out(self) -> None:
        """The stream has parted from us."""

    def drain(self) -> None:
        """The stream has parted from us."""

    def disconnected(self, reason: str, *, refused: int | None = None, unsent: int = 0) -> None:
        """The stream has parted from us."""

    def progress(self) -> Progress | None:
        """There is none."""

    finished = True


_ANSWERED: Exchange = _Answered()


class Later(_Answered):
    """The exchange of a request that the server itself answers, when it knows what."""

    finished = False

    def __init__(self, request: Request, stream: Stream) -> None:
        self._request = request
        self._stream = stream

    def disconnected(self, reason: str, *, refused: int | None = None, unsent: int = 0) -> None:
        """Nobody waits any more."""
        self.finished = True

    def answer(self, status: int, body: bytes, *fields: tuple[bytes, bytes], **more: bytes) -> None:
        """Answer, as :func:`answer` does, if anybody still waits."""
        if not self.finished:
            self.finished = True
            answer(self._request, self._stream, status, body, *fields, **more)


def answer(
    request: Request,
    stream: Stream,
    status: int,
    body: bytes,
    *fields: tuple[bytes, bytes],
    content_type: bytes = b"text/plain; charset=utf-8",
) -> Exchange:
    """Answer `request` by `body`, which a HEAD leaves out; return what an ``open`` has to.

    Where an upgrade was asked for the connection ends: what follows may not be a request.
    """
    bodiless = request.method == "HEAD"
    given: Fields = [(b"content-type", content_type), *fields]
    head = ResponseHead(status, given, bodiless=bodiless, close=request.upgrade is not None)
    stream.respond(head, b"" if bodiless else body)
    return _ANSWERED
