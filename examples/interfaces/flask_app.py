import time

from flask import Flask, request

app = Flask(__name__)


@app.get("/hello/<name>")
def hello(name):
    return f"Hello, {name}!\n"


@app.get("/countdown")
def countdown():
    def numbers():
        for number in (3, 2, 1):
            yield f"{number}\n"
            time.sleep(0.1)

    return app.response_class(numbers(), mimetype="text/plain")


@app.post("/size")
def size():
    pieces = iter(lambda: request.stream.read(65536), b"")
    return f"{sum(map(len, pieces))} bytes\n"
