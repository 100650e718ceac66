r"""A file of environment variables, one ``NAME=value`` a line.

``export`` may stand in front. Blank lines, and those that begin with ``#``, say nothing. A
value is what follows the ``=``, without the space around it, and without what follows a ``#``
that has a space before it. In single quotes everything means itself; in double quotes ``\n``,
``\r``, ``\t``, ``\"``, ``\\`` and ``\$`` are escapes, and any other backslash means itself.
Both may go over several lines. Nothing is put in for a ``$``. Of several lines for one name
the last counts. This module must not know what the variables are for.
"""

from __future__ import annotations

import re
from pathlib import Path

from daphne_like.errors import ConfigError

_ENTRY = re.compile(
    r"""
    [ \t]*
    (?:
        (?:export[ \t]+)? (?P<name>[A-Za-z_]\w*) [ \t]* =
        (?: [ \t]* '(?P<literal>[^']*)' (?:[ \t]+\#[^\n]*|[ \t]*)
          | [ \t]* "(?P<quoted>(?:[^"\\]|\\.)*)" (?:[ \t]+\#[^\n]*|[ \t]*)
          | (?![ \t]*['"]) (?P<bare>[^\n]*)
        )
      | \#[^\n]*
    )?
    (?:\n|\Z)
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_COMMENT = re.compile(r"[ \t]#.*")
_ESCAPE = re.compile(r'\\([nrt"\\$])')
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}


def read(file: str) -> dict[str, str]:
    """The variables that `file` sets; raises :class:`ConfigError`."""
    try:
        text = Path(file).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"Cannot read --env-file {file}: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"--env-file {file} is not UTF-8, at byte {error.start}.") from None
    return variables(text, file)


def variables(text: str, file: str) -> dict[str, str]:
    """The variables that `text` sets.

    Raises :class:`ConfigError`, with the line in `file`, for what is no line of the grammar.
    """
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        entry = _ENTRY.match(text, at)
        if entry is None or "\0" in entry[0]:
            number = text.count("\n", 0, at) + 1
            raise ConfigError(f"{file}, line {number}: write NAME=value, and close each quote.")
        if entry["name"] is not None:
            found[entry["name"]] = _value(entry)
        at = entry.end()
    return found


def _value(entry: re.Match[str]) -> str:
    if entry["literal"] is not None:
        return entry["literal"]
    if entry["quoted"] is not None:
        return _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[1]), entry["quoted"])
    return _COMMENT.sub("", entry["bare"]).strip(" \t")
