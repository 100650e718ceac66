"""What was given for which option, in which place, and which place wins.

The places are the command line, the environment and a file, in this order; what none of them
gives has its default. This module must not know how any of them is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from daphne_like.config import Config
from daphne_like.errors import ConfigError
from daphne_like.options import APPLICATION, OPTIONS, RIVALS, Option, configure, switch

COMMAND_LINE = "command line"
PYPROJECT = "pyproject.toml"

PLAIN = (str, int, float, switch)
"""Types whose values a file has words for; a value of any other is written as it was given."""


class Given(NamedTuple):
    """One option's value, as one place gives it.

    ``name`` is the option's in that place, ``written`` what a file would say for the value,
    and ``origin`` tells an operator where to look.
    """

    option: Option
    name: str
    value: Any
    written: Any
    origin: str


Place = Mapping[str, Given]
"""All that one place gives, by the name of the option in ``Config`` or ``Limits``."""


def given(option: Option, name: str, texts: Sequence[str], origin: str) -> Given:
    """What `texts` mean: all of them for a repeatable option, else the last.

    Raises :class:`ConfigError`, which says where the bad text is, unless that is plain to see.
    """
    if not option.repeatable:
        texts = texts[-1:]
    flag = name if origin == COMMAND_LINE and name.startswith("--") else ""
    try:
        values = [option.parse(text, flag) for text in texts]
    except ConfigError as error:
        where = "" if origin == COMMAND_LINE else f"{origin}: "
        raise ConfigError(f"{where}{error}") from None
    written = values if option.type in PLAIN else list(texts)
    if option.repeatable:
        return Given(option, name, tuple(values), written, origin)
    return Given(option, name, values[0], written[0], origin)


def place(givens: Iterable[Given]) -> Place:
    """Raises :class:`ConfigError` where two names of one option are used in one place."""
    found: dict[str, Given] = {}
    for each in givens:
        before = found.setdefault(each.option.name, each)
        if before is not each:
            raise twice(before.name, each.name, each.origin)
    return found


def twice(one: str, other: str, origin: str) -> ConfigError:
    """The error for two names of one option in one place."""
    where = "" if origin == COMMAND_LINE else f"{origin}: "
    return ConfigError(f"{where}{one} and {other} are the same option: give one of the two.")


def merged(places: Iterable[Place]) -> Place:
    """What counts of all `places`, the strongest first."""
    chosen: dict[str, Given] = {}
    for weaker in places:
        settled = {*chosen, *_rivals(chosen.values())}
        chosen.update((name, each) for name, each in weaker.items() if name not in settled)
    return chosen


def _rivals(chosen: Iterable[Given]) -> Iterable[str]:
    """What `chosen` take back of weaker places; a switch that is off takes nothing back."""
    names = {each.option.name for each in chosen if each.value is not False}
    for one, other in RIVALS:
        if one in names:
            yield other
        if other in names:
            yield one


def configuration(chosen: Place) -> Config:
    """The configuration with what was chosen.

    Raises :class:`ConfigError`, which says of each flag that it names where its value is from.
    """
    try:
        return configure({name: each.value for name, each in chosen.items()})
    except ConfigError as error:
        raise ConfigError(" ".join([str(error), *_origins(str(error), chosen)])) from None


def _origins(message: str, chosen: Place) -> Iterable[str]:
    flags = set(re.findall(r"--\w[\w-]*", message))
    for each in chosen.values():
        if each.origin != COMMAND_LINE and flags.intersection(each.option.flags):
            yield f"{each.option.long_flag} is from {each.origin}."


def by_name(spelling: Callable[[str], str] = str) -> dict[str, Option]:
    """Every option by each of its names, as `spelling` writes them."""
    return {spelling(name): option for option in (APPLICATION, *OPTIONS) for name in option.names}


def suggestion(word: str, words: Iterable[str], prefix: str = "") -> str:
    """``; did you mean …?`` with the nearest of `words`, or nothing where none is near.

    The `prefix` that they have in common makes none of them nearer.
    """
    # Loaded for a mistake only: a start has no time to give away.
    from difflib import get_close_matches

    bare = [each.removeprefix(prefix) for each in words]
    near = get_close_matches(word.removeprefix(prefix), bare, 1)
    return f"; did you mean {prefix}{near[0]}?" if near else ""
