"""Where Daphne is, for those who want it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

BUILD = Path(__file__).parents[2] / "build"


@pytest.fixture(scope="session")
def built() -> Callable[[str], Path]:
    """Return a function that finds a directory in ``build``, `built("daphne")`.

    Where it is missing the test is skipped, but with CI=true it fails.
    """

    def find(name: str) -> Path:
        if not (BUILD / name).is_dir():
            give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
            give_up(f"there is no build/{name}; `make tools` makes it")
        return (BUILD / name).resolve()

    return find
