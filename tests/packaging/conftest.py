"""What is shipped, built once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.packaging.builds import copy_of_the_project, run


@pytest.fixture(scope="session")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Build the source archive, and from it the wheel; also lay out a tree to install editable."""
    place = tmp_path_factory.mktemp("archives")
    tree = copy_of_the_project(place / "tree")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", place, tree, cwd=place)
    (wheel,) = place.glob("*.whl")
    (sdist,) = place.glob("*.tar.gz")
    return {"wheel": wheel, "sdist": sdist, "editable": tree}
