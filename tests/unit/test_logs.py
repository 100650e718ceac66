"""Where log lines go: standard error, Twisted's log, an operator's file; and their colours."""

from __future__ import annotations

import io
import json
import logging
import logging.config
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import twisted.logger

from daphne_like import logs
from daphne_like.config import Config
from daphne_like.errors import ConfigError

NAMES = ("daphne_like", "asyncio", "twisted")


@contextmanager
def unwatched() -> Iterator[logging.Logger]:
    """Loggers as in a process that has set up none; a test has handlers on the root logger."""
    last = logging.lastResort
    loggers = [logging.getLogger(name) for name in (None, *NAMES)]
    before = [(logger, logger.handlers, logger.level) for logger in loggers]
    for logger in loggers:
        logger.handlers = []
    try:
        yield loggers[0]
    finally:
        logging.lastResort = last
        for logger, handlers, level in before:
            for handler in logger.handlers:
                handler.close()
            logger.handlers = handlers
            logger.setLevel(level)


def say_everything() -> None:
    for name in NAMES:
        for level in (logging.DEBUG, logging.INFO, logging.WARNING):
            logging.getLogger(f"{name}.part").log(level, "said")


# --- Ours -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verbosity", "counts"), [(0, [1, 1, 1]), (1, [2, 1, 1]), (2, [3, 1, 1]), (3, [3, 3, 1])]
)
def test_each_verbosity_shows_a_level_more(capsys, verbosity, counts) -> None:
    with unwatched():
        logs.set_up_logging(Config(verbosity=verbosity, log_format="%(name)s %(levelname)s"))
        say_everything()
    lines = capsys.readouterr().err.splitlines()
    assert [sum(line.startswith(name) for line in lines) for name in NAMES] == counts
    assert "daphne_like.part WARNING" in lines


@pytest.mark.parametrize(("verbosity", "shown"), [(-2, ["CRITICAL"]), (-1, ["ERROR", "CRITICAL"])])
def test_below_warnings_there_are_only_worse_things_of_anybodys(capsys, verbosity, shown) -> None:
    with unwatched():
        logs.set_up_logging(Config(verbosity=verbosity, log_format="%(levelname)s"))
        for level in (logging.WARNING, logging.ERROR, logging.CRITICAL):
            logging.getLogger("twisted").log(level, "said")
    assert capsys.readouterr().err.split() == shown


def test_the_log_of_an_operator_gets_every_line_instead_of_ours(capsys) -> None:
    theirs = io.StringIO()
    with unwatched() as root:
        logs.set_up_logging(Config())
        assert root.handlers == []
        logging.getLogger("daphne_like").info("ours")
        root.addHandler(logging.StreamHandler(theirs))
        logging.getLogger("daphne_like").info("theirs")
    assert theirs.getvalue() == "theirs\n"
    assert capsys.readouterr().err.endswith(" INFO     ours\n")


@pytest.mark.parametrize("text", ["no field", "%(nobody)s", "%(lineno)q", "%(message)d"])
def test_a_format_that_cannot_be_used_is_refused(text) -> None:
    with unwatched():
        with pytest.raises(ConfigError, match=r"--log-fmt '.*': .*\.") as refusal:
            logs.set_up_logging(Config(log_format=text))
        assert text in str(refusal.value)
        assert logging.getLogger("daphne_like").handlers == []


# --- Twisted's --------------------------------------------------------------------------------


def test_our_log_reaches_twisteds_under_its_names_and_levels() -> None:
    events: list[dict[str, Any]] = []
    with unwatched():
        logs.log_to_twisted(Config())
        twisted.logger.globalLogPublisher.addObserver(events.append)
        say_everything()
        logging.getLogger("daphne_like").log(logging.INFO + 5, "between")
        logging.getLogger("daphne_like").error("a {brace} of %d", 2)
        logging.getLogger("daphne_like").critical("over")
        twisted.logger.globalLogPublisher.removeObserver(events.append)
    show = twisted.logger.formatEvent
    assert [(e["log_namespace"], e["log_level"].name, show(e)) for e in events] == [
        ("daphne_like.part", "info", "said"),
        ("daphne_like.part", "warn", "said"),
        ("asyncio.part", "warn", "said"),
        ("twisted.part", "warn", "said"),
        ("daphne_like", "info", "between"),
        ("daphne_like", "error", "a {brace} of 2"),
        ("daphne_like", "critical", "over"),
    ]


def told_to_twisted(say: Callable[[], object], config: Config = Config()) -> list[str]:  # noqa: B008
    """What reaches Twisted's log while `say` is called, by name and level."""
    events: list[dict[str, Any]] = []
    logs.log_to_twisted(config)
    twisted.logger.globalLogPublisher.addObserver(events.append)
    try:
        say()
    finally:
        twisted.logger.globalLogPublisher.removeObserver(events.append)
    return [f"{event['log_namespace']} {event['log_level'].name}" for event in events]


@pytest.mark.parametrize(
    ("verbosity", "told"), [(0, ["mysite warn"]), (1, ["mysite info", "mysite warn"])]
)
def test_what_an_application_logs_and_does_not_handle_reaches_twisteds_log_too(
    capsys, verbosity, told
) -> None:
    def say() -> None:
        for level in (logging.DEBUG, logging.INFO, logging.WARNING):
            log.log(level, "said")

    log = logging.getLogger("mysite")
    log.setLevel(logging.DEBUG)
    with unwatched():
        assert told_to_twisted(say, Config(verbosity=verbosity)) == told
    log.setLevel(logging.NOTSET)
    assert capsys.readouterr().err == ""


def test_what_the_root_logger_handles_is_not_in_twisteds_log_twice() -> None:
    def say() -> None:
        logging.getLogger("daphne_like").warning("said")
        root.addHandler(logging.StreamHandler(theirs))
        logging.getLogger("daphne_like").warning("theirs")
        logging.getLogger("mysite").warning("theirs")

    theirs = io.StringIO()
    with unwatched() as root:
        assert told_to_twisted(say) == ["daphne_like warn"]
    assert theirs.getvalue() == "theirs\n" * 2


@pytest.mark.parametrize(("name", "told"), [("twisted", []), ("other", ["other error"])])
def test_an_event_that_comes_back_does_not_go_round(name, told) -> None:
    def say() -> None:
        with log_to_logging(name):
            log.error("an event")
            logging.getLogger("daphne_like").warning("a record")

    log = twisted.logger.Logger("anywhere")
    with unwatched():
        assert told_to_twisted(say) == ["anywhere error", *told, "daphne_like warn"]


@contextmanager
def log_to_logging(name: str) -> Iterator[None]:
    """As a program that hands Twisted's events over to ``logging``."""
    observer = twisted.logger.STDLibLogObserver(name)
    twisted.logger.globalLogPublisher.addObserver(observer)
    try:
        yield
    finally:
        twisted.logger.globalLogPublisher.removeObserver(observer)


def test_a_record_that_cannot_be_formatted_is_python_s_to_tell_of(capsys) -> None:
    with unwatched():
        assert told_to_twisted(lambda: logging.getLogger("daphne_like").error("%d", "x")) == []
        assert told_to_twisted(lambda: logging.getLogger("daphne_like").error("y")) != []
    assert "--- Logging error ---" in capsys.readouterr().err


def test_twisteds_log_reaches_ours_and_standard_output_stays(monkeypatch, caplog) -> None:
    publisher, stdio = twisted.logger.LogPublisher(), types.SimpleNamespace(stdout=1, stderr=2)
    module = types.SimpleNamespace(showwarning=None)
    begun = twisted.logger.LogBeginner(publisher, io.StringIO(), stdio, module)
    monkeypatch.setattr(twisted.logger, "globalLogBeginner", begun)
    log = twisted.logger.Logger("anywhere", observer=publisher)
    log.error("before")
    logs.bridge_twisted_log()
    log.error("after")
    told = [(record.name, record.getMessage()) for record in caplog.records]
    assert told == [("twisted", "before"), ("twisted", "after")]
    assert (stdio.stdout, stdio.stderr) == (1, 2)


# --- An operator's file -----------------------------------------------------------------------

INI = """
[loggers]
keys = root
[handlers]
keys = here
[formatters]
keys = line
[logger_root]
handlers = here
[handler_here]
class = FileHandler
args = ("{0}",)
formatter = line
[formatter_line]
format = %(levelname)s %(name)s
"""
JSON = """{{
    "formatters": {{"line": {{"format": "%(levelname)s %(name)s"}}}},
    "handlers": {{"here": {{
        "class": "logging.FileHandler", "formatter": "line", "filename": "{0}"
    }}}},
    "root": {{"handlers": ["here"]}}
}}"""
TOML = """
version = 1
formatters.line.format = "%(levelname)s %(name)s"
root.handlers = ["here"]
[handlers.here]
class = "logging.FileHandler"
formatter = "line"
filename = "{0}"
"""
FILES = {"ini": INI, "conf": INI, "json": JSON, "toml": TOML, "TOML": TOML}


@pytest.mark.parametrize("set_up", [logs.set_up_logging, logs.log_to_twisted])
@pytest.mark.parametrize("suffix", FILES)
def test_a_file_replaces_our_handlers_and_silences_nobody(
    tmp_path, capsys, monkeypatch, suffix, set_up
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    file, lines = tmp_path / f"logging.{suffix}", tmp_path / "lines"
    file.write_text(FILES[suffix].format(lines))
    with unwatched():
        logging.getLogger("daphne_like.part")  # One that is there before.
        set_up(Config(log_config=str(file)))
        say_everything()
        assert logging.getLogger("daphne_like").handlers == []
    assert lines.read_text().splitlines() == [
        "INFO daphne_like.part",
        "WARNING daphne_like.part",
        "WARNING asyncio.part",
        "WARNING twisted.part",
    ]
    assert capsys.readouterr().err == ""


def test_a_file_may_set_our_level_and_name_the_applications_classes(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setitem(sys.modules, "logs_of_an_application", None)
    monkeypatch.delitem(sys.modules, "logs_of_an_application")
    (tmp_path / "logs_of_an_application.py").write_text(
        "import logging\nclass Kept(logging.Handler):\n"
        "    kept = []\n    def emit(self, record):\n        self.kept.append(record.levelname)\n"
    )
    file = tmp_path / "logging.json"
    handlers = {"kept": {"class": "logs_of_an_application.Kept"}}
    ours = {"daphne_like": {"level": "ERROR", "handlers": ["kept"]}}
    file.write_text(json.dumps({"handlers": handlers, "loggers": ours}))
    with unwatched():
        logs.set_up_logging(Config(log_config=str(file), app_dir=str(tmp_path), verbosity=2))
        [kept] = logging.getLogger("daphne_like").handlers
        say_everything()
        logging.getLogger("daphne_like.part").error("said")
    assert kept.kept == ["ERROR"]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.yaml", "", "--log-config {0}: its name has to end in one of .ini, .conf, .json, .toml"),
        ("a", "", "--log-config {0}: its name has to end in one of"),
        ("a.json", None, "--log-config {0}: FileNotFoundError: [Errno 2] No such"),
        ("a.json", "{", "--log-config {0}: JSONDecodeError: Expecting property name"),
        ("a.json", "[]", "--log-config {0}: TypeError: "),
        ("a.json", "\xff", "--log-config {0}: JSONDecodeError: Expecting value"),
        ("a.toml", "a", "--log-config {0}: TOMLDecodeError: "),
        ("a.toml", "version = 2", "--log-config {0}: ValueError: Unsupported version: 2."),
        ("a.ini", "a", "--log-config {0}: MissingSectionHeaderError: File contains no"),
        ("a.ini", "", "--log-config {0}: KeyError: 'formatters'."),
        ("a.toml", '[handlers.h]\nclass = "nobody.H"', "handler 'h' (ValueError: Cannot resolve"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line(tmp_path, monkeypatch, name, text, said) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    file = tmp_path / name
    if text is not None:
        file.write_text(text)
    with unwatched(), pytest.raises(ConfigError) as refusal:
        logs.set_up_logging(Config(log_config=str(file)))
    assert said.format(file) in str(refusal.value)
    assert str(refusal.value).isprintable()
    assert str(refusal.value).endswith(".")


def test_a_file_that_is_no_text_is_one_line(tmp_path) -> None:
    file = tmp_path / "a.ini"
    file.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="UnicodeDecodeError: 'utf-8' codec"):
        logs.configure_from(Path(file))


# --- Colours ----------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("choice", "stream", "environment", "coloured"),
    [
        ("auto", Terminal(), {}, True),
        ("auto", Terminal(), {"TERM": "xterm"}, True),
        ("auto", Terminal(), {"TERM": "dumb"}, False),
        ("auto", Terminal(), {"NO_COLOR": "1"}, False),
        ("auto", Terminal(), {"NO_COLOR": ""}, True),
        ("auto", io.StringIO(), {}, False),
        ("auto", None, {}, False),
        ("auto", io.StringIO(), {"FORCE_COLOR": "1"}, True),
        ("auto", io.StringIO(), {"FORCE_COLOR": ""}, False),
        ("auto", io.StringIO(), {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ("always", io.StringIO(), {"NO_COLOR": "1"}, True),
        ("never", Terminal(), {"FORCE_COLOR": "1"}, False),
    ],
)
def test_colours_are_for_terminals_unless_somebody_chooses(
    choice, stream, environment, coloured
) -> None:
    assert logs.wants_colour(choice, stream, environment) is coloured


def logged(monkeypatch: pytest.MonkeyPatch, **options: Any) -> str:
    """What a warning and a level that nobody knows look like on standard error."""
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with unwatched():
        logs.set_up_logging(Config(**options))
        logging.getLogger("daphne_like").warning("said")
        logging.getLogger("daphne_like").log(35, "said")
        return sys.stderr.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_the_level_is_coloured_in_the_default_format_only(monkeypatch) -> None:
    plain = logged(monkeypatch, color="never")
    coloured = logged(monkeypatch, color="always")
    assert "\x1b" not in plain
    assert " \x1b[33mWARNING \x1b[0m said\n" in coloured
    assert " \x1b[0mLevel 35\x1b[0m said\n" in coloured
    assert " WARNING  said\n" in plain
    assert logged(monkeypatch, color="always", log_format="%(levelname)s").startswith("WARNING\n")


def test_asyncio_does_not_tell_of_each_write_to_a_client_that_has_left(caplog) -> None:
    with unwatched():
        logs.set_up_logging(Config())
    for line in ("socket.send() raised exception.", "something else"):
        logging.getLogger("asyncio").warning(line)
    assert caplog.messages == ["something else"]


# --- Workers ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("worker", "text", "expected"),
    [
        (2, logs.LOG_FORMAT, "INFO     [2] said"),
        (None, logs.LOG_FORMAT, "INFO     said"),
        (2, "%(worker)s %(message)s", "2 said"),
        (None, "%(worker)s %(message)s", "- said"),
    ],
)
def test_a_line_says_which_worker_it_is_from(capsys, worker, text, expected) -> None:
    with unwatched():
        logs.set_up_logging(Config(log_format=text), worker)
        logging.getLogger("daphne_like.part").info("said")
        assert capsys.readouterr().err.rstrip().endswith(expected)


def test_in_colour_too(capsys) -> None:
    with unwatched():
        logs.set_up_logging(Config(color="always"), 2)
        logging.getLogger("daphne_like.part").info("said")
        assert "\x1b[32mINFO    \x1b[0m [2] said" in capsys.readouterr().err


def test_what_was_set_up_is_forgotten_for_a_copy_to_set_it_up_anew(capsys) -> None:
    with unwatched():
        logs.set_up_logging(Config())
        logs.forget()
        logs.set_up_logging(Config(), 1)
        logging.getLogger("daphne_like.part").info("said")
        assert capsys.readouterr().err.count("said") == 1
