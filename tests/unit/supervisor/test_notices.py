"""A worker's words on a Unix socket: as sd_notify(3) has them, and anything else."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from daphne_like.supervisor.notices import Notices


@pytest.fixture
def notices(tmp_path: Path) -> Iterator[Notices]:
    made = Notices(tmp_path / "n")
    yield made
    made.close()
    assert not made.path.exists()


def say(notices: Notices, *said: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as worker:
        for each in said:
            worker.sendto(each, str(notices.path))


def test_every_notice_is_heard_once(notices: Notices) -> None:
    assert notices.heard() == []
    say(notices, b"READY=1\nSTATUS=Serving a=b", b"WATCHDOG=1")
    assert notices.heard() == [
        {"READY": "1", "STATUS": "Serving a=b"},
        {"WATCHDOG": "1"},
    ]
    assert notices.heard() == []
    assert notices.fileno() == notices.socket.fileno()


def test_what_is_no_word_says_nothing(notices: Notices) -> None:
    say(notices, b"", b"\n\n", b"\xff\xfe\nREADY=1", b"READY")
    assert notices.heard() == [{}, {}, {"READY": "1"}, {}]
