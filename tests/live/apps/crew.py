"""An application that says which process it runs in, and misbehaves when it is asked to."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

hoard: list[bytes] = []


def say(words: str) -> None:
    """Tell the test, on standard output."""
    print(words, flush=True)  # noqa: T201


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        raise ValueError(scope["type"])
    await PATHS.get(scope["path"], nothing)(scope)
    head = {"type": "http.response.start", "status": 200}
    await send({**head, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"%d" % os.getpid()})


async def nothing(scope: dict[str, Any]) -> None:
    """Answer at once."""


async def slow(scope: dict[str, Any]) -> None:
    say("slow")
    await asyncio.sleep(float(scope["query_string"]))


async def block(scope: dict[str, Any]) -> None:
    time.sleep(float(scope["query_string"]))  # noqa: ASYNC251 - that is what is tried


async def grow(scope: dict[str, Any]) -> None:
    hoard.append(b"x" * int(scope["query_string"]))


async def stay(scope: dict[str, Any]) -> None:
    """Hear of no cancellation."""
    say("stay")
    while True:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            continue


PATHS = {"/slow": slow, "/block": block, "/grow": grow, "/stay": stay}
