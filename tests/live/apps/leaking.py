"""An application that reads slowly, writes much, and tells what lives in its process."""

import asyncio
import gc
import json
import os
from collections import Counter
from urllib.parse import parse_qsl

STEP = 32 * 1024 * 1024
PAUSE = 0.02
OURS = (
    *("HTTPExchange", "HTTP1Connection", "NativeTransport", "Task", "Deadline"),
    *("WebSocketExchange", "FrameReader", "TimerHandle", "HTTP2Connection", "HTTP2Stream"),
)
written = 0


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        raise ValueError("no lifespan")
    if scope["type"] == "websocket":
        await (refuse if scope["path"] == "/refuse" else echo)(receive, send)
        return
    query = dict(parse_qsl(scope["query_string"].decode()))
    await PATHS[scope["path"]](receive, send, **query)


async def respond(send, data):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": data})


async def refuse(receive, send):
    await send({"type": "websocket.close"})


async def echo(receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


async def pid(receive, send):
    await respond(send, str(os.getpid()).encode())


async def small(receive, send):
    await respond(send, b"ok")


async def pieces(receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(2):
        await send({"type": "http.response.body", "body": b"piece", "more_body": True})
        await asyncio.sleep(0)
    await send({"type": "http.response.body"})


def is_cancelled_timer(found):
    return type(found) is asyncio.TimerHandle and found.cancelled()


async def facts(receive, send):
    """How many objects of which kind there are; without what the garbage collector finds."""
    gc.collect()
    objects = gc.get_objects()
    # asyncio keeps a timer that was cancelled until there are many of them, or its time has come.
    kinds = Counter(type(found).__name__ for found in objects if not is_cancelled_timer(found))
    ours = {name: kinds[name] for name in OURS}
    [application] = [found for found in objects if type(found).__name__ == "Application"]
    more = {"tasks": len(asyncio.all_tasks()), "sockets": len(application.sockets)}
    await respond(send, json.dumps({"objects": len(objects)} | more | ours).encode())


async def upload(receive, send, *, pause="0"):
    """Count the body; with a pause after every so many bytes."""
    size = due = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message["body"])
        more = message["more_body"]
        if float(pause) and size - due >= STEP:
            due = size
            await asyncio.sleep(float(pause))
    await respond(send, str(size).encode())


async def flood(receive, send, *, size):
    """Write as fast as the client lets us, and count."""
    global written  # noqa: PLW0603 - there is one flood at a time
    written = 0
    await send({"type": "http.response.start", "status": 200, "headers": []})
    piece = bytes(64 * 1024)
    for _ in range(int(size) // len(piece)):
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        written += len(piece)
    await send({"type": "http.response.body"})


async def file(receive, send, *, path):
    """Send a whole file, of which nothing comes to Python."""
    length = str(os.stat(path).st_size).encode()  # noqa: PTH116 - it takes no time
    headers = [(b"content-length", length)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.pathsend", "path": path})


async def how_much_was_written(receive, send):
    await respond(send, str(written).encode())


PATHS = {
    "/": small,
    "/pid": pid,
    "/pieces": pieces,
    "/facts": facts,
    "/upload": upload,
    "/flood": flood,
    "/file": file,
    "/written": how_much_was_written,
}
