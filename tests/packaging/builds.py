"""The project as a build sees it, and commands that are run apart from this process."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
SHIPPED = (
    "setup.py",
    "setup.cfg",
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "daphne_like",
    "twisted",
)


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command apart from this process's environment; return what it printed."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        command, cwd=cwd, env=environ, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def copy_of_the_project(to: Path) -> Path:
    """Copy what the build reads, so that it leaves nothing in the checkout."""
    for name in SHIPPED:
        source = CHECKOUT / name
        if source.is_dir():
            skip = shutil.ignore_patterns("__pycache__", "dropin.cache")
            shutil.copytree(source, to / name, ignore=skip)
        else:
            to.mkdir(exist_ok=True)
            shutil.copy(source, to / name)
    return to
