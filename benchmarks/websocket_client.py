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

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

_PATIENCE = 10
"""Seconds after which a handshake or an echo that did not come is an error."""

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


def _wanted() -> int:
    """Return for how many nanoseconds this thread has run or waited for its core (proc(5))."""
    ran, waited, _ = Path("/proc/thread-self/schedstat").read_text().split()
    return int(ran) + int(waited)


class Echoes:
    """What the connections have in common: whether to go on, how many echoes came, what failed."""

    def __init__(self) -> None:
        self.going = False
        self.count = 0
        self._under_way = 0
        self._ended = asyncio.get_running_loop().create_future()

    async def during(self, seconds: float, sockets: list[Socket]) -> dict[str, float]:
        """Send over the sockets for some seconds, and return what is to be told.

        Raises:
            Failure: if a connection was lost, or an echo was wrong or did not come.
        """
        loop = asyncio.get_running_loop()
        self.count, self._under_way, self._ended = 0, len(sockets), loop.create_future()
        self.going = seconds > 0
        loop.call_later(seconds, self._stop)
        began, before = time.perf_counter_ns(), _wanted()
        for socket in sockets:
            socket.send()
        try:
            await asyncio.wait_for(self._ended, seconds + _PATIENCE)
        except TimeoutError:
            raise Failure(f"no echo within {_PATIENCE} s") from None
        return {
            "messages": self.count,
            "nanoseconds": time.perf_counter_ns() - began,
            "busy": _wanted() - before,
        }

    def rest(self) -> None:
        """Hear that one connection has had its last echo."""
        self._under_way -= 1
        if not self._under_way and not self._ended.done():
            self._ended.set_result(None)

    def fail(self, reason: str) -> None:
        """Hear why the run is worth nothing."""
        if not self._ended.done():
            self._ended.set_exception(Failure(reason))

    def _stop(self) -> None:
        self.going = False


class Socket(WSListener):
    """One connection, that has one message under way at a time."""

    def __init__(self, echoes: Echoes, kind: WSMsgType, message: bytes) -> None:
        self._echoes = echoes
        self._kind = self._awaited = kind
        self._message = message
        self._came = 0

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport

    def send(self) -> None:
        """Send the message once."""
        self._transport.send(self._kind, self._message)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        kind, echoes = frame.msg_type, self._echoes
        if kind is not self._awaited or not self._message.startswith(
            frame.get_payload_as_memoryview(), self._came
        ):
            self._unexpected(kind)
            return
        self._came += frame.payload_size
        if not frame.fin:
            self._awaited = WSMsgType.CONTINUATION
            return
        if self._came != len(self._message):
            echoes.fail("echo cut short")
            return
        self._came, self._awaited = 0, self._kind
        echoes.count += 1
        if echoes.going:
            transport.send(kind, self._message)
        else:
            echoes.rest()

    def _unexpected(self, kind: WSMsgType) -> None:
        if kind is WSMsgType.CLOSE:
            self._echoes.fail("closed under load")
        elif kind not in (WSMsgType.PING, WSMsgType.PONG):  # picows has answered the ping
            self._echoes.fail("wrong echo")

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._echoes.fail("connection lost")


async def _opened(port: int, sockets: list[Socket]) -> None:
    """Connect the sockets, a few at a time.

    Raises:
        Failure: if one of them cannot be connected.
    """
    remaining = iter(sockets)

    async def some() -> None:
        for socket in remaining:
            await ws_connect(
                lambda socket=socket: socket,
                f"ws://127.0.0.1:{port}/",
                websocket_handshake_timeout=_PATIENCE,
                use_aiofastnet=False,  # it was no cheaper than uvloop
            )

    try:
        await asyncio.gather(*(some() for _ in range(_AT_ONCE)))
    except Exception as error:
        raise Failure(f"no handshake: {error}") from error


async def _main(port: int, connections: int, kind: str, size: int) -> None:
    tell = partial(print, flush=True)
    echoes = Echoes()
    messages = (message_of(number, size) for number in range(connections))
    sockets = [Socket(echoes, _KINDS[kind], message) for message in messages]
    try:
        await _opened(port, sockets)
        tell(json.dumps(await echoes.during(0, sockets)))
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            tell(json.dumps(await echoes.during(float(line), sockets)))
    except Failure as failure:
        tell(json.dumps({"failed": str(failure)}))


if __name__ == "__main__":
    logging.disable()
    _port, _connections, _kind, _size = sys.argv[1:]
    uvloop.run(_main(int(_port), int(_connections), _kind, int(_size)))
