"""Our server, held against the public WebSocket suite: all groups, and few of the long cases."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conformance import report, suite
from tests.conformance.groups import GROUPS, Group
from tests.conformance.server import serving

PATIENCE = 300.0
"""Seconds for one group, which takes fifteen at the most where nobody else is busy."""


@pytest.mark.parametrize("group", GROUPS, ids=[group.title for group in GROUPS])
def test_the_suite_has_nothing_against_us(
    group: Group, tool: Callable[[str], str], tmp_path: Path
) -> None:
    tool(str(suite.WSTEST))
    with serving(group) as url:
        outcomes = suite.run(url, group.quick_cases, tmp_path, PATIENCE)
    assert [str(told) for told in report.shortfalls(outcomes)] == []
