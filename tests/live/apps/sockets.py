"""WebSockets that the live tests talk to: each path behaves in one way."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import suppress
from pathlib import Path

from served import say, send_text, whole_body

CLIENTS = Path(__file__).parents[1] / "clients"


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        raise ValueError("no lifespan")
    await PATHS[scope["type"], scope["path"]](scope, receive, send)


async def accept(receive, send, **more):
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept", **more})


async def echo(scope, receive, send):
    """Sends everything back; ``close 4001 enough`` closes. Says how it ended, and for whom."""
    chosen = "chat.v2" if "chat.v2" in scope["subprotocols"] else None
    headers = [(b"x-served-by", b"echo")]
    await accept(receive, send, subprotocol=chosen, headers=headers)
    while (message := await receive())["type"] == "websocket.receive":
        text, data = message.get("text"), message.get("bytes")
        if text is not None and text.startswith("close "):
            _, code, reason = text.split(" ", 2)
            await send({"type": "websocket.close", "code": int(code), "reason": reason})
        else:
            await send({"type": "websocket.send", "text": text, "bytes": data})
    client = scope["query_string"].decode()
    say(f"{client} left: {message['code']} {message['reason']}".rstrip())


async def show(scope, receive, send):
    """Sends its scope, and waits for the end."""
    await accept(receive, send)
    wanted = ("client", "http_version", "path", "scheme", "server", "subprotocols")
    shown = {name: scope[name] for name in wanted}
    shown["headers"] = [[part.decode("latin-1") for part in field] for field in scope["headers"]]
    await send({"type": "websocket.send", "text": json.dumps(shown)})
    await receive()


async def refuse(scope, receive, send):
    """Closes before it accepts."""
    await receive()
    await send({"type": "websocket.close"})


async def deny(scope, receive, send):
    """Answers with a response of its own."""
    await receive()
    start = {"status": 401, "headers": [(b"x-why", b"stranger")]}
    await send({"type": "websocket.http.response.start", **start})
    for piece, more in ((b"first ", True), (b"log in", False)):
        message = {"type": "websocket.http.response.body", "body": piece, "more_body": more}
        await send(message)


async def hesitate(scope, receive, send):
    """Neither accepts nor refuses."""
    while (await receive())["type"] != "websocket.disconnect":
        pass


async def listen(scope, receive, send):
    """Takes everything and says nothing, to the end."""
    await accept(receive, send)
    while (await receive())["type"] != "websocket.disconnect":
        pass


async def leave(scope, receive, send):
    """Closes as soon as it is open."""
    await accept(receive, send)
    await send({"type": "websocket.close", "code": 4000})


async def flood(scope, receive, send):
    """Sends without end."""
    await accept(receive, send)
    with suppress(OSError):
        while True:
            await send({"type": "websocket.send", "bytes": bytes(16384)})


async def sleep(scope, receive, send):
    """Does not listen, and does not end before it is cancelled."""
    await accept(receive, send)
    await asyncio.Event().wait()


async def hello(scope, receive, send):
    await send_text(send, "hello")


async def pid(scope, receive, send):
    await send_text(send, str(os.getpid()))


async def page(scope, receive, send):
    """The browser's page."""
    await send_file(send, "browser.html", b"text/html; charset=utf-8")


async def module(scope, receive, send):
    """What it does."""
    await send_file(send, scope["path"][1:], b"text/javascript")


async def send_file(send, name, kind):
    headers = [(b"content-type", kind)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": (CLIENTS / name).read_bytes()})


async def report(scope, receive, send):
    """Where the page says what happened."""
    say(f"report {(await whole_body(receive)).decode()}")
    await send_text(send, "thanks")


PATHS = {
    ("websocket", "/echo"): echo,
    ("websocket", "/show"): show,
    ("websocket", "/refuse"): refuse,
    ("websocket", "/deny"): deny,
    ("websocket", "/hesitate"): hesitate,
    ("websocket", "/listen"): listen,
    ("websocket", "/leave"): leave,
    ("websocket", "/flood"): flood,
    ("websocket", "/sleep"): sleep,
    ("http", "/"): hello,
    ("http", "/pid"): pid,
    ("http", "/page"): page,
    ("http", "/conversation.mjs"): module,
    ("http", "/report"): report,
}
