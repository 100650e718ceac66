"""A Bottle application."""

import hashlib
import threading
from http import HTTPStatus
from pathlib import Path

from bottle import Bottle, redirect, request, response, static_file

app = Bottle()
noted: list[str] = []
gates = [threading.Event() for _ in range(3)]


@app.get("/json")
def greet():
    return {"hello": request.query.getunicode("name")}


@app.post("/form")
def form():
    response.status = HTTPStatus.CREATED
    forms = request.forms.decode()
    return {"fields": list(forms.allitems())}


@app.post("/upload")
def upload():
    digest, size, source = hashlib.sha256(), 0, request.environ["wsgi.input"]
    while piece := source.read(65536):
        digest.update(piece)
        size += len(piece)
    return {"size": size, "digest": digest.hexdigest()}


@app.get("/stream")
def stream():
    return (f"{number}\n" * 100 for number in range(100))


@app.get("/events")
def events():
    response.content_type = "text/event-stream"
    for number, gate in enumerate(gates):
        yield f"data: {number}\n\n"
        assert gate.wait(30)


@app.post("/next")
def next_event():
    next(gate for gate in gates if not gate.is_set()).set()
    response.status = HTTPStatus.NO_CONTENT


@app.get("/endless")
def endless():
    try:
        while True:
            yield b"x" * 65536
    finally:
        noted.append("endless closed")


@app.get("/noted")
def read_noted():
    response.content_type = "application/json"
    return str(noted).replace("'", '"')


@app.get("/error")
def fail():
    raise ValueError("the view's own error")


@app.get("/headers")
def headers():
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    response.content_type = "application/json"
    return str(request.get_header("x-thing").split(",")).replace("'", '"')


@app.get("/file")
def file():
    here = Path(__file__)
    return static_file(here.name, here.parent, mimetype="text/plain")


@app.get("/moved")
def moved():
    redirect("/json?name=moved")
