"""Options from environment variables: ``DAPHNE_LIKE_PORT`` is ``--port``.

A variable is called as its option, in capitals, with ``_`` for ``-``; for a repeatable option
it holds one value a line. This module must not know which options there are.
"""

from __future__ import annotations

from collections.abc import Mapping

from daphne_like.sources import Place, by_name, given, place, suggestion

PREFIX = "DAPHNE_LIKE_"
CONFIG = PREFIX + "CONFIG"
ENV_FILE = PREFIX + "ENV_FILE"

OTHERS = {"WEB_CONCURRENCY": PREFIX + "WORKERS"}
"""Variables that are not ours and say the same: a platform sets them for whatever it runs."""


def variable(name: str) -> str:
    """The variable for the option called `name`."""
    return PREFIX + name.upper().replace("-", "_")


def options_in(environ: Mapping[str, str], files: Mapping[str, str]) -> tuple[Place, list[str]]:
    """What the variables in `environ` give, and a warning for each that gives nothing.

    `files` has the file of each variable that is from one. Raises :class:`ConfigError`.
    """
    ours = sorted(name for name in environ if name.startswith(PREFIX))
    options = by_name(variable) if ours or OTHERS.keys() & environ.keys() else {}
    found, warnings = [], []
    for name in ours:
        option, text = options.get(name), environ[name]
        if option is not None:
            texts = _lines(text) if option.repeatable else [text]
            found.append(given(option, name, texts, f"{files.get(name, 'environment')} {name}"))
        elif name not in (CONFIG, ENV_FILE):
            near = suggestion(name, [*options, CONFIG, ENV_FILE], PREFIX)
            where = files.get(name, "the environment")
            warnings.append(f"{name} in {where} is no option{near or '.'}")
    for name, own in OTHERS.items():
        if environ.get(name) and own not in environ:
            found.append(given(options[own], name, [environ[name]], f"environment {name}"))
    return place(found), warnings


def _lines(text: str) -> list[str]:
    """The lines that say something, or one that is empty and so no value."""
    return [line for line in text.split("\n") if line.strip()] or [""]
