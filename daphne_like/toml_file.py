"""Options from a TOML file, and all options as one.

A key is called as its option; the file is a table of keys, ``pyproject.toml`` has the table
``[tool.daphne-like]``. What `printed` writes, `read` takes; a secret it keeps to itself. This
module must not know where else options are given.
"""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path
from typing import Any

from daphne_like.errors import ConfigError
from daphne_like.options import APPLICATION, OPTIONS, Option, switch
from daphne_like.sources import PYPROJECT, Given, Place, by_name, given, place, suggestion

_TABLE = "daphne-like"
_SPELLINGS = (_TABLE, "daphne_like")


# --- Reading ------------------------------------------------------------------------------


def read(file: str) -> Place:
    """What the file of ``--config`` gives; raises :class:`ConfigError`."""
    try:
        content = Path(file).read_bytes()
    except OSError as error:
        raise ConfigError(f"Cannot read --config {file}: {error.strerror}.") from None
    table = _parsed(content, file)
    ours = _ours(table, file)
    if Path(file).name != PYPROJECT:
        if ours is not None:
            wrong = f"{file}: [tool.{_TABLE}] is for a pyproject.toml"
            raise ConfigError(f"{wrong}; here, take the options out of it.")
        return _options(table, file)
    if ours is None:
        raise ConfigError(f"{file} has no table [tool.{_TABLE}]: write the options into one.")
    return _options(ours, file)


def found() -> Place:
    """What the project in the current directory gives; raises :class:`ConfigError`."""
    try:
        content = Path(PYPROJECT).read_bytes()
    except OSError as error:
        raise ConfigError(
            f"Cannot read {PYPROJECT}: {error.strerror}; --config /dev/null does without it."
        ) from None
    # Most do not speak of us, and parsing one takes a start a hundredth of a second.
    if not any(name.encode() in content for name in _SPELLINGS):
        return {}
    return _options(_ours(_parsed(content, PYPROJECT), PYPROJECT) or {}, PYPROJECT)


def _parsed(content: bytes, file: str) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(content.decode())
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is not UTF-8, at byte {error.start}.") from None
    except ValueError as error:
        end = f"at the end, line {len(content.splitlines())}"
        why = str(error).replace("at end of document", end)
        raise ConfigError(f"{file} is not TOML: {why}.") from None


def _ours(table: dict[str, Any], file: str) -> dict[str, Any] | None:
    tools = table.get("tool")
    given = [tools.get(name) for name in _SPELLINGS] if isinstance(tools, dict) else []
    ours = [each for each in given if isinstance(each, dict)]
    if len(ours) > 1:
        one, other = _SPELLINGS
        raise ConfigError(f"{file}: [tool.{one}] and [tool.{other}] are the same: write one table.")
    return ours[0] if ours else None


def _options(table: dict[str, Any], file: str) -> Place:
    options = by_name()
    return place(_option(options, key, value, file) for key, value in table.items())


def _option(options: dict[str, Option], key: str, value: Any, file: str) -> Given:
    option = options.get(key.replace("_", "-"))
    if option is None:
        near = suggestion(key.replace("_", "-"), options)
        raise ConfigError(f"{file}: unknown key {key}{near or '; see --help.'}")
    kinds, one, many = _TAKEN.get(option.type, _TEXT)
    wrong = _wrong(option, value, kinds)
    if wrong is not None:
        wanted = f"an array of {many}" if option.repeatable else one
        raise ConfigError(
            f"{file}: {key} takes {wanted}, not {_KINDS.get(wrong, 'a date or time')}."
        )
    values = value if option.repeatable else [value]
    return given(option, key, [str(value) for value in values], file)


def _wrong(option: Option, value: Any, kinds: tuple[type, ...]) -> type | None:
    """The type that something of `value` has and may not have."""
    if option.repeatable and not isinstance(value, list):
        return type(value)
    values = value if option.repeatable else [value]
    return next((type(one) for one in values if type(one) not in kinds), None)


_TEXT: tuple[tuple[type, ...], str, str] = (
    (str, int, float),
    "a string or a number",
    "strings",
)
_TAKEN: dict[Any, tuple[tuple[type, ...], str, str]] = {
    switch: ((bool,), "true or false", "true or false"),
    str: ((str,), "a string", "strings"),
    int: ((int,), "a whole number", "whole numbers"),
    float: ((int, float), "a number", "numbers"),
}
"""For each type of an option: the types of TOML that it takes, and what to call one or many."""

_KINDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number with a fraction",
    str: "a string",
    list: "an array",
    dict: "a table",
}


# --- Printing -----------------------------------------------------------------------------


def printed(chosen: Place) -> str:
    """All options as a file, each with a comment on where its value is from.

    An option without a value is a comment, and so is a secret. Raises :class:`ConfigError` for
    text that TOML cannot have.
    """
    lines = []
    for group, options in groupby((APPLICATION, *OPTIONS), lambda option: option.group):
        lines += ["", f"# {group}", *(_line(option, chosen) for option in options)]
    return "\n".join(lines[1:]) + "\n"


def _line(option: Option, chosen: Place) -> str:
    name = option.names[0]
    each = chosen.get(option.name)
    if each is not None and option.secret:
        return f"# {name} is given ({_escaped(each.origin)})"
    if each is not None:
        return f"{name} = {_value(each.written, option)}  # {_escaped(each.origin)}"
    default = list(option.default) if option.repeatable else option.default
    if default is None or (default == "" and not option.empty):
        return f"# {name} is not given"
    return f"{name} = {_value(default, option)}  # default"


def _value(value: Any, option: Option) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_value(one, option) for one in value)}]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ConfigError(f"{option.long_flag} {value!r} is not UTF-8, and TOML has only that.")
    return f'"{_escaped(value)}"'


def _escaped(text: str) -> str:
    """`text` in the printable characters of ASCII, as a basic string of TOML has it."""
    return re.sub(r"[^ !#-\[\]-~]", _escape, text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return _ESCAPES.get(found[0]) or (f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}")


_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}
