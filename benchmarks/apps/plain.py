"""Three applications in plain ASGI: a small answer, a large answer, and an echo.

They refuse the lifespan scope by raising, as the ASGI specification allows an application to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

# Relative: the servers import this package as "apps", the benchmark as "benchmarks.apps".
from .contract import DOWNLOAD, GREETING  # noqa: TID252

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Message = dict[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]


def _start(body_size: int) -> Message:
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % body_size)]
    return {"type": "http.response.start", "status": 200, "headers": headers}


async def small(scope: Message, receive: Receive, send: Send) -> None:
    """Answer with ``GREETING``."""
    assert scope["type"] == "http"
    await send(_start(len(GREETING)))
    await send({"type": "http.response.body", "body": GREETING})


async def large(scope: Message, receive: Receive, send: Send) -> None:
    """Answer with ``DOWNLOAD`` in one message."""
    assert scope["type"] == "http"
    await send(_start(len(DOWNLOAD)))
    await send({"type": "http.response.body", "body": DOWNLOAD})


async def echo(scope: Message, receive: Receive, send: Send) -> None:
    """Read the whole request body and answer with it."""
    assert scope["type"] == "http"
    chunks = []
    more = True
    while more:
        message = await receive()
        chunks.append(message.get("body", b""))
        more = message.get("more_body", False)
    body = b"".join(chunks)
    await send(_start(len(body)))
    await send({"type": "http.response.body", "body": body})
