"""Server-sent events: until the client leaves, in whichever way it is told."""

import asyncio
import json
import re

import pytest

from daphne_like.demo import application, events
from tests.unit.demo.client import DISCONNECT, WHOLE, Client, get, http_scope, run


@pytest.fixture
def hasty(monkeypatch):
    monkeypatch.setattr(events, "INTERVAL", 0)


def ticks(client):
    """Parse the body as an event stream: (id, data) for each event."""
    parsed = []
    for block in client.body.decode().removesuffix("\n\n").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        assert fields.keys() == {"id", "data"}
        parsed.append((int(fields["id"]), json.loads(fields["data"])))
    return parsed


def test_events_tick_until_receive_tells_that_the_client_left(hasty):
    client = run(http_scope("/events"), *WHOLE, patience=4)
    assert client.head["status"] == 200
    assert client.headers[b"content-type"] == b"text/event-stream"
    assert client.headers[b"x-accel-buffering"] == b"no"
    assert b"content-length" not in client.headers
    assert [number for number, _ in ticks(client)][:3] == [1, 2, 3]
    assert all(data["count"] == number for number, data in ticks(client))
    assert all(
        re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", data["time"])
        for _, data in ticks(client)
    )
    assert all(message["more_body"] for message in client.sent[1:])


def test_events_end_at_once_when_the_client_leaves_between_two_ticks(monkeypatch):
    monkeypatch.setattr(events, "INTERVAL", 3600)
    client = run(http_scope("/events"), *WHOLE, patience=2)
    assert len(ticks(client)) == 1


def test_events_never_begin_for_a_client_that_has_left():
    client = run(http_scope("/events"), DISCONNECT)
    assert [message["type"] for message in client.sent] == ["http.response.start"]


@pytest.mark.parametrize("patience", [0, 1, 5])
@pytest.mark.parametrize("tells", [True, False])
def test_events_end_when_send_raises_oserror(hasty, patience, tells):
    client = run(
        http_scope("/events"), *WHOLE, patience=patience, tells=tells, leaving=BrokenPipeError()
    )
    assert len(client.sent) == patience


def stream_to_failing_receive(error):
    async def receive():
        raise error

    async def serve():
        async with asyncio.timeout(10):
            await application(http_scope("/events"), receive, Client().send)

    asyncio.run(serve())


def test_events_end_when_receive_raises_oserror(hasty):
    stream_to_failing_receive(ConnectionResetError())


def test_other_errors_of_receive_are_not_swallowed(hasty):
    with pytest.raises(RuntimeError, match="a fault"):
        stream_to_failing_receive(RuntimeError("a fault"))


def test_other_errors_of_send_are_not_swallowed(hasty):
    with pytest.raises(RuntimeError, match="a fault"):
        run(http_scope("/events"), *WHOLE, patience=2, leaving=RuntimeError("a fault"), tells=False)


def test_events_can_be_cancelled(hasty):
    async def serve():
        client = Client(*WHOLE)
        ticking = asyncio.Event()

        async def send(message):
            await client.send(message)
            if len(client.sent) == 3:
                ticking.set()

        task = asyncio.create_task(application(http_scope("/events"), client.receive, send))
        await ticking.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert client.waiting == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(serve())


def test_head_of_events_ends():
    client = get("/events", "HEAD")
    assert client.headers[b"content-type"] == b"text/event-stream"
    assert client.sent[1:] == [{"type": "http.response.body"}]
