"""An application to test: a long report that lets go of its source when the reader leaves."""

import asyncio

opened = []


async def application(scope, receive, send):
    if scope["type"] != "http":
        raise ValueError(f"no {scope['type']} here")
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    opened.append("source")
    try:
        for number in range(1000):
            line = b"line %d\n" % number
            await send({"type": "http.response.body", "body": line, "more_body": True})
            await asyncio.sleep(0)
        await send({"type": "http.response.body"})
    finally:
        opened.remove("source")
