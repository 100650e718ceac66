"""The one table of options that every front end is made from.

The command line, twistd's options and the reference page are generated from
:data:`OPTIONS`, and :func:`configure` makes every front end's values a configuration. This
module must not know any front end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any, NamedTuple

from daphne_like.config import GROUPS, Config
from daphne_like.errors import ConfigError
from daphne_like.limits import Limits
from daphne_like.limits_workers import WorkerLimits
from daphne_like.rules import check
from daphne_like.values import LEVELS, level


class Option(NamedTuple):
    """One row of the table."""

    name: str
    flags: tuple[str, ...]
    type: Callable[[str], Any]
    default: Any
    help: str
    group: str
    choices: tuple[str, ...] | None = None
    empty: bool = False
    secret: bool = False

    def parse(self, text: str, flag: str = "") -> Any:
        """The value that `text` means, given by `flag`; raises :class:`ConfigError`."""
        flag = flag or self.long_flag
        if not text and not self.empty:
            raise ConfigError(f"{flag} is empty: give a value, or leave the option out.")
        try:
            value = self.type(text)
        except ValueError:
            wanted = _WANTED[self.type]
            raise ConfigError(f"{flag} {text!r} is not {wanted}.") from None
        if self.choices and value not in self.choices:
            wanted = ", ".join(self.choices)
            raise ConfigError(f"{flag} {text!r} is not one of {wanted}.")
        return value

    @property
    def switch(self) -> bool:
        """Given without a value."""
        return self.default is False

    @property
    def repeatable(self) -> bool:
        """May be given several times."""
        return isinstance(self.default, tuple)

    @property
    def long_flag(self) -> str:
        """The spelling for messages."""
        return self._long_flags[0]

    @property
    def names(self) -> tuple[str, ...]:
        """What a file calls it: its long flags without the dashes in front, ``_`` as ``-``."""
        names = (flag.lstrip("-").replace("_", "-") for flag in self._long_flags)
        return tuple(dict.fromkeys(names))

    @property
    def _long_flags(self) -> list[str]:
        return [flag for flag in self.flags if flag.startswith("--")] or list(self.flags)


SWITCH = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}
"""What a switch may be told, in any case."""


def switch(text: str) -> bool:
    """Whether `text` means on; raises :class:`ValueError` for what is neither on nor off."""
    try:
        return SWITCH[text.lower()]
    except KeyError:
        raise ValueError(text) from None


_WANTED: dict[Any, str] = {
    int: "a whole number",
    float: "a number of seconds",
    level: f"a whole number or one of {', '.join(LEVELS)}",
    switch: f"one of {', '.join(SWITCH)}",
}


def _config_option(item: Any) -> Option:
    given = item.metadata
    return Option(
        item.name,
        given["flags"],
        switch if item.default is False else given.get("type", str),
        item.default,
        given["help"],
        given["group"],
        given.get("choices"),
        given.get("empty", False),
        given.get("secret", False),
    )


def _limit_option(item: Any) -> Option:
    given = item.metadata
    flags = given["flags"] or ("--" + item.name.replace("_", "-"),)
    kind = item.name.partition("_")[0]
    return Option(
        item.name,
        flags,
        int if type(item.default) is int else float,
        item.default,
        f"{given['reason']} ({given['unit']})",
        _LIMIT_GROUPS.get(item.name) or _LIMIT_GROUPS.get(kind, "Limits"),
    )


_LIMIT_GROUPS = {
    **dict.fromkeys(("websocket", "websockets", "ping"), "WebSocket"),
    "http2": "HTTP/2",
    **dict.fromkeys((item.name for item in fields(WorkerLimits)), "Workers"),
}
"""Limits of one kind stand with its other options: by their name, or the first word of it."""


_LIMIT_NAMES = frozenset(item.name for item in fields(Limits))

OPTIONS: tuple[Option, ...] = tuple(
    sorted(
        [
            *(_config_option(item) for item in fields(Config) if "flags" in item.metadata),
            *(_limit_option(item) for item in fields(Limits)),
        ],
        key=lambda option: GROUPS.index(option.group),
    )
)
"""Every option there is, by group."""

_FLAGS = {option.name: option.long_flag for option in OPTIONS}

APPLICATION = Option(
    "application",
    ("application",),
    str,
    None,
    "The application, as package.module:attribute.",
    "Application",
)
"""The one thing that a command line gives without a flag."""

RIVALS = (
    ("application", "demo"),
    ("server_name", "no_server_name"),
    ("access_log", "no_access_log"),
)
"""Pairs that decide one thing: who gives one of them anew takes the other back."""


def configure(values: Mapping[str, Any]) -> Config:
    """A valid configuration from option values by name; what is missing has its default.

    Raises :class:`ConfigError`, one line that names the fix.
    """
    limits = {name: value for name, value in values.items() if name in _LIMIT_NAMES}
    others = {name: value for name, value in values.items() if name not in _LIMIT_NAMES}
    # Most clients send a message in one frame: who allows larger ones means both.
    if "websocket_max_message_size" in limits:
        limits.setdefault("websocket_max_frame_size", limits["websocket_max_message_size"])
    config = Config(**others, limits=replace(Limits(), **limits))
    check(config, _FLAGS)
    return config
