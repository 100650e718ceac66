"""One conversation with ``sockets:app``, held by each of several WebSocket clients.

What its client has seen comes back under the same words: the tests compare it with `SEEN`, what
every client sees, and what the application says meanwhile with `LEFT`. This is for clients in
Python; ``clients/`` has the same conversation for Node and for browsers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
from aiohttp import WSMsgType
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect as connect_synchronously

MIB = 1024 * 1024
MESSAGES: tuple[str | bytes, ...] = (
    "Grüße, 世界",
    "",
    b"\x00\xff\n",
    b"",
    ("twelve bytes" * MIB)[:MIB],
    bytes(at * 7 % 251 for at in range(MIB)),
)
PIECES = ["pie", "", "ces"]

SEEN: dict[str, Any] = {
    "protocol": "chat.v2",
    "echoed": [True] * len(MESSAGES),
    "echoed after pings": True,
    "without a protocol": "",
    "closed by the server": [4001, "enough"],
    "closed by the client": [4002, ""],
    "closed plainly": [1000, ""],
    "closed for its size": [1009, f"more than {MIB} bytes"],
    "/refuse": [403, "403 Forbidden\n"],
    "/deny": [401, "first log in"],
}
LEFT = ["4001 enough", "4002 bye", "1000", f"1009 more than {MIB} bytes"]
"""What the application hears of the ends, in their order."""

# A page, and who does as pages do, closes without a code.
BY_PAGES: dict[str, Any] = {"closed plainly": [1005, ""]}
LEFT_BY_PAGES = ["1005" if end == "1000" else end for end in LEFT]

# It is not told why its socket was refused.
_REFUSED = {"/refuse": [1006, ""], "/deny": [1006, ""], "from elsewhere": 1006}
SEEN_BY_PAGES: dict[str, Any] = SEEN | BY_PAGES | _REFUSED

End = list[Any]
"""The code and the reason of a close, as the client has it; or a status and its body."""


class Websockets:
    """The asyncio client of websockets."""

    def __init__(self, base: str, *, compressing: bool) -> None:
        self._base = base
        self._more: dict[str, Any] = {"max_size": 2 * MIB, "proxy": None}
        if not compressing:
            self._more["compression"] = None
        self._socket: Any = None
        self._stack = AsyncExitStack()

    async def _call(self, function: Callable[..., Any], *given: Any, **more: Any) -> Any:
        return await function(*given, **more)

    async def _connect(self, path: str, protocols: list[str]) -> None:
        url, headers = f"{self._base}{path}", {"X-Said": "websockets"}
        more = {"subprotocols": protocols or None, "additional_headers": headers, **self._more}
        self._socket = await self._enter(url, **more)

    async def _enter(self, url: str, **more: Any) -> Any:
        return await self._stack.enter_async_context(connect(url, **more))

    async def open(self, path: str, protocols: list[str] | None = None) -> None:
        await self._connect(path, protocols or [])

    async def refusal(self, path: str) -> End:
        try:
            await self._connect(path, [])
        except InvalidStatus as refused:
            return [refused.response.status_code, refused.response.body.decode()]
        raise AssertionError("it was accepted")

    async def send(self, message: str | bytes) -> None:
        await self._call(self._socket.send, message)

    async def receive(self) -> str | bytes:
        return await self._call(self._socket.recv)  # type: ignore[no-any-return]

    async def close(self, *given: Any) -> None:
        await self._call(self._socket.close, *given)

    async def end(self) -> End:
        try:
            await self._call(self._socket.recv)
        except ConnectionClosed:
            return [self._socket.close_code, self._socket.close_reason]
        raise AssertionError("it is open")

    async def finish(self) -> None:
        await self._stack.aclose()

    @property
    def protocol(self) -> str:
        return self._socket.subprotocol or ""

    @property
    def compressed(self) -> bool:
        return bool(self._socket.protocol.extensions)

    async def more(self) -> dict[str, Any]:
        """Pieces of one message, a ping, and a header of the response."""
        socket = self._socket
        await self._call(socket.send, PIECES)
        pieces = await self.receive()
        pong = await self._call(socket.ping, "are you there?")
        await asyncio.wait_for(self._answered(pong), 10)
        return {"pieces": pieces, "served": socket.response.headers["X-Served-By"]}

    async def _answered(self, pong: Any) -> None:
        await pong


class SyncWebsockets(Websockets):
    """Its client without asyncio, each call in a thread."""

    async def _call(self, function: Callable[..., Any], *given: Any, **more: Any) -> Any:
        return await asyncio.to_thread(function, *given, **more)

    async def _enter(self, url: str, **more: Any) -> Any:
        return self._stack.enter_context(await self._call(connect_synchronously, url, **more))

    async def _answered(self, pong: Any) -> None:
        assert await asyncio.to_thread(pong.wait, 10)


class Aiohttp:
    """The client of aiohttp."""

    def __init__(self, base: str, *, compressing: bool) -> None:
        self._base = base
        self._compress = 15 if compressing else 0
        self._stack = AsyncExitStack()
        self._session: aiohttp.ClientSession | None = None
        self._socket: Any = None

    async def _connect(self, path: str, protocols: list[str]) -> Any:
        if self._session is None:
            self._session = await self._stack.enter_async_context(aiohttp.ClientSession())
        connecting = self._session.ws_connect(
            f"{self._base}{path}",
            protocols=protocols,
            compress=self._compress,
            max_msg_size=2 * MIB,
            headers={"X-Said": "aiohttp"},
        )
        return await connecting

    async def open(self, path: str, protocols: list[str] | None = None) -> None:
        self._socket = await self._connect(path, protocols or [])

    async def refusal(self, path: str) -> End:
        try:
            await self._connect(path, [])
        except aiohttp.WSServerHandshakeError as refused:
            return [refused.status, None]
        raise AssertionError("it was accepted")

    async def send(self, message: str | bytes) -> None:
        await (self._socket.send_str if isinstance(message, str) else self._socket.send_bytes)(
            message
        )

    async def receive(self) -> str | bytes:
        message = await self._socket.receive()
        assert message.type in (WSMsgType.TEXT, WSMsgType.BINARY), message
        return message.data  # type: ignore[no-any-return]

    async def close(self, code: int = 1000, reason: str = "") -> None:
        await self._socket.close(code=code, message=reason.encode())

    async def end(self) -> End:
        message = await self._socket.receive()
        if message.type is WSMsgType.CLOSE:
            return [message.data, message.extra]
        return [self._socket.close_code, None]

    async def finish(self) -> None:
        await self._stack.aclose()

    @property
    def protocol(self) -> str:
        return self._socket.protocol or ""

    @property
    def compressed(self) -> bool:
        return bool(self._socket.compress)

    async def more(self) -> dict[str, Any]:
        """It sends no pieces, and does not tell of a pong."""
        return {}


async def converse(make: Callable[..., Any], base: str, *, compressing: bool) -> dict[str, Any]:
    """Hold the conversation; what the client has seen."""
    client = make(base, compressing=compressing)
    name, seen = make.__name__.lower(), {}

    async def echoes(message: str | bytes) -> bool:
        await client.send(message)
        return bool(await client.receive() == message)

    try:
        await client.open(f"/echo?{name}", ["chat.v1", "chat.v2"])
        seen = {"protocol": client.protocol, "compressed": client.compressed}
        seen["echoed"] = [await echoes(message) for message in MESSAGES]
        seen |= await client.more()
        await asyncio.sleep(0.5)  # Meanwhile the server pings.
        seen["echoed after pings"] = await echoes("still here")
        await client.send("close 4001 enough")
        seen["closed by the server"] = await client.end()

        await client.open(f"/echo?{name}")
        seen["without a protocol"] = client.protocol
        await client.close(4002, "bye")
        seen["closed by the client"] = await client.end()

        await client.open(f"/echo?{name}")
        await client.close()
        seen["closed plainly"] = await client.end()

        await client.open(f"/echo?{name}")
        await client.send(bytes(MIB + 1))
        seen["closed for its size"] = await client.end()

        for path in ("/refuse", "/deny"):
            seen[path] = await client.refusal(path)
    finally:
        await client.finish()
    return seen
