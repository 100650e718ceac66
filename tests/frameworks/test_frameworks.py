"""The same expectations of every framework: real applications, a real server, real clients."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.frameworks.serving import ServingFramework, eventually
from tests.live.serving import PATIENCE

FRAMEWORKS = {
    "django": "django_app:app",
    "starlette": "starlette_app:app",
    "starlette-middleware": "starlette_app:wrapped",
    "fastapi": "fastapi_app:app",
    "quart": "quart_app:app",
    "litestar": "litestar_app:app",
}
every = pytest.mark.parametrize("server", FRAMEWORKS.values(), ids=FRAMEWORKS, indirect=True)
every_but_django = pytest.mark.parametrize(
    "server", list(FRAMEWORKS.values())[1:], ids=list(FRAMEWORKS)[1:], indirect=True
)
LARGE = bytes(range(256)) * 12 * 1024
"""3 MiB: more than Django keeps in memory."""


@pytest.fixture
def curl(tool: Callable[[str], str], server: ServingFramework) -> Callable[..., str]:
    """Run curl with some arguments, the last of them a path."""

    def run(*arguments: str) -> str:
        *options, path = arguments
        command = [tool("curl"), "-sS", "--max-time", str(PATIENCE), *options, server.url + path]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    return run


@every
def test_a_view_answers_with_json_and_sees_what_the_lifespan_left(client, curl):
    expected = {"hello": "ä&b", "pool": "open"}
    assert client.get("/json", params={"name": "ä&b"}).json() == expected
    assert json.loads(curl("/json?name=%C3%A4%26b")) == expected


@every
def test_a_synchronous_view_runs_in_a_thread(client):
    assert client.get("/sync").json() == {"from": "a thread"}


@every
def test_a_form_keeps_all_its_fields_and_the_order_of_duplicates(client, curl):
    """The order of different names is the framework's."""
    expected = [["a", "1"], ["a", "2"], ["b", "ü"]]
    answer = client.post("/form", data={"a": ["1", "2"], "b": "ü"})
    assert answer.status_code == 201
    assert sorted(answer.json()["fields"]) == expected
    answer = curl("-d", "a=1", "-d", "a=2", "-d", "b=%C3%BC", "/form")
    assert sorted(json.loads(answer)["fields"]) == expected


@every
def test_a_file_is_uploaded_whole(client):
    answer = client.post("/upload", files={"file": ("bytes.bin", LARGE)})
    assert answer.json() == {"name": "bytes.bin", "digest": hashlib.sha256(LARGE).hexdigest()}


def uploaded(curl: Callable[..., str], directory: Path, *options: str) -> str:
    """Upload a file with curl, and return its digest as the application says it."""
    (directory / "bytes.bin").write_bytes(LARGE)
    answer = curl(*options, "-F", f"file=@{directory}/bytes.bin", "/upload")
    digest: str = json.loads(answer)["digest"]
    return digest


expecting = pytest.mark.parametrize("options", [[], ["-H", "Expect: 100-continue"]])


@every
@expecting
def test_curl_uploads_a_file_with_and_without_waiting_for_a_100(curl, tmp_path, options):
    assert uploaded(curl, tmp_path, *options) == hashlib.sha256(LARGE).hexdigest()


@every_but_django
@expecting
def test_curl_uploads_a_file_in_chunks_where_the_framework_takes_them(curl, tmp_path, options):
    """Django reads no form without a Content-Length."""
    options = [*options, "-H", "Transfer-Encoding: chunked"]
    assert uploaded(curl, tmp_path, *options) == hashlib.sha256(LARGE).hexdigest()


@every
def test_a_stream_arrives_whole_and_the_connection_goes_on(client, curl):
    whole = "".join(f"{number}\n" * 100 for number in range(100))
    assert client.get("/stream").text == whole
    assert curl("/stream") == whole
    assert curl("--http1.0", "/stream") == whole


@every
def test_each_server_sent_event_arrives_before_the_next_is_made(client):
    def numbers(lines: Iterator[str]) -> Iterator[str]:
        return (line.removeprefix("data:").strip() for line in lines if line.startswith("data:"))

    with client.stream("GET", "/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for number, event in enumerate(numbers(answer.iter_lines())):
            assert event == str(number)
            assert client.post("/next").status_code == 204
    assert number == 2


@every_but_django
def test_a_background_task_runs_after_its_response(client):
    assert client.get("/background").status_code == 200
    eventually(lambda: "background done" in client.get("/noted").json())


@every
def test_an_error_in_a_view_is_a_500_and_the_next_request_is_served(client):
    answer = client.get("/error")
    assert answer.status_code == 500
    assert "the view's own error" not in answer.text
    assert client.get("/json").status_code == 200


@every
def test_headers_may_come_twice_both_ways(client):
    answer = client.get("/headers", headers=[("x-thing", "1"), ("x-thing", "2")])
    assert answer.json() == ["1", "2"]
    cookies = answer.headers.get_list("set-cookie")
    assert [cookie.partition(";")[0] for cookie in cookies] == ["a=1", "b=2"]


@every
def test_head_has_the_head_of_get_and_no_body(client, curl):
    answer = client.head("/json")
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.content == b""
    assert curl("--head", "/json").startswith("HTTP/1.1 200 OK\n")


@pytest.mark.parametrize(
    "server",
    ["starlette_app:app", "starlette_app:wrapped"],
    ids=["plain", "wrapped"],
    indirect=True,
)
def test_a_stream_that_fails_ends_and_is_logged(client, server):
    with suppress(httpx.TransportError):  # Starlette's middleware completes it first.
        assert client.get("/breaks").text == "begun"
    eventually(lambda: "ValueError: the stream's own error" in server.errors)
    assert "RecursionError" not in server.errors
    assert client.get("/json").status_code == 200


@pytest.mark.parametrize(
    "server",
    ["starlette_app:app", "starlette_app:wrapped"],
    ids=["plain", "wrapped"],
    indirect=True,
)
def test_a_file_is_sent_whole_or_in_part_and_the_connection_goes_on(client, curl):
    source = (Path(__file__).parent / "apps/starlette_app.py").read_bytes()
    for _ in range(2):
        assert client.get("/file").content == source
    assert client.head("/file").headers["content-length"] == str(len(source))
    part = client.get("/file", headers={"Range": "bytes=3-9"})
    assert (part.status_code, part.content) == (206, source[3:10])
    assert curl("--http1.0", "/file") == source.decode()


@every
def test_a_redirect_is_followed_on_the_same_connection(client, curl):
    assert client.get("/moved", follow_redirects=True).json()["hello"] == "moved"
    answer = curl("-L", "-w", "\n%{num_redirects} %{num_connects}", "/moved")
    assert answer.splitlines()[-1] == "1 1"


@every
def test_a_stream_stops_when_its_client_leaves_and_nobody_logs_an_error(server):
    with httpx.stream("GET", f"{server.url}/endless", timeout=PATIENCE) as answer:
        before = len(server.stderr.lines)
        assert next(answer.iter_raw())
    assert server.stdout.wait_for('"GET /endless" 200 ')
    assert server.stderr.lines[before:] == []


@pytest.mark.parametrize("path", list(FRAMEWORKS.values())[1:], ids=list(FRAMEWORKS)[1:])
@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_a_stopped_server_ends_the_lifespan_and_leaves_nothing_to_complain_about(path, loop):
    with ServingFramework(path, "--loop", loop) as server:
        assert httpx.get(f"{server.url}/json", timeout=PATIENCE).json()["pool"] == "open"
    assert server.exit_status == 0
    assert server.stdout.lines[-1] == "lifespan over"
