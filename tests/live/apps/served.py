"""Small applications that the live tests serve."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from typing import Any


def say(words: str) -> None:
    """Tell the test, on standard output."""
    print(words, flush=True)  # noqa: T201


async def send_text(send: Any, text: str, status: int = 200) -> None:
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})


async def whole_body(receive: Any) -> bytes:
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return body
        body += message["body"]
        if not message["more_body"]:
            return body


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """Says hello; has no lifespan."""
    assert scope["type"] == "http"
    await send_text(send, "hello")


async def scope(scope: Any, receive: Any, send: Any) -> None:
    """Answers with its scope."""
    assert scope["type"] == "http"
    shown = {name: value for name, value in scope.items() if name not in ("extensions", "headers")}
    await send_text(send, json.dumps(shown, default=repr))


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the request's body, once it is whole: the client decides when."""
    assert scope["type"] == "http"
    await send_text(send, (await whole_body(receive)).decode())


async def failing(scope: Any, receive: Any, send: Any) -> None:
    """Fails before it has answered."""
    assert scope["type"] == "http"
    raise LookupError("nothing here")


async def extended(scope: Any, receive: Any, send: Any) -> None:
    """Sends early hints and trailers, and answers with what its scope offers."""
    assert scope["type"] == "http"
    await send({"type": "http.response.early_hint", "links": [b"</style.css>; rel=preload"]})
    await send({"type": "http.response.start", "status": 200, "headers": [], "trailers": True})
    offered = " ".join(sorted(scope["extensions"])).encode()
    await send({"type": "http.response.body", "body": offered})
    await send({"type": "http.response.trailers", "headers": [(b"x-checksum", b"42")]})


async def loop(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the module of its event loop."""
    assert scope["type"] == "http"
    await send_text(send, type(asyncio.get_running_loop()).__module__)


async def blocking(scope: Any, receive: Any, send: Any) -> None:
    """Waits without await, for as many seconds as the path says."""
    assert scope["type"] == "http"
    time.sleep(float(scope["path"][1:]))  # noqa: ASYNC251 - it is what is wrong with it
    await send_text(send, "done")


async def forever(scope: Any, receive: Any, send: Any) -> None:
    """Begins to answer, and never ends; says how it was ended."""
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"begun", "more_body": True})
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        say("cancelled")
        raise


async def stubborn(scope: Any, receive: Any, send: Any) -> None:
    """Does not end, not even when it is cancelled."""
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"begun", "more_body": True})
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            say("cancelled")


async def thread(scope: Any, receive: Any, send: Any) -> None:
    """Waits for a thread that does not end."""
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"begun", "more_body": True})
    await asyncio.to_thread(time.sleep, 300)


async def lifespan(scope: Any, receive: Any, send: Any) -> None:
    """Says when it starts and ends; leaves a task behind that nobody waits for."""
    if scope["type"] == "http":
        await send_text(send, scope["state"]["greeting"])
        return
    assert (await receive())["type"] == "lifespan.startup"
    say("startup")
    scope["state"]["greeting"] = "started"
    left = asyncio.ensure_future(asyncio.Event().wait())
    await send({"type": "lifespan.startup.complete"})
    assert (await receive())["type"] == "lifespan.shutdown"
    say("shutdown")
    await send({"type": "lifespan.shutdown.complete"})
    assert not left.done()


async def failing_startup(scope: Any, receive: Any, send: Any) -> None:
    """Cannot start, and says why."""
    assert scope["type"] == "lifespan"
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})


async def endless_startup(scope: Any, receive: Any, send: Any) -> None:
    """Never finishes its startup."""
    assert scope["type"] == "lifespan"
    await receive()
    say("starting")
    await asyncio.Event().wait()


async def endless_shutdown(scope: Any, receive: Any, send: Any) -> None:
    """Starts, and never finishes its shutdown."""
    if scope["type"] == "http":
        await send_text(send, "hello")
        return
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    say("shutting down")
    await asyncio.Event().wait()


async def touchy(scope: Any, receive: Any, send: Any) -> None:
    """Never ends its answer, and takes the cancellation of its lifespan for a failure."""
    if scope["type"] == "http":
        await forever(scope, receive, send)
    await receive()
    await send({"type": "lifespan.startup.complete"})
    try:
        await receive()
    finally:
        await send({"type": "lifespan.shutdown.failed"})


async def pair(scope: Any, protocol: Any) -> None:
    """An application of a kind that nobody can see."""
    raise NotImplementedError


def make() -> Any:
    """A factory."""
    return hello


def broken_factory() -> Any:
    raise LookupError("no settings")


class Double:
    """An ASGI 2 application."""

    def __init__(self, scope: Any) -> None:
        assert scope["type"] == "http"

    async def __call__(self, receive: Any, send: Any) -> None:
        await send_text(send, "double")


class Namespace:
    nested = staticmethod(hello)


not_callable = 3


LARGE = b"x" * 8_000_000


async def large(scope: Any, receive: Any, send: Any) -> None:
    """Answers with more than fits into any buffer, in one piece, and is done with it."""
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": LARGE})


async def modules(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the names of all modules that are loaded."""
    assert scope["type"] == "http"
    await send_text(send, " ".join(sys.modules))


async def children(scope: Any, receive: Any, send: Any) -> None:
    """Answers with what a process that it starts has been told, and the files that it has."""
    assert scope["type"] == "http"
    command = "env | grep -E '^(LISTEN|NOTIFY|WATCHDOG)_'; ls -l /proc/self/fd | grep socket:"
    child = await asyncio.create_subprocess_shell(
        command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, close_fds=False
    )
    told, _ = await child.communicate()
    await send_text(send, told.decode())


async def process(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the number of its process."""
    assert scope["type"] == "http"
    await send_text(send, str(os.getpid()))
