"""An RSGI application as one writes it for Granian, without a framework."""

import asyncio
import hashlib
import json
from typing import Any
from urllib.parse import parse_qs

JSON = [("content-type", "application/json")]
noted: list[str] = []


class Application:
    """Its life waits for coroutines, as Granian lets it."""

    def __rsgi_init__(self, loop):
        self.pool = loop.run_until_complete(self.connect())

    def __rsgi_del__(self, loop):
        loop.run_until_complete(self.disconnect())

    async def connect(self):
        await asyncio.sleep(0)
        return "open"

    async def disconnect(self):
        await asyncio.sleep(0)
        print("life over", flush=True)  # noqa: T201 - the test reads it

    async def __rsgi__(self, scope, protocol):
        await ROUTES[scope.proto, scope.path](self, scope, protocol)


async def greet(app, scope, protocol):
    name = parse_qs(scope.query_string)["name"][0]
    protocol.response_str(200, JSON, json.dumps({"hello": name, "pool": app.pool}))


async def upload(app, scope, protocol):
    digest, size = hashlib.sha256(), 0
    async for piece in protocol:
        digest.update(piece)
        size += len(piece)
    protocol.response_str(200, JSON, json.dumps({"size": size, "digest": digest.hexdigest()}))


async def whole(app, scope, protocol):
    protocol.response_bytes(200, [], await protocol())


async def stream(app, scope, protocol):
    transport = protocol.response_stream(200, [("content-type", "text/plain")])
    for number in range(100):
        await transport.send_str(f"{number}\n" * 100)


async def endless(app, scope, protocol):
    transport = protocol.response_stream(200, [])
    leaving = asyncio.ensure_future(protocol.client_disconnect())
    try:
        while True:
            await transport.send_bytes(b"x" * 65536)
    except RuntimeError:
        await leaving
        noted.append("endless closed")


async def read_noted(app, scope, protocol):
    protocol.response_str(200, JSON, json.dumps(noted))


async def fail(app, scope, protocol):
    raise ValueError("the handler's own error")


async def headers(app, scope, protocol):
    answer = [*JSON, ("set-cookie", "a=1"), ("set-cookie", "b=2")]
    protocol.response_str(200, answer, json.dumps(scope.headers.get_all("X-Thing")))


async def file(app, scope, protocol):
    protocol.response_file(200, [("content-type", "text/plain")], __file__)


async def part(app, scope, protocol):
    protocol.response_file_range(206, [], __file__, 3, 10)


async def empty(app, scope, protocol):
    protocol.response_empty(204, [])


async def echo(app, scope, protocol):
    transport = await protocol.accept()
    while (message := await transport.receive()).kind:
        send = transport.send_bytes if message.kind == 1 else transport.send_str
        await send(message.data)
        if message.data == "close":
            protocol.close(4000)
    noted.append("echo left")


async def refuse(app, scope, protocol):
    protocol.close(401)


ROUTES: dict[tuple[str, str], Any] = {
    ("http", "/json"): greet,
    ("http", "/upload"): upload,
    ("http", "/whole"): whole,
    ("http", "/stream"): stream,
    ("http", "/endless"): endless,
    ("http", "/noted"): read_noted,
    ("http", "/error"): fail,
    ("http", "/headers"): headers,
    ("http", "/file"): file,
    ("http", "/part"): part,
    ("http", "/empty"): empty,
    ("ws", "/echo"): echo,
    ("ws", "/refuse"): refuse,
}
app = Application()
