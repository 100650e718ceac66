"""WebSockets of Quart."""

import asyncio

from quart import Quart, websocket

app = Quart(__name__)


@app.websocket("/echo")
async def echo():
    offered = websocket.requested_subprotocols
    await websocket.accept({"x-thing": "1"}, "chat" if "chat" in offered else None)
    try:
        while True:
            message = await websocket.receive()
            if message == "close":
                await websocket.close(4001, "enough")
                return
            if message == "fail":
                raise ValueError("the endpoint's own error")
            await websocket.send(message)
    except asyncio.CancelledError:  # what a disconnect is to Quart
        print("left", flush=True)  # noqa: T201 - the test reads it
        raise


@app.websocket("/refuse")
async def refuse():
    await websocket.close(1008)


@app.websocket("/deny")
async def deny():
    return {"denied": "no token"}, 401


@app.websocket("/fail")
async def fail():
    raise ValueError("the endpoint's own error")
