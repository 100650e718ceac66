"""Frameworks over HTTP/2: what they do with requests and sockets that share one connection."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.frameworks.serving import ServingFramework, eventually
from tests.live.http2_client import Client
from tests.live.http2_ways import IN_THE_CLEAR, Way, encrypted
from tests.live.raw_websocket import CLOSE, LAST, TEXT, frame, frames_in
from tests.live.serving import PATIENCE

FRAMEWORKS = {
    "django": "django_app:app",
    "starlette": "starlette_app:app",
    "starlette-middleware": "starlette_app:wrapped",
    "fastapi": "fastapi_app:app",
}
SOCKETS = {
    "starlette": "starlette_sockets:app",
    "fastapi": "fastapi_sockets:app",
    "channels": "channels_sockets:app",
}
every = pytest.mark.parametrize("server", FRAMEWORKS.values(), ids=FRAMEWORKS, indirect=True)
LARGE = bytes(range(256)) * 12 * 1024


@pytest.fixture
def client(server: ServingFramework) -> Iterator[httpx.Client]:
    """One that speaks HTTP/2 from its first byte on, and fails where that is not understood."""
    with httpx.Client(base_url=server.url, timeout=PATIENCE, **IN_THE_CLEAR.httpx) as made:
        yield made


@every
def test_views_of_both_kinds_answer_and_see_what_the_client_has_sent(client):
    answer = client.get("/json", params={"name": "ä&b"})
    assert answer.http_version == "HTTP/2"
    assert answer.json() == {"hello": "ä&b", "pool": "open"}
    assert client.get("/sync").json() == {"from": "a thread"}
    assert client.get("/headers", headers=[("x-thing", "1"), ("x-thing", "2")]).json() == ["1", "2"]
    assert client.post("/form", data={"a": ["1", "2"]}).json()["fields"] == [["a", "1"], ["a", "2"]]


@every
def test_a_file_is_uploaded_whole(client):
    answer = client.post("/upload", files={"file": ("bytes.bin", LARGE)})
    assert answer.json() == {"name": "bytes.bin", "digest": hashlib.sha256(LARGE).hexdigest()}


@every
def test_a_stream_arrives_whole_and_events_one_by_one(client):
    assert client.get("/stream").text == "".join(f"{number}\n" * 100 for number in range(100))
    with client.stream("GET", "/events") as answer:
        lines = (line for line in answer.iter_lines() if line)
        for number, line in enumerate(lines):
            assert line == f"data: {number}"
            assert client.post("/next").status_code == 204
    assert number == 2


@every
def test_an_error_in_a_view_is_a_500_and_the_connection_goes_on(server, client):
    assert client.get("/error").status_code == 500
    assert client.get("/json").status_code == 200
    assert server.stderr.wait_for("ValueError: the view's own error")


@every
def test_a_stream_that_its_client_resets_is_stopped_and_the_connection_goes_on(server):
    before = len(server.stderr.lines)
    with closing(server.connect()) as connection:
        client = Client(connection)
        endless = client.ask("/endless")
        client.wait_until(lambda: len(client.bodies.get(endless, b"")) > len(LARGE))
        client.reset(endless)
        answer = client.ask("/json")
        client.wait_until(lambda: answer in client.closed)
        assert client.statuses[answer] == 200
        assert server.stdout.wait_for('"GET /endless" 200 ')
    assert server.stderr.lines[before:] == []


@pytest.mark.parametrize("server", ["django_app:app"], indirect=True)
def test_a_view_of_django_is_cancelled_when_its_stream_is_reset_and_finished(server, client):
    def noted(sign: str) -> bool:
        return sign in client.get("/noted").json()

    def all_finished() -> bool:
        facts = client.get("/facts").json()
        return bool(facts["started"] == facts["finished"] + 1)

    with closing(server.connect()) as connection:
        leaving = Client(connection)
        patient = leaving.ask("/patient")
        eventually(lambda: noted("patient began"))
        leaving.reset(patient)
        eventually(lambda: noted("patient cancelled"))
    eventually(all_finished)


# --- Files ------------------------------------------------------------------------------------


@pytest.fixture(params=["prior knowledge", "TLS"])
def way(request: pytest.FixtureRequest, tmp_path: Path) -> Way:
    return encrypted(tmp_path) if request.param == "TLS" else IN_THE_CLEAR


def test_a_file_of_starlettes_is_sent_whole_or_in_part(way: Way, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(LARGE)
    asked: dict[str, Any] = {"params": {"path": str(tmp_path / "large")}}
    with (
        ServingFramework("starlette_app:app", *way.server) as server,
        httpx.Client(base_url=way.base(server), timeout=PATIENCE, **way.httpx) as client,
    ):
        for _ in range(2):
            whole = client.get("/file", **asked)
            assert (whole.http_version, whole.content == LARGE) == ("HTTP/2", True)
        assert client.head("/file", **asked).headers["content-length"] == str(len(LARGE))
        part = client.get("/file", **asked, headers={"Range": "bytes=3-99999"})
        assert (part.status_code, part.content == LARGE[3:100_000]) == (206, True)


# --- Sockets ----------------------------------------------------------------------------------


@pytest.mark.parametrize("server", SOCKETS.values(), ids=SOCKETS, indirect=True)
def test_sockets_share_a_connection_and_each_hears_its_own(server):
    with closing(server.connect()) as connection:
        client = Client(connection)
        sockets = [client.open("/echo") for _ in range(3)]
        for words in ("one", "two", "close"):
            for socket in sockets:
                client.say(socket, frame(LAST | TEXT, words.encode()))
        client.wait_until(lambda: all(len(heard(client, socket)) == 3 for socket in sockets))
        closing_words = (4001).to_bytes(2, "big") + b"enough"
        for socket in sockets:
            assert heard(client, socket) == [(TEXT, b"one"), (TEXT, b"two"), (CLOSE, closing_words)]
            client.say(socket, frame(LAST | CLOSE, closing_words[:2]))
        refused = client.open("/refuse")
        client.wait_until(lambda: {refused, *sockets} <= client.closed.keys())
        assert client.statuses == dict.fromkeys(sockets, 200) | {refused: 403}


def heard(client: Client, socket: int) -> list[tuple[int, bytes]]:
    return frames_in(client.bodies.get(socket, b""))


@pytest.mark.parametrize("server", SOCKETS.values(), ids=SOCKETS, indirect=True)
def test_a_socket_whose_stream_is_reset_has_left_with_1006(server):
    before = len(server.stdout.wait_for("left with 1006", 0))
    with closing(server.connect()) as connection:
        client = Client(connection)
        socket = client.open("/echo")
        client.wait_until(lambda: socket in client.statuses)
        client.reset(socket)
        assert server.stdout.wait_for("left with 1006", before + 1)
