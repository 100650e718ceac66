"""A Starlette application."""

import asyncio
import hashlib
from contextlib import asynccontextmanager
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.endpoints import HTTPEndpoint
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import (
    FileResponse,
    JSONResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route

noted: list[str] = []
gates = [asyncio.Event() for _ in range(3)]


@asynccontextmanager
async def lifespan(app):
    yield {"pool": "open", "noted": noted}
    print("lifespan over", flush=True)  # noqa: T201 - the test reads it


class Greeting(HTTPEndpoint):
    async def get(self, request):
        greeting = {"hello": request.query_params.get("name"), "pool": request.state.pool}
        return JSONResponse(greeting)


def threaded(request):
    return JSONResponse({"from": "a thread"})


async def breaks(request):
    async def pieces():
        yield b"begun"
        raise ValueError("the stream's own error")

    return StreamingResponse(pieces())


def file(request):
    return FileResponse(request.query_params.get("path", __file__))


async def form(request):
    async with request.form() as form:
        return JSONResponse({"fields": form.multi_items()}, HTTPStatus.CREATED)


async def upload(request):
    async with request.form() as form:
        data = await form["file"].read()
        digest = hashlib.sha256(data).hexdigest()
        return JSONResponse({"name": form["file"].filename, "digest": digest})


async def stream(request):
    async def pieces():
        for number in range(100):
            yield f"{number}\n" * 100

    return StreamingResponse(pieces(), media_type="text/plain")


async def events(request):
    async def told():
        for number, gate in enumerate(gates):
            yield f"data: {number}\n\n"
            await gate.wait()

    return StreamingResponse(told(), media_type="text/event-stream")


async def next_event(request):
    next(gate for gate in gates if not gate.is_set()).set()
    return Response(status_code=204)


async def endless(request):
    async def pieces():
        while True:
            yield b"x" * 65536
            await asyncio.sleep(0)

    return StreamingResponse(pieces())


async def background(request):
    async def note():
        await asyncio.sleep(0)
        noted.append("background done")

    return JSONResponse({}, background=BackgroundTask(note))


async def read_noted(request):
    return JSONResponse(request.state.noted)


async def fail(request):
    raise ValueError("the view's own error")


async def headers(request):
    response = JSONResponse(request.headers.getlist("x-thing"))
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


async def moved(request):
    return RedirectResponse("/json?name=moved")


class PassOn(BaseHTTPMiddleware):
    """Runs the application in a task group of its own, which puts errors into groups."""

    async def dispatch(self, request, call_next):
        return await call_next(request)


routes = [
    Route("/json", Greeting),
    Route("/sync", threaded),
    Route("/breaks", breaks),
    Route("/file", file),
    Route("/form", form, methods=["POST"]),
    Route("/upload", upload, methods=["POST"]),
    Route("/stream", stream),
    Route("/events", events),
    Route("/next", next_event, methods=["POST"]),
    Route("/endless", endless),
    Route("/background", background),
    Route("/noted", read_noted),
    Route("/error", fail),
    Route("/headers", headers),
    Route("/moved", moved),
]
app = Starlette(routes=routes, lifespan=lifespan)
wrapped = Starlette(routes=routes, lifespan=lifespan, middleware=[Middleware(PassOn)])
