"""What a tree of processes has used, as Linux tells it.

It knows process ids, and neither servers nor scenarios.
"""

import re
import time
from pathlib import Path

from benchmarks.model import Failed

_PROC = Path("/proc")
_PPID = re.compile(r"\) \S (\d+) ")  # the command before it may hold spaces and parentheses
_PSS = re.compile(r"^Pss:\s+(\d+) kB$", re.MULTILINE)


def parent_in_stat(stat: str) -> int:
    """Return the parent's process id from the text of a ``/proc/<pid>/stat`` (proc(5))."""
    return int(_PPID.findall(stat)[-1])


def pss_in_rollup(rollup: str) -> int:
    """Return the proportional set size, in KiB, from the text of a ``smaps_rollup`` (proc(5))."""
    found = _PSS.search(rollup)
    if found is None:
        raise Failed("no proportional set size in smaps_rollup")
    return int(found[1])


def members(root: int, parents: dict[int, int]) -> list[int]:
    """Return ``root`` and every descendant of it.

    Args:
        root: the process at the top.
        parents: each living process, with its parent.
    """
    found = [root]
    for process in found:
        found.extend(child for child, parent in parents.items() if parent == process)
    return found


def process_tree(root: int) -> list[int]:
    """Return ``root`` and every living descendant of it."""
    parents = {}
    for folder in _PROC.glob("[0-9]*"):
        try:
            parents[int(folder.name)] = parent_in_stat((folder / "stat").read_text())
        except (FileNotFoundError, ProcessLookupError):  # it ended while we looked
            continue
    return members(root, parents)


def process_clock(process: int) -> int:
    """Return the id of a process's CPU-time clock, as clock_getcpuclockid(3) makes it.

    The clock counts, in nanoseconds, the user and system time of all its threads, ended ones too:
    ``utime`` + ``stime`` of ``/proc/<pid>/stat`` without their rounding to clock ticks.
    """
    return ~process << 3 | 2


def cpu_times(root: int) -> dict[int, int]:
    """Return the CPU time, in nanoseconds, of each process in the tree under ``root``."""
    return {pid: time.clock_gettime_ns(process_clock(pid)) for pid in process_tree(root)}


def cpu_spent(before: dict[int, int], after: dict[int, int]) -> int:
    """Return the nanoseconds that lie between two looks at the same tree.

    Raises:
        Failed: if a process ended in between, and took the count of its time along.
    """
    if not before.keys() <= after.keys():
        raise Failed("a process of the server ended under load")
    return sum(after.values()) - sum(before.values())


def memory(root: int) -> float:
    """Return the proportional set size, in MiB, of the whole tree under ``root``."""
    rollups = (_PROC / str(pid) / "smaps_rollup" for pid in process_tree(root))
    return sum(pss_in_rollup(rollup.read_text()) for rollup in rollups) / 1024
