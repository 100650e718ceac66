"""The command line in processes of its own: what its options do, and how it says no."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path

import pytest

from tests.live.serving import Serving, dial, failure

ACCESS_LINE = r"127\.0\.0\.1:\d+ - - \[\d\d/[A-Z][a-z]{2}/\d{4}(:\d\d){3}\] "


# --- Options ----------------------------------------------------------------------------------


def test_every_option_of_daphnes_works_at_once(tmp_path: Path) -> None:
    path, log = tmp_path / "app.sock", tmp_path / "access.log"
    options = f"""
        -b 127.0.0.1 --unix-socket {path} --endpoint tcp:0:interface=127.0.0.1
        --verbosity 2 --http-timeout 30 --access-log {log} --log-fmt daphne:%(message)s
        --ping-interval 1 --ping-timeout 2 --websocket_timeout -1 --websocket_connect_timeout 3
        --websocket-max-message-size 0 --websocket-max-frame-size 0
        --application-close-timeout 1 --root-path /mounted --server-name Lighthouse
        --proxy-headers --proxy-headers-host X-Real --proxy-headers-port X-Real-Port
    """.split()
    with Serving("served:scope", *options, listens=3) as server:
        for index in range(3):
            forwarded = {"X-Real": "192.0.2.7", "X-Real-Port": "99", "X-Forwarded-Proto": "https"}
            reply = server.get("/a%20b?c=d", forwarded, index=index)
            scope = json.loads(reply.body)
            assert reply.headers["server"] == "Lighthouse"
            assert scope["root_path"] == "/mounted"
            assert scope["client"] == ["192.0.2.7", 99]
            assert scope["scheme"] == "https"
            assert (scope["path"], scope["query_string"]) == ("/a b", "b'c=d'")
        assert scope["server"] == [str(path), None]
        assert server.stop() == 0
    assert all(line.startswith("daphne:") for line in server.stderr.lines)
    assert server.stdout.lines == []
    lines = log.read_text().splitlines()
    assert len(lines) == 3
    assert re.fullmatch(r'192\.0\.2\.7:99 - - \[.*\] "GET /a%20b\?c=d" 200 \d+', lines[0])
    assert not path.exists()


def test_short_flags() -> None:
    options = ["-v", "1", "-t", "30", "-s", "x", "-e", "tcp:0:interface=127.0.0.1"]
    with Serving("served:hello", *options, port=False) as server:
        assert server.get().headers["server"] == "x"


def test_access_lines_are_daphnes_and_come_at_once() -> None:
    with Serving("served:hello") as server:
        server.get("/p?q=%22")
        [line] = server.stdout.wait_for("GET")
        assert re.fullmatch(ACCESS_LINE + r'"GET /p\?q=%22" 200 5', line)
        server.request("POST", "/", b"body")
        assert server.stdout.wait_for("POST")[0].endswith('"POST /" 200 5')


def test_access_lines_can_go_to_a_file_or_nowhere(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text("before\n")
    with Serving("served:hello", "--access-log", str(log)) as server:
        server.get()
    assert [line.partition('"')[2] for line in log.read_text().splitlines()] == [
        "",
        'GET /" 200 5',
    ]
    with Serving("served:hello", "--access-log", "-", "--no-access-log") as server:
        server.get()
    assert server.stdout.lines == []


def test_a_unix_client_has_no_name_in_the_access_log(tmp_path: Path) -> None:
    with Serving("served:hello", "--uds", str(tmp_path / "s"), port=False) as server:
        server.get()
        assert server.stdout.wait_for("GET")[0].startswith("None - - [")


def test_a_quiet_server_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as given:
        server = Serving(
            "served:hello", "-v", "0", "--fd", str(given.fileno()), port=False, fds=[given.fileno()]
        )
        with dial(given.getsockname()) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert client.recv(1000).startswith(b"HTTP/1.1 200 ")
        assert server.stop() == 0
    assert server.stdout.lines == server.stderr.lines == []


def test_headers_for_every_response() -> None:
    headers = ["--header", "X-Frame-Options: DENY", "--header", "x-b: a: b"]
    with Serving("served:hello", *headers) as server:
        reply = server.get()
        assert (reply.headers["x-frame-options"], reply.headers["x-b"]) == ("DENY", "a: b")
        assert reply.headers["server"] == "daphne-like"
        assert reply.headers["date"].endswith(" GMT")


@pytest.mark.parametrize("nameless", [["--no-server-name"], ["--server-name", ""]])
def test_headers_that_can_be_switched_off(nameless: list[str]) -> None:
    with Serving("served:hello", "--no-date-header", *nameless) as server:
        assert set(server.get().headers) == {"content-type", "content-length"}


def test_the_operators_own_server_and_date_replace_ours() -> None:
    headers = ["--header", "Server: s", "--header", "Date: d"]
    with Serving("served:hello", *headers) as server, server.connect() as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        head = client.recv(1000).lower().partition(b"\r\n\r\n")[0]
    assert head.count(b"server:") == head.count(b"date:") == 1


@pytest.mark.parametrize(
    ("choice", "module"),
    [("uvloop", b"uvloop"), ("asyncio", b"asyncio.unix_events"), ("auto", b"uvloop")],
)
def test_the_loop_can_be_chosen(choice: str, module: bytes) -> None:
    with Serving("served:loop", "--loop", choice) as server:
        assert server.get().body == module


@pytest.mark.parametrize(
    "arguments",
    [["served:make", "--factory"], ["served:Namespace.nested"], ["served:Double"], ["--demo"]],
    ids=" ".join,
)
def test_applications_of_every_kind(arguments: list[str]) -> None:
    with Serving(*arguments) as server:
        assert server.get().status == 200


def test_a_request_may_take_only_so_long() -> None:
    with Serving("served:echo", "-t", "0.1") as server, server.connect() as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 503 ")


def test_without_the_trust_of_an_operator_nobody_is_believed() -> None:
    said = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"}
    with Serving("served:scope") as server:
        scope = json.loads(server.get("/", said).body)
        assert scope["client"][0] == "127.0.0.1"
        assert scope["scheme"] == "http"
    with Serving("served:scope", "--proxy-headers", "--forwarded-allow-ips", "unix") as server:
        assert json.loads(server.get("/", said).body)["client"][0] == "127.0.0.1"


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_questions_are_answered_on_standard_output(argument: str) -> None:
    server = Serving(argument)
    assert server.wait() == 0
    assert server.stderr.lines == []
    assert "daphne-like" in server.stdout.lines[0]


# --- Saying no --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["nowhere:app"], 2, "--app-dir"),
        (["served:nothing"], 2, "check the part after the colon"),
        (["served:not_callable"], 2, "no application: it cannot be called"),
        (["served:pair"], 2, "if it is RSGI, give --interface rsgi"),
        (["served:hello", "--interface", "wsgi", "--sync-threads", "2"], 2, "--wsgi-threads"),
        (["served:make"], 2, "give --factory"),
        (["served.py:hello"], 2, "name the module, not its file: served:hello"),
        (["leaving:app"], 3, "'leaving' called sys.exit(4)"),
        (["served:hello", "-b", ""], 2, "--bind is empty"),
        (["served:hello", "--forwarded-allow-ips", "x"], 2, "--forwarded-allow-ips 'x'"),
        (["served:hello", "--bogus"], 2, "--bogus; see --help"),
        (["served:hello", "-e", "tcp:abc"], 2, "Bad endpoint 'tcp:abc'"),
        (["served:hello", "-e", "bogus:1"], 2, "Unknown endpoint type: 'bogus'"),
        (["served:hello", "--log-fmt", "%(nobody)s"], 2, "--log-fmt"),
        (["served:hello", "-b", "192.0.2.1"], 1, "no such address; check --bind"),
        (["served:hello", "--fd", "99"], 1, "--fd needs the number of an inherited socket"),
        (["served:hello", "-u", "/nowhere/s"], 1, "directory does not exist; check --unix-socket"),
        (["served:hello", "--access-log", "/nowhere/log"], 1, "--access-log /nowhere/log"),
        (["served:failing_startup"], 3, "no database"),
        (["served:endless_startup", "--startup-timeout", "0.1"], 3, "see --startup-timeout"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_start_that_fails_says_why_in_one_line(
    arguments: list[str], status: int, words: str
) -> None:
    code, [line] = failure(*arguments)
    assert code == status
    assert line.startswith("daphne-like: ")
    assert words in line


def test_a_lifespan_that_has_to_be_there_and_is_not() -> None:
    code, lines = failure("served:hello", "--lifespan", "on")
    assert code == 3
    assert sum(line.startswith("Traceback") for line in lines) == 1
    assert "use --lifespan auto or off" in lines[-1]


@pytest.mark.parametrize("application", ["broken:app", "lacking:app", "served:broken_factory"])
def test_an_application_that_fails_to_load_is_shown_once_with_its_traceback(
    application: str,
) -> None:
    code, lines = failure(application, *(["--factory"] if "factory" in application else []))
    assert code == 3
    assert sum(line.startswith("Traceback") for line in lines) == 1
    assert lines[-1].startswith("daphne-like: ")


def test_a_port_in_use_is_said_in_one_line_and_nothing_was_served() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        code, lines = failure("served:lifespan", "-e", "tcp:0", "-p", port, port=False)
    assert code == 1
    assert len(lines) == 1  # Its lifespan has started and ended before anybody was accepted.
    assert f"127.0.0.1:{port}: the address is in use; stop the other server" in lines[0]


def test_threads_come_from_the_environment() -> None:
    code, [line] = failure("served:hello", environment={"ASGI_THREADS": "many"})
    assert (code, "ASGI_THREADS='many'" in line) == (2, True)
    with Serving("served:hello", environment={"ASGI_THREADS": "3"}) as server:
        assert server.get().status == 200
