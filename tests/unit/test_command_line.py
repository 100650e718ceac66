"""Daphne's command line as a class: what its options become, and what can be overridden."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from typing import Any

import pytest

from daphne_like import cli, command_line
from daphne_like.access import AccessLogGenerator
from daphne_like.command_line import CommandLineInterface
from daphne_like.standalone import Server

APPLICATION = "tests.unit.test_command_line:application"


async def application(scope: Any, receive: Any, send: Any) -> None:
    raise NotImplementedError


no_application = "a word"


class Noted:
    """Stands for the server."""

    abort_start = False

    def __init__(self, **given: Any) -> None:
        self.given = given

    def run(self) -> None:
        self.given["ran"] = True


class Interface(CommandLineInterface):
    server_class = Noted


@pytest.fixture(autouse=True)
def _nothing_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(logging, "basicConfig", lambda **how: None)


def given(*words: str, name: str = APPLICATION) -> dict[str, Any]:
    interface = Interface()
    interface.run([*words, name])
    return interface.server.given


def test_without_options_the_server_has_daphnes_arguments() -> None:
    arguments = given()
    assert isinstance(arguments.pop("action_logger"), AccessLogGenerator)
    assert arguments == {
        "application": application,
        "endpoints": ["tcp:port=8000:interface=127.0.0.1"],
        "http_timeout": None,
        "ping_interval": 20,
        "ping_timeout": 30,
        "websocket_timeout": 86400,
        "websocket_connect_timeout": 5,
        "websocket_handshake_timeout": 5,
        "websocket_max_message_size": 1024 * 1024,
        "websocket_max_frame_size": 1024 * 1024,
        "application_close_timeout": 10,
        "root_path": "",
        "verbosity": 1,
        "server_name": "daphne-like",
        "ran": True,
    }


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        ("-p 0", "endpoints", ["tcp:port=0:interface=127.0.0.1"]),
        ("-b ::1", "endpoints", [r"tcp:port=8000:interface=\:\:1"]),
        ("-u /run/it --fd 3", "endpoints", ["fd:fileno=3", "unix:/run/it"]),
        ("-e b: -e a:", "endpoints", ["a:", "b:"]),
        ("-p 1 -e a:", "endpoints", ["a:", "tcp:port=1:interface=127.0.0.1"]),
        ("-t 3", "http_timeout", 3),
        ("--websocket_connect_timeout 3", "websocket_handshake_timeout", 3),
        ("-v 2", "verbosity", 2),
        ("-v 0", "action_logger", None),
        ("-s x", "server_name", "x"),
        ("--no-server-name", "server_name", ""),
        ("--proxy-headers", "proxy_forwarded_address_header", "X-Forwarded-For"),
        ("--proxy-headers", "proxy_forwarded_port_header", "X-Forwarded-Port"),
        ("--proxy-headers", "proxy_forwarded_proto_header", "X-Forwarded-Proto"),
        ("--proxy-headers --proxy-headers-host A", "proxy_forwarded_address_header", "A"),
        ("--proxy-headers --proxy-headers-port B", "proxy_forwarded_port_header", "B"),
    ],
)
def test_an_option_becomes_an_argument(words: str, name: str, value: Any) -> None:
    assert given(*words.split())[name] == value


@pytest.mark.parametrize("option", ["--proxy-headers-host", "--proxy-headers-port"])
def test_headers_of_proxies_need_their_switch(option: str) -> None:
    with pytest.raises(argparse.ArgumentError) as refused:
        given(option, "A")
    assert refused.value.argument_name == option
    assert refused.value.message == "--proxy-headers has to be passed for this parameter."


@pytest.mark.parametrize("words", [("-v", "0", "--access-log", "-"), ("-v", "1")])
def test_access_lines_go_to_standard_output(words: tuple[str, ...]) -> None:
    assert given(*words)["action_logger"].stream is sys.stdout


def test_access_lines_go_to_the_end_of_a_file(monkeypatch, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("before\n")

    def write(server: Noted) -> None:
        server.given["action_logger"].stream.write("after\n")
        assert (tmp_path / "log").read_text() == "before\nafter\n", "each line at once"

    monkeypatch.setattr(Noted, "run", write)
    assert given("--access-log", str(tmp_path / "log"))["action_logger"].stream.closed


@pytest.mark.parametrize(("verbosity", "level"), [(-1, 40), (0, 30), (1, 20), (2, 10), (3, 10)])
def test_verbosity_is_a_level_of_logging(monkeypatch, verbosity: int, level: int) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(logging, "basicConfig", lambda **how: asked.append(how))
    given("-v", str(verbosity), "--log-fmt", "%(message)s")
    assert asked == [{"level": level, "format": "%(message)s"}]


def test_what_cannot_be_called_is_handed_over_as_it_is() -> None:
    assert given(name=f"{__name__}:no_application")["application"] == "a word"


def four(a: Any, b: Any, c: Any, d: Any) -> Any:
    raise NotImplementedError


def test_what_is_no_application_is_refused(capsys) -> None:
    with pytest.raises(SystemExit) as left:
        given(name=f"{__name__}:four")
    assert left.value.code == 2
    assert "it takes (a, b, c, d), not (scope, receive, send)" in capsys.readouterr().err


def test_a_subclass_loads_the_application_by_itself() -> None:
    class Loading(Interface):
        description = "Serve what I say"

        def load_asgi_app(self, asgi_app_path: str) -> Any:
            assert asgi_app_path == "mine"
            return application

    interface = Loading()
    assert interface.parser.description == "Serve what I say"
    interface.run(["mine"])
    assert interface.server.given["application"] is application


def test_what_did_not_start_is_status_1(monkeypatch) -> None:
    monkeypatch.setattr(Noted, "abort_start", True)
    with pytest.raises(SystemExit) as left:
        given()
    assert left.value.code == 1


def test_the_entry_point_takes_the_words_of_the_process(monkeypatch) -> None:
    monkeypatch.setattr(sys, "argv", ["serve", "-p", "1", APPLICATION])
    ran: list[Any] = []
    monkeypatch.setattr(Noted, "run", lambda self: ran.append(self.given["endpoints"]))
    Interface.entrypoint()
    assert ran == [["tcp:port=1:interface=127.0.0.1"]]


def test_it_is_found_where_daphne_has_it() -> None:
    assert cli.CommandLineInterface is command_line.CommandLineInterface
    assert CommandLineInterface.server_class is Server
