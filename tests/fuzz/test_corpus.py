"""The inputs that were kept, given to the target that they were found for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz import http1

CORPUS = Path(__file__).with_name("corpus")
INPUTS = sorted((CORPUS / "http1").iterdir())


@pytest.mark.parametrize("path", INPUTS, ids=[path.name for path in INPUTS])
def test_what_was_kept_for_http1(path: Path) -> None:
    http1.one_input(path.read_bytes())


def test_there_is_a_corpus() -> None:
    assert len(INPUTS) >= 30
