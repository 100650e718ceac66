"""Echoes over WebSockets, checked: ``websocket_client.py PORT CONNECTIONS KIND SIZE``.

``websocket.py`` starts it, in an environment that has picows and uvloop. It opens all connections,
exchanges one message over each, and tells so by a line of JSON. Then it reads lines: each is a
number of seconds for which every connection sends a message, awaits its echo and sends the next;
each is answered by a line of JSON. It ends when there is no next line.

It must know no server. It runs as a file, so that it can import nothing of the benchmark.
"""

from __future__ import annotations

import asyncio
import json
import logging
import string
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop
from picows import (  # type: ignore[import-not-found]
    WSListener,
    WSMsgType,
    ws_connect,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from picows import WSFrame, WSTransport

_PATIENCE = 10.0
"""Seconds after which a handshake or an echo that did not come is an error."""

_OPEN_WITHIN = 60.0
"""Seconds after which all connections must be open."""

_AT_ONCE = 16
"""Handshakes under way at a time: fewer than the shortest backlog holds."""

_LETTERS = string.ascii_letters.encode()
_KINDS = {"text": WSMsgType.TEXT, "binary": WSMsgType.BINARY}


class Failure(Exception):
    """There is nothing to measure; the message is the reason."""


def message_of(number: int, size: int) -> bytes:
    """Return a connection's message: letters, beginning at another one than its neighbours'."""
    first = number % len(_LETTERS)
    return (_LETTERS * (size // len(_LETTERS) + 2))[first : first + size]


class Echoes:
    """What the connections have in common: whether to go on, how many echoes came, what failed."""

    def __init__(self) -> None:
        self.going = False
        self.count = 0
        self._under_way = 0
        self._reason = ""
        self._ended = asyncio.Event()

    async def during(self, seconds: float, sockets: Sequence[Socket]) -> dict[str, int]:
        """Send over the sockets for some seconds, at least once, and return what is to be told.

        Raises:
            Failure: if a connection was lost, or an echo was wrong or did not come.
        """
        self.count, self._under_way, self.going = 0, len(sockets), seconds > 0
        self._ended.clear()
        asyncio.get_running_loop().call_later(seconds, self._stop)
        began, before = time.perf_counter_ns(), _wanted()
        for socket in sockets:
            socket.send()
        try:
            await asyncio.wait_for(self._ended.wait(), seconds + _PATIENCE)
        except TimeoutError:
            self.fail(f"no echo within {_PATIENCE:.0f} s")
        if self._reason:
            raise Failure(self._reason)
        return {
            "messages": self.count,
            "nanoseconds": time.perf_counter_ns() - began,
            "busy": _wanted() - before,
        }

    def rest(self) -> None:
        """Hear that one connection has had its last echo."""
        self._under_way -= 1
        if not self._under_way:
            self._ended.set()

    def fail(self, reason: str) -> None:
        """Hear why all is worth nothing; the first reason is kept."""
        self._reason = self._reason or reason
        self._ended.set()

    def _stop(self) -> None:
        self.going = False


class Socket(WSListener):  # type: ignore[misc]
    """One connection, that has one message under way at a time."""

    def __init__(self, echoes: Echoes, kind: WSMsgType, message: bytes) -> None:
        self._echoes = echoes
        self._kind = self._awaited = kind
        self._message = message
        self._came = 0

    def send(self) -> None:
        """Send the message once."""
        self._transport.send(self._kind, self._message)

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        kind = frame.msg_type
        # Compares in place, from where the last fragment ended.
        same = self._message.startswith(frame.get_payload_as_memoryview(), self._came)
        if not same or kind is not self._awaited:
            self._unexpected(kind)
            return
        self._came += frame.payload_size
        if not frame.fin:
            self._awaited = WSMsgType.CONTINUATION
        elif self._came < len(self._message):
            self._echoes.fail("echo cut short")
        else:
            self._echoed()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._echoes.fail("connection lost")

    def _echoed(self) -> None:
        self._came, self._awaited = 0, self._kind
        self._echoes.count += 1
        if self._echoes.going:
            self.send()
        else:
            self._echoes.rest()

    def _unexpected(self, kind: WSMsgType) -> None:
        if kind is WSMsgType.CLOSE:
            self._echoes.fail("connection closed")
        elif kind is not WSMsgType.PING:  # picows has answered it
            self._echoes.fail("wrong echo")


async def _open_some(port: int, sockets: Iterator[Socket]) -> None:
    for socket in sockets:
        transport, _ = await ws_connect(
            lambda socket=socket: socket,
            f"ws://127.0.0.1:{port}/",
            websocket_handshake_timeout=_PATIENCE,
            use_aiofastnet=False,  # it was no cheaper than uvloop
        )
        if transport.is_disconnected:
            raise ConnectionError("the server closed it")


async def _open(port: int, sockets: Sequence[Socket]) -> None:
    """Connect the sockets, a few at a time.

    Raises:
        Failure: if one of them cannot be connected.
    """
    remaining = iter(sockets)
    try:
        async with asyncio.timeout(_OPEN_WITHIN):
            await asyncio.gather(*(_open_some(port, remaining) for _ in range(_AT_ONCE)))
    except Exception as error:
        begun = len(sockets) - len(list(remaining))
        why = str(error) or type(error).__name__
        raise Failure(f"handshake failed, of {begun} begun: {why}") from error


async def _main(port: int, connections: int, kind: str, size: int) -> None:
    tell = partial(print, flush=True)
    echoes = Echoes()
    messages = (message_of(number, size) for number in range(connections))
    sockets = [Socket(echoes, _KINDS[kind], message) for message in messages]
    try:
        await _open(port, sockets)
        tell(json.dumps(await echoes.during(0, sockets)))
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            tell(json.dumps(await echoes.during(float(line), sockets)))
    except Failure as failure:
        tell(json.dumps({"failed": str(failure)}))


def _wanted() -> int:
    """Return for how many nanoseconds this thread has run, or waited to run (proc(5))."""
    ran, waited, _ = Path("/proc/thread-self/schedstat").read_text().split()
    return int(ran) + int(waited)


if __name__ == "__main__":
    logging.disable()
    _port, _connections, _kind, _size = sys.argv[1:]
    uvloop.run(_main(int(_port), int(_connections), _kind, int(_size)))
