"""RSGI applications, plain ones and a framework's: a real server, real clients."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.frameworks.serving import APPS, ServingFramework, eventually
from tests.live.serving import PATIENCE

LARGE = bytes(range(256)) * 4096
Connect = Callable[[str], AbstractContextManager[ClientConnection]]


@pytest.fixture(scope="module")
def server() -> Iterator[ServingFramework]:
    with ServingFramework("rsgi_app:app", noise=True) as running:
        yield running


@pytest.fixture(scope="module")
def emmett() -> Iterator[ServingFramework]:
    with ServingFramework("emmett_app:app", "--interface", "rsgi") as running:
        yield running


@pytest.fixture
def socket(server: ServingFramework) -> Connect:
    return lambda path: connect(server.url.replace("http", "ws", 1) + path, open_timeout=PATIENCE)


def test_a_handler_answers_and_sees_what_the_beginning_left(client):
    answer = client.get("/json", params={"name": "ä&b"})
    assert answer.json() == {"hello": "ä&b", "pool": "open"}
    assert answer.headers["content-length"] == str(len(answer.content))


def test_an_upload_in_pieces_and_as_a_whole(client):
    digest = hashlib.sha256(LARGE * 8).hexdigest()
    for content in (LARGE * 8, iter([LARGE] * 8)):
        answer = client.post("/upload", content=content)
        assert answer.json() == {"size": len(LARGE) * 8, "digest": digest}
    assert client.post("/whole", content=LARGE).content == LARGE


@pytest.mark.parametrize("versions", [{}, {"http1": False, "http2": True}])
def test_a_stream_arrives_whole(server, versions):
    whole = "".join(f"{number}\n" * 100 for number in range(100))
    with httpx.Client(base_url=server.url, timeout=PATIENCE, **versions) as client:
        assert client.get("/stream").text == whole
        assert client.get("/empty").status_code == 204


def test_a_stream_stops_when_its_client_leaves(server, client):
    before = len(server.stderr.lines)
    with httpx.stream("GET", f"{server.url}/endless", timeout=PATIENCE) as answer:
        assert next(answer.iter_raw())
    eventually(lambda: "endless closed" in client.get("/noted").json())
    assert server.stderr.lines[before:] == []


def test_an_error_is_a_500_and_logged(server, client):
    assert client.get("/error").status_code == 500
    assert server.stderr.wait_for("ValueError: the handler's own error")


def test_headers_may_come_twice_both_ways(client):
    answer = client.get("/headers", headers=[("x-thing", "1"), ("x-thing", "2")])
    assert answer.json() == ["1", "2"]
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]


@pytest.mark.parametrize("versions", [{}, {"http1": False, "http2": True}])
def test_a_file_is_sent_whole_or_in_part(server, versions):
    source = (APPS / "rsgi_app.py").read_bytes()
    with httpx.Client(base_url=server.url, timeout=PATIENCE, **versions) as client:
        for _ in range(2):
            assert client.get("/file").content == source
        part = client.get("/part")
        assert (part.status_code, part.content) == (206, source[3:10])
        assert client.head("/file").headers["content-length"] == str(len(source))


def test_a_websocket_echoes_and_is_left(socket, client):
    with socket("/echo") as guest:
        for word in ("ä", b"b", ""):
            guest.send(word)
            assert guest.recv(timeout=PATIENCE) == word
    eventually(lambda: "echo left" in client.get("/noted").json())


def test_a_websocket_is_closed_with_its_code(socket):
    with socket("/echo") as guest:
        guest.send("close")
        assert guest.recv(timeout=PATIENCE) == "close"
        with pytest.raises(ConnectionClosed) as caught:
            guest.recv(timeout=PATIENCE)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 4000


def test_a_websocket_is_refused_with_its_status(socket):
    with pytest.raises(InvalidStatus) as caught, socket("/refuse"):
        pass
    assert caught.value.response.status_code == 401


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_a_stopping_server_ends_its_life(loop):
    with ServingFramework("rsgi_app:app", "--loop", loop) as server:
        answer = httpx.get(f"{server.url}/json?name=a", timeout=PATIENCE)
        assert answer.json()["pool"] == "open"
    assert server.exit_status == 0
    assert server.stdout.lines[-1] == "life over"


def test_emmett_answers_streams_and_sends_files(emmett):
    with httpx.Client(base_url=emmett.url, timeout=PATIENCE) as client:
        greeting = client.get("/json", params={"name": "ä"}).json()
        assert greeting == {"hello": "ä", "by": "daphne_like.asgi.rsgi_scope"}
        assert client.post("/whole", content="ä".encode()).text == "ä"
        assert client.get("/stream").text == "".join(f"{n}\n" * 100 for n in range(100))
        assert client.get("/file").content == (APPS / "emmett_app.py").read_bytes()


def test_emmett_echoes(emmett):
    with connect(emmett.url.replace("http", "ws", 1) + "/echo") as guest:
        for word in ("ä", b"b"):
            guest.send(word)
            assert guest.recv(timeout=PATIENCE) == word


def test_emmett_is_asgi_where_nobody_says_otherwise():
    with ServingFramework("emmett_app:app") as server:
        greeting = httpx.get(f"{server.url}/json?name=a", timeout=PATIENCE).json()
        assert greeting == {"hello": "a", "by": "builtins"}
