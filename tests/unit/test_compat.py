"""The name of Daphne: who may have it, and what is found under it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType

import pytest

from daphne_like import compat, process


@pytest.fixture(autouse=True)
def _nothing_stays(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    others = [one for one in sys.meta_path if not isinstance(one, compat._Aliases)]
    monkeypatch.setattr(sys, "meta_path", others)
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "daphne"]:
        del sys.modules[name]


def test_it_costs_a_finder_and_no_more_the_second_time() -> None:
    finders, modules = len(sys.meta_path), set(sys.modules)
    compat.install()
    compat.install()
    assert len(sys.meta_path) == finders + 1
    assert set(sys.modules) == modules


@pytest.mark.parametrize("spec", [ModuleSpec("daphne", None), None])
def test_where_there_is_daphne_it_does_nothing(monkeypatch, spec) -> None:
    there = ModuleType("daphne")
    there.__spec__ = spec
    monkeypatch.setitem(sys.modules, "daphne", there)
    before = [*sys.meta_path]
    compat.install()
    assert sys.meta_path == before


def test_it_is_known_whose_the_name_is(monkeypatch) -> None:
    assert not compat.stands_in()
    compat.install()
    assert compat.stands_in()
    monkeypatch.setitem(sys.modules, "daphne", there := ModuleType("daphne"))
    there.__spec__ = ModuleSpec("daphne", None)
    assert not compat.stands_in()


def test_a_module_is_an_alias_of_ours() -> None:
    compat.install()
    daphne = importlib.import_module("daphne")
    endpoints = importlib.import_module("daphne.endpoints")
    ours = importlib.import_module("daphne_like.endpoints")
    assert daphne.__version__ == compat.VERSION
    assert daphne.endpoints is endpoints
    name = "build_endpoint_description_strings"
    assert getattr(endpoints, name) is getattr(ours, name)
    assert name in dir(endpoints)
    assert find_spec("daphne.management.commands.runserver") is not None
    with pytest.raises(AttributeError, match="has no attribute '__path__'"):
        _ = endpoints.__path__
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = endpoints.nothing


def test_names_that_ours_has_others_for_are_found(monkeypatch) -> None:
    ours = ModuleType("daphne_like.apps")
    ours.DaphneLikeConfig = "our configuration"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "daphne_like.apps", ours)
    compat.install()
    assert importlib.import_module("daphne.apps").DaphneConfig == "our configuration"


def test_what_is_inside_daphne_is_not_found() -> None:
    compat.install()
    assert find_spec("daphnes") is None
    with pytest.raises(ModuleNotFoundError, match="ws_protocol"):
        importlib.import_module("daphne.ws_protocol")


def test_importing_the_server_installs_the_reactor(monkeypatch) -> None:
    installed: list[str] = []
    monkeypatch.setattr(process, "install_reactor", lambda *, tls: installed.append("reactor"))
    monkeypatch.setattr(process, "loop_of", lambda reactor: "its loop")
    compat.install()
    importlib.import_module("daphne.testing")
    assert installed == []
    server = importlib.import_module("daphne.server")
    assert installed == ["reactor"]
    assert server.Server.__name__ == "Server"
