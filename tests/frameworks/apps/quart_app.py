"""A Quart application."""

import asyncio
import hashlib

from quart import Quart, jsonify, redirect, request

app = Quart(__name__)
noted: list[str] = []
gates = [asyncio.Event() for _ in range(3)]
pool = "closed"


@app.before_serving
async def start():
    global pool  # noqa: PLW0603 - as Quart's users do
    pool = "open"


@app.after_serving
async def stop():
    print("lifespan over", flush=True)  # noqa: T201 - the test reads it


@app.get("/json")
async def greet():
    return {"hello": request.args.get("name"), "pool": pool}


@app.get("/sync")
def threaded():
    return {"from": "a thread"}


@app.post("/form")
async def form():
    fields = await request.form
    return {"fields": list(fields.items(multi=True))}, 201


@app.post("/upload")
async def upload():
    file = (await request.files)["file"]
    return {"name": file.filename, "digest": hashlib.sha256(file.read()).hexdigest()}


@app.get("/stream")
async def stream():
    async def pieces():
        for number in range(100):
            yield f"{number}\n" * 100

    return pieces(), {"content-type": "text/plain"}


@app.get("/events")
async def events():
    async def told():
        for number, gate in enumerate(gates):
            yield f"data: {number}\n\n"
            await gate.wait()

    return told(), {"content-type": "text/event-stream"}


@app.post("/next")
async def next_event():
    next(gate for gate in gates if not gate.is_set()).set()
    return "", 204


@app.get("/endless")
async def endless():
    async def pieces():
        while True:
            yield b"x" * 65536
            await asyncio.sleep(0)

    return pieces()


@app.get("/background")
async def background():
    async def note():
        noted.append("background done")

    app.add_background_task(note)
    return {}


@app.get("/noted")
async def read_noted():
    return jsonify(noted)


@app.get("/error")
async def fail():
    raise ValueError("the view's own error")


@app.get("/headers")
async def headers():
    response = jsonify(request.headers.getlist("x-thing"))
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


@app.get("/moved")
async def moved():
    return redirect("/json?name=moved")
