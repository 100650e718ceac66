"""``python -m daphne_like`` is the command line, which a signal ends before it has begun."""

import os
import runpy
import signal
import sys
from typing import Any

import pytest

import daphne_like
from daphne_like import __main__, cli


@pytest.fixture
def handlers(monkeypatch: pytest.MonkeyPatch) -> dict[int, Any]:
    """The process's signal handlers."""
    table: dict[int, Any] = {}
    monkeypatch.setattr(signal, "signal", table.__setitem__)
    return table


@pytest.mark.usefixtures("handlers")
def test_it_ends_with_the_status_of_main(monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["daphne-like"])
    monkeypatch.delitem(sys.modules, "daphne_like.__main__")
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("daphne_like", run_name="__main__")
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("daphne-like: No application")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_at_once_as_long_as_nothing_has_begun(
    handlers, monkeypatch, number
) -> None:
    exits: list[int] = []

    def main() -> int:
        handlers[number](number, None)
        return 5

    monkeypatch.setattr(os, "_exit", exits.append)
    monkeypatch.setattr(cli, "main", main)
    assert __main__.main() == 5
    assert exits == [0]


def test_imported_it_does_nothing(capsys, monkeypatch) -> None:
    monkeypatch.delitem(sys.modules, "daphne_like.__main__")
    runpy.run_module("daphne_like.__main__", run_name="other")
    assert capsys.readouterr() == ("", "")


def test_the_package_has_a_version() -> None:
    assert daphne_like.__version__.count(".") == 2
