"""The port: it accepts, pauses, goes on, and leaves nothing open when it is stopped."""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory
from zope.interface.verify import verifyObject

from daphne_like.transport import port as module
from daphne_like.transport.port import Acceptor, LoopServer, NativePort, Reader
from daphne_like.transport.stream import NativeTransport
from tests.unit.transport.fakes import Loop, Socket, finished, port_on

FULL = OSError(24, "Too many open files")


class Later:
    """Coroutines that run in a later turn of the loop, as futures."""

    def __init__(self) -> None:
        self.due: list[Any] = []
        self.over: list[Any] = []

    def __call__(self, coroutine: Any) -> Later:
        self.due.append(coroutine)
        return self

    def done(self) -> bool:
        return not self.due

    def add_done_callback(self, call: Any) -> None:
        self.over.append(call)

    def turn(self) -> None:
        while self.due:
            finished(self.due.pop(0))
        for call in self.over:
            call(self)


@pytest.fixture(autouse=True)
def later(monkeypatch: pytest.MonkeyPatch) -> Later:
    made = Later()
    monkeypatch.setattr(asyncio, "ensure_future", made)
    return made


@pytest.fixture(params=["the loop's", "ours"])
def accepting(
    request: pytest.FixtureRequest, loop: Loop, monkeypatch: pytest.MonkeyPatch, later: Later
) -> Any:
    """Whether `loop` accepts for a port now, on a loop of either kind."""
    if request.param == "ours":
        monkeypatch.setattr(asyncio, "BaseEventLoop", Loop)
        return lambda: len(loop.readers) == 1

    def serves() -> bool:
        later.turn()
        return len(loop.servers) == loop.server.calls.count("close") + 1

    return serves


# --- The port ---------------------------------------------------------------------------------


def test_a_port_accepts_until_it_is_stopped(
    loop: Loop, accepting: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[bool] = []
    monkeypatch.setattr(module, "twisted_address", lambda family, name: IPv4Address("TCP", *name))
    port, listener, factory = port_on(socket.AF_INET, lambda: closed.append(True))
    assert verifyObject(IListeningPort, port)
    assert port.accept() is port
    assert accepting()
    assert factory.numPorts == 1
    port.startListening()
    for _ in range(2):
        assert port.stopListening().called
    assert not accepting()
    assert listener.closed
    assert factory.numPorts == 0
    assert closed == [True]
    assert port.getHost() == IPv4Address("TCP", "127.0.0.1", 80)
    assert "127.0.0.1" in repr(port)


def test_a_port_that_never_accepted_closes_its_socket(loop: Loop) -> None:
    port, listener, _ = port_on(socket.AF_INET)
    port.pauseProducing()
    port.resumeProducing()
    port.stopListening()
    assert listener.closed


def test_a_paused_port_leaves_its_socket_open(loop: Loop, accepting: Any) -> None:
    port, listener, _ = port_on(socket.AF_INET)
    port.accept()
    for _ in range(2):
        port.pauseProducing()
        port.pauseProducing()
        assert not accepting()
        assert not listener.closed
        port.resumeProducing()
        port.resumeProducing()
        assert accepting()


def test_a_paused_port_can_be_stopped(loop: Loop, accepting: Any) -> None:
    port, _, _ = port_on(socket.AF_INET)
    port.accept()
    port.pauseProducing()
    port.stopListening()
    port.resumeProducing()
    assert not accepting()


def test_a_port_builds_transports(loop: Loop, later: Later) -> None:
    port, _, _ = port_on(socket.AF_INET)
    port.accept()
    later.turn()
    assert isinstance(loop.server.build(), NativeTransport)


# --- The loop's server ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("family", "version", "kind", "cleanup"),
    [
        (socket.AF_INET, (3, 13), "server", {}),
        (socket.AF_UNIX, (3, 12), "unix server", {}),
        (socket.AF_UNIX, (3, 13), "unix server", {"cleanup_socket": False}),
    ],
)
def test_the_loop_is_given_a_duplicate(
    loop: Loop,
    later: Later,
    monkeypatch: pytest.MonkeyPatch,
    family: int,
    version: Any,
    kind: str,
    cleanup: Any,
) -> None:
    monkeypatch.setattr(sys, "version_info", version)
    listener = Socket(family)
    LoopServer(listener, Any, 7).start()  # type: ignore[arg-type]
    later.turn()
    [(asked, options)] = loop.servers
    assert options.pop("sock") is not listener, "what the loop is given is the loop's to close"
    assert (asked, options) == (kind, {"backlog": 7, **cleanup})


def test_stopped_before_it_is_begun_it_is_not_made(loop: Loop, later: Later) -> None:
    server = LoopServer(Socket(socket.AF_INET), Any, 7)  # type: ignore[arg-type]
    server.start()
    server.stop()
    later.turn()
    assert loop.servers == []


def test_stopped_before_it_is_there_it_is_closed_at_once(
    loop: Loop, later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def create_server(build: Any, **options: Any) -> Any:
        server.stop()
        return loop.server

    monkeypatch.setattr(loop, "create_server", create_server)
    server = LoopServer(Socket(socket.AF_INET), Any, 7)  # type: ignore[arg-type]
    server.start()
    later.turn()
    assert loop.server.calls == ["close"]


def test_started_stopped_and_started_in_one_turn_it_is_made_once(loop: Loop, later: Later) -> None:
    server = LoopServer(Socket(socket.AF_INET), Any, 7)  # type: ignore[arg-type]
    server.start()
    server.stop()
    server.start()
    later.turn()
    assert len(loop.servers) == 1
    assert loop.server.calls == []


# --- Ours -------------------------------------------------------------------------------------


def test_we_accept_a_few_at_a_time(loop: Loop, later: Later) -> None:
    listener = Socket(socket.AF_INET)
    Reader(listener, lambda: "built", 7).start()  # type: ignore[arg-type, return-value]
    assert listener.blocking is False
    listener.coming = list(range(20))
    loop.readers[listener]()
    later.turn()
    assert loop.connected == [(number, "built") for number in range(16)]
    loop.readers[listener]()
    later.turn()
    assert len(loop.connected) == 20


def test_who_has_left_meanwhile_is_passed_over(loop: Loop, later: Later) -> None:
    listener = Socket(socket.AF_INET)
    Reader(listener, lambda: None, 7).start()  # type: ignore[arg-type, return-value]
    listener.coming = [ConnectionAbortedError(), "next"]
    for _ in range(2):
        loop.readers[listener]()
    later.turn()
    assert [connection for connection, _ in loop.connected] == ["next"]


def test_a_connection_that_the_loop_does_not_take_is_closed(loop: Loop, later: Later) -> None:
    listener, connection = Socket(socket.AF_INET), Socket(socket.AF_INET)
    Reader(listener, lambda: None, 7).start()  # type: ignore[arg-type, return-value]
    listener.coming = [connection]
    loop.fails = True
    loop.readers[listener]()
    later.turn()
    assert connection.closed


# --- Both, when there are no files left -------------------------------------------------------


def fails(acceptor: Acceptor, loop: Loop, listener: Socket) -> None:
    """Let the acceptor's next attempt fail."""
    if isinstance(acceptor, Reader):
        listener.coming = [FULL]
        loop.readers[listener]()
    else:
        loop.fails = True


@pytest.mark.parametrize("kind", [LoopServer, Reader])
def test_who_cannot_accept_rests_and_tries_again(
    loop: Loop, later: Later, kind: Any, caplog: pytest.LogCaptureFixture
) -> None:
    listener = Socket(socket.AF_INET)
    acceptor = kind(listener, lambda: None, 7)
    acceptor.start()
    for _ in range(3):
        fails(acceptor, loop, listener)
        later.turn()
        assert not loop.readers
        assert not loop.servers
        loop.clock.advance(0.1)
    loop.fails = False
    later.turn()
    assert len(loop.readers) + len(loop.servers) == 1
    assert caplog.messages == ["Cannot accept: Too many open files; who comes has to wait"]


@pytest.mark.parametrize("kind", [LoopServer, Reader])
def test_who_is_stopped_while_it_rests_stays_so(loop: Loop, later: Later, kind: Any) -> None:
    listener = Socket(socket.AF_INET)
    acceptor = kind(listener, lambda: None, 7)
    acceptor.start()
    fails(acceptor, loop, listener)
    later.turn()
    acceptor.stop()
    loop.fails = False
    assert loop.clock.getDelayedCalls() == []
    later.turn()
    assert not loop.readers
    assert not loop.servers


def test_an_acceptor_is_one_of_the_two(loop: Loop) -> None:
    with pytest.raises(NotImplementedError):
        Acceptor(Socket(socket.AF_INET), Any, 7).start()  # type: ignore[arg-type]


# --- Together with others ---------------------------------------------------------------------


def test_who_shares_a_socket_takes_one_at_a_time_while_it_is_his_turn(
    loop: Loop, later: Later
) -> None:
    listener, ahead = Socket(socket.AF_INET), [False]
    port = NativePort(listener, Factory(), 7, 1000, yields=lambda: ahead[0])  # type: ignore[arg-type]
    port.accept()
    listener.coming = list(range(40))
    for _ in range(3):
        loop.readers[listener]()
    later.turn()
    assert len(loop.connected) == 3


def test_who_has_more_lets_others_go_first_and_is_less_patient_each_time(
    loop: Loop, later: Later
) -> None:
    listener, ahead = Socket(socket.AF_INET), [True]
    reader = Reader(listener, lambda: None, 7, lambda: ahead[0])  # type: ignore[arg-type, return-value]
    reader.start()
    listener.coming = list(range(100))
    taken = []
    for _ in range(6):
        loop.readers[listener]()
        assert not loop.readers
        loop.clock.advance(0.002)
        later.turn()
        taken.append(len(loop.connected))
        loop.connected.clear()
    assert taken == [1, 2, 4, 8, 16, 16]
    ahead[0] = False
    loop.readers[listener]()
    ahead[0] = True
    loop.readers[listener]()
    loop.clock.advance(0.002)
    later.turn()
    assert len(loop.connected) == 2


def test_who_is_stopped_while_others_go_first_stays_so(loop: Loop) -> None:
    listener = Socket(socket.AF_INET)
    reader = Reader(listener, lambda: None, 7, lambda: True)  # type: ignore[arg-type, return-value]
    reader.start()
    loop.readers[listener]()
    reader.stop()
    loop.clock.advance(1)
    assert not loop.readers
