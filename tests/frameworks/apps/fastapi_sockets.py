"""WebSockets of FastAPI."""

from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, WebSocket, WebSocketDisconnect
from fastapi.exceptions import WebSocketException

app = FastAPI()


@app.websocket("/echo")
async def echo(websocket: WebSocket):
    offered = websocket.scope["subprotocols"]
    await websocket.accept("chat" if "chat" in offered else None, headers=[(b"x-thing", b"1")])
    try:
        while True:
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message["code"])
            text = message.get("text")
            if text == "close":
                await websocket.close(4001, "enough")
            elif text == "fail":
                raise ValueError("the endpoint's own error")
            else:
                await websocket.send({**message, "type": "websocket.send"})
    except WebSocketDisconnect as left:
        print(f"left with {left.code}", flush=True)  # noqa: T201 - the test reads it


def nobody():
    raise WebSocketException(1008, "nobody may")


def without_token():
    raise HTTPException(401, "no token")


@app.websocket("/refuse")
async def refuse(websocket: WebSocket, _: Annotated[None, Depends(nobody)]):
    await websocket.accept()


@app.websocket("/deny")
async def deny(websocket: WebSocket, _: Annotated[None, Depends(without_token)]):
    await websocket.accept()


@app.websocket("/fail")
async def fail(websocket: WebSocket):
    raise ValueError("the endpoint's own error")
