"""A Litestar application."""

import asyncio
import hashlib
from contextlib import asynccontextmanager
from typing import Annotated

from litestar import Litestar, Request, get, post, route
from litestar.background_tasks import BackgroundTask
from litestar.datastructures import Cookie, State, UploadFile
from litestar.enums import RequestEncodingType
from litestar.params import Body
from litestar.response import Redirect, Response, ServerSentEvent, Stream

noted: list[str] = []
gates = [asyncio.Event() for _ in range(3)]


@asynccontextmanager
async def lifespan(app):
    app.state.pool = "open"
    yield
    print("lifespan over", flush=True)  # noqa: T201 - the test reads it


@route("/json", http_method=["GET", "HEAD"])
async def greet(request: Request, state: State) -> Response:
    greeting = {"hello": request.query_params.get("name"), "pool": state.pool}
    return Response(None if request.method == "HEAD" else greeting)


@get("/sync", sync_to_thread=True)
def threaded() -> dict[str, str]:
    return {"from": "a thread"}


@post("/form")
async def form(request: Request) -> dict[str, list[tuple[str, str]]]:
    return {"fields": list((await request.form()).multi_items())}


@post("/upload", status_code=200)
async def upload(
    data: Annotated[dict[str, UploadFile], Body(media_type=RequestEncodingType.MULTI_PART)],
) -> dict[str, str]:
    digest = hashlib.sha256(await data["file"].read()).hexdigest()
    return {"name": data["file"].filename, "digest": digest}


@get("/stream")
async def stream() -> Stream:
    async def pieces():
        for number in range(100):
            yield f"{number}\n" * 100

    return Stream(pieces(), media_type="text/plain")


@get("/events")
async def events() -> ServerSentEvent:
    async def told():
        for number, gate in enumerate(gates):
            yield str(number)
            await gate.wait()

    return ServerSentEvent(told())


@post("/next", status_code=204)
async def next_event() -> None:
    next(gate for gate in gates if not gate.is_set()).set()


@get("/endless")
async def endless() -> Stream:
    async def pieces():
        while True:
            yield b"x" * 65536
            await asyncio.sleep(0)

    return Stream(pieces())


async def note() -> None:
    noted.append("background done")


@get("/background")
async def background() -> Response[dict[str, str]]:
    return Response({}, background=BackgroundTask(note))


@get("/noted")
async def read_noted() -> list[str]:
    return noted


@get("/error")
async def fail() -> None:
    raise ValueError("the view's own error")


@get("/headers")
async def headers(request: Request) -> Response[list[str]]:
    things = request.headers.getall("x-thing")
    return Response(things, cookies=[Cookie("a", value="1"), Cookie("b", value="2")])


@get("/moved")
async def moved() -> Redirect:
    return Redirect("/json?name=moved")


app = Litestar(
    [
        greet, threaded, form, upload, stream, events, next_event, endless, background,
        read_noted, fail, headers, moved,
    ],
    lifespan=[lifespan],
)  # fmt: skip
