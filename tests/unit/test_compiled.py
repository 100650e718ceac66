"""Whether an installation says that it is a compiled one."""

from __future__ import annotations

from importlib.machinery import EXTENSION_SUFFIXES
from types import SimpleNamespace

import pytest

from daphne_like import __version__, compiled, exchange


def test_it_says_what_the_modules_are() -> None:
    assert compiled.is_compiled() == (not (exchange.__file__ or "").endswith(".py"))


@pytest.mark.parametrize(
    ("origin", "version"),
    [
        (f"/lib/daphne_like/exchange{EXTENSION_SUFFIXES[0]}", f"{__version__} (compiled)"),
        (f"/lib/daphne_like/exchange{EXTENSION_SUFFIXES[-1]}", f"{__version__} (compiled)"),
        ("/lib/daphne_like/exchange.py", __version__),
        ("/lib/daphne_like/exchange.pyc", __version__),
        (None, __version__),
    ],
)
def test_the_version_says_it_too(
    monkeypatch: pytest.MonkeyPatch, origin: str | None, version: str
) -> None:
    found = SimpleNamespace(origin=origin)
    monkeypatch.setattr(compiled, "find_spec", lambda _name: found)
    assert compiled.is_compiled() == ("compiled" in version)
    assert compiled.described_version() == version


def test_where_nothing_is_found_nothing_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "find_spec", lambda _name: None)
    assert not compiled.is_compiled()
