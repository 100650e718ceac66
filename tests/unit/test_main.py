"""``python -m daphne_like`` is the command line."""

import runpy
import sys

import pytest

import daphne_like


def test_it_ends_with_the_status_of_main(monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["daphne-like"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("daphne_like", run_name="__main__")
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("daphne-like: No application")


def test_imported_it_does_nothing(capsys) -> None:
    runpy.run_module("daphne_like.__main__", run_name="other")
    assert capsys.readouterr() == ("", "")


def test_the_package_has_a_version() -> None:
    assert daphne_like.__version__.count(".") == 2
