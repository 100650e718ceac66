"""The reactor `uvloop`: installed on a loop of that kind, or missed in one line."""

from __future__ import annotations

from typing import Any

import pytest
import twisted.internet

from daphne_like import uvloopreactor
from daphne_like.errors import ConfigError


class Asyncio:
    """Stands for asyncio and for Twisted's reactor on it."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Any]] = []

    def set_event_loop(self, loop: Any) -> None:
        self.events.append(("current", loop))

    def install(self, loop: Any) -> None:
        self.events.append(("installed", loop))


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Asyncio:
    made = Asyncio()
    monkeypatch.setattr(uvloopreactor, "asyncio", made)
    monkeypatch.setattr(twisted.internet, "asyncioreactor", made)
    monkeypatch.setattr(uvloopreactor, "new_loop", lambda kind: kind)
    return made


def test_the_reactor_is_installed_on_the_current_loop(there: Asyncio) -> None:
    uvloopreactor.install()
    assert there.events == [("current", "uvloop"), ("installed", "uvloop")]


def test_without_uvloop_a_line_names_the_fix(
    there: Asyncio, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(kind: str) -> None:
        raise ConfigError(kind)

    monkeypatch.setattr(uvloopreactor, "new_loop", missing)
    with pytest.raises(SystemExit) as left:
        uvloopreactor.install()
    assert str(left.value.code).endswith(": pip install uvloop.")
    assert there.events == []
