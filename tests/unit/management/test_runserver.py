"""The command, with a server that serves nothing."""

from __future__ import annotations

import errno
import logging
import sys
from io import StringIO
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler, StaticFilesHandler
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import CommandError
from django.core.management.commands.runserver import Command as CoreCommand
from django.test import override_settings
from django.utils import autoreload

from daphne_like import process
from daphne_like.errors import StartupError
from daphne_like.management import reloading
from daphne_like.management.commands import runserver
from daphne_like.management.commands.runserver import Command, get_default_application
from daphne_like.server import Server
from tests.unit.django_site import set_up

set_up()


async def site(scope: Any, receive: Any, send: Any) -> None:
    """What is served."""


class Silent:
    """A server that listens on port 4711 and ends at once, or by an error."""

    made: list[Silent]
    error: StartupError | None = None
    end = 1

    def __init__(self, application: Any, **options: Any) -> None:
        self.application = application
        self.options = options
        self.listening_addresses: list[tuple[str, int]] = []
        self.ready_callable = options.get("ready_callable")
        self.stopped = False
        self.made.append(self)

    def run(self) -> None:
        if self.error is not None:
            raise SystemExit(self.end) from self.error
        self.listening_addresses.append(("127.0.0.1", 4711))
        self.ready_callable()

    def stop(self) -> None:
        self.stopped = True


class Ready(Silent):
    """As people subclass it: with something to call when it is ready."""

    calls: list[str]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.ready_callable = lambda: self.calls.append("ready")


@pytest.fixture(autouse=True)
def project(monkeypatch) -> ModuleType:
    """The module that has the application."""
    module = ModuleType("some_project_asgi")
    module.application = site
    monkeypatch.setitem(sys.modules, module.__name__, module)
    with override_settings(
        ASGI_APPLICATION="some_project_asgi.application", SETTINGS_MODULE="site", DEBUG=True
    ):
        yield module


@pytest.fixture(autouse=True)
def quiet() -> Any:
    yield
    logging.getLogger("daphne_like.server").filters.clear()


@pytest.fixture(autouse=True)
def exits(monkeypatch) -> list[int]:
    found: list[int] = []

    def leave(status: int) -> None:
        found.append(status)
        raise Left

    monkeypatch.setattr(runserver.os, "_exit", leave)
    return found


class Left(BaseException):
    """The process would be gone."""


@pytest.fixture
def command() -> Command:
    made = Command(stdout=StringIO(), stderr=StringIO(), no_color=True)
    made.server_cls = type("Made", (Silent,), {"made": []})
    made.check_migrations = lambda: None
    return made


def served(command: Command, *arguments: str, status: int | None = 0, **options: Any) -> Silent:
    """The server that was made; the process would have left with `status`."""
    options = {"use_reloader": False, "skip_checks": True, **options}
    if status is None:
        call_command(command, *arguments, **options)
    else:
        with pytest.raises(SystemExit) as end:
            call_command(command, *arguments, **options)
        assert end.value.code == status
    [server] = command.server_cls.made
    return server


# --- What is asked of the server --------------------------------------------------------------


def test_by_itself_it_has_daphnes_class_of_server() -> None:
    assert Command.server_cls is Server
    assert (Command.protocol, Command.default_addr, Command.default_port) == (
        "http",
        "127.0.0.1",
        "8000",
    )


def test_the_server_gets_what_daphnes_would(command) -> None:
    server = served(command)
    more = server.options.pop("options")
    tell = server.options.pop("action_logger")
    assert server.options == {
        "closing": 0.5,
        "endpoints": ["tcp:port=8000:interface=127.0.0.1"],
        "signal_handlers": True,
        "http_timeout": None,
        "root_path": "",
        "websocket_handshake_timeout": 5,
        "websocket_max_message_size": 1024 * 1024,
        "websocket_max_frame_size": 1024 * 1024,
    }
    assert tell == command.log_action
    assert more == {
        "endpoints": (),
        "host": "127.0.0.1",
        "port": 8000,
        "ssl_dev": False,
        "no_http2": False,
        "lifespan": "auto",
        "graceful_timeout": 1.0,
    }


def test_what_can_be_said_reaches_it(command) -> None:
    line = "[::1]:80 --http_timeout 1 --websocket_handshake_timeout 2 --websocket-max-frame-size 3"
    more = "--websocket-max-message-size 4 --ssl-dev --no-http2 --lifespan off"
    with override_settings(FORCE_SCRIPT_NAME="/below"):
        options = served(command, *line.split(), *more.split()).options
    assert options["endpoints"] == [r"tcp:port=80:interface=\:\:1"]
    assert options["root_path"] == "/below"
    assert (options["http_timeout"], options["websocket_handshake_timeout"]) == (1, 2)
    assert options["websocket_max_frame_size"] == 3
    assert options["websocket_max_message_size"] == 4
    chosen = options["options"]
    assert (chosen["ssl_dev"], chosen["no_http2"], chosen["lifespan"]) == (True, True, "off")
    assert (chosen["host"], chosen["port"]) == ("::1", 80)


@pytest.mark.parametrize("found", [True, False])
def test_a_name_is_looked_up_where_ipv6_is_asked_for(command, monkeypatch, found) -> None:
    def look_up(host: str, port: None, family: int) -> Any:
        if not found:
            raise runserver.socket.gaierror
        return [(family, 1, 6, "", ("fd00::1", 0, 0, 0))]

    monkeypatch.setattr(runserver.socket, "getaddrinfo", look_up)
    server = served(command, "here.example:80", "-6")
    assert server.options["options"]["host"] == ("fd00::1" if found else "here.example")


def test_outside_of_the_main_thread_signals_are_left_alone(command, monkeypatch) -> None:
    monkeypatch.setattr(runserver.threading, "current_thread", lambda: None)
    assert served(command).options["signal_handlers"] is False


@pytest.mark.parametrize(
    ("debug", "line", "wrapped"),
    [
        (True, "", True),
        (True, "--nostatic", False),
        (False, "", False),
        (False, "--insecure", True),
        (False, "--insecure --nostatic", False),
    ],
)
def test_static_files_are_served_in_front_of_the_application(command, debug, line, wrapped) -> None:
    with override_settings(DEBUG=debug):
        application = served(command, *line.split()).application
    assert (application is site) is not wrapped
    assert isinstance(application, ASGIStaticFilesHandler) is wrapped


def test_without_the_app_of_static_files_there_is_nothing_in_front(command) -> None:
    with override_settings(INSTALLED_APPS=["daphne_like"]):
        assert served(command).application is site
        with pytest.raises(CommandError, match="unrecognized arguments: --nostatic"):
            call_command(command, "--nostatic")


@pytest.mark.parametrize("installed", [True, False])
def test_for_djangos_own_server_static_files_are_wrapped_where_the_app_is(installed) -> None:
    names = ["django.contrib.staticfiles"] if installed else []
    with override_settings(INSTALLED_APPS=names, WSGI_APPLICATION=None):
        handler = Command().get_handler(use_static_handler=True, insecure_serving=False)
    assert isinstance(handler, StaticFilesHandler) is installed


# --- What is printed --------------------------------------------------------------------------


def printed(command: Command) -> str:
    return str(command.stdout.getvalue())


def test_the_banner_comes_when_it_listens_and_has_the_port_that_it_got(command) -> None:
    served(command, "0.0.0.0:0")
    said = printed(command)
    assert "Starting ASGI/Daphne-like version" in said
    assert "at http://0.0.0.0:4711/\n" in said
    assert "WARNING: This is a development server." in said
    assert "daphne-like some_project_asgi:application" in said


@pytest.mark.parametrize(
    ("line", "address"),
    [
        ("0:0", "http://0.0.0.0:4711/"),
        ("[::1]:0", "http://[::1]:4711/"),
        ("--ssl-dev", "https://127.0.0.1:4711/"),
    ],
)
def test_the_banner_has_an_address_that_a_browser_takes(command, line, address) -> None:
    served(command, line)
    assert f" at {address}\n" in printed(command)


def test_the_warning_can_be_hidden(command, monkeypatch) -> None:
    monkeypatch.setenv("DJANGO_RUNSERVER_HIDE_WARNING", "true")
    served(command)
    assert "WARNING" not in printed(command)


def test_somebody_elses_server_is_told_that_it_is_ready_after_the_banner(command) -> None:
    calls: list[str] = []
    command.server_cls = type("Made", (Ready,), {"made": [], "calls": calls})
    served(command)
    assert calls == ["ready"]
    assert "Starting" in printed(command)


@pytest.mark.parametrize("skipped", [True, False])
def test_the_project_is_checked_if_it_may(command, skipped) -> None:
    checked: list[Any] = []
    command.check = lambda **how: checked.append(how)
    served(command, skip_checks=skipped)
    assert checked == [] if skipped else [{"display_num_errors": True}]
    assert ("Performing system checks...\n\n" in printed(command)) is not skipped


def test_what_it_is_asked_to_say_at_the_end_comes_last(command) -> None:
    served(command, shutdown_message="Goodbye.")
    assert printed(command).endswith("\nGoodbye.\n")


def test_each_action_becomes_a_line(command, caplog) -> None:
    command.style = SimpleNamespace(HTTP_SUCCESS=str)
    details = {"status": 200, "method": "GET", "path": "/", "client": None, "time_taken": 0}
    with caplog.at_level("INFO", "django.channels.server"):
        command.log_action("http", "complete", details)
    assert caplog.messages == ["HTTP GET / 200 [0.00, None]"]


# --- What can go wrong ------------------------------------------------------------------------


def no_server(command: Command, cause: OSError | None, end: int = 1) -> None:
    try:
        if cause is not None:
            raise cause
    except OSError:
        error = StartupError("Cannot listen.")
        error.__context__ = cause
    else:
        error = StartupError("The application failed.", end)
    command.server_cls.error, command.server_cls.end = error, end


@pytest.mark.parametrize("watched", [True, False])
@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EADDRINUSE, "Error: That port is already in use."),
        (errno.EACCES, "Error: You don't have permission to access that port."),
        (errno.EADDRNOTAVAIL, "Error: That IP address can't be assigned to."),
        (errno.EMFILE, "Error: Cannot listen."),
    ],
)
def test_where_it_cannot_listen_the_process_is_left(
    command, exits, number, said, watched, monkeypatch
) -> None:
    monkeypatch.setattr(autoreload, "run_with_reloader", lambda call, **options: call(**options))
    monkeypatch.setenv("RUN_MAIN", "true")
    monkeypatch.setattr(process, "leave", lambda *_: None)
    monkeypatch.setattr(reloading, "hear_no_more", lambda: None)
    no_server(command, OSError(number, "no"))
    with pytest.raises(Left):
        served(command, use_reloader=watched)
    assert exits == [1]
    assert command.stderr.getvalue() == f"{said}\n"


def test_an_application_that_does_not_start_ends_it_with_the_servers_status(command) -> None:
    no_server(command, None, 3)
    with pytest.raises(CommandError, match=r"The application failed\.") as end:
        served(command)
    assert end.value.returncode == 3


def test_whatever_else_ends_the_server_ends_the_command(command) -> None:
    def run(self: Silent) -> None:
        raise SystemExit(5)

    command.server_cls.run = run
    served(command, status=5)


def test_the_server_does_not_tell_the_same_by_its_log(command, caplog) -> None:
    served(command)
    log = logging.getLogger("daphne_like.server")
    log.critical("Cannot listen")
    log.error("Exception inside application")
    assert caplog.messages == ["Exception inside application"]


def test_without_the_setting_there_is_nothing_to_serve(command) -> None:
    with override_settings(ASGI_APPLICATION=None), pytest.raises(CommandError, match="not set"):
        call_command(command)


def test_djangos_own_server_has_no_https(command) -> None:
    with pytest.raises(CommandError, match="--noasgi: Django's own server has no https"):
        call_command(command, "--noasgi", "--ssl-dev")


def test_djangos_own_server_says_so_by_itself(command, monkeypatch) -> None:
    def run(self: CoreCommand, *_: Any, **options: Any) -> None:
        assert self.server_cls is CoreCommand.server_cls
        self._raw_ipv6 = False
        self.on_bind(8000)

    monkeypatch.setattr(CoreCommand, "inner_run", run)
    call_command(command, "--noasgi", use_reloader=False)
    assert "Starting development server at http://127.0.0.1:8000/" in printed(command)
    assert "Daphne" not in printed(command)


# --- Where files are watched ------------------------------------------------------------------


def test_the_outer_process_serves_nothing(command, monkeypatch) -> None:
    monkeypatch.delenv("RUN_MAIN", raising=False)
    monkeypatch.setattr(reloading, "serve_again_and_again", lambda: 4)
    with pytest.raises(SystemExit) as end:
        call_command(command)
    assert end.value.code == 4
    assert command.server_cls.made == []


@pytest.fixture
def watching(monkeypatch) -> list[Any]:
    """The inner process; how it was left."""
    happened: list[Any] = []
    monkeypatch.setenv("RUN_MAIN", "true")
    monkeypatch.setattr(process, "leave", lambda *how: happened.append(how))
    monkeypatch.setattr(reloading, "hear_no_more", lambda: happened.append("deaf"))
    return happened


def watch(monkeypatch, *, status: int | None, serve: bool = True) -> None:
    """Let Django's watcher serve and leave with `status`, or be interrupted."""

    def run_with_reloader(call: Any, **options: Any) -> None:
        if serve:
            call(**options)
        if status is not None:
            raise SystemExit(status)

    monkeypatch.setattr(autoreload, "run_with_reloader", run_with_reloader)


@pytest.mark.parametrize("status", [3, 0, None])
def test_however_the_watcher_ends_the_server_ends_in_order(
    command, watching, monkeypatch, status
) -> None:
    watch(monkeypatch, status=status)
    server = served(command, use_reloader=True, status=status)
    assert server.stopped
    assert server.options["signal_handlers"] is False
    assert watching == ["deaf", (status or 0, 1.0)]


@pytest.mark.parametrize("served", [True, False])
def test_a_process_of_a_command_line_does_not_wait_for_threads(
    command, watching, monkeypatch, served
) -> None:
    def run(self: Command, **options: Any) -> None:
        self._running = "it ran" if served else None
        raise SystemExit(3)

    monkeypatch.setattr(Command, "run", run)
    with pytest.raises(SystemExit):
        command.run_from_argv(["manage.py", "runserver"])
    assert watching == [(3, 1.0)] * served


def test_a_port_that_is_none_is_refused_before_anything_is_started(command) -> None:
    with pytest.raises(CommandError, match=r"^Port 99999 is not between 0 and 65535\.$"):
        call_command(command, "99999")
    assert command.server_cls.made == []


def test_where_nothing_was_served_nothing_is_stopped(command, watching, monkeypatch) -> None:
    watch(monkeypatch, status=3, serve=False)
    with pytest.raises(SystemExit):
        call_command(command)
    assert watching == ["deaf"]


def test_what_is_wrong_with_the_application_is_told_while_files_are_watched(
    command, watching, monkeypatch
) -> None:
    watch(monkeypatch, status=None)
    no_server(command, None, 3)
    served(command, use_reloader=True, status=None)
    assert command.stderr.getvalue() == "Error: The application failed.\n"
    assert watching == ["deaf", (0, 1.0)]


# --- The application --------------------------------------------------------------------------


def test_the_application_is_what_the_setting_names() -> None:
    assert get_default_application() is site


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (None, "Cannot find ASGI_APPLICATION setting."),
        ("no_such_module.application", "Cannot import ASGI_APPLICATION module 'no_such_module'"),
        ("os.no_such.application", "Cannot import ASGI_APPLICATION module 'os.no_such'"),
        ("no_dots", "Cannot import ASGI_APPLICATION module 'no_dots'"),
        ("os.no_such", "Cannot find 'no_such' in ASGI_APPLICATION module os"),
    ],
)
def test_a_setting_that_names_none_is_told_apart(path, message) -> None:
    with override_settings(ASGI_APPLICATION=path), pytest.raises(ImproperlyConfigured) as refused:
        get_default_application()
    assert str(refused.value) == message


def test_what_the_module_itself_cannot_import_is_its_own_error(tmp_path, monkeypatch) -> None:
    (tmp_path / "needs_more_asgi.py").write_text("import no_such_module\n")
    monkeypatch.syspath_prepend(tmp_path)
    settings = override_settings(ASGI_APPLICATION="needs_more_asgi.application")
    with settings, pytest.raises(ModuleNotFoundError, match="'no_such_module'"):
        get_default_application()
