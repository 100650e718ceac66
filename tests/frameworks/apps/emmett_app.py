"""An Emmett55 application: ASGI and RSGI at once."""

import asyncio
from pathlib import Path

from emmett55 import App, request, response, websocket
from emmett55.tools import service

app = App(__name__)


@app.route("/json")
@service.json
async def greet():
    return {"hello": request.query_params.name, "by": type(request._scope).__module__}


@app.route("/whole", methods=["post"])
async def whole():
    response.headers["content-type"] = "text/plain"
    return (await request.body).decode()


@app.route("/stream")
async def stream():
    async def pieces():
        for number in range(100):
            yield f"{number}\n" * 100
            await asyncio.sleep(0)

    return await response.stream(pieces())


@app.route("/file")
async def file():
    return response.wrap_file(Path(__file__))


@app.websocket("/echo")
async def echo():
    await websocket.accept()
    while True:
        await websocket.send(await websocket.receive())
