"""Where the process's log lines go: to standard error, to Twisted's log, or as a file says.

The root logger is the application's and is left alone, unless the operator's file names it.
This module must not know what is logged.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from os import environ
from pathlib import Path
from typing import Any, TextIO

from daphne_like.asgi.loading import look_in
from daphne_like.config import LOG_FORMAT, Config
from daphne_like.errors import ConfigError

_OURS = "daphne_like", "asyncio", "twisted"
"""Loggers of which a handler of ours hears."""

_LEVELS = {-2: logging.CRITICAL, -1: logging.ERROR, 0: logging.WARNING, 1: logging.INFO}


def set_up_logging(config: Config, worker: int | None = None) -> None:
    """Log as `config` says: to standard error, or as its file does; as `worker`, if it is one.

    Our handler is quiet where somebody has given the root logger one, before or later: so
    every line is written once, by whom the operator chose.

    Raises :class:`ConfigError` for a format or a file that cannot be used.
    """
    _number_records(worker)
    handler = logging.StreamHandler()
    handler.setFormatter(_formatter(config, handler.stream, worker))
    _log_with(handler, config, *_OURS)


def _number_records(worker: int | None) -> None:
    """Let every record say which worker it is from, as ``%(worker)s``."""
    number = "-" if worker is None else str(worker)

    def make(*given: Any, **named: Any) -> logging.LogRecord:
        record = logging.LogRecord(*given, **named)
        record.worker = number
        return record

    logging.setLogRecordFactory(make)


def forget() -> None:
    """Log nowhere, in a copy of a process that was set up; it is to be set up anew."""
    for name in _OURS:
        logging.getLogger(name).handlers.clear()


def log_to_twisted(config: Config) -> None:
    """Let Python's log reach Twisted's, under its loggers' names: ours, and what nobody handles.

    Our log goes where `config`'s file says, if it has one; and as with :func:`set_up_logging`, to
    the root logger's handlers alone where it has some. For programs whose log is Twisted's.

    Raises :class:`ConfigError` for a file that cannot be used.
    """
    handler = _TwistedLog()
    _log_with(handler, config, "daphne_like", "asyncio")
    # Python's would write to standard error, which Twisted takes for errors of no one's.
    logging.lastResort = handler


def _is_ours(record: logging.LogRecord) -> bool:
    """Not what the root logger's handlers write, whoever has given it some."""
    return not logging.getLogger().handlers


def _is_news(record: logging.LogRecord) -> bool:
    """Not what asyncio says of each write to a client that has left; we are told ourselves."""
    return record.msg != "socket.send() raised exception."


def _log_with(handler: logging.Handler, config: Config, *names: str) -> None:
    logging.getLogger("asyncio").addFilter(_is_news)
    level = _LEVELS.get(config.verbosity, logging.DEBUG)
    handler.setLevel(level)
    handler.addFilter(_is_ours)
    logging.getLogger("daphne_like").setLevel(level)
    if config.verbosity >= 3:
        logging.getLogger("asyncio").setLevel(logging.DEBUG)
    if config.log_config is not None:
        look_in(config.app_dir)  # It may name a class of the application's.
        configure_from(Path(config.log_config))
        return
    for name in names:
        logging.getLogger(name).addHandler(handler)


class _TwistedLog(logging.Handler):
    """Hands records over to Twisted's log, but not those that come from there.

    A program may have an observer that hands events over to ``logging``: without an end, if they
    came back.
    """

    _busy = False

    def emit(self, record: logging.LogRecord) -> None:
        # Called under the handler's lock: whoever finds it busy is the same thread.
        if self._busy or record.name == "twisted":
            return
        self._busy = True
        try:
            self._hand_over(record)
        except Exception:
            self.handleError(record)
        finally:
            self._busy = False

    def _hand_over(self, record: logging.LogRecord) -> None:
        from twisted.logger import Logger, LogLevel

        level = LogLevel.levelWithName(_TWISTED_LEVELS.get(record.levelname, "info"))
        Logger(record.name).emit(level, "{text}", text=self.format(record))


_TWISTED_LEVELS = {
    "DEBUG": "debug", "INFO": "info", "WARNING": "warn", "ERROR": "error", "CRITICAL": "critical",
}  # fmt: skip


def bridge_twisted_log() -> None:
    """Let Twisted's own log reach ``logging``, under the name ``twisted``."""
    from twisted.logger import STDLibLogObserver, globalLogBeginner

    globalLogBeginner.beginLoggingTo([STDLibLogObserver()], redirectStandardIO=False)


# --- A file of the operator's -------------------------------------------------------------

# Only who has a file pays for what reads it.


def _from_ini(text: str) -> None:
    from configparser import ConfigParser
    from logging.config import fileConfig

    parser = ConfigParser()
    parser.read_string(text)
    fileConfig(parser, disable_existing_loggers=False)


def _from_json(text: str) -> None:
    import json

    _from_dict(json.loads(text))


def _from_toml(text: str) -> None:
    import tomllib

    _from_dict(tomllib.loads(text))


def _from_dict(found: dict[str, Any]) -> None:
    from logging.config import dictConfig

    # Python's own default would silence the loggers that there are already: ours.
    dictConfig({"version": 1, "disable_existing_loggers": False, **found})


_READERS: dict[str, Callable[[str], None]] = {
    ".ini": _from_ini,
    ".conf": _from_ini,
    ".json": _from_json,
    ".toml": _from_toml,
}


def configure_from(path: Path) -> None:
    """Set up logging as the file at `path` says, in the format that its suffix names.

    Raises :class:`ConfigError`.
    """
    read = _READERS.get(path.suffix.lower())
    if read is None:
        known = ", ".join(_READERS)
        raise ConfigError(f"--log-config {path}: its name has to end in one of {known}.")
    try:
        read(path.read_text("utf-8"))
    except Exception as error:  # Whatever a handler's class may raise.
        raise ConfigError(f"--log-config {path}: {_in_a_line(error)}.") from None


def _in_a_line(error: BaseException) -> str:
    """What is wrong, with its causes: the last one tells the most."""
    why = f" ({_in_a_line(error.__cause__)})" if error.__cause__ is not None else ""
    what = " ".join(str(error).split()).rstrip(".")
    return f"{type(error).__name__}: {what}{why}"


# --- Formats and colours ------------------------------------------------------------------


def wants_colour(
    choice: str, stream: TextIO | None, environment: Mapping[str, str] = environ
) -> bool:
    """Whether `stream` gets colours: a terminal, unless the operator or its user chose.

    `choice` is ``--color``'s: ``auto`` hears NO_COLOR and FORCE_COLOR in `environment`.
    """
    if choice != "auto":
        return choice == "always"
    if environment.get("NO_COLOR"):
        return False
    if environment.get("FORCE_COLOR"):
        return True
    return stream is not None and stream.isatty() and environment.get("TERM") != "dumb"


_COLOURS = {"DEBUG": "2", "INFO": "32", "WARNING": "33", "ERROR": "31", "CRITICAL": "1;31"}


def _coloured(text: str) -> str:
    return text.replace("%(levelname)-8s", "\x1b[%(colour)sm%(levelname)-8s\x1b[0m")


class _InColour(logging.Formatter):
    """The default format with the level in its colour."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.colour = _COLOURS.get(record.levelname, "0")
        return super().formatMessage(record)


def _formatter(config: Config, stream: TextIO, worker: int | None) -> logging.Formatter:
    text = config.log_format
    if text == LOG_FORMAT and worker is not None:
        text = text.replace("%(message)s", "[%(worker)s] %(message)s")
    if config.log_format == LOG_FORMAT and wants_colour(config.color, stream):
        return _InColour(_coloured(text))
    try:
        formatter = logging.Formatter(text)
        formatter.format(logging.makeLogRecord({"msg": "a line, to try the format", "worker": "-"}))
    except (ValueError, TypeError) as error:
        raise ConfigError(f"--log-fmt {config.log_format!r}: {error}.") from None
    return formatter
