"""The same expectations of every WSGI framework: real applications, a real server, real clients."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.frameworks.serving import APPS, ServingFramework, eventually
from tests.live.serving import PATIENCE

FRAMEWORKS = {
    "flask": "flask_app:app",
    "bottle": "bottle_app:app",
    "django": "django_wsgi_app:app",
}
every = pytest.mark.parametrize("server", FRAMEWORKS.values(), ids=FRAMEWORKS, indirect=True)
LARGE = bytes(range(256)) * 4096
TIMES = 200
"""LARGE so many times is 200 MiB."""


@pytest.fixture
def curl(tool: Callable[[str], str], server: ServingFramework) -> Callable[..., str]:
    """Run curl with some arguments, the last of them a path."""

    def run(*arguments: str, **more: Any) -> str:
        *options, path = arguments
        command = [tool("curl"), "-sS", "--max-time", str(PATIENCE), *options, server.url + path]
        done = subprocess.run(command, check=True, capture_output=True, text=True, **more)
        return done.stdout

    return run


def peak(server: ServingFramework) -> int:
    """The most memory that the server has had, in bytes."""
    status = Path(f"/proc/{server.pid}/status").read_text()
    found = re.search(r"^VmHWM:\s*(\d+) kB$", status, re.MULTILINE)
    assert found
    return int(found[1]) * 1024


@every
def test_the_log_says_what_it_is(server):
    assert "is WSGI: up to 16 requests run at a time" in server.errors


@every
def test_a_view_answers_with_json(client, curl):
    assert client.get("/json", params={"name": "ä&b"}).json() == {"hello": "ä&b"}
    assert json.loads(curl("/json?name=%C3%A4%26b")) == {"hello": "ä&b"}


@every
def test_a_form_keeps_all_its_fields(client, curl):
    answer = client.post("/form", data={"a": ["1", "2"], "b": "ü"})
    assert answer.status_code == 201
    assert sorted(answer.json()["fields"]) == [["a", "1"], ["a", "2"], ["b", "ü"]]


@every
@pytest.mark.parametrize("options", [[], ["-H", "Expect: 100-continue"]])
def test_a_large_upload_arrives_whole_and_is_not_collected(server, curl, tmp_path, options):
    digest = hashlib.sha256()
    with (tmp_path / "large").open("wb") as file:
        for _ in range(TIMES):
            file.write(LARGE)
            digest.update(LARGE)
    before = peak(server)
    answer = json.loads(curl(*options, "--data-binary", f"@{tmp_path}/large", "/upload"))
    assert answer == {"size": len(LARGE) * TIMES, "digest": digest.hexdigest()}
    assert peak(server) - before < len(LARGE) * 16


@pytest.mark.parametrize("server", ["flask_app:app", "bottle_app:app"], indirect=True)
def test_a_chunked_upload_arrives_whole(client):
    """Django reads nothing without a Content-Length."""
    answer = client.post("/upload", content=iter([LARGE, LARGE]))
    digest = hashlib.sha256(LARGE + LARGE).hexdigest()
    assert answer.json() == {"size": 2 * len(LARGE), "digest": digest}


@every
def test_a_stream_arrives_whole_and_the_connection_goes_on(client, curl):
    whole = "".join(f"{number}\n" * 100 for number in range(100))
    for _ in range(2):
        assert client.get("/stream").text == whole
    assert curl("/stream") == whole
    assert curl("--http1.0", "/stream") == whole


@every
def test_a_stream_over_http2(server):
    whole = "".join(f"{number}\n" * 100 for number in range(100))
    with httpx.Client(http1=False, http2=True, timeout=PATIENCE) as client:
        answer = client.get(f"{server.url}/stream")
        assert (answer.http_version, answer.text) == ("HTTP/2", whole)
        answer = client.post(f"{server.url}/upload", content=LARGE)
        assert answer.json()["digest"] == hashlib.sha256(LARGE).hexdigest()


@every
def test_each_server_sent_event_arrives_before_the_next_is_made(client):
    def numbers(lines: Iterator[str]) -> Iterator[str]:
        return (line.removeprefix("data: ") for line in lines if line.startswith("data:"))

    with client.stream("GET", "/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for number, event in enumerate(numbers(answer.iter_lines())):
            assert event == str(number)
            assert client.post("/next").status_code == 204
    assert number == 2


@every
def test_a_stream_stops_when_its_client_leaves_and_is_closed(server, client):
    before = len(server.stderr.lines)
    with httpx.stream("GET", f"{server.url}/endless", timeout=PATIENCE) as answer:
        assert next(answer.iter_raw())
    eventually(lambda: "endless closed" in client.get("/noted").json())
    assert server.stderr.lines[before:] == []


@every
def test_an_error_in_a_view_is_a_500_and_the_next_request_is_served(client):
    answer = client.get("/error")
    assert answer.status_code == 500
    assert client.get("/json?name=a").status_code == 200


@pytest.mark.parametrize("server", ["flask_app:app", "bottle_app:app"], indirect=True)
def test_what_a_framework_complains_of_is_in_the_log(server, client):
    """Django has a logger of its own."""
    client.get("/error")
    assert server.stderr.wait_for("ValueError: the view's own error")


@every
def test_headers_may_come_twice_both_ways(client):
    answer = client.get("/headers", headers=[("x-thing", "1"), ("x-thing", "2")])
    assert answer.json() == ["1", "2"]
    cookies = answer.headers.get_list("set-cookie")
    assert [cookie.partition(";")[0] for cookie in cookies] == ["a=1", "b=2"]


@every
def test_head_has_the_head_of_get_and_no_body(server, curl, client):
    whole = client.get("/json?name=a")
    answer = client.head("/json?name=a")
    assert answer.headers["content-length"] == whole.headers["content-length"]
    assert answer.content == b""
    assert curl("--head", "/json?name=a").startswith("HTTP/1.1 200 OK\n")


@every
def test_a_file_is_sent_whole(server, client):
    module = server.application.partition(":")[0]
    source = (APPS / f"{module}.py").read_bytes()
    for _ in range(2):
        answer = client.get("/file")
        assert answer.content == source
        assert answer.headers["content-length"] == str(len(source))


@every
def test_a_redirect_is_followed_on_the_same_connection(curl):
    answer = curl("-L", "-w", "\n%{num_redirects} %{num_connects}", "/moved")
    assert answer.splitlines()[-1] == "1 1"


@every
def test_a_websocket_is_refused(server):
    with pytest.raises(InvalidStatus) as caught, connect(server.url.replace("http", "ws", 1)):
        pass
    assert caught.value.response.status_code == 403


@pytest.mark.parametrize("server", ["django_wsgi_app:app"], indirect=True)
def test_django_finishes_every_request(client):
    count = len(client.get("/noted").json())
    assert client.get("/file").status_code == 200
    eventually(lambda: len(client.get("/noted").json()) >= count + 2)


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
@pytest.mark.parametrize("path", FRAMEWORKS.values(), ids=FRAMEWORKS)
def test_a_stopping_server_lets_a_response_end(path, loop):
    with ServingFramework(path, "--loop", loop) as server:
        with httpx.stream("GET", f"{server.url}/events", timeout=PATIENCE) as answer:
            lines = answer.iter_lines()
            assert next(lines) == "data: 0"
            for _ in range(3):
                assert httpx.post(f"{server.url}/next", timeout=PATIENCE).status_code == 204
            server.tell(15)
            assert [line for line in lines if line] == ["data: 1", "data: 2"]
        assert server.wait() == 0


def test_a_stopping_server_does_not_wait_for_ever():
    options = "--graceful-timeout", "0.5", "--application-close-timeout", "0.5"
    with (
        ServingFramework("flask_app:app", *options, noise=True) as server,
        httpx.stream("GET", f"{server.url}/events", timeout=PATIENCE) as answer,
    ):
        assert next(answer.iter_lines()) == "data: 0"
        server.tell(15)
        assert server.wait() == 0
    assert "1 of the threads wsgi-… do not end: left behind" in server.errors
