"""WebSockets of Starlette."""

from starlette.applications import Starlette
from starlette.endpoints import WebSocketEndpoint
from starlette.responses import JSONResponse
from starlette.routing import WebSocketRoute


class Echo(WebSocketEndpoint):
    async def on_connect(self, websocket):
        offered = websocket.scope["subprotocols"]
        await websocket.accept("chat" if "chat" in offered else None, headers=[(b"x-thing", b"1")])

    async def on_receive(self, websocket, data):
        pass

    async def dispatch(self):
        self.decode = self.echoed
        await super().dispatch()

    async def echoed(self, websocket, message):
        text = message.get("text")
        if text == "close":
            await websocket.close(4001, "enough")
        elif text == "fail":
            raise ValueError("the endpoint's own error")
        else:
            await websocket.send({**message, "type": "websocket.send"})

    async def on_disconnect(self, websocket, close_code):
        print(f"left with {close_code}", flush=True)  # noqa: T201 - the test reads it


async def refuse(websocket):
    await websocket.close()


async def deny(websocket):
    await websocket.send_denial_response(JSONResponse({"denied": "no token"}, 401))


async def accept_late(websocket):
    """Fail before anything is accepted."""
    raise ValueError("the endpoint's own error")


app = Starlette(
    routes=[
        WebSocketRoute("/echo", Echo),
        WebSocketRoute("/refuse", refuse),
        WebSocketRoute("/deny", deny),
        WebSocketRoute("/fail", accept_late),
    ]
)
