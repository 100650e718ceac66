"""The reactor `uvloop`: installed on a loop of that kind, or missed in one line."""

from __future__ import annotations

from typing import Any

import pytest

from daphne_like import uvloopreactor
from daphne_like.errors import ConfigError


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The loops on which a reactor was installed."""
    loops: list[Any] = []
    monkeypatch.setattr(uvloopreactor, "reactor_on", loops.append)
    monkeypatch.setattr(uvloopreactor, "new_loop", lambda kind: kind)
    return loops


def test_the_reactor_is_installed_on_a_loop_of_that_kind(installed: list[Any]) -> None:
    uvloopreactor.install()
    assert installed == ["uvloop"]


def test_without_uvloop_a_line_names_the_fix(
    installed: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(kind: str) -> None:
        raise ConfigError(kind)

    monkeypatch.setattr(uvloopreactor, "new_loop", missing)
    with pytest.raises(SystemExit) as left:
        uvloopreactor.install()
    assert str(left.value.code).endswith(": pip install uvloop.")
    assert installed == []
