"""What all tests share: the other programs they talk to, and what a compiled server cannot show."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings

from daphne_like.compiled import is_compiled

# A busy machine is no failure.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out, where the server is compiled, the tests that are marked ``pure``."""
    for item in items if is_compiled() else ():
        for mark in item.iter_markers("pure"):
            item.add_marker(pytest.mark.skip(reason=f"the server is compiled: {mark.args[0]}"))


SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


@pytest.fixture(scope="session")
def tool() -> Callable[[str], str]:
    """Return a function that finds a program, `tool("nginx")`.

    Where the program is missing the test is skipped, but with CI=true it fails: there, nothing
    is left out.
    """

    def find(name: str) -> str:
        path = shutil.which(name, path=SEARCH_PATH)
        if path is None:
            give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
            give_up(f"{name} is not installed; `make tools` names its package")
        return path

    return find
