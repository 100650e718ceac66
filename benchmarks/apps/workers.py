"""An application that answers at once, or computes for a few milliseconds first."""

from __future__ import annotations

from typing import Any

_TURNS = 40_000


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer with a word."""
    if scope["type"] != "http":
        raise ValueError(scope["type"])
    if scope["path"] == "/compute":
        sum(range(_TURNS)), [number * number for number in range(_TURNS)]
    headers = [(b"content-length", b"3"), (b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok\n"})
