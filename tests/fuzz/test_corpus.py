"""The inputs that were kept, given to the target that they were found for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz import http1, http2

CORPUS = Path(__file__).with_name("corpus")
TARGETS = {"http1": http1, "http2": http2}
INPUTS = sorted(CORPUS.glob("*/*"))


@pytest.mark.parametrize("path", INPUTS, ids=[f"{one.parent.name}-{one.name}" for one in INPUTS])
def test_what_was_kept(path: Path) -> None:
    TARGETS[path.parent.name].one_input(path.read_bytes())


@pytest.mark.parametrize("target", TARGETS)
def test_there_is_a_corpus(target: str) -> None:
    assert len(list((CORPUS / target).iterdir())) >= 30
