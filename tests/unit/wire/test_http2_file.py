"""A part of a file, read piece by piece."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from daphne_like.wire import http2_file
from daphne_like.wire.http2_file import Reading


@pytest.fixture
def file(tmp_path: Path) -> Iterator[int]:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    descriptor = os.open(path, os.O_RDWR)
    yield descriptor
    os.close(descriptor)


def test_it_is_read_in_pieces_and_no_further_than_asked(file: int) -> None:
    reading = Reading(file, 2, 7)
    assert [reading.read(3) for _ in range(3)] == [b"234", b"567", b"8"]
    assert reading.left == 0
    reading.close()


def test_the_owners_place_in_it_stays_where_it_is(file: int) -> None:
    reading = Reading(file, 2, 7)
    reading.read(3)
    reading.close()
    assert os.lseek(file, 0, os.SEEK_CUR) == 0


def test_the_owner_may_close_it_at_any_time(file: int) -> None:
    duplicate = os.dup(file)
    reading = Reading(duplicate, 0, 10)
    os.close(duplicate)
    assert reading.read(10) == b"0123456789"
    reading.close()


def test_a_file_that_has_become_shorter_is_not_waited_for(file: int) -> None:
    reading = Reading(file, 0, 10)
    os.truncate(file, 4)
    assert reading.read(10) == b"0123"
    with pytest.raises(OSError, match="shorter"):
        reading.read(6)
    reading.close()


def test_a_reading_that_is_closed_keeps_no_descriptor(file: int) -> None:
    def descriptors() -> list[Path]:
        return sorted(Path("/dev/fd").iterdir())

    before = descriptors()
    reading = Reading(file, 0, 10)
    assert len(descriptors()) == len(before) + 1
    reading.close()
    assert descriptors() == before


def test_it_knows_whether_the_system_can() -> None:
    assert http2_file.CAN_READ_FILES is hasattr(os, "pread")
