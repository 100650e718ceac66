"""A file on its way into a socket: with every answer that the kernel may give."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from daphne_like.transport.files import FileOnItsWay


class Loop:
    """Watches sockets for who wants to write; the test says when they may."""

    def __init__(self) -> None:
        self.writers: dict[int, Callable[[], None]] = {}

    def add_writer(self, fileno: int, call: Callable[[], None]) -> None:
        self.writers[fileno] = call

    def remove_writer(self, fileno: int) -> None:
        self.writers.pop(fileno, None)

    def turn(self) -> None:
        for call in list(self.writers.values()):
            call()


class Kernel:
    """``os.sendfile`` that takes as much as it is told to, or fails."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[int, int]] = []
        monkeypatch.setattr(os, "sendfile", self)

    def __call__(self, out: int, file: int, offset: int, count: int) -> int:
        assert os.fstat(out)
        assert os.fstat(file)
        self.asked.append((offset, count))
        answer = self.answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return int(answer)


@pytest.fixture
def descriptors(tmp_path: Path) -> Iterator[tuple[int, int]]:
    """Two descriptors, for the socket and the file; nothing else is left open."""
    before = len(list(Path("/dev/fd").iterdir()))
    (tmp_path / "file").touch()
    opened = [os.open(tmp_path / "file", os.O_RDONLY) for _ in range(2)]
    yield opened[0], opened[1]
    for each in opened:
        os.close(each)
    assert len(list(Path("/dev/fd").iterdir())) == before


def on_its_way(descriptors: tuple[int, int], count: int) -> tuple[FileOnItsWay, Loop, list[Any]]:
    loop, over = Loop(), list[Any]()
    return FileOnItsWay(loop, *descriptors, 5, count, over.append), loop, over  # type: ignore[arg-type]


def test_it_is_sent_as_the_socket_takes_it(descriptors, monkeypatch) -> None:
    kernel = Kernel(monkeypatch, 4, BlockingIOError(), InterruptedError(), 6)
    file, loop, over = on_its_way(descriptors, 10)
    assert loop.writers == {}
    file.start()
    lefts = []
    while loop.writers:
        loop.turn()
        lefts.append(file.left)
    assert lefts == [6, 6, 6, 0]
    assert kernel.asked == [(5, 10), (9, 6), (9, 6), (9, 6)]
    assert over == [None]


def test_a_turn_of_the_loop_sends_so_much_and_no_more(descriptors, monkeypatch) -> None:
    kernel = Kernel(monkeypatch, 512 * 1024, 1)
    file, loop, over = on_its_way(descriptors, 512 * 1024 + 1)
    file.start()
    loop.turn()
    assert over == []
    loop.turn()
    assert kernel.asked == [(5, 512 * 1024), (5 + 512 * 1024, 1)]
    assert over == [None]


@pytest.mark.parametrize("answer", [0, BrokenPipeError(32, "Broken pipe")])
def test_what_goes_wrong_is_told(descriptors, monkeypatch, answer) -> None:
    Kernel(monkeypatch, answer)
    file, loop, over = on_its_way(descriptors, 10)
    file.start()
    loop.turn()
    assert loop.writers == {}
    [error] = over
    assert str(error) in ("the file has become shorter", "[Errno 32] Broken pipe")


def test_it_can_be_dropped_before_and_after_it_has_begun(descriptors) -> None:
    for begun in (False, True):
        file, loop, over = on_its_way(descriptors, 10)
        if begun:
            file.start()
        file.close()
        assert (loop.writers, over) == ({}, [])


def test_where_no_descriptors_are_left_none_is_lost(descriptors, monkeypatch) -> None:
    real, asked = os.dup, list[int]()

    def dup(fileno: int) -> int:
        asked.append(fileno)
        if len(asked) == 2:
            raise OSError(24, "Too many open files")
        return real(fileno)

    monkeypatch.setattr(os, "dup", dup)
    with pytest.raises(OSError, match="Too many"):
        on_its_way(descriptors, 10)
