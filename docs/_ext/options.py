"""A Sphinx extension that writes tables from the code that defines what they say.

A page asks for one with a line that reads `<!-- options -->` or `<!-- limits -->`, for example.
This file knows how a row looks; what the rows say is in `daphne_like.config`,
`daphne_like.limits`, `daphne_like.metrics` and `daphne_like.access_format` only.
"""

from __future__ import annotations

from dataclasses import fields
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

from daphne_like.access_format import BRACED, FORMATS, KEYS, LETTERS
from daphne_like.environment import variable
from daphne_like.limits import Limits
from daphne_like.metrics import METRICS
from daphne_like.options import OPTIONS, Option

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

    from daphne_like.access_format import Atom


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    head = list(head)
    for cells in [head, ["---"] * len(head), *rows]:
        yield "| " + " | ".join(cells) + " |"


def prose(text: str) -> str:
    """Return `text` so that Markdown shows every character of it, in one table cell."""
    for character in "\\`*_[]<>{}|":
        text = text.replace(character, "\\" + character)
    return " ".join(text.split())


def code(text: object) -> str:
    """Return `text` as code in a table cell."""
    return f"`{text}`".replace("|", "\\|")


def default(value: object) -> str:
    """Return how a table shows a default; none is shown where nothing is set."""
    return "" if value is None or value is False or value in ((), "") else code(value)


def purpose(option: Option) -> str:
    """Return what a table says about an option, and what it may be where that is a choice."""
    choices = " or ".join(map(code, option.choices or ()))
    return prose(option.help) + (f" {choices}." if choices else "")


def amount(value: float | None, unit: str) -> str:
    """Return how a table shows a limit with its unit."""
    if value is None:
        return "none"
    for size, name in ((2**20, "MiB"), (2**10, "KiB")):
        if unit == "bytes" and value and value % size == 0:
            return f"{value // size} {name}"
    return f"{value:.12g} {unit}"


def options() -> Iterator[str]:
    """Yield the lines of one section and table for each group of options."""
    for group, rows in groupby(OPTIONS, lambda option: option.group):
        yield from ("", f"## {group}", "")
        yield from table(
            ("Option", "In a file", "Variable", "Default", "What it sets"),
            (
                (
                    ", ".join(map(code, row.flags)),
                    code(row.names[0]),
                    code(variable(row.names[0])),
                    default(row.default),
                    purpose(row),
                )
                for row in rows
            ),
        )


def limits() -> Iterator[str]:
    """Yield the lines of the table of limits."""
    defaults = Limits()
    yield from table(
        ("Limit", "Default", "Why"),
        (
            (
                code(limit.name),
                amount(getattr(defaults, limit.name), limit.metadata["unit"]),
                prose(limit.metadata["reason"]),
            )
            for limit in fields(Limits)
        ),
    )


def metrics() -> Iterator[str]:
    """Yield the lines of the table of metrics."""
    yield from table(
        ("Metric", "Kind", "Labels", "What it measures"),
        (
            (
                code(metric.name),
                metric.kind,
                ", ".join(map(code, metric.labels)),
                prose(metric.help),
            )
            for metric, _ in METRICS
        ),
    )


def atoms(head: str, of: Mapping[str, Atom], written: str) -> Iterator[str]:
    """Yield the lines of a table of things that an access line can say."""
    rows = ((code(written.format(name)), atom.meaning) for name, atom in of.items())
    yield from table((head, "What it is"), rows)


def formats() -> Iterator[str]:
    """Yield the lines of the table of formats that have a name."""
    rows = (
        (code(name), meaning, code(made) if isinstance(made, str) else "")
        for name, (meaning, made) in FORMATS.items()
    )
    yield from table(("Name", "What it is", "Atoms"), rows)


def braced() -> Iterator[str]:
    """Yield the lines of the table of atoms that take a name."""
    rows = ((code(f"%({{name}}{letter})s"), meaning) for letter, (meaning, _) in BRACED.items())
    yield from table(("Atom", "What it is"), rows)


TABLES: dict[str, dict[str, Callable[[], Iterator[str]]]] = {
    "reference/options": {"<!-- options -->": options},
    "reference/limits": {"<!-- limits -->": limits},
    "reference/access-lines": {
        "<!-- formats -->": formats,
        "<!-- letters -->": partial(atoms, "Atom", LETTERS, "%({})s"),
        "<!-- braced -->": braced,
        "<!-- keys -->": partial(atoms, "Key", KEYS, "{}"),
    },
    "reference/metrics": {"<!-- metrics -->": metrics},
}
"""For each page, the lines it marks places with and what is written there."""


def fill(_app: Sphinx, page: str, source: list[str]) -> None:
    """Write a page's tables where the page asks for them, when Sphinx has read the page.

    Raises:
        ValueError: the page lacks a line that asks.
    """
    for mark, lines in TABLES.get(page, {}).items():
        before, after = source[0].split(mark)
        source[0] = before + "\n".join(lines()) + after


def stale(_app: Sphinx, _env: BuildEnvironment, *_pages: set[str]) -> list[str]:
    """Return the pages that Sphinx reads again every time: no file of theirs tells of a change."""
    return list(TABLES)


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect this extension to Sphinx."""
    app.connect("source-read", fill)
    app.connect("env-get-outdated", stale)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
