"""The way out of an HTTP/2 stream: parts of files, read as fast as the client takes them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.frames import CANCEL, INTERNAL_ERROR
from tests.support.http2 import Asked, Served

Connect = Callable[..., Served]
KIB = 1024
SIZE = 300 * KIB
CONTENT = bytes(range(256)) * (SIZE // 256)


@pytest.fixture(autouse=True)
def nothing_stays_open() -> Iterator[None]:
    before = descriptors()
    yield
    assert descriptors() == before


@pytest.fixture
def file(tmp_path: Path) -> Iterator[int]:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    descriptor = os.open(path, os.O_RDWR)
    yield descriptor
    os.close(descriptor)


def descriptors() -> list[str]:
    return sorted(path.name for path in Path("/dev/fd").iterdir())


def sending(served: Served, file: int, size: int = SIZE) -> Asked:
    """A response that is the first `size` bytes of the file, all of them asked for."""
    asked = served.ask()
    assert "http.response.pathsend" in served.last.stream.supports
    served.last.start()
    served.last.stream.send_file(file, 0, size)
    return asked


def grow(served: Served, asked: Asked, size: int) -> None:
    served.client.give(size)
    served.client.give(size, asked.number)
    served.turn()


def test_it_is_full_until_all_of_it_is_sent(connect: Connect, file: int) -> None:
    served = connect()
    asked = sending(served, file)
    assert served.last.stream.full
    assert asked.reply.body == CONTENT
    assert served.last.events == ["body_ended", "drained"]
    served.last.send(b"more")
    served.last.end()
    assert asked.reply.body == CONTENT + b"more"


def test_no_more_of_it_is_read_than_the_client_takes(connect: Connect, file: int) -> None:
    served = connect(window=100, gives=False, write_budget=4 * KIB)
    asked = sending(served, file)
    for _ in range(10):
        assert served.connection.engine.queued_body_size(asked.number) <= 8 * KIB
        grow(served, asked, 10 * KIB)
    assert asked.reply.body == CONTENT[: 100 + 100 * KIB]
    assert served.last.stream.full
    assert "drained" not in served.last.events
    grow(served, asked, SIZE)
    assert asked.reply.body == CONTENT
    assert served.last.events == ["body_ended", "drained"]


def test_nor_than_the_transport_takes(connect: Connect, file: int) -> None:
    served = connect(write_budget=4 * KIB)
    served.stop_reading()
    asked = sending(served, file)
    served.turn()
    for _ in range(SIZE // KIB):
        served.wire.read(2 * KIB)
        served.turn()
        assert served.wire.unsent() < 16 * KIB
    assert asked.reply.body == CONTENT
    assert served.last.events == ["body_ended", "drained"]
    served.read_on()


@pytest.mark.parametrize("whole", [False, True])
def test_who_takes_it_slowly_may_go_on(connect: Connect, file: int, whole: bool) -> None:
    served = connect(window=KIB, gives=False, write_budget=4 * KIB, write_timeout=60)
    asked = sending(served, file)
    while asked.reply.body != CONTENT:
        served.wait(59)
        grow(served, asked, 4 * KIB if whole else KIB)
    assert served.last.events == ["body_ended", "drained"]


def test_who_takes_nothing_more_of_it_is_cut(connect: Connect, file: int) -> None:
    served = connect(window=KIB, gives=False, write_budget=4 * KIB, write_timeout=60)
    asked = sending(served, file)
    served.wait(59)
    assert served.last.over is None
    served.wait(1)
    assert served.last.events == ["body_ended", "disconnected"]
    assert served.last.unsent == SIZE - KIB
    assert asked.reply.reset == CANCEL


def test_others_are_served_meanwhile(connect: Connect, file: int) -> None:
    served = connect(window=64 * KIB, gives=False)
    served.client.give(SIZE)
    asked = sending(served, file)
    assert len(asked.reply.body) == 64 * KIB
    other = served.ask()
    served.last.answer(b"quick")
    assert other.reply.body == b"quick"


def test_one_that_has_become_shorter_breaks_off(connect: Connect, file: int) -> None:
    served = connect(window=100, gives=False, write_budget=4 * KIB)
    asked = sending(served, file)
    exchange = served.last
    served.turn()
    os.ftruncate(file, 4 * KIB)
    grow(served, asked, 100 * KIB)
    assert asked.reply.reset == INTERNAL_ERROR
    assert not asked.reply.complete
    assert exchange.events == ["body_ended", "disconnected"]
    assert exchange.over == "the rest of a file cannot be sent"
    assert exchange.unsent == SIZE - len(asked.reply.body)


def test_one_that_is_empty_from_the_start_does_too(connect: Connect, file: int) -> None:
    served = connect()
    os.ftruncate(file, 0)
    asked = sending(served, file)
    assert asked.reply.reset == INTERNAL_ERROR
    assert served.last.unsent == SIZE


@pytest.mark.parametrize("size", [0, 1])
def test_a_part_may_be_small(connect: Connect, file: int, size: int) -> None:
    served = connect()
    asked = sending(served, file, size)
    served.turn()
    assert not served.last.stream.full
    served.last.end()
    assert (asked.reply.body, asked.reply.complete) == (CONTENT[:size], True)


def test_a_client_that_leaves_ends_it(connect: Connect, file: int) -> None:
    served = connect(window=100, gives=False, write_budget=4 * KIB)
    asked = sending(served, file)
    served.turn()
    asked.cancel()
    assert served.last.events == ["body_ended", "disconnected"]
    assert served.last.unsent == SIZE - 100


def test_so_does_an_application_that_breaks_off(connect: Connect, file: int) -> None:
    served = connect(window=100, gives=False)
    asked = sending(served, file)
    served.last.abort()
    assert asked.reply.reset == INTERNAL_ERROR


def test_so_does_the_end_of_the_connection(connect: Connect, file: int) -> None:
    served = connect(window=100, gives=False, write_budget=4 * KIB)
    sending(served, file)
    served.turn()
    served.wire.vanish()
    assert served.last.unsent == SIZE - 100


def test_to_one_that_has_just_left_nothing_is_sent(connect: Connect, file: int) -> None:
    def opened(exchange) -> None:
        exchange.start()
        exchange.stream.send_file(file, 0, SIZE)

    served = connect(opened=opened)
    with served.in_one_segment():
        served.ask().cancel()
    assert served.last.events == ["body_ended", "disconnected"]
    assert served.frames("DATA") == []


def test_a_file_may_follow_what_still_waits(connect: Connect, file: int) -> None:
    served = connect(window=100, gives=False, write_budget=4 * KIB)
    asked = served.ask()
    served.last.start(b"x" * 8 * KIB)
    assert served.last.stream.full
    grow(served, asked, 8 * KIB)
    assert not served.last.stream.full
    served.last.stream.send_file(file, 0, 10)
    grow(served, asked, KIB)
    assert asked.reply.body == b"x" * 8 * KIB + CONTENT[:10]
