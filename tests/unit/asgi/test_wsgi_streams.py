"""What a WSGI application reads from, complains to, and wraps its files in."""

from __future__ import annotations

import errno
import gzip
import io
import os

import pytest

from daphne_like.asgi.wsgi_streams import Body, Errors, FileWrapper

LINES = b"first\nsecond\nthird"


def body(*pieces: bytes) -> io.BufferedReader:
    coming = iter(pieces)
    return io.BufferedReader(Body(lambda: next(coming, b"")))


@pytest.mark.parametrize("size", [1, 4, 1000])
def test_a_body_is_read_in_every_way_of_a_file(size):
    pieces = [LINES[at : at + size] for at in range(0, len(LINES), size)]
    assert body(*pieces).read() == LINES
    assert body(*pieces).read(-1) == LINES
    assert body(*pieces).readline() == b"first\n"
    assert body(*pieces).readline(3) == b"fir"
    assert body(*pieces).readlines() == list(body(*pieces)) == LINES.splitlines(keepends=True)
    read = body(*pieces)
    assert [read.read(7), read.read(7), read.read(), read.read(), read.read(3)] == [
        LINES[:7], LINES[7:14], LINES[14:], b"", b"",
    ]  # fmt: skip


def test_what_is_there_can_be_had_without_waiting_for_more():
    def piece():
        return coming.pop()

    coming = [b"there"]
    assert io.BufferedReader(Body(piece)).read1(100) == b"there"


def test_what_was_begun_is_read_to_its_end():
    read = body(b"a" * 100_000, b"b")
    assert read.read(10) == b"a" * 10
    assert read.read() == b"a" * 99_990 + b"b"


def test_each_line_of_a_complaint_is_a_line_of_the_log(caplog):
    errors = Errors()
    print("one", file=errors)
    assert errors.write("two\n\nthr") == 8
    errors.writelines(["ee\r\n", "four %s"])
    assert caplog.messages == ["one", "two", "three"]
    errors.flush()
    errors.flush()
    assert caplog.messages[3:] == ["four %s"]
    assert {(record.name, record.levelname) for record in caplog.records} == {
        ("daphne_like.wsgi", "ERROR")
    }


def test_a_file_is_its_blocks_and_closed_with_them():
    file = io.BytesIO(b"abcde")
    wrapper = FileWrapper(file, 2)
    assert list(wrapper) == [b"ab", b"cd", b"e"]
    wrapper.close()
    assert file.closed


def test_what_can_only_be_read_is_not_closed():
    class Source:
        read = io.BytesIO(b"abc").read

    wrapper = FileWrapper(Source())
    assert list(wrapper) == [b"abc"]
    wrapper.close()


@pytest.mark.parametrize("buffering", [0, -1])
def test_a_file_of_the_system_tells_how_much_is_left_of_it(tmp_path, buffering):
    path = tmp_path / "file"
    path.write_bytes(b"abcde")
    with path.open("rb", buffering=buffering) as file:
        assert FileWrapper(file).rest == 5
        file.read(2)
        assert FileWrapper(file).rest == 3
        file.seek(9)
        assert FileWrapper(file).rest == 0


def test_what_is_no_such_file_tells_nothing(tmp_path):
    path = tmp_path / "file.gz"
    path.write_bytes(gzip.compress(b"abc"))
    with gzip.open(path) as inflated, io.BufferedReader(inflated) as buffered:
        assert FileWrapper(inflated).rest is None
        assert FileWrapper(buffered).rest is None
    assert FileWrapper(io.BytesIO(b"abc")).rest is None
    reading, writing = os.pipe()
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        assert FileWrapper(pipe).rest is None


def test_a_file_whose_end_is_not_known_tells_nothing_and_is_read_from_its_beginning(tmp_path):
    class Made(io.FileIO):
        """As the files of /proc are."""

        def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
            if whence == io.SEEK_END:
                raise OSError(errno.EINVAL, "Invalid argument")
            return super().seek(offset, whence)

    path = tmp_path / "file"
    path.write_bytes(b"abcde")
    with Made(path) as raw:
        wrapper = FileWrapper(raw)
        assert wrapper.rest is None
        assert list(wrapper) == [b"abcde"]
