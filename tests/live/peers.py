"""The other ends of connections to transports: plain sockets, on the loop of what is tested."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from functools import cache

from tests.support.certificates import Client, client_context

NARROW = 32 * 1024
"""The kernel's buffers of a narrow connection, in bytes."""

_client_context = cache(client_context)


class Peer:
    """The other end: a plain socket."""

    def __init__(self, family: int, *, narrow: bool) -> None:
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.setblocking(False)
        if narrow:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, NARROW)

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.socket, data)

    async def receive(self, size: int = 65536) -> bytes:
        """What comes next; nothing is the end."""
        return await asyncio.get_running_loop().sock_recv(self.socket, size)

    async def receive_exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = await self.receive(size - len(data))
            assert piece, f"the connection ended after {len(data)} of {size} bytes"
            data += piece
        return data

    async def receive_all(self) -> bytes:
        """Everything up to the end; raises where that is a reset."""
        pieces = []
        while piece := await self.receive():
            pieces.append(piece)
        return b"".join(pieces)

    def preamble(self) -> bytes:
        """What a proxy would say that connects for this very socket."""
        kind = {socket.AF_INET: "TCP4", socket.AF_INET6: "TCP6"}.get(self.socket.family)
        if kind is None:
            return b"PROXY UNKNOWN\r\n"
        source, port = self.socket.getsockname()[:2]
        destination, at = self.socket.getpeername()[:2]
        return f"PROXY {kind} {source} {destination} {port} {at}\r\n".encode()

    def no_delay(self) -> None:
        """Send every segment by itself."""
        if self.socket.family != socket.AF_UNIX:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def half_close(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.socket.close()

    def reset(self) -> None:
        """Close so that the other end sees a broken connection."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


class TLSPeer(Peer):
    """The other end: a plain socket, and what makes TLS of what it carries."""

    def __init__(self, family: int, *, narrow: bool) -> None:
        super().__init__(family, narrow=narrow)
        self.client = Client(_client_context())
        self.shaken = False

    async def shake(self) -> None:
        """Shake hands, behind what was sent before."""
        received = b""
        while not self.client.shake(received):
            await super().send(self.client.sends())
            received = await super().receive()
            assert received, "the connection ended in the handshake"
        await super().send(self.client.sends())
        self.shaken = True

    async def send(self, data: bytes) -> None:
        await super().send(self.client.says(data) if self.shaken else data)

    async def receive(self, size: int = 65536) -> bytes:
        received = b""
        while (data := self.client.reads(received, size)) is None:
            received = await super().receive()
            if not received:
                return b""
        return data

    def half_close(self) -> None:
        self._end()
        super().half_close()

    def close(self) -> None:
        self._end()
        super().close()

    def _end(self) -> None:
        """Say that nothing follows, if it has not been said."""
        if self.shaken:
            self.shaken = False
            self._read_tickets()
            with suppress(OSError):
                self.socket.send(self.client.ends())

    def reset(self) -> None:
        self._read_tickets()
        super().reset()

    def _read_tickets(self) -> None:
        """What has come unasked: left unread, it would make a reset of every end."""
        with suppress(OSError):
            self.client.incoming.write(self.socket.recv(65536))
