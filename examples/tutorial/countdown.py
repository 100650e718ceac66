"""Counts down, one line each quarter of a second."""

import asyncio


async def application(scope, receive, send):
    if scope["type"] != "http":
        raise ValueError(f"no {scope['type']} here")
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for number in (3, 2, 1):
        line = b"%d\n" % number
        await send({"type": "http.response.body", "body": line, "more_body": True})
        await asyncio.sleep(0.25)
    await send({"type": "http.response.body", "body": b"Lift off!\n"})
