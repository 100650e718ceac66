"""The command line and the twistd plugin: what they read, what they say, and the exit status.

Nothing is served: the reactor, the service and the run are doubles.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from daphne_like import assembly, cli, lifeline, logs, process, server
from daphne_like.config import Config
from daphne_like.errors import ConfigError, DaphneLikeError, RemoteFault, StartupError
from daphne_like.limits import longest_stop
from daphne_like.notify import Notifier
from daphne_like.orders import Orders
from daphne_like.places import OWN_KINDS
from daphne_like.supervisor import parent
from daphne_like.transport import endpoints


def configured(line: str) -> Config:
    return cli.configured(line.split())


@pytest.fixture(autouse=True)
def nothing_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither a project in the current directory, nor variables but those that a test sets."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    for name in [name for name in os.environ if name.startswith("DAPHNE_LIKE_")]:
        del os.environ[name]


# --- Places -----------------------------------------------------------------------------------


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
    assert configured("--demo") == Config(demo=True)


def test_the_command_line_is_before_the_environment_and_that_before_the_file() -> None:
    Path("mysite.toml").write_text("demo = true\nport = 1\nbacklog = 1\nbody-size = 1\n")
    os.environ.update(DAPHNE_LIKE_PORT="2", DAPHNE_LIKE_BACKLOG="2")
    config = configured("--config mysite.toml --port 3")
    assert (config.port, config.limits.backlog, config.limits.body_size) == (3, 2, 1)
    os.environ["DAPHNE_LIKE_CONFIG"] = "mysite.toml"
    assert configured("--port 3") == config
    Path("other.toml").write_text("demo = true\n")
    assert configured("--config other.toml").limits.body_size == 0


def test_without_a_file_the_project_in_the_current_directory_is_read() -> None:
    Path("pyproject.toml").write_text("[tool.daphne-like]\ndemo = true\nport = 1\n")
    assert configured("") == Config(demo=True, port=1)
    Path("mysite.toml").write_text("demo = true\n")
    assert configured("--config mysite.toml") == Config(demo=True)


def test_a_file_sets_variables_that_are_not_set_for_us_and_for_the_application() -> None:
    Path(".env").write_text("DAPHNE_LIKE_PORT=1\nDAPHNE_LIKE_DEMO=yes\nA=file\nB=file\n")
    os.environ.update(A="real", DAPHNE_LIKE_PORT="2")
    assert configured("--env-file .env") == Config(demo=True, port=2)
    assert (os.environ["A"], os.environ["B"]) == ("real", "file")
    del os.environ["DAPHNE_LIKE_DEMO"]
    os.environ["DAPHNE_LIKE_ENV_FILE"] = ".env"
    assert configured("").demo


def test_a_variable_that_is_no_option_is_warned_of(capsys) -> None:
    os.environ["DAPHNE_LIKE_PROT"] = "1"
    configured("--demo")
    said = "DAPHNE_LIKE_PROT in the environment is no option; did you mean DAPHNE_LIKE_PORT?"
    assert capsys.readouterr() == ("", f"daphne-like: {said}\n")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "No application"),
        ("--bogus", "unknown option --bogus; see --help."),
        ("--config nowhere", "Cannot read --config nowhere"),
        ("--env-file nowhere", "Cannot read --env-file nowhere"),
        ("--config=", "--config is empty: name a file, or leave it out."),
        ("--env-file=", "--env-file is empty: name a file, or leave it out."),
    ],
)
def test_a_bad_configuration_is_refused_in_one_line(line: str, said: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        configured(line)
    assert str(refusal.value).startswith(said)
    assert "\n" not in str(refusal.value)


def test_a_file_that_a_variable_names_without_a_word_is_refused() -> None:
    os.environ["DAPHNE_LIKE_CONFIG"] = ""
    with pytest.raises(ConfigError, match=r"^DAPHNE_LIKE_CONFIG is empty: "):
        configured("--demo")


# --- Questions --------------------------------------------------------------------------------


def test_what_counts_is_printed_as_a_file_that_says_the_same(capsys) -> None:
    os.environ["DAPHNE_LIKE_HEADER"] = "a: b\nc: d"
    Path("pyproject.toml").write_text("[tool.daphne-like]\nlog-level = 'debug'\n")
    line = "--demo -p 0"
    with pytest.raises(SystemExit) as left:
        configured(f"{line} --print-config")
    assert left.value.code == 0
    text, errors = capsys.readouterr()
    assert errors == ""
    assert "port = 0  # command line" in text.splitlines()
    Path("printed.toml").write_text(text)
    expected = configured(line)
    del os.environ["DAPHNE_LIKE_HEADER"]
    assert configured("--config printed.toml") == expected


class Rehearsal:
    """Stands for the assembly and the process's loop."""

    failure: DaphneLikeError | None = None

    def run_once(self, rehearsed: Any) -> None:
        self.rehearsed = rehearsed
        if self.failure is not None:
            raise self.failure


@pytest.fixture
def rehearsal(house: House, monkeypatch: pytest.MonkeyPatch) -> Rehearsal:
    made = Rehearsal()
    monkeypatch.setattr(assembly, "rehearse", lambda config, reactor: (config, reactor))
    monkeypatch.setattr(process, "run_once", made.run_once)
    return made


@pytest.mark.parametrize("name", ["--demo", "a:b"])
def test_a_check_makes_everything_and_says_that_it_is_fine(house, rehearsal, capsys, name) -> None:
    with pytest.raises(SystemExit) as left:
        configured(f"{name} --check --loop asyncio -v 2 --log-fmt f")
    assert left.value.code == 0
    assert capsys.readouterr() == (f"{name} is fine.\n", "")
    config = configured(f"{name} --loop asyncio -v 2 --log-fmt f")
    assert rehearsal.rehearsed == (config, house)
    assert house.events == [
        ("set_up_logging", config, None),
        ("reactor", "asyncio", False),
        ("bridge_twisted_log",),
        ("leave", 0, 10.0),
    ]


def test_a_check_that_fails_says_why_and_has_the_status_of_a_start(
    house, rehearsal, capsys
) -> None:
    rehearsal.failure = StartupError("wrong", 3)
    with pytest.raises(SystemExit) as left:
        configured("a:b --check")
    assert left.value.code == 3
    assert capsys.readouterr() == ("", "daphne-like: wrong\n")
    assert house.events[-1] == ("leave", 3, 10.0)


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

    def service(
        self,
        config: Config,
        reactor: House,
        *,
        failed: Any,
        notifier: Any,
        way_out: str = "",
        orders: Orders | None = None,
    ) -> House:
        assert reactor is self
        self.orders = orders
        self.notifier = notifier
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

    def reopen_logs(self) -> None:
        self.events.append("reopen")

    def reload(self) -> None:
        self.events.append("reload")

    def stop(self) -> None:
        self.events.append("reactor stops")

    def callWhenRunning(self, call: Any, *given: Any) -> None:  # noqa: N802
        self.events.append("once it runs")
        call(*given)

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
    for name in ("exit_with", "leave", "on_hangup", "on_reopen", "end_by"):
        monkeypatch.setattr(process, name, made.noted(name))
    for name in ("set_up_logging", "bridge_twisted_log", "log_to_twisted"):
        monkeypatch.setattr(logs, name, made.noted(name))
    return made


def test_it_serves_from_start_to_stop_and_leaves_with_success(house, capsys) -> None:
    line = "--demo --loop asyncio -v 2 --log-fmt f --application-close-timeout 7"
    assert cli.main(line.split()) == 0
    assert house.events == [
        ("set_up_logging", configured(line), None),
        ("reactor", "asyncio", False),
        ("bridge_twisted_log",),
        "service",
        "start",
        "stop",
        "force",
        ("leave", 0, 1.0),
        "reopen",
        "reload",
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
        ("-e tcp:1 -e ssl:443 -e tls:/d", False),
        ("-e haproxy:tcp:1 -e HAProxy:UNIX:/x", False),
        ("-e haproxy:ssl:1", False),
        ("-e systemd:name=ssl", False),
        ("-e bogus:domain=INET", True),
        ("--twisted-tls", True),
    ],
)
def test_openssl_is_loaded_where_twisted_may_need_it(house, arguments, tls) -> None:
    cli.main(["--demo", *arguments.split()])
    assert ("reactor", "auto", tls) in house.events


# --- Workers ----------------------------------------------------------------------------------


@pytest.fixture
def supervisor(monkeypatch: pytest.MonkeyPatch, house: House) -> list[Any]:
    """What is given to a supervisor, in the place of one; what was loaded before is among it."""
    given: list[Any] = []

    def supervise(*arguments: Any) -> int:
        given.extend(arguments)
        return 7

    monkeypatch.setattr(parent, "supervise", supervise)
    monkeypatch.setattr(process, "preload", lambda config: given.append("loaded"))
    return given


@pytest.mark.parametrize(
    ("line", "loaded"),
    [
        ("--demo --workers 2 --preload on", ["loaded"]),
        ("--demo --workers auto --preload off", []),
        ("--demo --reload", []),
    ],
)
def test_where_others_serve_this_process_looks_after_them(
    house, supervisor, line: str, loaded: list[str]
) -> None:
    assert cli.main(line.split()) == 7
    *before, config, arguments, _ = supervisor
    assert before == loaded
    assert config == configured(line)
    assert arguments == line.split()
    assert house.events == [("set_up_logging", config)]


ORDERS = Orders(3, 5, {"a": 7}, 9, "/nowhere")


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The orders that a lifeline was held for, with its seconds."""
    found: list[Any] = []
    monkeypatch.setattr(
        lifeline, "hold", lambda orders, _, seconds: found.append((orders, seconds))
    )
    return found


def test_a_worker_serves_as_its_orders_say(house, supervisor, held) -> None:
    ORDERS.give(os.environ)
    assert cli.main(["--demo", "--workers", "2"]) == 0
    assert supervisor == []
    assert house.orders == ORDERS
    assert house.events[0] == ("set_up_logging", house.config, 3)
    assert held == [(ORDERS, longest_stop(house.config.limits))]


def test_a_worker_that_is_in_a_hurry_gives_requests_less_time(house, held) -> None:
    ORDERS._replace(grace=0.5).give(os.environ)
    cli.main(["--demo", "--reload"])
    limits = house.config.limits
    assert (limits.graceful_timeout, limits.application_close_timeout) == (0.5, 0.5)


def test_a_worker_that_is_a_copy_says_why_it_cannot_start(house, supervisor, held, capsys) -> None:
    cli.main(["--demo", "--workers", "2"])
    house.refusal = ConfigError("another reactor")
    ORDERS.give(os.environ)
    assert supervisor[-1]() == 2
    assert capsys.readouterr().err == "daphne-like: another reactor\n"


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
        (["a:b", "--bogus"], None, "unknown option --bogus; see --help."),
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


def test_under_twistd_too_a_check_has_its_status(house, rehearsal, capsys) -> None:
    rehearsal.failure = StartupError("wrong", 3)
    with pytest.raises(SystemExit) as left:
        parsed("a:b --check")
    assert left.value.code == 3
    assert capsys.readouterr() == ("", "daphne-like: wrong\n")


def test_the_help_of_twistd_is_about_twistd(capsys) -> None:
    with pytest.raises(SystemExit) as left:
        parsed("--help")
    assert left.value.code == 0
    assert capsys.readouterr().out.startswith("usage: twistd daphne-like ")


def test_the_service_of_twistd_logs_to_twisted(house) -> None:
    assert cli.makeService(parsed("--demo -v 2")) is house
    assert house.config.demo
    assert house.way_out == "", "twistd has signals of its own"
    assert house.events[1:] == [
        ("log_to_twisted", house.config),
        "service",
        ("end_by", DaphneLikeError, cli.complain),
        ("on_hangup", house, house.reload),
        "once it runs",
        ("on_reopen", house, house.reopen_logs),
    ]


@pytest.mark.parametrize("line", ["--demo --workers 2", "--demo --reload"])
def test_under_twistd_there_is_one_process_and_who_wants_more_is_told(
    house, caplog, line: str
) -> None:
    cli.makeService(parsed(line))
    assert "twistd runs one process: --workers and --reload mean nothing to it" in caplog.messages


def test_under_twistd_a_file_for_the_log_that_cannot_be_used_is_one_line(
    house, capsys, monkeypatch
) -> None:
    def refuse(config: Config) -> None:
        raise ConfigError("no such file")

    monkeypatch.setattr(logs, "log_to_twisted", refuse)
    with pytest.raises(SystemExit) as left:
        cli.makeService(parsed("--demo"))
    assert left.value.code == 2
    assert capsys.readouterr() == ("", "daphne-like: no such file\n")


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


def test_endpoints_that_need_nothing_of_twisteds_are_those_that_are_ours() -> None:
    assert set(endpoints._NATIVE) == OWN_KINDS


@pytest.mark.parametrize("start", [cli.main, lambda words: cli.makeService(parsed(*words))])
def test_a_service_manager_is_told_how_far_the_server_is(house, start) -> None:
    os.environ["NOTIFY_SOCKET"] = "@nobody-listens-here"
    start(["--demo"])
    assert isinstance(house.notifier, Notifier)
    start(["--demo"])
    assert house.notifier is None, "no child is told of it"
