"""``manage.py runserver``: what a developer sees of it, by every Django there is here."""

from __future__ import annotations

import os
import re
import signal
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect as websocket

from daphne_like import __version__
from tests.frameworks.runserver import Project, Release, Runserver, releases
from tests.frameworks.serving import eventually
from tests.live.serving import PATIENCE

STATIC = "/static/site.css"
RESET = b"\x01\x00\x00\x00\x00\x00\x00\x00"
CLOSED = "Here they are closed"


@pytest.fixture(scope="module", params=list(releases()))
def release(request: pytest.FixtureRequest) -> Release:
    found = releases()[request.param]
    if not found.path.exists():
        give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        give_up("Django's LTS is not installed; `make tools` does it")
    return found


@pytest.fixture
def project(tmp_path: Path, release: Release) -> Project:
    return Project(tmp_path, release)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, release: Release) -> Iterator[Runserver]:
    """One with the reloader, in colours, for all tests that only ask."""
    project = Project(tmp_path_factory.mktemp("runserver"), release)
    with project.runserver("--force-color", noise=True) as running:
        yield running


# --- What is printed --------------------------------------------------------------------------


def test_the_banner_says_what_serves_where(server) -> None:
    [line] = server.stdout.wait_for("Starting ASGI/Daphne")
    port = server.addresses[0][1]
    assert port != 0
    started = f"Starting ASGI/Daphne-like version {__version__} development server"
    assert line == f"{started} at http://127.0.0.1:{port}/"
    server.stdout.wait_for("WARNING: This is a development server.")
    said = "\n".join(server.stdout.lines)
    assert said.startswith("Performing system checks...\n\nSystem check identified no issues")
    assert re.search(r"^\w+ \d\d, \d{4} - \S+", said, re.MULTILINE)
    assert re.search(r"Django version \d\S+, using settings 'mysite\.settings'", said)
    assert "Quit the server with CONTROL-C." in said
    assert "daphne-like mysite.asgi:application" in said


@pytest.mark.parametrize(
    ("path", "status", "colour"),
    [
        ("/", 200, ""),
        ("/moved", 302, "32"),
        ("/nothing", 404, "33"),
        ("/fail", 500, "35;1"),
        ("/?a=1", 200, ""),
    ],
)
def test_each_request_is_a_line_in_the_colour_of_its_status(server, path, status, colour) -> None:
    line = re.escape(f"\x1b[{colour}mHTTP GET {path} {status} [") + r"\d\.\d\d, 127\.0\.0\.1:\d+\]"
    assert re.match(line, server.line_of(path))


def test_what_is_not_modified_has_a_colour_of_its_own(server) -> None:
    server.get(STATIC, {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"})
    assert server.stderr.wait_for(f"\x1b[36mHTTP GET {STATIC} 304 [")


def test_each_step_of_a_websocket_is_a_line(server) -> None:
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    assert server.get("/ws", upgrade).status == 500, "plain Django serves no WebSockets"
    assert server.stderr.wait_for("WebSocket HANDSHAKING /ws [127.0.0.1:")
    assert server.stderr.wait_for("WebSocket REJECT /ws [127.0.0.1:")


ECHO = """
inner = application

async def application(scope, receive, send):
    if scope["type"] != "websocket":
        return await inner(scope, receive, send)
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})
"""


def test_a_websocket_is_served_within_the_size_that_is_a_setting(project) -> None:
    project.add(ECHO, "asgi.py")
    project.add("DAPHNE_WEBSOCKET_MAX_MESSAGE_SIZE = 10")
    with project.runserver("--noreload") as server:
        with websocket(server.url.replace("http", "ws") + "/ws?a=1") as client:
            client.send("hello")
            assert client.recv(PATIENCE) == "hello"
            client.send("hello, everybody")
            with pytest.raises(ConnectionClosed) as closed:
                client.recv(PATIENCE)
        assert closed.value.rcvd.code == 1009
        for word in ("HANDSHAKING", "CONNECT", "DISCONNECT"):
            assert server.stderr.wait_for(f"WebSocket {word} /ws?a=1 [127.0.0.1:")


@pytest.mark.parametrize("options", [("--skip-checks",), ("--skip-checks", "--noreload")])
def test_checks_can_be_skipped_and_the_warning_hidden(project, monkeypatch, options) -> None:
    monkeypatch.setenv("DJANGO_RUNSERVER_HIDE_WARNING", "true")
    with project.runserver(*options) as server:
        assert server.get("/").body == b"Hello!\n"
    assert not any("system check" in line.lower() for line in server.stdout.lines)
    assert not any("WARNING" in line for line in server.stdout.lines)


def test_migrations_that_are_missing_are_told_of(project) -> None:
    project.add('INSTALLED_APPS += ["django.contrib.auth", "django.contrib.contenttypes"]')
    with project.runserver("--noreload") as server:
        assert server.stdout.wait_for("unapplied migration(s)")


def test_an_ipv6_address_is_served_and_told_of_in_brackets(project) -> None:
    with project.serve("runserver", "-6", "localhost:0", "--nothreading", "--noreload") as server:
        assert server.get("/").status == 200
    with project.runserver("--noreload", at="[::1]:0") as server:
        assert server.url.startswith("http://[::1]:")
        assert server.get("/").status == 200


# --- Static files -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("debug", "options", "status"),
    [
        (True, [], 200),
        (True, ["--nostatic"], 404),
        (False, [], 404),
        (False, ["--insecure"], 200),
        (True, ["--noasgi"], 200),
        (True, ["--noasgi", "--nostatic"], 404),
    ],
)
def test_static_files_are_served_where_they_may(project, debug, options, status) -> None:
    project.add(f"DEBUG = {debug}")
    at = f"127.0.0.1:{free_port()}" if "--noasgi" in options else "127.0.0.1:0"
    with project.runserver("--noreload", *options, at=at, noise=True) as server:
        answer = server.get(STATIC)
        assert answer.status == status
        assert ("WSGIServer" in answer.headers["server"]) == ("--noasgi" in options)
        server.stop(signal.SIGINT)


def free_port() -> int:
    """Django's own server does not tell which port it has taken for 0 (4.2)."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def test_without_the_app_of_static_files_there_are_no_options_for_them(project) -> None:
    project.add('INSTALLED_APPS = ["daphne_like"]')
    status, said = project.settles("runserver", "0", "--nostatic")
    assert status == 2
    assert "unrecognized arguments: --nostatic" in said
    with project.runserver("--noreload") as server:
        assert server.get(STATIC).status == 404


def test_whitenoise_serves_them_in_its_own_way_where_it_comes_first(project) -> None:
    project.add(
        'INSTALLED_APPS.insert(0, "whitenoise.runserver_nostatic")\n'
        'MIDDLEWARE.insert(0, "whitenoise.middleware.WhiteNoiseMiddleware")\n'
        "WHITENOISE_MAX_AGE = 4711"
    )
    with project.runserver("--noreload", noise=True) as server:
        answer = server.get(STATIC)
        assert answer.status == 200
        assert answer.headers["cache-control"] == "max-age=4711, public"
        assert answer.headers["server"] == "daphne-like"


# --- Reloading, and how it ends ---------------------------------------------------------------


def test_a_changed_file_is_served_and_the_application_has_shut_down_before(project) -> None:
    with project.runserver() as server:
        assert server.stderr.wait_for("Here connections to other servers are opened")
        assert server.get("/").body == b"Hello!\n"
        server.sees_change(project.change("Hello!", "Good day!"))
        assert server.stderr.wait_for(CLOSED)
        again = server.stdout.wait_for("Starting ASGI", count=2)[-1]
        port = int(re.search(r":(\d+)/$", again)[1])
        server.addresses[0] = ("127.0.0.1", port)
        assert server.get("/").body == b"Good day!\n"
    assert server.exit_status == 0


@pytest.mark.parametrize("options", [(), ("--noreload",)])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_the_application_shut_down(project, options, number) -> None:
    with project.runserver(*options) as server:
        assert server.get("/").status == 200
        assert server.stop(number) == 0
    assert server.stderr.wait_for(CLOSED)


def test_control_c_reaches_both_processes_and_they_end_in_order(project) -> None:
    with project.runserver() as server:
        assert server.interrupt() == 0
    assert server.stderr.wait_for(CLOSED)


def test_a_stream_without_an_end_does_not_keep_a_reload_waiting(project) -> None:
    """Django leaves the body of a request that is cancelled open: noise of its own."""
    with (
        project.runserver(noise=True) as server,
        httpx.stream("GET", server.url + "/endless", timeout=PATIENCE) as answer,
    ):
        pieces = answer.iter_raw()
        assert next(pieces)
        server.sees_change(project.change("Hello!", "Good day!"))
        with pytest.raises(httpx.HTTPError):
            list(pieces)
        assert server.stdout.wait_for("Starting ASGI", count=2)


def stick(server: Runserver, connection: socket.socket) -> None:
    """Ask for what never ends, in a thread."""
    connection.sendall(b"GET /stuck HTTP/1.1\r\nHost: localhost\r\n\r\n")
    eventually(lambda: "stuck" in server.noted())


LEFT = "A thread of the application does not end"


def test_a_view_that_is_stuck_in_its_thread_does_not_keep_a_reload_waiting(project) -> None:
    with project.runserver(noise=True) as server, closing(server.connect()) as connection:
        stick(server, connection)
        server.sees_change(project.change("Hello!", "Good day!"))
        assert server.stderr.wait_for(LEFT)
        assert server.stdout.wait_for("Starting ASGI", count=2)


@pytest.mark.parametrize("options", [(), ("--noreload",)])
def test_a_view_that_is_stuck_does_not_keep_a_signal_waiting(project, options) -> None:
    with (
        project.runserver(*options, noise=True) as server,
        closing(server.connect()) as connection,
    ):
        stick(server, connection)
        assert server.stop(signal.SIGTERM) == 0
        assert server.stderr.wait_for(CLOSED)
        assert server.stderr.wait_for(LEFT)


def test_a_file_that_was_broken_is_shown_and_mended_while_it_is_watched(project) -> None:
    with project.runserver(noise=True) as server:
        server.sees_change(project.change("def greeting", "def greeting greeting"))
        assert server.stderr.wait_for("SyntaxError")
        server.sees_change(project.change("def greeting greeting", "def greeting"), count=2)
        assert server.stdout.wait_for("Starting ASGI", count=2)


@pytest.mark.parametrize("options", [(), ("--noreload",)])
def test_a_port_in_use_ends_it_with_1_and_in_djangos_words(project, options) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        status, said = project.settles("runserver", address, *options)
    assert status == 1
    assert "Error: That port is already in use." in said
    assert "Cannot listen" not in said, "it is told once"
    assert "Traceback" not in said


def test_an_address_of_another_machine_is_refused_in_djangos_words(project) -> None:
    status, said = project.settles("runserver", "192.0.2.1:8000", "--noreload")
    assert (status, "Error: That IP address can't be assigned to." in said) == (1, True)


FAILING = '    raise LookupError("no such pool")\n    await receive()\n'


def test_an_application_that_does_not_start_can_be_mended_while_it_is_watched(project) -> None:
    project.change("    await receive()\n", FAILING, "asgi.py")
    server = project.runserver("--lifespan", "on", noise=True)
    try:
        server.stderr.wait_for("Error: ")
        assert server.exit_status is None
        server.sees_change(project.change(FAILING, "    await receive()\n", "asgi.py"))
        with server:
            assert server.get("/").status == 200
    except BaseException:
        server.stop(signal.SIGKILL)
        raise


def test_an_application_that_does_not_start_ends_it_with_3_where_nothing_is_watched(
    project,
) -> None:
    project.change("    await receive()\n", FAILING, "asgi.py")
    status, said = project.settles("runserver", "0", "--noreload", "--lifespan", "on")
    assert status == 3
    assert "CommandError: " in said
    assert "no such pool" in said


def test_testserver_serves_its_own_database_and_says_goodbye(project) -> None:
    project.add('INSTALLED_APPS += ["django.contrib.auth", "django.contrib.contenttypes"]')
    fixture = project.place / "groups.json"
    fixture.write_text('[{"model": "auth.group", "pk": 1, "fields": {"name": "editors"}}]')
    arguments = ("--noinput", "--addrport", "127.0.0.1:0", str(fixture))
    with project.serve("testserver", *arguments, noise=True) as server:
        assert server.get("/groups").body == b'["editors"]'
        assert server.stop(signal.SIGINT) == 0
    assert server.stdout.wait_for("Server stopped.")


# --- The application --------------------------------------------------------------------------


def test_the_setting_that_names_the_application_has_to_be_there(project) -> None:
    project.add("del ASGI_APPLICATION")
    said = project.run("runserver", "0", "--noreload")
    assert said.returncode == 1
    assert "CommandError: You have not set ASGI_APPLICATION" in said.stderr


def test_daphnes_app_has_to_go_where_daphne_is_gone(project) -> None:
    project.add('INSTALLED_APPS += ["daphne"]')
    done = project.run("check")
    said = "Take 'daphne' out of INSTALLED_APPS: Daphne is not installed"
    assert said in done.stderr.splitlines()[-1]


def test_what_the_applications_module_cannot_import_is_shown(project) -> None:
    project.add("import does_not_exist", "asgi.py")
    said = project.run("runserver", "0", "--noreload")
    assert said.returncode == 1
    assert "No module named 'does_not_exist'" in said.stderr
    assert "ImproperlyConfigured" not in said.stderr


def test_a_script_name_that_is_set_is_the_root_path(project) -> None:
    project.add('FORCE_SCRIPT_NAME = "/mounted"')
    with project.runserver("--noreload") as server:
        assert server.get("/mounted/where").body == b'{"scheme": "http", "name": "/mounted/where"}'


@pytest.mark.parametrize(("options", "version"), [((), "HTTP/2"), (("--no-http2",), "HTTP/1.1")])
def test_https_comes_with_http2_and_a_certificate_that_is_made(project, options, version) -> None:
    with project.runserver("--noreload", "--ssl-dev", *options) as server:
        assert server.url.startswith("https://127.0.0.1:")
        with httpx.Client(http2=True, verify=False, timeout=PATIENCE) as client:
            answer = client.get(server.url + "/where")
        assert answer.http_version == version
        assert answer.json()["scheme"] == "https"


def test_a_project_as_django_makes_it_is_served_with_its_admin(project) -> None:
    project.start_anew()
    project.add(
        'INSTALLED_APPS.insert(0, "daphne_like")\n'
        'ASGI_APPLICATION = "mysite.asgi.application"\n'
        'PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]'
    )
    assert project.run("migrate").returncode == 0
    who = ("--noinput", "--username", "admin", "--email", "admin@example.org")
    assert project.run("createsuperuser", *who, DJANGO_SUPERUSER_PASSWORD="open").returncode == 0
    with (
        project.runserver("--noreload") as server,
        httpx.Client(base_url=server.url, follow_redirects=True, timeout=PATIENCE) as client,
    ):
        page = client.get("/admin/")
        assert page.url.path == "/admin/login/"
        assert client.get("/static/admin/css/base.css").status_code == 200
        form = {"username": "admin", "password": "open", "next": "/admin/"}
        form["csrfmiddlewaretoken"] = client.cookies["csrftoken"]
        answer = client.post("/admin/login/", data=form)
        assert (answer.status_code, "Site administration" in answer.text) == (200, True)


# --- What Django's handler needs --------------------------------------------------------------


def leave(server: Runserver, path: str, sign: str | None) -> None:
    """Ask for `path` and leave for good when `sign` is noted, or when a first piece has come."""
    with closing(server.connect()) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert sign is not None or connection.recv(100)
        eventually(lambda: sign is None or sign in server.noted())


@pytest.mark.parametrize(
    ("path", "begun", "ended"),
    [("/patient", "patient began", "patient cancelled"), ("/endless", None, "stream ended")],
)
def test_who_leaves_ends_the_view_and_the_request_is_finished(
    server, release, path, begun, ended
) -> None:
    leave(server, path, begun)
    eventually(lambda: ended in server.noted())
    if release == releases().get("lts"):
        return  # Django looks out for such clients since 5.0: here the server has ended it.

    def even() -> bool:
        noted = server.noted()
        return noted.count("started") == noted.count("finished") + 1

    eventually(even)


def test_other_commands_load_no_twisted(project) -> None:
    code = (
        "import sys; from django.core.management import execute_from_command_line as run; "
        "run(['manage.py', 'check']); "
        "print(sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    said = project.python(code)
    assert said.returncode == 0, said.stderr
    modules = said.stdout.splitlines()[-1]
    assert "'daphne_like'" in modules
    for name in ("twisted", "zope", "autobahn", "uvloop", "httptools"):
        assert f"'{name}'" not in modules


def test_an_app_that_imports_the_reactor_does_not_get_another_one_first(project) -> None:
    project.add('INSTALLED_APPS += ["mysite"]')
    project.add("from twisted.internet import reactor", "models.py")
    for options in ((), ("--noreload",)):
        with project.runserver(*options) as server:
            assert server.get("/").status == 200
