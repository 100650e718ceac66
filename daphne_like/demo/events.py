"""Server-sent events: a tick a second until the client leaves.

The format is that of the HTML standard, section "Server-sent events". A server may say in two ways
that the client left: `receive` gives `http.disconnect`, or `send` raises `OSError` (ASGI spec,
"Disconnected Client"). Both end the stream quietly. Must not know who listens.
"""

import asyncio
import json
from datetime import UTC, datetime

from daphne_like.demo.reply import Header, Receive, Scope, Send, start

INTERVAL = 1.0
"""Seconds between two ticks."""

UNBUFFERED: Header = (b"x-accel-buffering", b"no")
"""Asks nginx not to gather the ticks."""


async def events(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the stream of ticks; to `HEAD`, with its head alone."""
    if scope["method"] == "HEAD":
        await begin(send)
        await send({"type": "http.response.body"})
        return
    leaving = asyncio.create_task(left(receive))
    try:
        await begin(send)
        await tick_until(leaving, send)
    except OSError:
        pass  # the client left: nobody is there to be told
    finally:
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)


async def tick_until(leaving: asyncio.Task[None], send: Send) -> None:
    """Send a tick each `INTERVAL` until `leaving` is done; raise what either of the two raises."""
    number = 0
    while not leaving.done():
        number += 1
        await send({"type": "http.response.body", "body": tick(number), "more_body": True})
        await asyncio.wait({leaving}, timeout=INTERVAL)
    leaving.result()


async def begin(send: Send) -> None:
    """Send the head of the stream."""
    await start(send, 200, b"text/event-stream", UNBUFFERED)


async def left(receive: Receive) -> None:
    """Return when the client has left; what remains of a request body is let go."""
    while (await receive())["type"] != "http.disconnect":
        pass


def tick(number: int) -> bytes:
    """Return one event: its number and the time of the server (UTC, ISO 8601)."""
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    return f"id: {number}\ndata: {json.dumps({'count': number, 'time': time})}\n\n".encode()
