"""What one HTTP/2 connection can carry side by side; sockets are those of ``sockets``."""

from __future__ import annotations

import asyncio
import json

import sockets
from served import say, send_text, whole_body

MIB = 1024 * 1024


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        raise ValueError("no lifespan")
    if scope["type"] == "websocket":
        await sockets.app(scope, receive, send)
    else:
        await PATHS[scope["path"]](scope, receive, send)


async def start(send, *headers, trailers=False):
    message = {"type": "http.response.start", "status": 200, "headers": list(headers)}
    await send(message | {"trailers": trailers})


async def piece(send, data, more=True):
    await send({"type": "http.response.body", "body": data, "more_body": more})


async def hello(scope, receive, send):
    await send_text(send, "hello")


async def show(scope, receive, send):
    """Answers with its scope."""
    left_out = ("extensions", "headers")
    shown = {name: value for name, value in scope.items() if name not in left_out}
    shown["headers"] = [[part.decode("latin-1") for part in field] for field in scope["headers"]]
    shown["offered"] = sorted(scope["extensions"])
    await send_text(send, json.dumps(shown, default=repr))


async def count(scope, receive, send):
    """Answers with the body's size."""
    await send_text(send, str(len(await whole_body(receive))))


async def echo(scope, receive, send):
    """Sends each piece of the body back as soon as it is there."""
    await start(send)
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        more = message["more_body"]
        await piece(send, message["body"], more)


async def large(scope, receive, send):
    await start(send)
    for _ in range(32):
        await piece(send, bytes(MIB // 4))
    await piece(send, b"", more=False)


async def wait(scope, receive, send):
    """Begins, and goes on until its client leaves; says so."""
    await start(send)
    await piece(send, b"begun")
    while (await receive())["type"] != "http.disconnect":
        pass
    say("the client left")


gathered: list[bytes] = []


async def gather(scope, receive, send):
    """Takes a body that is still being made, and answers with its size."""
    gathered.clear()
    more = True
    while more:
        message = await receive()
        gathered.append(message["body"])
        more = message["more_body"]
    await how_much(scope, receive, send)


async def how_much(scope, receive, send):
    """How much has been gathered so far."""
    await send_text(send, str(len(b"".join(gathered))))


async def events(scope, receive, send):
    """Sends events until nobody listens."""
    await start(send, (b"content-type", b"text/event-stream"))
    for number in range(3):
        await piece(send, b"data: %d\n\n" % number)
    while (await receive())["type"] != "http.disconnect":
        pass
    say("the listener left")


async def slow(scope, receive, send):
    """Takes a moment."""
    await asyncio.sleep(0.3)
    await send_text(send, "done")


async def extended(scope, receive, send):
    """Early hints, a push, and trailers."""
    await send({"type": "http.response.early_hint", "links": [b"</style.css>; rel=preload"]})
    pushed = {"type": "http.response.push", "path": "/pushed?a=b"}
    await send(pushed | {"headers": [(b"accept", b"text/css")]})
    await start(send, trailers=True)
    await piece(send, b"body", more=False)
    trailers = [(b"x-checksum", b"42"), (b"server-timing", b"all;dur=42")]
    await send({"type": "http.response.trailers", "headers": trailers, "more_trailers": False})


hint_taken = asyncio.Event()


async def hinted(scope, receive, send):
    """The browser's page, which begins when what it is hinted at has been asked for."""
    links = [b"</hinted.css>; rel=preload; as=style"]
    await send({"type": "http.response.early_hint", "links": links})
    await asyncio.wait_for(hint_taken.wait(), 10)
    await sockets.page(scope, receive, send)


async def style(scope, receive, send):
    """What a hint is about."""
    hint_taken.set()
    await start(send, (b"content-type", b"text/css"))
    await piece(send, b"", more=False)


async def pushed(scope, receive, send):
    await send_text(send, f"pushed {scope['query_string'].decode()}")


PATHS = {
    "/": hello,
    "/show": show,
    "/count": count,
    "/echo": echo,
    "/large": large,
    "/wait": wait,
    "/slow": slow,
    "/gather": gather,
    "/gathered": how_much,
    "/events": events,
    "/extended": extended,
    "/pushed": pushed,
    "/page": sockets.page,
    "/hinted": hinted,
    "/hinted.css": style,
    "/conversation.mjs": sockets.module,
    "/multiplexed.mjs": sockets.module,
    "/report": sockets.report,
}
