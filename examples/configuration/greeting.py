"""Greets as the environment says."""

import os

GREETING = os.environ.get("GREETING", "Hello!")


async def application(scope, receive, send):
    if scope["type"] != "http":
        raise ValueError(f"no {scope['type']} here")
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": f"{GREETING}\n".encode()})
