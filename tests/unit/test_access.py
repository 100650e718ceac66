"""Access lines: where they go, and what becomes of them where they cannot."""

from __future__ import annotations

import errno
import io
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daphne_like import access
from daphne_like.access import (
    AccessFile,
    AccessLog,
    AccessLogGenerator,
    AccessLogger,
    AccessStream,
)
from daphne_like.access_format import Line, daphne, daphne_in_colour
from daphne_like.errors import StartupError
from daphne_like.exchange import Record, Request


def record(status: int | None = 200) -> Record:
    request = Request("GET", b"/p", b"", [], "1.1", "http", b"a", ("10.0.0.7", 4711), None)
    return Record("http", request, status, 0, 22, 1_000_000.0, 0.1, 2.0, "complete")


def line(record: Record) -> str | None:
    """A format that has no line for a record without a status."""
    return record.status and f"a line of {record.status}"


def test_the_stream_gets_each_line_that_there_is() -> None:
    stream = io.StringIO()
    log = AccessStream(stream, line)
    for status in (200, None, 404):
        log(record(status))
    log.reopen()
    log.close()
    assert stream.getvalue() == "a line of 200\na line of 404\n"
    assert not stream.closed, "it is somebody else's"


@pytest.mark.parametrize("form", [daphne, daphne_in_colour])
def test_daphnes_format_has_lines_for_a_websocket_that_begins(form: Line) -> None:
    stream = io.StringIO()
    log = AccessStream(stream, form)
    for step in ("connecting", "connected"):
        log.began(record().request, step)
    connecting, connected = stream.getvalue().splitlines()
    assert connecting.startswith("10.0.0.7:4711 - - [")
    assert connecting.endswith('] "WSCONNECTING /p" - -')
    assert connected.endswith('] "WSCONNECT /p" - -')


def test_other_formats_have_none() -> None:
    stream = io.StringIO()
    log = AccessStream(stream, line)
    log.began(record().request, "connecting")
    AccessLogger(daphne).began(record().request, "connecting")
    assert not stream.getvalue()


class Disk(io.StringIO):
    """A stream whose disk may be full."""

    full = False

    def write(self, text: str) -> int:
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(text)


def test_a_full_disk_is_told_of_once_and_again_when_it_is_full_again(caplog) -> None:
    disk = Disk()
    log = AccessStream(disk, line)
    told = []
    for disk.full in (True, True, False, True, True):
        log(record())
        told.append(len(caplog.records))
    assert told == [1, 1, 1, 2, 2]
    assert "Cannot write access lines: [Errno 28] No space left" in caplog.text
    assert disk.getvalue() == "a line of 200\n", "the line of the moment in which there was room"


@pytest.mark.parametrize("requests", [1, 3])
def test_a_closed_stream_is_no_fault_of_the_exchange_either(caplog, requests) -> None:
    stream = io.StringIO()
    stream.close()
    log = AccessStream(stream, line)
    for _ in range(requests):
        log(record())
    assert len(caplog.records) == 1


def test_a_log_has_to_say_where_lines_go() -> None:
    with pytest.raises(NotImplementedError):
        AccessLog()(record())


# --- A file -----------------------------------------------------------------------------------


@pytest.fixture
def log(tmp_path: Path) -> Iterator[AccessFile]:
    made = AccessFile(str(tmp_path / "log"), line)
    yield made
    made.close()


def test_a_file_gets_lines_at_once_behind_those_that_it_has(tmp_path, opened) -> None:
    (tmp_path / "log").write_bytes(b"before\n")
    opened.clear()
    log = AccessFile(str(tmp_path / "log"), line)
    log(record())
    [file] = opened
    assert (tmp_path / "log").read_text() == "before\na line of 200\n"
    log.close()
    assert file.closed


def test_a_file_that_was_moved_away_is_left_for_a_new_one(tmp_path, log) -> None:
    log(record(200))
    (tmp_path / "log").rename(tmp_path / "log.1")
    log(record(201))
    log.reopen()
    log(record(202))
    assert (tmp_path / "log.1").read_text() == "a line of 200\na line of 201\n"
    assert (tmp_path / "log").read_text() == "a line of 202\n"


def test_a_file_that_cannot_be_opened_again_is_told_of_and_the_old_one_kept(
    tmp_path, log, caplog
) -> None:
    (tmp_path / "log").rename(tmp_path / "log.1")
    (tmp_path / "log").mkdir()
    log.reopen()
    log(record())
    assert caplog.messages == [f"Cannot reopen --access-log {tmp_path}/log: Is a directory"]
    assert (tmp_path / "log.1").read_text() == "a line of 200\n"


def test_a_file_that_cannot_be_opened_at_all_is_one_line() -> None:
    with pytest.raises(StartupError, match=r"^Cannot write to --access-log /: Is a directory\.$"):
        AccessFile("/", line)


# --- The logging module -----------------------------------------------------------------------


def test_the_logger_gets_each_line_with_its_details(caplog) -> None:
    caplog.set_level(logging.INFO, "daphne_like.access")
    log = AccessLogger(line)
    for status in (200, None):
        log(record(status))
    [told] = caplog.records
    assert (told.name, told.levelname) == ("daphne_like.access", "INFO")
    assert told.getMessage() == "a line of 200"
    details: Any = told
    assert (details.status, details.client, details.bytes_out) == (200, "10.0.0.7", 22)


def test_what_nobody_wants_is_not_made(caplog) -> None:
    caplog.set_level(logging.WARNING, "daphne_like.access")
    AccessLogger(lambda record: pytest.fail("a line was made"))(record())
    assert caplog.records == []


# --- Daphne's generator -----------------------------------------------------------------------


def test_the_generator_writes_the_line_of_each_action_that_has_one(monkeypatch) -> None:
    monkeypatch.setattr(access.time, "time", lambda: 1_000_000.0)
    stream = io.StringIO()
    generator = AccessLogGenerator(stream)
    details = {"path": "/p?q", "client": "10.0.0.7:4711"}
    for action in ("connecting", "other", "rejected"):
        generator("websocket", action, details)
    lines = stream.getvalue().splitlines()
    assert lines == [
        access.daphne_action("websocket", action, details, 1_000_000.0)
        for action in ("connecting", "rejected")
    ]
    assert generator.stream is stream
