"""The log of a real server: what its lines hold, whatever a client sends, and where they go."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.live.raw_websocket import CLOSE, LAST, frame, handshake
from tests.live.serving import PATIENCE, Serving, failure, wait_until

BIN = Path(sys.executable).parent


def test_json_lines_hold_any_request(tmp_path: Path) -> None:
    evil = b'GET /\xff"?\xe2\x80\xa8" HTTP/1.1\r\nHost: x\r\nUser-Agent: a"\\\x9b2J\xff\r\n'
    with Serving("served:hello", "--access-log-format", "json") as server:
        with server.connect() as client:
            client.sendall(evil + b"Connection: close\r\n\r\n")
            assert client.recv(1000).startswith(b"HTTP/1.1 200 ")
        server.request("POST", "/p", b"body")
        lines = server.stdout.wait_for("{", 2)
    assert all(line.isascii() and line.isprintable() for line in lines)
    first, second = map(json.loads, lines)
    assert (first["path"], first["query"]) == (r"/\xff\x22", r"\xe2\x80\xa8\x22")
    assert first["user_agent"] == r"a\x22\x5c\x9b2J\xff"
    assert (second["method"], second["status"], second["bytes_out"]) == ("POST", 200, 5)
    assert 0 < second["first_byte"] <= second["duration"]


@pytest.mark.parametrize(
    ("text", "lines"),
    [("%(m)s %(s)s %(outcome)s", ["POST 499 disconnected", "GET 200 complete"]), ("daphne", [])],
)
def test_a_client_that_leaves_first_has_a_line_in_every_format_but_daphnes(
    text: str, lines: list[str]
) -> None:
    with Serving("served:echo", "--access-log-format", text) as server:
        with server.connect() as client:
            client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n")
        server.stderr.wait_for("Refused a request")
        server.get("/after")
        assert server.stop() == 0
    assert sorted(server.stdout.lines, reverse=True)[: len(lines)] == lines
    assert len(server.stdout.lines) == max(1, len(lines))


def test_a_websocket_has_daphnes_line_at_every_step() -> None:
    with Serving("sockets:app") as server:
        for path in ("/refuse", "/leave"):
            with server.connect() as client:
                client.sendall(handshake(f"{path}?secret") + frame(LAST | CLOSE))
                peer = "{}:{}".format(*client.getsockname())
                word = {"/refuse": "WSREJECT", "/leave": "WSDISCONNECT"}[path]
                told = {"/refuse": "403 14", "/leave": "4000 0"}[path]
                assert server.stdout.wait_for(f'"WSCONNECTING {path}" - -')
                [line] = server.stdout.wait_for(f'"{word} {path}" {told}')
                assert line.startswith(f"{peer} - - [")


@pytest.mark.parametrize("trusted", [True, False])
def test_curl_gets_an_id_which_it_may_give_where_it_is_trusted(
    tool: Callable[[str], str], trusted: bool
) -> None:
    options = ["--request-id", "X-Request-ID", "--access-log-format", "%(U)s %(request_id)s"]
    options += ["--forwarded-allow-ips", "127.0.0.1" if trusted else "192.0.2.1"]
    with Serving("served:failing", *options, noise=True) as server:
        host, port = server.addresses[0]
        ask = [tool("curl"), "-sS", "-m", "20", "-D", "-", "-H", "X-Request-ID: a1"]
        answer = subprocess.run(
            [*ask, f"http://{host}:{port}/p"],
            check=True,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        [shown] = re.findall(r"^x-request-id: (\S+)", answer.stdout, re.MULTILINE)
        assert (shown == "a1") is trusted
        assert server.stdout.wait_for("/p") == [f"/p {shown}"]
        [line] = server.stderr.wait_for("Exception inside application")
        assert line.endswith(f": GET /p [{shown}]")


def test_colours_come_where_they_are_forced_and_go_nowhere_else(tmp_path: Path) -> None:
    forced = {"FORCE_COLOR": "1", "NO_COLOR": ""}
    for environment, coloured in ((forced, True), ({**forced, "NO_COLOR": "1"}, False)):
        with Serving("served:hello", environment=environment) as server:
            server.get("/p")
            [line] = server.stdout.wait_for("/p")
        assert line.endswith('"GET /p" \x1b[32m200\x1b[0m 5' if coloured else '"GET /p" 200 5')
        assert ("\x1b[32mINFO" in server.stderr.lines[0]) is coloured


def test_a_signal_to_open_files_again_is_harmless_without_any() -> None:
    with Serving("served:hello") as server:
        server.tell(signal.SIGUSR1)
        assert server.get().body == b"hello"
        assert server.stop() == 0


def test_twistd_takes_a_file_for_the_log_too(tmp_path: Path) -> None:
    config, lines = tmp_path / "logging.toml", tmp_path / "lines"
    config.write_text(
        'root.handlers = ["file"]\nhandlers.file.class = "logging.FileHandler"\n'
        f'handlers.file.filename = "{lines}"\n'
    )
    twistd = (sys.executable, "-X", "dev", str(BIN / "twistd"), "-n", "--pidfile=", "daphne-like")
    server = Serving(
        "served:hello", "--log-config", str(config), "--access-log", "logging", command=twistd,
        listens=0, log="stdout",
    )  # fmt: skip
    server.stdout.wait_for("reactor class")
    wait_until(lambda: "Listening on" in lines.read_text())
    assert server.stop() in (0, -signal.SIGTERM)
    assert "Listening on" not in "\n".join(server.stdout.lines)


def test_what_is_wrong_with_the_log_is_said_before_anything_starts() -> None:
    status, [line] = failure("served:hello", "--log-config", f"{os.devnull}.toml")
    assert (status, line.startswith("daphne-like: --log-config /dev/null.toml: ")) == (2, True)
    status, [line] = failure("served:hello", "--access-log-format", "%(S)s")
    assert (status, line.endswith("%(S)s is no atom; did you mean s?")) == (2, True)
