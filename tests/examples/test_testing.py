"""The tests that "Test an application against the server" shows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.examples.serving import ENVIRONMENT, EXAMPLES


@pytest.mark.parametrize(
    ("name", "tests"),
    [("test_over_a_socket", 1), ("test_in_a_process", 1), ("test_in_memory", 3)],
)
def test_the_shown_tests_pass(name: str, tests: int, tmp_path: Path) -> None:
    pytest_alone = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-c",
        "/dev/null",
    ]
    done = subprocess.run(
        [*pytest_alone, f"--rootdir={EXAMPLES}", f"--basetemp={tmp_path / 'base'}", f"{name}.py"],
        cwd=EXAMPLES / "testing",
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert f"{tests} passed" in done.stdout, done.stdout + done.stderr


def test_a_report_that_forgets_its_source_would_be_found(tmp_path: Path) -> None:
    source = (EXAMPLES / "testing/report.py").read_text()
    forgetful = source.replace('opened.remove("source")', "pass")
    assert forgetful != source
    (tmp_path / "report.py").write_text(forgetful)
    shown = (EXAMPLES / "testing/test_in_memory.py").read_text()
    (tmp_path / "test_in_memory.py").write_text(shown)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null"],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "1 failed, 2 passed" in done.stdout, done.stdout + done.stderr
