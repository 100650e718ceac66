"""WebSockets of Litestar."""

from litestar import Litestar, WebSocket, websocket
from litestar.exceptions import NotAuthorizedException, WebSocketDisconnect


@websocket("/echo")
async def echo(socket: WebSocket) -> None:
    offered = socket.scope["subprotocols"]
    await socket.accept(
        subprotocols="chat" if "chat" in offered else None, headers={"x-thing": "1"}
    )
    try:
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(detail="", code=message["code"])
            text = message.get("text")
            if text == "close":
                await socket.close(4001, "enough")
            elif text == "fail":
                raise ValueError("the endpoint's own error")
            else:
                await socket.send({**message, "type": "websocket.send"})
    except WebSocketDisconnect as left:
        print(f"left with {left.code}", flush=True)  # noqa: T201 - the test reads it


@websocket("/refuse")
async def refuse(socket: WebSocket) -> None:
    await socket.close(1008)


@websocket("/deny")
async def deny(socket: WebSocket) -> None:
    raise NotAuthorizedException("no token")


@websocket("/fail")
async def fail(socket: WebSocket) -> None:
    raise ValueError("the endpoint's own error")


app = Litestar([echo, refuse, deny, fail])
