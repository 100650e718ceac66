"""The command line: its parser, made from the one table of options, and what it says.

This module must not know what else says something, nor what becomes of it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NamedTuple, NoReturn

from daphne_like.compiled import described_version
from daphne_like.errors import ConfigError
from daphne_like.options import APPLICATION, OPTIONS, SWITCH, Option
from daphne_like.sources import COMMAND_LINE, Given, Place, given, suggestion, twice

DESCRIPTION = "Serve an ASGI, WSGI or RSGI application over HTTP and WebSockets."

_ELSEWHERE = (
    "An option is also a variable, --port DAPHNE_LIKE_PORT, and a key, port, of the --config file "
    "or of the table [tool.daphne-like] in the pyproject.toml of the current directory. A switch "
    "that is on there is taken back by --switch=no."
)

_QUESTIONS = ("--help", "--version", "--config", "--env-file", "--print-config", "--check")


_BY_ITSELF = {
    "--http": "there is one parser, llhttp",
    "--ws": "there is one implementation of WebSockets",
    "--ws-max-queue": "64 messages, or --read-budget, wait for the application",
    "--reset-contextvars": "every request has a clean context",
    "--http2": "HTTP/2 needs none; it is on where pip install 'daphne-like[http2]' has brought it",
}
"""What is asked of other servers by options, and needs none here."""


class Said(NamedTuple):
    """What a command line says: options, where there are more, and what is asked."""

    options: Place
    config: str | None
    env_file: str | None
    print_config: bool
    check: bool


class _Parser(argparse.ArgumentParser):
    """One whose errors are ours: a line, not a page of usage."""

    def error(self, message: str) -> NoReturn:
        said = message.replace("ignored explicit argument", "a switch takes yes or no, not")
        raise ConfigError(f"{said}; see --help.")


class _Note(argparse.Action):
    """Notes the flag and its text; what they mean is seen when all are there."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        if values is None:
            return  # The application is missing, and argparse says so.
        flag, _, word = (option_string or self.dest).partition("=")
        text = (word or "yes") if self.nargs == 0 else values
        namespace.noted.setdefault(self.dest, []).append((flag, text))


def said(arguments: Sequence[str], program: str) -> Said:
    """What the command line of `program` says.

    Raises :class:`ConfigError`; leaves the process for ``--help`` and ``--version``.
    """
    found, unknown = _parser(program).parse_known_args(arguments)
    if unknown:
        raise _unknown(unknown)
    options = {
        option.name: _given(option, found.noted[option.name])
        for option in (APPLICATION, *OPTIONS)
        if option.name in found.noted
    }
    return Said(options, found.config, found.env_file, found.print_config, found.check)


def _given(option: Option, noted: Sequence[tuple[str, str]]) -> Given:
    """An option may be said again, the last time counts; but not under another name."""
    flags = {_name(option, flag): flag for flag, _ in noted}
    if len(flags) > 1 and not option.repeatable:
        one, other, *_ = flags.values()
        raise twice(one, other, COMMAND_LINE)
    return given(option, noted[-1][0], [text for _, text in noted], COMMAND_LINE)


def _name(option: Option, flag: str) -> str:
    """A short flag stands for the first long one."""
    name = flag.lstrip("-").replace("_", "-")
    return name if name in option.names else option.names[0]


def _unknown(words: Sequence[str]) -> ConfigError:
    flags = [word.partition("=")[0] for word in words if word.startswith("-")]
    if not flags:
        return ConfigError(f"there is one application, and {words[0]!r} besides; see --help.")
    if flags[0] in _BY_ITSELF:
        return ConfigError(f"unknown option {flags[0]}: {_BY_ITSELF[flags[0]]}.")
    known = [*_QUESTIONS, *(flag for option in OPTIONS for flag in option.flags)]
    meant = suggestion(flags[0], known, "--")
    return ConfigError(f"unknown option {flags[0]}{f'{meant} See' if meant else '; see'} --help.")


# --- The parser ---------------------------------------------------------------------------


def _parser(program: str) -> argparse.ArgumentParser:
    """It appends each flag with its text to the lists, by option, in ``noted``."""
    made = _Parser(program, description=DESCRIPTION, epilog=_ELSEWHERE, allow_abbrev=False)
    made.set_defaults(noted={})
    made.add_argument("--version", action="version", version=f"daphne-like {described_version()}")
    made.add_argument(APPLICATION.name, nargs="?", action=_Note, help=APPLICATION.help)
    _add_questions(made.add_argument_group("Configuration"))
    groups: dict[str, Any] = {}
    for option in OPTIONS:
        if option.group not in groups:
            groups[option.group] = made.add_argument_group(option.group)
        _add(groups[option.group], option)
    return made


def _add_questions(group: Any) -> None:
    group.add_argument("--config", metavar="FILE", help="A TOML file with options.")
    group.add_argument(
        "--env-file",
        metavar="FILE",
        help="A file with environment variables, NAME=value each; those that are set stay.",
    )
    group.add_argument(
        "--print-config",
        action="store_true",
        help="Print all options as a file for --config, with the origin of each value; then end.",
    )
    group.add_argument(
        "--check",
        action="store_true",
        help="Load the application, and say whether it could be served; then end.",
    )


def _add(group: Any, option: Option) -> None:
    text = option.help.replace("%", "%%")
    if option.switch:
        group.add_argument(*option.flags, action=_Note, nargs=0, dest=option.name, help=text)
        words = [f"{flag}={word}" for flag in option.flags for word in SWITCH]
        group.add_argument(*words, action=_Note, nargs=0, dest=option.name, help=argparse.SUPPRESS)
        return
    if option.default not in (None, (), ""):
        text += f" Default: {option.default!r}.".replace("%", "%%")
    metavar = {int: "N", float: "SECONDS"}.get(option.type, "TEXT")  # type: ignore[call-overload]
    if option.choices:
        metavar = f"{{{','.join(option.choices)}}}"
    group.add_argument(*option.flags, action=_Note, dest=option.name, help=text, metavar=metavar)
