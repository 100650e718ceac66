"""Daphne's own tests, run against us under its name: which of them fail, and why they may."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

PLUGIN = Path(__file__).with_name("adapted.py")
PAGE = Path(__file__).parents[2] / "docs/how-to/migrate-from-daphne.md"

DIFFERENT = {
    "test_checks.py": "daphne_like.E001 is the name of our check.",
    "test_cli.py::test_custom_servername": "The Server header is ours.",
    "test_cli.py::test_default_executor": "uvloop keeps its executor to itself.",
    "test_http_protocol.py": "Daphne's protocol classes are its inside.",
    "test_http_request.py::test_bad_requests": "Raw UTF-8 in a path is served.",
    "test_http_request.py::test_root_path_header": "Daphne-Root-Path is for trusted proxies.",
    "test_http_request.py::test_x_forwarded_for_no_port": "A client is a tuple.",
    "test_http_request.py::test_x_forwarded_for_parsed": "A client is a tuple.",
    "test_http_response.py::test_headers": "There is a Date, and a length where it is known.",
    "test_http_response.py::test_headers_type": "The error says the message and the state, too.",
    "test_http_response.py::test_headers_type_raw": "HTTP/1.1 is said to HTTP/1.0, too "
    "(RFC 9110, section 2.5).",
    "test_packaging.py": "The endpoint fd: is no plugin for all of Twisted.",
    "test_websocket.py::test_http_request_rejects_invalid_header_value_bytes": "0x85 may be in a "
    "value (RFC 9110, section 5.5).",
    "test_websocket.py::test_root_path": "Daphne-Root-Path is for trusted proxies.",
    "test_websocket.py::test_websocket_upgrade_rejects_smuggled_headers": "The same; and no head "
    "is parsed a second time.",
    "test_websocket.py::test_xff": "A client is a tuple.",
}
"""Tests that fail, or files of which all do, and why."""

RACES = {
    "test_http_request.py::TestHTTPRequest::test_request_body_chunking": "A body is handed over "
    "as it comes; whether the test sees that depends on who is faster.",
}
"""Tests that are left out, for they fail by chance."""


def short(test: str) -> str:
    """A test's name as in :data:`DIFFERENT`."""
    file, _, name = test.partition("::")
    return file if file in DIFFERENT else f"{file}::{name.rpartition('::')[2]}"


def run_suite(suite: Path, place: Path) -> tuple[dict[str, list[str]], str]:
    """The names of tests that passed and failed, and all that pytest has to say."""
    environment = {
        "ASGI_THREADS": "3",
        "DAPHNE_RESULTS": str(place / "results.json"),
        "PYTHONPATH": str(PLUGIN.parent),
        "TMPDIR": str(place),
    }
    alone = ["-p", "no:cacheprovider", "-c", "/dev/null", f"--rootdir={suite}"]
    what = ["--continue-on-collection-errors", *(f"--deselect={name}" for name in RACES)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", PLUGIN.stem, *alone, *what],
        cwd=suite,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    return json.loads((place / "results.json").read_text()), done.stdout


def test_daphnes_tests_pass_but_for_those_that_are_listed(
    built: Callable[[str], Path], tmp_path: Path
) -> None:
    results, said = run_suite(built("daphne-sdist") / "tests", tmp_path)
    assert {short(test) for test in results["failed"]} == set(DIFFERENT), said[-10_000:]
    assert len({*results["passed"]} - {*results["failed"]}) >= 50


def test_what_is_different_is_told_to_users() -> None:
    page = PAGE.read_text()
    tests = {test.rpartition("::")[2] for test in [*DIFFERENT, *RACES]}
    assert {test for test in tests if f"`{test}`" not in page} == set()
