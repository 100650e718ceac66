"""The same expectations of every framework's WebSockets."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.frameworks.serving import ServingFramework, eventually
from tests.live.serving import PATIENCE

FRAMEWORKS = {
    "starlette": "starlette_sockets:app",
    "fastapi": "fastapi_sockets:app",
    "quart": "quart_sockets:app",
    "litestar": "litestar_sockets:app",
    "channels": "channels_sockets:app",
}


def each(*without: str) -> pytest.MarkDecorator:
    """For every framework, but for those that cannot do it."""
    names = [name for name in FRAMEWORKS if name not in without]
    paths = [FRAMEWORKS[name] for name in names]
    return pytest.mark.parametrize("server", paths, ids=names, indirect=True)


Open = Callable[..., ClientConnection]


@pytest.fixture
def socket(server: ServingFramework) -> Open:
    """Opens a WebSocket at a path."""

    def opened(path: str, **more: object) -> ClientConnection:
        url = server.url.replace("http", "ws", 1) + path
        return connect(url, open_timeout=PATIENCE, **more)  # type: ignore[arg-type]

    return opened


def close_of(client: ClientConnection) -> tuple[int, str]:
    """The code and the reason that the server closes with."""
    with pytest.raises(ConnectionClosed) as closed:
        client.recv(timeout=PATIENCE)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code, closed.value.rcvd.reason


def refusal(socket: Open, path: str) -> tuple[int, bytes]:
    """The status and the body that a handshake is answered with."""
    with pytest.raises(InvalidStatus) as refused:
        socket(path)
    return refused.value.response.status_code, refused.value.response.body or b""


@each()
def test_text_and_bytes_come_back_as_they_went(socket):
    with socket("/echo", subprotocols=["other", "chat"], compression=None) as client:
        assert client.subprotocol == "chat"
        assert client.response.headers["x-thing"] == "1"
        for message in ("ü", "x" * 200_000, b"\x00\xff", b"y" * 200_000):
            client.send(message)
            assert client.recv(timeout=PATIENCE) == message
        client.send(["in ", "three ", "pieces"])
        assert client.recv(timeout=PATIENCE) == "in three pieces"


@each()
def test_the_applications_close_has_its_code_and_reason(socket):
    with socket("/echo") as client:
        client.send("close")
        assert close_of(client) == (4001, "enough")


@each("quart")
@pytest.mark.parametrize(("code", "seen"), [(1000, 1000), (3999, 3999)])
def test_the_clients_close_reaches_the_application(socket, server, code, seen):
    before = len(server.stdout.wait_for(f"left with {seen}", 0))
    with socket("/echo") as client:
        client.close(code)
    assert server.stdout.wait_for(f"left with {seen}", before + 1)


@each("quart")
def test_a_lost_client_is_a_1006(socket, server):
    before = len(server.stdout.wait_for("left with 1006", 0))
    with socket("/echo") as client:
        client.socket.close()
    assert server.stdout.wait_for("left with 1006", before + 1)


@each("quart", "litestar")
def test_an_error_in_an_open_endpoint_closes_with_1011(socket, server):
    with socket("/echo") as client:
        client.send("fail")
        assert close_of(client)[0] == 1011
    eventually(lambda: "the endpoint's own error" in server.errors)


@pytest.mark.parametrize(
    ("server", "code"),
    [(FRAMEWORKS["quart"], 1000), (FRAMEWORKS["litestar"], 4500)],
    ids=["quart", "litestar"],
    indirect=["server"],
)
def test_a_framework_that_catches_errors_chooses_the_code(socket, code):
    with socket("/echo") as client:
        client.send("fail")
        assert close_of(client)[0] == code


@each()
def test_an_error_before_accepting_is_a_refusal(socket):
    status, body = refusal(socket, "/fail")
    assert status in (403, 500)
    assert b"own error" not in body


@each()
def test_what_is_closed_before_it_is_accepted_is_answered_403(socket):
    assert refusal(socket, "/refuse")[0] == 403


@each("litestar", "channels")
def test_an_application_refuses_with_a_response_of_its_own(socket):
    status, body = refusal(socket, "/deny")
    assert status == 401
    assert b"no token" in body


@each()
def test_a_path_that_nobody_serves_is_refused(socket):
    status, _ = refusal(socket, "/nothing")
    assert 400 <= status <= 500


@pytest.mark.parametrize("server", [FRAMEWORKS["channels"]], indirect=True)
def test_consumers_leave_their_groups_however_they_end(socket, server, client):
    def members() -> int:
        return int(client.get("/groups").json().get("everybody", 0))

    eventually(lambda: members() == 0)
    ends: list[Callable[[ClientConnection], object]] = [
        lambda guest: guest.close(),
        lambda guest: guest.socket.close(),
        lambda guest: guest.send("close"),
    ]
    for end in ends:
        with socket("/together") as guest, socket("/together") as other:
            eventually(lambda: members() == 2)
            guest.send("everybody")
            assert guest.recv(timeout=PATIENCE) == other.recv(timeout=PATIENCE) == "to everybody"
            end(guest)
            eventually(lambda: members() < 2)
    eventually(lambda: members() == 0)


@pytest.mark.parametrize("server", [FRAMEWORKS["channels"]], indirect=True)
def test_a_consumer_in_a_thread_echoes_and_leaves(socket, server):
    with socket("/threaded") as client:
        for number in range(50):
            client.send(str(number))
            assert client.recv(timeout=PATIENCE) == str(number)
    assert server.stdout.wait_for("the thread left with 1000")


@pytest.mark.parametrize("path", FRAMEWORKS.values(), ids=FRAMEWORKS)
@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_a_stopping_server_closes_with_1012_and_the_endpoint_ends(path, loop):
    with ServingFramework(path, "--loop", loop) as server:
        with connect(server.url.replace("http", "ws", 1) + "/echo") as client:
            server.tell(15)
            assert close_of(client)[0] == 1012
        assert server.stdout.wait_for("left")
        assert server.wait() == 0
