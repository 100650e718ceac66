"""The native transport with a file to send, between what is written before and after it."""

from __future__ import annotations

from typing import Any

import pytest

import daphne_like.transport.files as file_module
from daphne_like.transport.stream import NativeTransport
from tests.unit.transport.fakes import BUDGET, HalfNotes, Loop, Native, Notes, Producer, made


class File:
    """A file on its way, for a test to send."""

    def __init__(self, *given: Any) -> None:
        *self.given, self.over = given
        self.left = self.given[-1]
        self.calls: list[str] = []

    def start(self) -> None:
        self.calls.append("start")

    def close(self) -> None:
        self.calls.append("close")


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> list[File]:
    """The files that were given to transports."""
    made: list[File] = []
    monkeypatch.setattr(
        file_module, "FileOnItsWay", lambda *given: made.append(File(*given)) or made[-1]
    )
    return made


def sending(loop: Loop, protocol: Notes, waiting: int = 0) -> tuple[NativeTransport, Native]:
    """A transport that has been given a file, with `waiting` bytes written before."""
    transport, native = made(loop, protocol)
    native.waiting = waiting
    native.limits.clear()
    transport.registerProducer(Producer(protocol), True)
    transport.send_file(7, 5, 100, b"head", b"tail")
    return transport, native


def test_a_file_is_sent_at_once_where_nothing_is_before_it(loop: Loop, files: list[File]) -> None:
    protocol = Notes()
    transport, native = sending(loop, protocol)
    [file] = files
    assert file.given == [loop, native.socket.fileno(), 7, 5, 100]
    assert file.calls == ["start"]
    assert protocol.events == ["pause"]
    assert transport.unsent() == 100
    file.over(None)
    assert native.written == [b"head", b"tail"]
    assert native.limits == [0, BUDGET]
    assert protocol.events == ["pause", "resume"]
    assert transport.unsent() == 0


def test_a_file_waits_for_what_is_before_it(loop: Loop, files: list[File]) -> None:
    protocol = Notes()
    transport, native = sending(loop, protocol, waiting=9)
    [file] = files
    assert (file.calls, transport.unsent()) == ([], 109)
    transport.resume_writing()
    assert (file.calls, protocol.events) == (["start"], ["pause"])
    native.waiting = 0
    file.over(None)
    assert protocol.events == ["pause", "resume"]


def test_a_file_without_a_tail_has_none(loop: Loop, files: list[File]) -> None:
    transport, native = made(loop, Notes())
    transport.pause_writing()
    transport.send_file(7, 0, 1)
    files[0].over(None)
    assert native.written == []


@pytest.mark.parametrize("how", ["loseConnection", "loseWriteConnection"])
def test_the_end_waits_for_the_file(loop: Loop, files: list[File], how: str) -> None:
    transport, native = made(loop, HalfNotes())
    transport.send_file(7, 0, 1)
    getattr(transport, how)()
    loop.turn()
    assert not {"close", "write_eof"} & set(native.calls)
    files[0].over(None)
    loop.turn()
    assert {"close", "write_eof"} & set(native.calls)


@pytest.mark.parametrize(
    ("error", "lines"),
    [
        (OSError("it is shorter"), ["Cannot send the rest of a file: it is shorter"]),
        (BrokenPipeError(), []),
    ],
)
def test_a_file_that_breaks_off_breaks_the_connection_off(
    loop: Loop, files: list[File], caplog: pytest.LogCaptureFixture, error: OSError, lines: Any
) -> None:
    transport, native = sending(loop, Notes())
    files[0].left = 70
    files[0].over(error)
    loop.turn()
    assert native.calls[-1] == "abort"
    assert native.written == [b"head"]
    assert caplog.messages == lines
    assert transport.unsent() == 70
    transport.send_file(7, 0, 1)
    assert len(files) == 1


def test_who_leaves_gets_no_more_of_the_file(loop: Loop, files: list[File]) -> None:
    transport, _ = sending(loop, Notes())
    files[0].left = 60
    transport.connection_lost(None)
    assert files[0].calls == ["start", "close"]
    assert transport.unsent() == 60
    transport, _ = sending(loop, Notes())
    transport.abortConnection()
    assert files[1].calls == ["start", "close"]
