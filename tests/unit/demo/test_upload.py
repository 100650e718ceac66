"""Uploads: counted, hashed and let go."""

import asyncio
import json
from hashlib import sha256

import pytest

from daphne_like.demo import application
from tests.unit.demo.client import DISCONNECT, Client, get, http_scope, run


def part(body, *, more):
    return {"type": "http.request", "body": body, "more_body": more}


@pytest.mark.parametrize(
    "parts",
    [
        [part(b"one", more=True), part(b"", more=True), part(b"two", more=False)],
        [part(b"onetwo", more=False)],
        [part(b"onetwo", more=True), {"type": "http.request"}],
    ],
)
def test_upload_is_counted_and_hashed(parts):
    client = run(http_scope("/upload", "POST"), *parts)
    assert client.head["status"] == 200
    assert client.headers[b"content-type"] == b"application/json"
    answer = json.loads(client.body)
    assert answer.keys() == {"size", "sha256", "seconds"}
    assert answer["size"] == 6
    assert answer["sha256"] == sha256(b"onetwo").hexdigest()
    assert answer["seconds"] >= 0


def test_upload_may_be_empty():
    answer = json.loads(get("/upload", "POST").body)
    assert answer["size"] == 0
    assert answer["sha256"] == sha256(b"").hexdigest()


def test_upload_keeps_no_part_of_the_body():
    # bytes cannot be referenced weakly; a subclass can
    class Part(bytes):
        alive = 0
        most = 0

        def __init__(self, *_):
            Part.alive += 1
            Part.most = max(Part.most, Part.alive)

        def __del__(self):
            Part.alive -= 1

    async def serve():
        client = Client()
        left = iter(range(100))

        async def receive():
            number = next(left)
            return part(Part(b"x" * 1000), more=number < 99)

        await application(http_scope("/upload", "POST"), receive, client.send)
        return client

    assert json.loads(asyncio.run(serve()).body)["size"] == 100_000
    assert Part.most <= 3


def test_upload_of_a_client_that_leaves_is_not_answered():
    client = run(http_scope("/upload", "POST"), part(b"half", more=True), DISCONNECT)
    assert client.sent == []
