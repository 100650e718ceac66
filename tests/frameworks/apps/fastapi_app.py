"""A FastAPI application."""

import asyncio
import hashlib
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Annotated

from fastapi import BackgroundTasks, FastAPI, Header, Request, Response, UploadFile
from fastapi.responses import JSONResponse, RedirectResponse, StreamingResponse

noted: list[str] = []
gates = [asyncio.Event() for _ in range(3)]


@asynccontextmanager
async def lifespan(app):
    yield {"pool": "open"}
    print("lifespan over", flush=True)  # noqa: T201 - the test reads it


app = FastAPI(lifespan=lifespan)


@app.get("/json")
@app.head("/json")
async def greet(request: Request, name: str | None = None):
    return {"hello": name, "pool": request.state.pool}


@app.get("/sync")
def threaded():
    return {"from": "a thread"}


@app.post("/form", status_code=HTTPStatus.CREATED)
async def form(request: Request):
    return {"fields": (await request.form()).multi_items()}


@app.post("/upload")
async def upload(file: UploadFile):
    return {"name": file.filename, "digest": hashlib.sha256(await file.read()).hexdigest()}


@app.get("/stream")
async def stream():
    def pieces():
        for number in range(100):
            yield f"{number}\n" * 100

    return StreamingResponse(pieces(), media_type="text/plain")


@app.get("/events")
async def events():
    async def told():
        for number, gate in enumerate(gates):
            yield f"data: {number}\n\n"
            await gate.wait()

    return StreamingResponse(told(), media_type="text/event-stream")


@app.post("/next", status_code=204)
async def next_event():
    next(gate for gate in gates if not gate.is_set()).set()


@app.get("/endless")
async def endless():
    async def pieces():
        while True:
            yield b"x" * 65536
            await asyncio.sleep(0)

    return StreamingResponse(pieces())


@app.get("/background")
async def background(tasks: BackgroundTasks):
    tasks.add_task(noted.append, "background done")
    return {}


@app.get("/noted")
async def read_noted():
    return noted


@app.get("/error")
async def fail():
    raise ValueError("the view's own error")


@app.get("/headers")
async def headers(response: Response, x_thing: Annotated[list[str], Header()]):
    answer = JSONResponse(x_thing)
    answer.set_cookie("a", "1")
    answer.set_cookie("b", "2")
    return answer


@app.get("/moved")
async def moved():
    return RedirectResponse("/json?name=moved")
