"""How many workers make sense here: one for each processor that this process may use."""

from __future__ import annotations

import math
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup/cpu.max")
"""What a container may use, in cgroup v2: microseconds of each period, or "max"."""


def cores(limit: Path = CGROUP) -> int:
    """Processors that this process may use, 1 at least."""
    try:
        processors = len(os.sched_getaffinity(0))
    except AttributeError:  # Linux alone has it.
        processors = os.cpu_count() or 1
    return max(1, int(min(processors, _allowed(limit))))


def _allowed(limit: Path) -> float:
    try:
        quota, period = limit.read_text("ascii").split()
        return math.ceil(int(quota) / int(period))
    except (OSError, ValueError):  # None is set, or this is another system.
        return math.inf
