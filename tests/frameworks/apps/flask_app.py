"""A Flask application."""

import hashlib
import threading
from http import HTTPStatus

from flask import Flask, jsonify, redirect, request, send_file

app = Flask(__name__)
noted: list[str] = []
gates = [threading.Event() for _ in range(3)]


@app.get("/json")
def greet():
    return {"hello": request.args["name"]}


@app.post("/form")
def form():
    return {"fields": list(request.form.items(multi=True))}, HTTPStatus.CREATED


@app.post("/upload")
def upload():
    digest, size = hashlib.sha256(), 0
    while piece := request.stream.read(65536):
        digest.update(piece)
        size += len(piece)
    return {"size": size, "digest": digest.hexdigest()}


@app.get("/stream")
def stream():
    return app.response_class(f"{number}\n" * 100 for number in range(100))


@app.get("/events")
def events():
    def told():
        for number, gate in enumerate(gates):
            yield f"data: {number}\n\n"
            assert gate.wait(30)

    return app.response_class(told(), mimetype="text/event-stream")


@app.post("/next")
def next_event():
    next(gate for gate in gates if not gate.is_set()).set()
    return "", HTTPStatus.NO_CONTENT


@app.get("/endless")
def endless():
    def pieces():
        try:
            while True:
                yield b"x" * 65536
        finally:
            noted.append("endless closed")

    return app.response_class(pieces())


@app.get("/noted")
def read_noted():
    return jsonify(noted)


@app.get("/error")
def fail():
    raise ValueError("the view's own error")


@app.get("/headers")
def headers():
    response = jsonify(request.headers["x-thing"].split(","))
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


@app.get("/file")
def file():
    return send_file(__file__, mimetype="text/plain", conditional=True)


@app.get("/moved")
def moved():
    return redirect("/json?name=moved")
