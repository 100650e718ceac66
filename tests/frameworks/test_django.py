"""What Django's handler needs of a server, and what it must not be given."""

from __future__ import annotations

import socket
import struct
from contextlib import closing

import httpx
import pytest

from tests.frameworks.serving import ServingFramework, eventually
from tests.live.serving import PATIENCE

APP = "django_app:app"
RESET = struct.pack("ii", 1, 0)
"""A client that closes like this is gone for certain, and does not wait for its answer."""

GET = "GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n"


def leave_after(server: ServingFramework, path: str, sign: str, client: httpx.Client) -> None:
    """Ask for `path` and leave when the application has noted `sign`."""
    with closing(server.connect()) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        connection.sendall(GET.format(path).encode())
        eventually(lambda: sign in client.get("/noted").json())


def all_finished(client: httpx.Client) -> None:
    """Wait until every request that was started has been finished, but for the asking one."""

    def even() -> bool:
        facts = client.get("/facts").json()
        return bool(facts["started"] == facts["finished"] + 1)

    eventually(even)


def test_a_view_is_cancelled_when_its_client_leaves_and_the_request_is_finished(server, client):
    leave_after(server, "/patient", "patient began", client)
    eventually(lambda: "patient cancelled" in client.get("/noted").json())
    all_finished(client)
    assert "Traceback" not in server.errors


def test_a_view_in_a_thread_runs_on_and_the_request_is_finished(server, client):
    leave_after(server, "/patient-in-a-thread", "thread began", client)
    eventually(lambda: "thread ended" in client.get("/noted").json())
    all_finished(client)
    assert "Traceback" not in server.errors


def test_a_stream_ends_when_its_client_leaves_and_the_request_is_finished(server, client):
    with httpx.stream("GET", f"{server.url}/endless", timeout=PATIENCE) as answer:
        assert next(answer.iter_raw())
    assert server.stdout.wait_for('"GET /endless" 200 ')
    all_finished(client)
    assert "Traceback" not in server.errors


def test_a_client_that_leaves_during_its_upload_never_reaches_a_view(server, client):
    with closing(server.connect()) as connection:
        head = b"POST /form HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n"
        connection.sendall(head + b"a=1")
    assert server.stderr.wait_for("the body ended early")
    all_finished(client)
    assert "Traceback" not in server.errors


@pytest.mark.parametrize("path", ["/sync", "/json"])
def test_a_thousand_requests_leave_no_threads_behind(client, path):
    for _ in range(20):
        client.get(path)
    before = client.get("/facts").json()["threads"]
    for _ in range(1000):
        assert client.get(path).status_code == 200
    eventually(lambda: client.get("/facts").json()["threads"] <= before)


def test_the_handlers_second_receive_stays_pending_until_the_response(client):
    """Anything that came after the body's end would be an AssertionError of Django's."""
    for content in (b"", b"a=1", b"a=" + b"1" * 200_000):
        headers = {"content-type": "application/x-www-form-urlencoded"}
        answer = client.post("/form", content=content, headers=headers)
        assert answer.status_code == 201
        pieces = iter([content[:1], content[1:]])
        assert client.post("/json", content=pieces, headers=headers).status_code == 200


def test_pipelined_requests_do_not_see_each_others_context(server):
    """Each view leaves its visitor's name in a context variable and answers with what it found."""
    names = [f"visitor-{number}" for number in range(5)]
    with closing(server.connect()) as connection:
        connection.sendall("".join(GET.format(f"/visit?name={name}") for name in names).encode())
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as answers:
            assert answers.read().count(b"nobody") == len(names)
