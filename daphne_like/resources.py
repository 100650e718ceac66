"""What this process uses, as Linux tells in ``/proc``; elsewhere nobody tells.

This module must not know what it is wanted for.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")


class Resources(NamedTuple):
    """What a process uses: seconds, bytes and counts; ``started`` is in seconds since the epoch.

    ``most_files`` is ``None`` where as many may be open as there is memory for.
    """

    cpu: float
    started: float
    resident: int
    virtual: int
    files: int
    most_files: int | None
    threads: int


def resources(proc: Path = PROC) -> Resources | None:
    """What this process uses now; ``None`` where there is no ``/proc`` (man page proc(5))."""
    if sys.platform == "win32":
        return None
    import resource  # Windows has none.

    try:
        # The program's name, in parentheses, may have anything in it.
        text = (proc / "self/stat").read_text(errors="replace").rpartition(")")[2]
        # The directory of the open files is itself one of them while it is listed.
        files = sum(1 for _ in (proc / "self/fd").iterdir()) - 1
        booted = _booted(proc)
    except OSError:
        return None
    # proc(5) counts the fields from 1; the state, the third, is the first here.
    field = dict(enumerate(text.split(), 3))
    ticks = os.sysconf("SC_CLK_TCK")
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return Resources(
        cpu=(int(field[14]) + int(field[15])) / ticks,
        started=booted + int(field[22]) / ticks,
        resident=int(field[24]) * os.sysconf("SC_PAGE_SIZE"),
        virtual=int(field[23]),
        files=files,
        most_files=None if most == resource.RLIM_INFINITY else most,
        threads=int(field[20]),
    )


@cache
def _booted(proc: Path) -> float:
    """When the machine was started, in seconds since the epoch."""
    with (proc / "stat").open() as lines:
        found = [line for line in lines if line.startswith("btime ")]
    return float(found[0].split()[1])
