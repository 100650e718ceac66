"""What the process uses: read from a ``/proc`` of our own, and from the real one."""

from __future__ import annotations

import os
import resource
import sys
import time
from pathlib import Path

import pytest

from daphne_like import resources
from daphne_like.resources import Resources

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
FIELDS = "S 1 1 1 0 -1 4194560 9 0 0 0 {user} {system} 0 0 20 0 7 0 {started} 8192 3 99 1 1"


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A process that has used three seconds, and was started two after the machine."""
    (tmp_path / "self/fd").mkdir(parents=True)
    for number in range(5):
        (tmp_path / "self/fd" / str(number)).touch()
    fields = FIELDS.format(user=TICK, system=2 * TICK, started=2 * TICK)
    (tmp_path / "self/stat").write_text(f"42 (a (b) c) {fields}\n")
    (tmp_path / "stat").write_text("cpu  1 2 3\nbtime 1000\nprocesses 7\n")
    return tmp_path


def test_all_is_read_whatever_the_program_is_called(proc, monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (20, 30))
    assert resources.resources(proc) == Resources(
        cpu=3.0, started=1002.0, resident=3 * PAGE, virtual=8192, files=4, most_files=20, threads=7
    )


def test_where_files_have_no_limit_none_is_told(proc, monkeypatch):
    unlimited = resource.RLIM_INFINITY, resource.RLIM_INFINITY
    monkeypatch.setattr(resource, "getrlimit", lambda _: unlimited)
    assert resources.resources(proc).most_files is None


def test_where_nobody_tells_nothing_is_known(tmp_path, monkeypatch):
    assert resources.resources(tmp_path) is None
    monkeypatch.setattr(sys, "platform", "win32")
    assert resources.resources() is None


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no /proc")
def test_of_this_process_it_says_what_is_true():
    found = resources.resources()
    assert found.cpu <= time.process_time() + 1
    assert found.started < time.time()
    assert 0 < found.resident < found.virtual
    assert found.files >= 3
    assert found.threads >= 1
