"""Access lines: Daphne's format, one line for each answered exchange."""

import errno
import io
import os
import time

import pytest

from daphne_like.access import AccessLog, line
from daphne_like.exchange import Record, Request


def request(path: bytes = b"/p", query: bytes = b"q=1", client=("10.0.0.7", 4711)) -> Request:
    return Request("GET", path, query, [], "1.1", "http", b"a", client, ("127.0.0.1", 8000))


def record(status: int | None = 200, **facts: object) -> Record:
    return Record("http", request(**facts), status, 0, 22, 1_000_000.0, 0.1, 2.0, "complete")


def test_a_line_is_daphnes() -> None:
    ended = time.strftime("%d/%b/%Y:%H:%M:%S", time.localtime(1_000_002.0))
    assert line(record()) == f'10.0.0.7:4711 - - [{ended}] "GET /p?q=1" 200 22\n'


def test_a_unix_client_has_no_name() -> None:
    assert line(record(client=None)).startswith("None - - [")


def test_no_byte_of_a_request_can_act_on_a_terminal_or_forge_a_line() -> None:
    text = line(record(path=b"/\x1b[2J\r\n\xff"))
    assert text.isascii()
    assert text.rstrip("\n").isprintable()
    assert r"/\x1b[2J\x0d\x0a\xff?q=1" in text


def test_the_log_gets_one_line_for_an_answered_exchange_and_none_for_another() -> None:
    stream = io.StringIO()
    log = AccessLog(stream)
    log(record())
    log(record(status=None))
    assert stream.getvalue() == line(record())


class Disk(io.StringIO):
    """A stream whose disk may be full."""

    full = False

    def write(self, text: str) -> int:
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(text)


def test_a_full_disk_is_told_of_once_and_again_when_it_is_full_again(caplog) -> None:
    disk = Disk()
    log = AccessLog(disk)
    told = []
    for disk.full in (True, True, False, True, True):
        log(record())
        told.append(len(caplog.records))
    assert told == [1, 1, 1, 2, 2]
    assert "Cannot write access lines: [Errno 28] No space left" in caplog.text
    assert disk.getvalue() == line(record()), "the line of the moment in which there was room"


@pytest.mark.parametrize("requests", [1, 3])
def test_a_closed_stream_is_no_fault_of_the_exchange_either(caplog, requests) -> None:
    stream = io.StringIO()
    stream.close()
    log = AccessLog(stream)
    for _ in range(requests):
        log(record())
    assert len(caplog.records) == 1
