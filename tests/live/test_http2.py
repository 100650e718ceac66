"""HTTP/2 with real clients, in each way in which it can be agreed on."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.live.http2_client import Client
from tests.live.http2_ways import IN_THE_CLEAR, Way, encrypted
from tests.live.serving import PATIENCE, Serving
from tests.live.tools import Curl
from tests.support.certificates import authority
from tests.support.frames import PREFACE

CLIENTS = Path(__file__).with_name("clients")
QUIET = ("--no-access-log", "--watchdog", "0")
MIB = 1024 * 1024
Tool = Callable[[str], str]


@pytest.fixture(scope="module", params=["prior knowledge", "TLS"])
def way(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Way:
    return encrypted(tmp_path_factory.mktemp("tls")) if request.param == "TLS" else IN_THE_CLEAR


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def server(request: pytest.FixtureRequest, way: Way) -> Iterator[Serving]:
    options = ("--loop", request.param, *QUIET, *way.server)
    with Serving("multiplexed:app", *options) as running:
        yield running
        assert running.stop() == 0
    assert [line for line in running.stderr.lines if "WARNING" in line or "ERROR" in line] == []


def run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
    return done.stdout


# --- curl -------------------------------------------------------------------------------------


def test_curl_gets_and_posts(server: Serving, way: Way, tool: Tool, tmp_path: Path) -> None:
    curl = Curl(tool("curl"))
    (tmp_path / "large").write_bytes(bytes(5 * MIB))
    upload = ("--data-binary", f"@{tmp_path / 'large'}")
    assert curl(f"{way.base(server)}/", *way.curl) == (200, "hello")
    assert curl(f"{way.base(server)}/count", *way.curl, *upload) == (200, str(5 * MIB))
    shown = json.loads(curl(f"{way.base(server)}/show?a=%20", *way.curl, "-H", "TE: trailers")[1])
    assert (shown["http_version"], shown["scheme"]) == ("2", way.scheme)
    assert (shown["raw_path"], shown["query_string"]) == ("b'/show'", "b'a=%20'")
    assert "http.response.trailers" in shown["offered"]


def test_curl_asks_for_a_head(server: Serving, way: Way, tool: Tool) -> None:
    status, head = Curl(tool("curl"))(f"{way.base(server)}/", *way.curl, "--head")
    assert status == 200
    assert re.match(r"HTTP/2 200\s+content-type: text/plain\s+date: \w", head)


def test_curl_does_much_at_once(server: Serving, way: Way, tool: Tool) -> None:
    # curl 7.88 cannot use a connection again that it has by prior knowledge, with any server.
    count = 40 if way.scheme == "https" else 1
    told = ["-w", "%{http_version} %{http_code} %{num_connects}\n", "-o", "/dev/null"]
    asked = f"{way.base(server)}/slow?[1-{count}]"
    lines = run([tool("curl"), "-sS", "-Z", *way.curl, *told, asked]).splitlines()
    assert sorted(lines) == ["2 200 0"] * (count - 1) + ["2 200 1"]


def test_an_upgrade_to_h2c_is_not_heard(tool: Tool) -> None:
    with Serving("multiplexed:app", *QUIET) as server:
        url = IN_THE_CLEAR.base(server)
        command = [tool("curl"), "-sS", "--http2", "-o", "/dev/null", "-w", "%{http_version}", url]
        assert run(command) == "1.1"


def test_where_http2_needs_tls_the_preface_is_answered_505() -> None:
    with Serving("multiplexed:app", *QUIET, "--no-h2c") as server:
        with closing(server.connect()) as connection:
            connection.sendall(PREFACE)
            assert connection.recv(1024).startswith(b"HTTP/1.1 505 ")
        assert server.get("/").body == b"hello"


def test_without_its_engine_the_log_says_what_brings_it(tmp_path: Path, tool: Tool) -> None:
    missing = "raise ModuleNotFoundError('No module named ngh2', name='ngh2')"
    (tmp_path / "ngh2.py").write_text(missing)
    way = encrypted(tmp_path)
    options, path = (*QUIET, *way.server), {"PYTHONPATH": str(tmp_path)}
    with Serving("multiplexed:app", *options, environment=path) as server:
        [line] = server.stderr.wait_for("HTTP/2 is off")
        assert line.endswith("pip install 'daphne-like[http2]' brings it")
        shown = [*way.curl, "-sS", "-o", "/dev/null", "-w", "%{http_version} %{http_code}"]
        assert run([tool("curl"), *shown, way.base(server)]) == "1.1 200"


def test_a_socket_may_be_denied(server: Serving, way: Way) -> None:
    with closing(way.connect(server)) as connection:
        client = Client(connection, way.scheme)
        denied = client.open("/deny")
        client.wait_until(lambda: client.bodies.get(denied) == b"first log in")
        assert client.statuses[denied] == 401
        stream = client.ask("/")
        client.wait_until(lambda: client.bodies.get(stream) == b"hello")


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_tls_agrees_on_it_wherever_it_listens_and_after_a_renewal(
    loop: str, tmp_path: Path
) -> None:
    way = encrypted(tmp_path)
    _, chain, _, key = way.server
    proxied = "-e", f"haproxy:ssl:0:{key}:{chain}:interface=127.0.0.1"
    options = "--loop", loop, *QUIET, *way.server, *proxied, "-u", str(tmp_path / "s")
    preamble = b"PROXY TCP4 192.0.2.1 192.0.2.2 11 443\r\n"

    def greeted(index: int, before: bytes) -> bool:
        with closing(way.connect(server, index, before)) as connection:
            client = Client(connection, "https")
            stream = client.ask("/")
            client.wait_until(lambda: stream in client.closed)
            return client.bodies == {stream: b"hello"}

    with Serving("multiplexed:app", *options, port=False, listens=2) as server:
        paths = [isinstance(address, str) for address in server.addresses]
        places = [(index, b"" if is_path else preamble) for index, is_path in enumerate(paths)]
        assert all(greeted(*place) for place in places)
        authority().issue("localhost").write(tmp_path)
        server.tell(signal.SIGHUP)
        server.stderr.wait_for("Read the certificates of ")
        assert all(greeted(*place) for place in places)


# --- Others -----------------------------------------------------------------------------------


def test_nghttp_takes_what_is_pushed(server: Serving, way: Way, tool: Tool) -> None:
    url = f"{way.base(server)}/extended"
    shown = run([tool("nghttp"), "-v", "-H", "te: trailers", url])
    said = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert ":status: 103" in said
    assert re.search(r"recv PUSH_PROMISE", said)
    assert ":path: /pushed?a=b" in said
    assert "pushed a=b" in said
    assert "x-checksum: 42" in said
    assert "PROTOCOL_ERROR" not in said


def test_h2load_gets_everything(server: Serving, way: Way, tool: Tool) -> None:
    shown = run([tool("h2load"), "-n", "2000", "-c", "4", "-m", "30", f"{way.base(server)}/"])
    assert "2000 succeeded, 0 failed, 0 errored, 0 timeout" in shown
    shown = run([tool("h2load"), "-n", "20", "-c", "2", "-m", "10", f"{way.base(server)}/large"])
    assert "20 succeeded, 0 failed" in shown


def test_httpx(server: Serving, way: Way) -> None:
    async def talk() -> None:
        async with httpx.AsyncClient(**way.httpx) as client:
            asked = [client.get(f"{way.base(server)}/slow") for _ in range(20)]
            answers = await asyncio.gather(*asked)
            assert {(one.http_version, one.text) for one in answers} == {("HTTP/2", "done")}
            upload = await client.post(f"{way.base(server)}/count", content=bytes(MIB))
            assert upload.text == str(MIB)

    asyncio.run(asyncio.wait_for(talk(), PATIENCE))


def test_node(server: Serving, way: Way, tool: Tool) -> None:
    seen = json.loads(run([tool("node"), str(CLIENTS / "http2.mjs"), way.base(server)]))
    shown = seen.pop("scope")
    host = way.base(server).removeprefix(f"{way.scheme}://")
    assert shown["headers"] == [["host", host], ["cookie", "a=1"]]
    assert shown["http_version"] == "2"
    assert seen == {
        "connect": True,
        "counted": "3000000",
        "several": {"bodies": ["hello", "done"], "large": [8 * MIB] * 3},
        "heard": ["one", "two", "three"],
        "left": "hello",
        "socket": {
            "status": 200,
            "protocol": "chat.v2",
            "echoed": "hello",
            "closed": [8, 4001, "enough"],
        },
        "extended": {
            "status": 200,
            "body": "body",
            "hints": [[103, "</style.css>; rel=preload"]],
            "trailers": "42",
            "pushed": ["/pushed?a=b", "pushed a=b"],
        },
    }
    server.stdout.wait_for("the client left")
    server.stdout.wait_for("node left: 4001 enough")


# --- Ends -------------------------------------------------------------------------------------


def test_node_hears_of_the_end_and_gets_what_it_has_asked_for(way: Way, tool: Tool) -> None:
    with Serving("multiplexed:app", *QUIET, *way.server) as server:
        command = [tool("node"), str(CLIENTS / "http2.mjs"), way.base(server), "goodbye"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as node:
            try:
                assert node.stdout is not None
                assert node.stdout.readline() == "ready\n"
                assert server.stop() == 0
                seen = json.loads(node.communicate(timeout=PATIENCE)[0])
            finally:
                node.kill()
    assert seen == {"codes": [0], "bodies": ["done"]}


def ask_until_goodbye(client: Client) -> list[int]:
    """Ask as long as the server has said nothing; every request is to be answered."""
    streams: list[int] = []
    while client.can_ask:
        streams.append(client.ask("/slow" if len(streams) % 7 == 0 else "/"))
        if len(streams) % 5 == 0:
            client.read()
    client.wait_until(lambda: False)
    assert client.last_streams == [2**31 - 1, streams[-1]]
    assert {client.closed[stream] for stream in streams} == {0}
    assert {client.bodies[stream] for stream in streams} == {b"hello", b"done"}
    return streams


def test_no_request_fails_when_the_server_stops(way: Way) -> None:
    with Serving("multiplexed:app", *QUIET, *way.server) as server:
        with closing(way.connect(server)) as connection:
            client = Client(connection, way.scheme)
            for _ in range(20):
                stream = client.ask("/")
            client.wait_until(lambda: stream in client.closed)
            server.tell(signal.SIGTERM)
            ask_until_goodbye(client)
        assert server.wait() == 0


def test_no_request_fails_when_connections_are_ended_again_and_again(way: Way) -> None:
    with Serving("multiplexed:app", *QUIET, *way.server, "--connection-requests", "20") as server:
        for _ in range(10):
            with closing(way.connect(server)) as connection:
                assert len(ask_until_goodbye(Client(connection, way.scheme))) >= 20


def test_tasks_whose_streams_were_reset_count_until_they_end() -> None:
    options = (*QUIET, "--limit-concurrency", "3", "--application-close-timeout", "1")
    with Serving("served:stubborn", *options, noise=True) as server:
        with closing(server.connect()) as connection:
            client = Client(connection)
            for _ in range(3):
                stream = client.ask()
                client.wait_until(lambda: client.bodies.get(stream))  # noqa: B023
                client.reset(stream)
            refused = client.ask()
            client.wait_until(lambda: refused in client.closed)
            assert client.statuses[refused] == 503
            server.stdout.wait_for("cancelled", 3)
            refused = client.ask()
            client.wait_until(lambda: refused in client.closed)
            assert client.statuses[refused] == 503
        server._kill()
