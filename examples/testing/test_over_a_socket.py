"""The application behind the real server, in a process of its own, on a port of its own."""

import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest


@pytest.fixture
def url(tmp_path):
    """Serve the application; give its address."""
    command = [sys.executable, "-m", "daphne_like", "report:application", "-p", "0"]
    with (
        (tmp_path / "access.log").open("w") as access,
        subprocess.Popen(
            command, cwd=Path(__file__).parent, stdout=access, stderr=subprocess.PIPE, text=True
        ) as server,
    ):
        said = server.stderr.readline()
        try:
            yield re.search(r"http://\S+", said)[0]
        finally:
            server.terminate()


def test_the_report_is_whole(url):
    report = httpx.get(url).text.splitlines()
    assert report[0] == "line 0"
    assert len(report) == 1000
