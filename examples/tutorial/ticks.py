"""Sends an event each second, until the listener leaves."""

import asyncio
from itertools import count


async def application(scope, receive, send):
    if scope["type"] != "http":
        raise ValueError(f"no {scope['type']} here")
    headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for number in count(1):
        event = b"id: %d\ndata: tick %d\n\n" % (number, number)
        await send({"type": "http.response.body", "body": event, "more_body": True})
        await asyncio.sleep(1)
