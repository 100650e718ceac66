"""The suite as a process, with small programs in its place."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conformance import suite

URL = "ws://127.0.0.1:1/"
PATIENCE = 30.0

REPORT = """
import json, pathlib
specification = json.loads(pathlib.Path("specification.json").read_text())
entry = {"behavior": "OK", "behaviorClose": "OK", "reportfile": "a"}
report = {"server": {"1.1.1": entry}}
pathlib.Path(specification["outdir"], "index.json").write_text(json.dumps(report))
"""


@pytest.fixture
def stands_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Return a function that puts a program in the suite's place, and returns a report folder."""

    def put(program: str) -> Path:
        path = tmp_path / "wstest"
        path.write_text(f"#!{sys.executable}\n{program}")
        path.chmod(stat.S_IRWXU)
        monkeypatch.setattr(suite, "WSTEST", path)
        return tmp_path / "reports"

    return put


def test_it_is_told_what_to_do_and_reports_what_it_announced(
    stands_in: Callable[[str], Path],
) -> None:
    folder = stands_in(f"print(\"Cases = ['1.1.1', '1.1.2']\"){REPORT}")
    outcomes = suite.run(URL, ["1.1.*"], folder, PATIENCE)
    assert [(told.case, told.behavior) for told in outcomes] == [
        ("1.1.1", "OK"),
        ("1.1.2", "MISSING"),
    ]
    specification = json.loads((folder / "specification.json").read_text())
    assert specification["servers"] == [{"agent": "server", "url": URL}]
    assert specification["cases"] == ["1.1.*"]


def test_an_earlier_report_is_not_taken_for_a_new_one(stands_in: Callable[[str], Path]) -> None:
    folder = stands_in("print(\"Cases = ['1.1.1']\")")
    folder.mkdir()
    earlier = [folder / "index.json", folder / "server_case_1_1_1.json"]
    for path in earlier:
        path.write_text("{}")
    with pytest.raises(suite.Failed, match="no report"):
        suite.run(URL, ["1.1.1"], folder, PATIENCE)
    assert not any(path.exists() for path in earlier)


def test_it_is_ended_when_it_takes_too_long(stands_in: Callable[[str], Path]) -> None:
    folder = stands_in(
        "import os, pathlib, time\n"
        "pathlib.Path('pid').write_text(str(os.getpid()))\n"
        "print(\"Cases = ['1.1.1']\")\n"
        "print('Running 1.1.1')\n"
        "time.sleep(60)"
    )
    with pytest.raises(suite.Failed, match=r"not done within 1 seconds: Running 1\.1\.1"):
        suite.run(URL, ["1.1.1"], folder, 1)
    with pytest.raises(ProcessLookupError):
        os.kill(int((folder / "pid").read_text()), 0)


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("print('Cases = []')", "no such cases"),
        ("import sys; print('Cases = [1]'); sys.exit('broken')", "exit status 1: broken"),
        ("import sys; sys.exit('cannot begin')", "cannot begin"),
        ("", "it said nothing"),
    ],
)
def test_it_breaks(stands_in: Callable[[str], Path], program: str, reason: str) -> None:
    with pytest.raises(suite.Failed, match=reason):
        suite.run(URL, ["1.1.1"], stands_in(program), PATIENCE)
