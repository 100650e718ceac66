"""One endpoint: it binds, ahead or in time, and nothing stays bound that nobody listens on."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from daphne_like.errors import StartupError
from daphne_like.limits import Limits
from daphne_like.transport import endpoint as module
from daphne_like.transport.endpoint import NativeEndpoint
from daphne_like.transport.sockets import Listener
from daphne_like.transport.stream import NativeTransport
from tests.unit.transport.fakes import PortDouble

LIMITS = Limits(backlog=7, write_budget=1000)


@pytest.fixture(autouse=True)
def bounds(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What was bounded of which socket."""
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(module, "bound_unsent", lambda *given: calls.append(given))
    return calls


@pytest.fixture(autouse=True)
def ports(monkeypatch: pytest.MonkeyPatch) -> list[PortDouble]:
    PortDouble.made = []
    monkeypatch.setattr(module, "NativePort", PortDouble)
    return PortDouble.made


def listener(backlog: int) -> Listener:
    return Listener("a socket", "closed")  # type: ignore[arg-type]


def test_an_endpoint_binds_at_once_and_accepts_when_the_reactor_runs(
    bounds: list[Any], ports: list[PortDouble]
) -> None:
    clock, factory = Clock(), Factory()
    endpoint = NativeEndpoint(clock, listener, LIMITS)
    assert verifyObject(IStreamServerEndpoint, endpoint)
    listening = endpoint.listen(factory)
    assert bounds == [("a socket", LIMITS.unsent_budget)]
    [port] = ports
    assert port.arguments == ("a socket", factory, 7, 1000, "closed", NativeTransport)
    got: list[Any] = []
    listening.addCallback(got.append)
    clock.advance(0)
    assert got == []
    port.accepted.callback(port)
    assert got == [port]
    assert port.stopped == 0


def test_what_cannot_be_bound_fails(ports: list[PortDouble]) -> None:
    def listen(backlog: int) -> Listener:
        raise StartupError("in use")

    failure = NativeEndpoint(Clock(), listen, LIMITS).listen(Factory())
    failed: list[Any] = []
    failure.addErrback(failed.append)
    assert failed[0].type is StartupError
    assert ports == []


class Bindings:
    """Sockets that are bound by number, and closed."""

    def __init__(self) -> None:
        self.events: list[tuple[str, int]] = []
        self.number = 0

    def listen(self, backlog: int, *, path: bool = True) -> Listener:
        self.number += 1
        self.events.append(("bound", self.number))
        self.close = partial(self.events.append, ("closed", self.number))
        closed = partial(self.events.append, ("removed", self.number)) if path else None
        return Listener(self, closed)  # type: ignore[arg-type]


def test_who_binds_ahead_listens_on_that_and_the_next_time_on_another(
    ports: list[PortDouble],
) -> None:
    bindings = Bindings()
    endpoint = NativeEndpoint(Clock(), bindings.listen, LIMITS)
    endpoint.bind()
    endpoint.bind()
    assert (bindings.number, ports) == (1, [])
    endpoint.listen(Factory())
    assert bindings.number == 1
    endpoint.unbind()
    assert bindings.events == [("bound", 1)], "it is the port's now"
    endpoint.listen(Factory())
    assert bindings.number == 2


@pytest.mark.parametrize(("path", "left"), [(True, ["closed", "removed"]), (False, ["closed"])])
def test_what_is_bound_ahead_can_be_given_back(path: bool, left: list[str]) -> None:
    bindings = Bindings()
    endpoint = NativeEndpoint(Clock(), partial(bindings.listen, path=path), LIMITS)
    endpoint.unbind()
    endpoint.bind()
    endpoint.unbind()
    endpoint.unbind()
    assert bindings.events == [("bound", 1), *((word, 1) for word in left)]


def test_a_port_that_cannot_accept_is_given_back(ports: list[PortDouble]) -> None:
    clock, failed = Clock(), []
    NativeEndpoint(clock, listener, LIMITS).listen(Factory()).addErrback(failed.append)
    clock.advance(0)
    ports[0].accepted.errback(OSError("too many files"))
    assert failed[0].type is OSError
    assert ports[0].stopped == 1


@pytest.mark.parametrize("turns", [0, 1])
def test_listening_can_be_cancelled(ports: list[PortDouble], turns: int) -> None:
    clock, failed = Clock(), []
    listening = NativeEndpoint(clock, listener, LIMITS).listen(Factory())
    listening.addErrback(failed.append)
    for _ in range(turns):
        clock.advance(0)
    listening.cancel()
    assert failed[0].type is CancelledError
    assert ports[0].stopped == 1
    assert clock.getDelayedCalls() == []


# --- Sharing ----------------------------------------------------------------------------------


@pytest.fixture
def inherited(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Descriptors that were taken over, with their backlogs."""
    calls: list[tuple[int, int]] = []

    def take(fileno: int, backlog: int) -> Listener:
        calls.append((fileno, backlog))
        return listener(backlog)

    monkeypatch.setattr(module, "inherited_listener", take)
    return calls


def test_a_worker_listens_on_what_its_supervisor_has_bound(
    inherited: list[tuple[int, int]], ports: list[PortDouble]
) -> None:
    endpoint = NativeEndpoint(Clock(), Bindings().listen, LIMITS)
    endpoint.share(5, bool)
    endpoint.listen(Factory())
    assert inherited == [(5, 7)]
    assert ports[0].yields is bool


def test_who_shares_binds_by_itself_or_takes_what_is_handed_over(
    inherited: list[tuple[int, int]], tmp_path: Path
) -> None:
    bindings = Bindings()
    endpoint = NativeEndpoint(Clock(), bindings.listen, LIMITS)
    assert endpoint.bound(None).socket is bindings
    assert endpoint.bound(6).closed == "closed"
    (tmp_path / "s").touch()
    own = NativeEndpoint(Clock(), listener, LIMITS, path=str(tmp_path / "s")).bound(8)
    assert inherited == [(6, 7), (8, 7)]
    assert own.closed is not None
    own.closed()
    assert not (tmp_path / "s").exists()
