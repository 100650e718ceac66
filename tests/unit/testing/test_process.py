"""The process of a server, without a process: what it does in which order, and what it tells."""

from __future__ import annotations

import asyncio
import io
import pickle
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from daphne_like import compat, process, standalone, testing
from daphne_like.testing.process import DaphneProcess, ServerProcess, _reinstall_reactor

happened: list[Any] = []


def note(what: str, returned: Any = None) -> Any:
    happened.append(what)
    return returned


class Noted:
    """Stands for a server: it listens at the second look."""

    def __init__(self, **given: Any) -> None:
        happened.append(given)
        self.listening_addresses: list[tuple[str, int]] = []

    def run(self) -> None:
        happened.append("run")
        for addresses in ([], [("127.0.0.1", 4711)]):
            self.listening_addresses += addresses
            reactor.timers.pop()()


class Reactor:
    def __init__(self) -> None:
        self.timers: list[Callable[[], None]] = []

    def callLater(self, seconds: float, call: Callable[[], None]) -> None:
        assert seconds == 0.1
        self.timers.append(call)


reactor = Reactor()


@pytest.fixture(autouse=True)
def _reactor(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    happened.clear()
    loop = asyncio.new_event_loop()
    monkeypatch.setattr(process, "install_reactor", lambda **how: note("install", reactor))
    monkeypatch.setattr(process, "loop_of", lambda given: loop)
    monkeypatch.setattr(standalone, "Server", Noted)
    yield
    loop.close()
    asyncio.set_event_loop(None)


get_application = partial(note, "application", "the application")


def test_it_serves_between_setup_and_teardown_and_tells_the_port() -> None:
    one = ServerProcess(
        "localhost",
        get_application,
        {"http_timeout": 3},
        partial(note, "setup"),
        partial(note, "teardown"),
    )
    one.run()
    order = [what for what in happened if what != "install"]
    assert order == [
        "application",
        {
            "application": "the application",
            "endpoints": ["tcp:port=0:interface=localhost"],
            "signal_handlers": False,
            "http_timeout": 3,
        },
        "setup",
        "run",
        "teardown",
    ]
    assert happened[0] == "install"
    assert one.ready.is_set()
    assert one.port.value == 4711
    assert one.errors.empty()


def test_it_can_be_told_a_port_and_nothing_else() -> None:
    one = ServerProcess("localhost", get_application, port=80)
    one.run()
    [arguments] = [what for what in happened if isinstance(what, dict)]
    assert arguments["endpoints"] == ["tcp:port=80:interface=localhost"]


@pytest.mark.parametrize("failing", ["application", "run"])
def test_what_ends_it_is_told(monkeypatch, capsys, failing: str) -> None:
    def fail(*_: object) -> None:
        raise LookupError(failing)

    monkeypatch.setattr(Noted, "run", fail)
    get = fail if failing == "application" else get_application
    one = ServerProcess("a", get, teardown=partial(note, "teardown"))
    one.run()
    error, traceback = one.errors.get(timeout=30)
    assert isinstance(error, LookupError)
    assert "LookupError: " + failing in traceback
    assert ("teardown" in happened) is (failing == "run")
    assert not one.ready.is_set()
    assert capsys.readouterr().err == traceback


def test_what_ends_it_later_is_not_shown(monkeypatch, capsys) -> None:
    def fail(self: Noted) -> None:
        one.ready.set()
        raise LookupError

    monkeypatch.setattr(Noted, "run", fail)
    one = ServerProcess("a", get_application)
    one.run()
    assert capsys.readouterr().err == ""


def test_a_reactor_of_its_own_takes_the_place_of_the_parents(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "twisted.internet.reactor", "the parent's")
    _reinstall_reactor()
    assert "twisted.internet.reactor" not in sys.modules
    assert happened == ["install"]
    assert asyncio.get_event_loop() is process.loop_of(reactor)


class Small(ServerProcess):
    """A process that can be pickled without starting one."""

    def __init__(self) -> None:
        self.told = "something"


class Unpickler(pickle.Unpickler):
    """Notes what it looks for."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        return note(global_name, super().find_class(module_name, global_name))


def test_whoever_unpickles_it_knows_daphnes_names_first(monkeypatch) -> None:
    monkeypatch.setattr(compat, "find_spec", lambda name: note(name, name))
    again = Unpickler(io.BytesIO(pickle.dumps(Small()))).load()
    assert type(again) is Small
    assert again.told == "something"
    assert happened[happened.index("install") :] == ["install", "daphne", "Small"]


def test_daphnes_names_are_found_when_they_are_asked_for() -> None:
    assert testing.DaphneProcess is testing.ServerProcess is DaphneProcess
    assert testing._reinstall_reactor is _reinstall_reactor
    assert testing.TestApplication.__name__ == "TestApplication"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = testing.nothing
