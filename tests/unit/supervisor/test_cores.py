"""As many workers as there are processors, or as the container may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from daphne_like.supervisor import cores as module
from daphne_like.supervisor.cores import cores


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, 8),
        ("max 100000\n", 8),
        ("150000 100000\n", 2),
        ("50000 100000\n", 1),
        ("1600000 100000\n", 8),
        ("nonsense", 8),
    ],
)
def test_a_container_has_what_it_may_use(
    text: str | None, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    limit = tmp_path / "cpu.max"
    if text is not None:
        limit.write_text(text)
    assert cores(limit) == expected


@pytest.mark.parametrize(("counted", "expected"), [(4, 4), (None, 1)])
def test_elsewhere_the_machines_processors_count(
    counted: int | None, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(module.os, "cpu_count", lambda: counted)
    assert cores(Path("/nowhere")) == expected
