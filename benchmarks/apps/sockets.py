"""Plain ASGI over WebSockets: an echo.

It also answers HTTP requests, by which the benchmark learns that the server is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

# Relative: the servers import this package as "apps", the benchmark as "benchmarks.apps".
from .plain import small  # noqa: TID252

if TYPE_CHECKING:
    from .plain import Message, Receive, Send  # noqa: TID252


async def echo(scope: Message, receive: Receive, send: Send) -> None:
    """Accept a WebSocket and send back every message in the kind in which it came."""
    if scope["type"] == "http":
        await small(scope, receive, send)
        return
    assert scope["type"] == "websocket"
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        text = message.get("text")
        if text is not None:
            await send({"type": "websocket.send", "text": text})
        else:
            await send({"type": "websocket.send", "bytes": message["bytes"]})
