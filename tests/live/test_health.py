"""Probes, metrics and the watchdog of a real server, asked by curl."""

from __future__ import annotations

import json
import re
import signal
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.live.raw_websocket import CLOSE, LAST, TEXT, frame, handshake
from tests.live.serving import Output, Serving, is_open, wait_until
from tests.live.test_stopping import read_until
from tests.live.tools import Curl

LOOPS = pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
ADMIN = ("--admin-bind", "127.0.0.1:0")
GET = b"GET /first HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def curl(tool: Callable[[str], str]) -> Curl:
    return Curl(tool("curl"))


def admin(server: Serving) -> str:
    """Where the server's admin pages are."""
    [line] = server.stderr.wait_for("Admin pages on")
    return line.rpartition(" ")[2]


def value(metrics: str, name: str, **labels: str) -> float:
    """The value of one sample."""
    [found] = [
        sample.value
        for family in text_string_to_metric_families(metrics)
        for sample in family.samples
        if sample.name == name and sample.labels == labels
    ]
    return found


@LOOPS
def test_a_server_that_serves_tells_what_it_does(loop: str, curl: Curl) -> None:
    with Serving("served:forever", "--loop", loop, *ADMIN, "--graceful-timeout", "0") as server:
        pages = admin(server)
        assert curl(f"{pages}/livez") == (200, "ok\n")
        assert curl(f"{pages}/readyz") == (200, "ready\n")
        assert curl(f"{pages}/else")[0] == 404
        assert curl(f"{pages}/livez", "-X", "POST")[0] == 405
        with server.connect() as client:
            client.sendall(GET)
            read_until(client, b"begun")
            _, text = curl(f"{pages}/connections")
            [shown] = json.loads(text)["connections"]
            assert shown["peer"] == "{}:{}".format(*client.getsockname())
            [request] = shown["current"]
            assert (request["method"], request["target"]) == ("GET", "/first")
            assert request["state"] == "streaming"


@LOOPS
def test_prometheus_can_read_what_there_was(loop: str, curl: Curl) -> None:
    with Serving("served:hello", "--loop", loop, *ADMIN) as server:
        for _ in range(3):
            server.get()
        server.connect().close()
        with server.connect() as client:
            client.sendall(b"nonsense\r\n\r\n")
            read_until(client, b"400")
        _, text = curl(f"{admin(server)}/metrics")
        labels = {"protocol": "1.1", "method": "GET", "status": "200"}
        assert value(text, "daphne_like_requests_total", **labels) == 3
        assert value(text, "daphne_like_request_duration_seconds_count", kind="http") == 3
        assert value(text, "daphne_like_connections_accepted_total") == 5
        assert 'daphne_like_refusals_total{status="400"' in text
        assert value(text, "process_resident_memory_bytes") > 1_000_000
        assert f'loop="{loop}"' in text


@LOOPS
def test_websockets_are_told_apart(loop: str, curl: Curl) -> None:
    options = ("--loop", loop, *ADMIN, "--access-log-format", "%(kind)s %(s)s %(bytes_in)s")
    with Serving("sockets:app", *options) as server, server.connect() as client:
        pages = admin(server)
        client.sendall(handshake("/echo?name=value") + frame(LAST | TEXT, b"hello"))
        read_until(client, b"hello")
        [shown] = json.loads(curl(f"{pages}/connections")[1])["connections"]
        assert (shown["requests"], shown["state"]) == (1, "request")
        [current] = shown["current"]
        assert (current["target"], current["state"]) == ("/echo?name=value", "open")
        _, text = curl(f"{pages}/metrics")
        assert value(text, "daphne_like_websockets") == 1
        client.sendall(frame(LAST | CLOSE, (4321).to_bytes(2, "big")))
        assert server.stdout.wait_for("websocket 4321 5")
        _, text = curl(f"{pages}/metrics")
        assert value(text, "daphne_like_websockets") == 0
        labels = {"protocol": "1.1", "method": "GET", "status": "4000"}
        assert value(text, "daphne_like_requests_total", **labels) == 1
        for direction in ("request", "response"):
            name = f"daphne_like_{direction}_body_bytes_total"
            assert value(text, name, kind="websocket") == 5


def test_one_that_starts_lives_and_is_not_ready(curl: Curl) -> None:
    server = Serving("served:endless_startup", *ADMIN)
    try:
        pages = admin(server)
        server.stdout.wait_for("starting")
        assert curl(f"{pages}/livez") == (200, "ok\n")
        assert curl(f"{pages}/readyz") == (503, "starting\n")
        server.tell(signal.SIGTERM)
    finally:
        assert server.wait() == 0


@LOOPS
def test_one_that_drains_is_not_ready_and_still_there(loop: str, curl: Curl) -> None:
    with Serving("served:echo", "--loop", loop, *ADMIN) as server, server.connect() as busy:
        pages = admin(server)
        busy.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n")
        wait_until(lambda: json.loads(curl(f"{pages}/connections")[1])["totals"]["running"])
        server.tell(signal.SIGTERM)
        wait_until(lambda: not is_open(server.addresses[0]))
        assert curl(f"{pages}/readyz") == (503, "draining\n")
        assert curl(f"{pages}/livez") == (200, "ok\n")
        busy.sendall(b"after")
        read_until(busy, b"after")
        assert server.wait() == 0


@LOOPS
def test_a_unix_socket_is_for_its_user_alone_and_gone_in_the_end(
    loop: str, curl: Curl, tmp_path: Path
) -> None:
    path = tmp_path / "admin.sock"
    with Serving("served:hello", "--loop", loop, "--admin-bind", f"unix:{path}"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert curl("http://x/readyz", "--unix-socket", str(path)) == (200, "ready\n")
    assert list(tmp_path.iterdir()) == []


def test_pages_that_others_can_reach_are_warned_of() -> None:
    with Serving("served:hello", "--admin-bind", "0.0.0.0:0") as server:
        [line] = server.stderr.wait_for("to all who reach it")
        assert "WARNING" in line


def test_the_health_path_is_the_servers_own(curl: Curl) -> None:
    limits = ("--limit-concurrency", "1", "--graceful-timeout", "0")
    with Serving("served:forever", "--health-path", "/up", *limits) as server:
        address = "http://{}:{}".format(*server.addresses[0])
        with server.connect() as client:
            client.sendall(GET)
            read_until(client, b"begun")
            assert curl(f"{address}/else")[0] == 503
            assert curl(f"{address}/up") == (200, "ok\n")
    assert not any("/up" in line for line in server.stdout.lines)


# --- The watchdog -----------------------------------------------------------------------------


def blocks(log: Output) -> list[str]:
    return [line for line in log.lines if "has been blocked for" in line]


@LOOPS
def test_a_blocked_loop_is_told_of_with_the_line_where_it_is(loop: str, curl: Curl) -> None:
    with Serving("served:blocking", "--loop", loop, "--watchdog", "0.3", *ADMIN) as server:
        assert server.get("/1.2").body == b"done"
        [end] = server.stderr.wait_for("The event loop goes on")
        log = "\n".join(server.stderr.lines)
        [begin] = blocks(server.stderr)
        assert "WARNING" in begin
        assert 'time.sleep(float(scope["path"][1:]))' in log
        assert "run_forever" not in log
        found = re.search(r"blocked for (\d+\.\d) s", end)
        assert found is not None
        _, text = curl(f"{admin(server)}/metrics")
        assert value(text, "daphne_like_event_loop_blocks_total") == 1
        blocked = value(text, "daphne_like_event_loop_blocked_seconds_total")
        assert f"{blocked:.1f}" == found[1]


@LOOPS
def test_a_process_that_was_stopped_was_not_blocked(loop: str) -> None:
    with Serving("served:hello", "--loop", loop, "--watchdog", "0.3") as server:
        server.tell(signal.SIGSTOP)
        time.sleep(1.5)
        server.tell(signal.SIGCONT)
        for _ in range(3):
            time.sleep(0.2)
            assert server.get().status == 200
    assert blocks(server.stderr) == []


def test_without_a_watchdog_nobody_tells(curl: Curl) -> None:
    with Serving("served:blocking", "--watchdog", "0", *ADMIN) as server:
        assert server.get("/0.1").body == b"done"
        assert "event_loop" not in curl(f"{admin(server)}/metrics")[1]
