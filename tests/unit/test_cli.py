"""The command line and the twistd plugin: what they read, what they say, and the exit status.

Nothing is served: the reactor, the service and the run are doubles.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from daphne_like import __version__, cli, process, server
from daphne_like.config import GROUPS, Config
from daphne_like.errors import ConfigError, DaphneLikeError, RemoteFault, StartupError
from daphne_like.options import OPTIONS


def configured(line: str) -> Config:
    return cli.configured(line.split())


# --- Options ----------------------------------------------------------------------------------


def test_what_is_not_given_is_the_configurations_to_choose() -> None:
    assert vars(cli.parser().parse_args([])) == {}
    assert configured("--demo") == Config(demo=True)


def test_a_command_line_becomes_a_configuration() -> None:
    config = configured(
        "a.b:c -p 0 -t 1.5 --header x:1 --header y:2 -e tcp:1 -e tcp:2 --lifespan off"
    )
    assert config.application == "a.b:c"
    assert config.port == 0
    assert config.limits.http_timeout == 1.5
    assert config.headers == ((b"x", b"1"), (b"y", b"2"))
    assert config.endpoints == ("tcp:1", "tcp:2")
    assert config.lifespan == "off"


@pytest.mark.parametrize("option", [o for o in OPTIONS if not o.switch], ids=lambda o: o.name)
def test_every_spelling_of_an_option_means_the_same(option) -> None:
    texts = {"headers": "x: y", "admin_bind": "localhost:1"}
    text = texts.get(option.name) or (option.choices or ("1",))[-1]
    for flag in option.flags:
        value = option.type(text)
        expected = [value] if option.repeatable else value
        assert vars(cli.parser().parse_args([flag, text])) == {option.name: expected}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--demo --bogus", "unrecognized arguments: --bogus; see --help."),
        ("--demo --acc", "unrecognized arguments: --acc; see --help."),
        ("--demo -p x", "--port 'x' is not a whole number."),
        ("--demo -p", "argument -p/--port: expected one argument; see --help."),
        ("--demo --lifespan never", "argument --lifespan: invalid choice: 'never'"),
        ("--demo --header x", "--header 'x': write it as 'name: value'."),
        ("", "No application"),
    ],
)
def test_a_bad_command_line_is_refused_in_one_line(arguments, said) -> None:
    with pytest.raises(ConfigError) as refusal:
        configured(arguments)
    assert str(refusal.value).startswith(said)
    assert "\n" not in str(refusal.value)


def answer(argument: str, capsys: Any) -> str:
    with pytest.raises(SystemExit) as left:
        cli.main([argument])
    assert left.value.code == 0
    text, errors = capsys.readouterr()
    assert errors == ""
    return text


def test_help_has_every_option_by_group_with_its_default(capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    lines = answer("--help", capsys).splitlines()
    places = [lines.index(f"{group}:") for group in GROUPS if f"{group}:" in lines]
    assert len(places) == len({option.group for option in OPTIONS})
    assert places == sorted(places)
    shown = {line.split()[0].rstrip(","): line for line in lines if line.startswith("  -")}
    assert shown.keys() >= {option.flags[0] for option in OPTIONS}
    assert shown["--keep-alive"].startswith("  --keep-alive SECONDS ")
    assert shown["--keep-alive"].endswith(" Default: 75.0.")
    assert "--port N" in shown["-p"]
    assert shown["-p"].endswith(" 0 for any.")
    assert "--uds TEXT" in shown["-u"]
    assert "{auto,on,off}" in shown["--lifespan"]
    assert shown["--log-fmt"].endswith(" Default: '%(asctime)-15s %(levelname)-8s %(message)s'.")
    assert shown["--app-dir"].endswith(" Default: '.'.")
    assert "Default" not in shown["--factory"] + shown["-e"] + shown["--root-path"]


def test_the_version_is_the_packages(capsys) -> None:
    assert answer("--version", capsys) == f"daphne-like {__version__}\n"


# --- Running ----------------------------------------------------------------------------------


class House:
    """Stands for the process, its reactor and the service; a list of what happened to them."""

    failure: DaphneLikeError | None = None
    refusal: ConfigError | None = None

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.config: Any = None

    def noted(self, name: str) -> Callable[..., None]:
        return lambda *given: self.events.append((name, *given))

    def install_reactor(self, kind: str = "auto", *, tls: bool = False) -> House:
        if self.refusal is not None:
            raise self.refusal
        self.events.append(("reactor", kind, tls))
        return self

    way_out = ""

    def service(self, config: Config, reactor: House, *, failed: Any, way_out: str = "") -> House:
        assert reactor is self
        self.config, self._failed, self.way_out = config, failed, way_out
        self.events.append("service")
        return self

    def startService(self) -> None:
        self.events.append("start")
        if self.failure is not None:
            self._failed(self.failure)

    def stopService(self) -> None:
        self.events.append("stop")

    def force(self) -> None:
        self.events.append("force")

    def stop(self) -> None:
        self.events.append("reactor stops")

    def run(self, reactor: House, *steps: Callable[[], object]) -> None:
        assert reactor is self
        for step in steps:
            step()


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> House:
    made = House()
    monkeypatch.setattr(process, "install_reactor", made.install_reactor)
    monkeypatch.setattr(process, "run", made.run)
    monkeypatch.setattr(server, "ASGIService", made.service)
    for name in ("set_up_logging", "bridge_twisted_log", "log_to_twisted", "exit_with", "leave"):
        monkeypatch.setattr(process, name, made.noted(name))
    return made


def test_it_serves_from_start_to_stop_and_leaves_with_success(house, capsys) -> None:
    line = "--demo --loop asyncio -v 2 --log-fmt f --application-close-timeout 7"
    assert cli.main(line.split()) == 0
    assert house.events == [
        ("set_up_logging", 2, "f"),
        ("reactor", "asyncio", False),
        ("bridge_twisted_log",),
        "service",
        "start",
        "stop",
        "force",
        ("leave", 0, 7.0),
    ]
    assert house.config == configured(line)
    assert "a second signal" in house.way_out
    assert capsys.readouterr() == ("", "")


def test_without_arguments_it_takes_the_processs(house, monkeypatch) -> None:
    monkeypatch.setattr(sys, "argv", ["daphne-like", "--demo", "-p", "7"])
    assert cli.main() == 0
    assert house.config.port == 7


FAILURES = pytest.mark.parametrize(
    ("failure", "status"),
    [
        (ConfigError("wrong"), 2),
        (StartupError("wrong"), 1),
        (StartupError("wrong", 3), 3),
        (RemoteFault(400, "wrong"), 1),
    ],
    ids=repr,
)


@FAILURES
def test_a_start_that_fails_stops_the_reactor_and_sets_the_status(
    house, capsys, failure, status
) -> None:
    house.failure = failure
    assert cli.main(["--demo"]) == status
    assert house.events[4:6] == ["start", "reactor stops"]
    assert house.events[-1] == ("leave", status, 10.0)
    assert capsys.readouterr() == ("", "daphne-like: wrong\n")


def test_what_is_refused_before_anything_runs_is_said_and_simply_returned(house, capsys) -> None:
    house.refusal = ConfigError("another reactor")
    assert cli.main(["--demo"]) == 2
    assert [event[0] for event in house.events] == ["set_up_logging"]
    assert capsys.readouterr() == ("", "daphne-like: another reactor\n")


@pytest.mark.parametrize(
    ("arguments", "tls"),
    [
        ("", False),
        ("-e tcp:1 -e TCP6:1 -e unix:/ssl:x -e fd:3", False),
        ("-e tcp:1 -e ssl:443", True),
        ("-e haproxy:tcp:1", True),
        ("-e systemd:domain=INET", True),
        ("--twisted-tls", True),
    ],
)
def test_openssl_is_loaded_where_twisted_may_need_it(house, arguments, tls) -> None:
    cli.main(["--demo", *arguments.split()])
    assert ("reactor", "auto", tls) in house.events


# --- twistd -----------------------------------------------------------------------------------


def parsed(arguments: str) -> Any:
    options = cli.Options()
    options.parseOptions(arguments.split())
    return options


def test_twistd_has_the_same_options_and_any_reactor_it_may_need(house) -> None:
    options = parsed("a:b -p 7 --loop asyncio")
    assert options["config"] == configured("a:b -p 7 --loop asyncio")
    assert options["reactor"] is house
    assert house.events == [("reactor", "asyncio", True)]


@pytest.mark.parametrize(
    ("arguments", "refusal", "said"),
    [
        (["a:b", "--bogus"], None, "unrecognized arguments: --bogus; see --help."),
        (None, None, "No application: give it as module:attribute, or try --demo."),
        (["a:b"], ConfigError("another reactor"), "another reactor"),
    ],
)
def test_under_twistd_too_an_error_is_one_line(house, capsys, arguments, refusal, said) -> None:
    house.refusal = refusal
    with pytest.raises(SystemExit) as left:
        cli.Options().parseOptions(arguments)
    assert left.value.code == 2
    assert capsys.readouterr() == ("", f"daphne-like: {said}\n")


def test_the_help_of_twistd_is_about_twistd(capsys) -> None:
    with pytest.raises(SystemExit) as left:
        parsed("--help")
    assert left.value.code == 0
    assert capsys.readouterr().out.startswith("usage: twistd daphne-like ")


def test_the_service_of_twistd_logs_to_twisted(house) -> None:
    assert cli.makeService(parsed("--demo -v 2")) is house
    assert house.config.demo
    assert house.way_out == "", "twistd has signals of its own"
    assert house.events[1:] == [("log_to_twisted", 2), "service"]


@FAILURES
def test_under_twistd_a_start_that_fails_sets_the_status_too(
    house, capsys, failure, status
) -> None:
    house.failure = failure
    cli.makeService(parsed("--demo")).startService()
    assert house.events[-2:] == [("exit_with", status), "reactor stops"]
    assert capsys.readouterr() == ("", "daphne-like: wrong\n")


def test_other_names_are_not_there() -> None:
    with pytest.raises(AttributeError, match="Nothing"):
        _ = cli.Nothing
