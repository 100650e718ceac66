"""The rules of CONTRIBUTING.md that a count can show."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
MODULES = sorted(CHECKOUT.glob("daphne_like/**/*.py"))
PAGES = sorted([*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/**/*.md")])


def relative(path: Path) -> str:
    return path.relative_to(CHECKOUT).as_posix()


@pytest.mark.parametrize("module", MODULES, ids=relative)
def test_a_module_is_short_and_says_what_it_is(module: Path) -> None:
    lines = module.read_text().splitlines()
    tree = ast.parse("\n".join(lines))
    functions = [
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert ast.get_docstring(tree)
    assert len(lines) <= 400
    assert [f.name for f in functions if (f.end_lineno or 0) - f.lineno >= 60] == []


def test_twisted_stays_a_namespace_that_others_may_share() -> None:
    assert sorted(map(relative, CHECKOUT.glob("twisted/**/*.py"))) == [
        "twisted/plugins/daphne_like_plugin.py"
    ]


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_a_page_shows_python_only_from_examples(page: Path) -> None:
    text = page.read_text()
    assert not re.search(r"^\s*(```|~~~)\s*(python|py|pycon)\b", text, re.MULTILINE)
    for target in re.findall(r"\{literalinclude\}\s*(\S+)", text):
        example = (page.parent / target).resolve()
        assert example.is_file()
        assert any(example.is_relative_to(CHECKOUT / place) for place in ("examples", "deploy"))
        assert is_run_by_a_test(example), f"no test names {example.name}"


def is_run_by_a_test(example: Path) -> bool:
    return any(example.stem in test.read_text() for test in CHECKOUT.glob("tests/**/test_*.py"))
