"""Every option and command on the pages exists: the pages against the one table of options."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from daphne_like.cli import configured
from daphne_like.options import OPTIONS
from tests.examples.pages import DOCS, PAGES, commands, name_of, options_in, rows
from tests.examples.serving import EXAMPLES
from tests.unit.django_site import set_up

FLAGS = {flag for option in OPTIONS for flag in option.flags}
ANSWERED = {"--help", "--version", "--print-config", "--check"}
EVERYWHERE = {*ANSWERED, "--config", "--env-file"}
OTHERS = {"how-to/migrate-from-uvicorn.md": 0, "how-to/twistd.md": 0}
"""The column of a page's tables that has another program's options."""

SERVED = [
    (page, command) for page in PAGES for command in commands(page) if command[0] == "daphne-like"
]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_names_only_options_that_there_are(page: Path) -> None:
    text = page.read_text()
    foreign = OTHERS.get(page.relative_to(DOCS).as_posix()) if DOCS in page.parents else None
    if foreign is not None:
        for row in rows(text):
            text = text.replace(f"| {row[foreign]} |", "| |")
    known = FLAGS | EVERYWHERE
    if page == DOCS / "how-to/django.md":
        known = known | of_runserver()
    assert options_in(text) - known == set()


def of_runserver() -> set[str]:
    set_up()
    from daphne_like.management.commands.runserver import Command

    parser = Command().create_parser("manage.py", "runserver")
    return {flag for action in parser._actions for flag in action.option_strings}


@pytest.mark.parametrize(
    ("page", "command"), SERVED, ids=[f"{name_of(page)}: {' '.join(c)}" for page, c in SERVED]
)
def test_a_command_on_a_page_is_a_command(
    page: Path, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [word for word in command[1:] if word not in ANSWERED]
    if set(command) & {"--help", "--version"} or "[options]" in words:
        return
    if page == DOCS / "how-to/configure.md":
        monkeypatch.chdir(EXAMPLES / "configuration")
        monkeypatch.setattr(os, "environ", dict(os.environ))
    assert configured(words)


def test_there_are_commands_on_the_pages() -> None:
    assert len(SERVED) > 10


def test_every_option_of_daphne_is_one_here() -> None:
    moved = [
        row
        for row in rows((DOCS / "how-to/migrate-from-daphne.md").read_text())
        if row[0].startswith("`-")
    ]
    assert len(moved) == 22
    for theirs, ours, *_ in moved:
        assert options_in(theirs) == options_in(ours) <= FLAGS


def test_every_option_of_uvicorn_has_an_answer() -> None:
    moved = [
        row
        for row in rows((DOCS / "how-to/migrate-from-uvicorn.md").read_text())
        if row[0].startswith("`-")
    ]
    assert len(moved) > 25
    for _, ours, *_ in moved:
        assert options_in(ours) <= FLAGS | EVERYWHERE
        assert options_in(ours) or ours in ("none", "not yet")
