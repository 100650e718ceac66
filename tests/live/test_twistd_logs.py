"""Whose log lines reach whose log: twistd's, twist's, and our own command line's. Each once."""

from __future__ import annotations

import json
import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.live.serving import Serving, is_open, wait_until
from tests.live.twistd import ask, command

SAID = {
    "mysite.views#info] info of logging",
    "mysite.views#warn] warning of logging",
    "mysite.events#info] info of Twisted",
    "mysite.events#error] error of Twisted",
    "stdout#info] printed",
}
"""What `speaking` says, as twistd writes it."""


def counts(lines: list[str], *words: str) -> list[int]:
    """In how many lines each of the words is."""
    return [sum(word in line for line in lines) for word in words]


def test_a_log_file_of_twistd_s_has_every_line_once(tmp_path: Path) -> None:
    log = tmp_path / "mysite.log"
    line = command(f"--logfile={log}")
    with Serving(
        "speaking:app", "-u", str(tmp_path / "s"), command=line, port=False, listens=0
    ) as server:
        wait_until(lambda: log.exists() and "Listening on" in log.read_text())
        ask(str(tmp_path / "s"))
        assert server.stop() in (0, -signal.SIGTERM)
    lines = log.read_text().splitlines()
    said = [*sorted(SAID), "daphne_like.server#info] Listening on", '"GET /" 200 4']
    assert counts(lines, *said) == [1] * len(said)
    assert counts(lines, "debug of logging") == [0]
    assert server.stdout.lines + server.stderr.lines == []


def json_of(*options: str) -> tuple[str, ...]:
    """twist, with its log as it is where there is no terminal."""
    *before, ours = command(script="twist")
    return (*(word for word in before if word != "--log-format=text"), *options, ours)


@pytest.mark.parametrize("options", [[], ["--log-format=json"]], ids=["by itself", "asked for"])
def test_in_twist_s_json_every_line_is_an_event(options: list[str]) -> None:
    line = json_of(*options)
    with Serving("speaking:app", command=line, log="stdout") as server:
        server.get()
        server.stdout.wait_for("GET /")
        assert server.stop() in (0, -signal.SIGTERM)
    events = [json.loads(text.lstrip("\x1e")) for text in server.stdout.lines]
    told = Counter((event["log_namespace"], event["log_level"]["name"]) for event in events)
    assert told["daphne_like.server", "info"] == 1
    assert told["mysite.views", "info"] == told["mysite.views", "warn"] == 1
    assert told["mysite.events", "info"] == told["mysite.events", "error"] == 1
    assert told["stdout", "info"] == 2, "what was printed, and the access line"
    assert ("stderr", "error") not in told


def test_a_start_that_fails_is_an_event_of_twist_s_json_too() -> None:
    server = Serving("served:failing_startup", command=json_of(), noise=True)
    assert server.wait() == 3
    events = [json.loads(text.lstrip("\x1e")) for text in server.stdout.lines]
    said = [event.get("log_io", "") for event in events]
    assert counts(said, "daphne-like: The application failed to start: no database.") == [1]
    assert counts(said, "Traceback") == [0]


@pytest.mark.parametrize(("verbosity", "listening", "access"), [("0", 0, 0), ("1", 1, 1)])
def test_verbosity_is_that_of_the_command_line(
    tmp_path: Path, verbosity: str, listening: int, access: int
) -> None:
    path = str(tmp_path / "s")
    ours = ["speaking:app", "-u", path, "-v", verbosity]
    with Serving(*ours, command=command(), port=False, listens=0) as server:
        wait_until(lambda: is_open(path))
        ask(path)
        assert server.stop() in (0, -signal.SIGTERM)
    lines = server.stdout.lines
    assert counts(lines, "Listening on", "GET /") == [listening, access]
    shown = ["info of logging", "warning of logging", "info of Twisted"]
    assert counts(lines, *shown) == [int(verbosity), 1, 1]


def test_a_root_logger_that_is_configured_has_every_line_and_nobody_else_has() -> None:
    ours = ["speaking:configured", "--factory"]
    with Serving(*ours, command=command(), log="stdout") as server:
        server.get()
        server.stdout.wait_for("GET /")
        assert server.stop() in (0, -signal.SIGTERM)
    lines = server.stdout.lines
    said = ["Listening on", "info of logging", "warning of logging", "info of Twisted", "printed"]
    assert counts(lines, *said) == [1] * len(said)
    assert counts(lines, "ROOT INFO daphne_like.server Listening on") == [1]


def test_an_event_that_is_handed_over_to_logging_does_not_go_round() -> None:
    ours = ["speaking:circular", "--factory"]
    with Serving(*ours, command=command(), log="stdout") as server:
        server.get()
        server.stdout.wait_for("GET /")
        assert server.stop() in (0, -signal.SIGTERM)
    lines = server.stdout.lines
    assert counts(lines, "info of logging", "warning of logging") == [1, 1]
    # The one that bears another name than Twisted's is not known for what it is.
    assert counts(lines, "info of Twisted", "circle#info] info of Twisted") == [2, 1]


def test_a_logger_of_one_s_own_has_the_lines(tmp_path: Path) -> None:
    (tmp_path / "observing.py").write_text(
        "from twisted.logger import textFileLogObserver\n"
        "def make():\n"
        f"    return textFileLogObserver(open({str(tmp_path / 'own.log')!r}, 'a'))\n"
    )
    path, own = str(tmp_path / "s"), tmp_path / "own.log"
    with Serving(
        *("speaking:app", "-u", path),
        command=command("--logger=observing.make"),
        port=False,
        environment={"PYTHONPATH": str(tmp_path)},
        noise=True,  # The file is nobody's to close.
        listens=0,
    ) as server:
        wait_until(lambda: own.exists() and "Listening on" in own.read_text())
        ask(path)
        assert server.stop() in (0, -signal.SIGTERM)
    assert counts(own.read_text().splitlines(), *SAID) == [1] * len(SAID)


def test_it_serves_with_the_log_of_the_system(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    python, *_, script, quiet, pidfile, ours = command()
    line = [python, script, quiet, pidfile, "--syslog", ours]  # Twisted's own is one to warn of.
    with Serving("speaking:app", "-u", path, command=line, port=False, listens=0) as server:
        wait_until(lambda: is_open(path))
        assert ask(path).body == b"said"
        assert server.stop() in (0, -signal.SIGTERM)
    assert server.stdout.lines + server.stderr.lines == []


# --- Rotation ---------------------------------------------------------------------------------


def test_a_signal_rotates_twistd_s_log_and_opens_ours_again(tmp_path: Path) -> None:
    log, access, path = tmp_path / "mysite.log", tmp_path / "access.log", str(tmp_path / "s")
    ours = ["served:hello", "-u", path, "--access-log", str(access)]
    with Serving(*ours, command=command(f"--logfile={log}"), port=False, listens=0) as server:
        wait_until(lambda: log.exists() and "Listening on" in log.read_text())
        ask(path, "/before")
        access.rename(tmp_path / "access.log.1")
        server.tell(signal.SIGUSR1)
        wait_until(lambda: access.exists() and (tmp_path / "mysite.log.1").exists())
        ask(path, "/after")
        assert server.stop() in (0, -signal.SIGTERM)
    assert "Listening on" in (tmp_path / "mysite.log.1").read_text()
    assert "Server Shut Down" in log.read_text()
    assert counts(access.read_text().splitlines(), "/before", "/after") == [0, 1]


@pytest.mark.parametrize("script", ["twistd", "twist"])
def test_where_twistd_has_no_file_the_signal_is_for_ours_alone(tmp_path: Path, script: str) -> None:
    access = tmp_path / "access.log"
    ours = ["served:hello", "--access-log", str(access)]
    with Serving(*ours, command=command(script=script), log="stdout") as server:
        access.rename(tmp_path / "access.log.1")
        server.tell(signal.SIGUSR1)
        wait_until(access.exists)
        assert server.get().body == b"hello"
    assert '"GET /" 200' in access.read_text()


# --- Under our own command line ---------------------------------------------------------------


def test_twisted_s_events_reach_standard_error_from_warnings_on() -> None:
    with Serving("speaking:app") as server:
        server.get()
        server.stderr.wait_for("error of Twisted")
    lines = server.stderr.lines
    assert counts(lines, "ERROR    error of Twisted", "info of Twisted") == [1, 0]


def test_twisted_s_events_reach_a_root_logger_that_is_configured_once() -> None:
    with Serving("speaking:configured", "--factory") as server:
        server.get()
        server.stderr.wait_for("error of Twisted")
    said = [
        "ROOT INFO twisted info of Twisted",
        "ROOT ERROR twisted error of Twisted",
        "ROOT INFO mysite.views info of logging",
        "ROOT INFO daphne_like.server Listening on",
    ]
    assert counts(server.stderr.lines, *said) == [1] * len(said)
    assert counts(server.stderr.lines, "of Twisted", "Listening on") == [2, 1]
