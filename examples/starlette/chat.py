"""A chat: what one says all are told, and nobody waits for who reads slowly."""

import asyncio

from starlette.applications import Starlette
from starlette.routing import WebSocketRoute

outboxes: set[asyncio.Queue[str]] = set()


async def chat(socket):
    await socket.accept()
    outbox: asyncio.Queue[str] = asyncio.Queue(100)
    outboxes.add(outbox)
    sending = asyncio.create_task(send(outbox, socket))
    try:
        tell("somebody came")
        while (message := await socket.receive())["type"] == "websocket.receive":
            tell(message.get("text", "")[:500])
    finally:
        outboxes.discard(outbox)
        sending.cancel()
        tell("somebody left")


async def send(outbox, socket):
    while True:
        await socket.send_text(await outbox.get())  # waits while the client reads slowly


def tell(text):
    for outbox in outboxes:
        if outbox.full():
            outbox.get_nowait()  # who is that slow misses the oldest
        outbox.put_nowait(text)


app = Starlette(routes=[WebSocketRoute("/chat", chat)])
