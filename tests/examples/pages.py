"""The pages of the documentation, as what a reader copies out of them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import NamedTuple

from tests.examples.serving import CHECKOUT

DOCS = CHECKOUT / "docs"
PAGES = [
    CHECKOUT / "README.md",
    *sorted(page for page in DOCS.glob("**/*.md") if "_build" not in page.parts),
]

_BLOCK = re.compile(r"^```(\S+)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A fenced block: its language, or the directive that it is, and its lines."""

    language: str
    text: str


def name_of(page: Path) -> str:
    return page.relative_to(CHECKOUT).as_posix()


def blocks(page: Path) -> list[Block]:
    return [Block(*found) for found in _BLOCK.findall(page.read_text())]


def commands(page: Path) -> list[list[str]]:
    """Every command in the page's shell blocks, as words."""
    return [
        shlex.split(line, comments=True)
        for block in blocks(page)
        if block.language in ("sh", "console")
        for line in _joined(block.text.replace("\n$ ", "\n").removeprefix("$ "))
        if shlex.split(line, comments=True)
    ]


def _joined(text: str) -> list[str]:
    return text.replace("\\\n", " ").splitlines()


def section(page: Path, title: str) -> str:
    """The part of a page under a heading of the second level."""
    return page.read_text().split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    """The cells of every table row in `text`, its heads and rules left out."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    rules = {number for number, row in enumerate(cells) if set("".join(row)) <= set("-| ")}
    heads = {number - 1 for number in rules}
    return [row for number, row in enumerate(cells) if number not in rules | heads]


def options_in(text: str) -> set[str]:
    """Every option that stands in `text` as code."""
    codes = re.findall(r"`([^`\n]+)`", text)
    return {code.split()[0].split("=")[0] for code in codes if re.match(r"--?[a-z]", code)}
