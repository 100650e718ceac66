"""A pytest plugin for Daphne's own tests: they find us under its name, and learn what is different.

What it changes about them is what nearly all of them would fail for, each with its reason; what
remains is for `test_daphne_suite.py` to expect.
"""

from __future__ import annotations

import json
import os
from functools import wraps
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings

from daphne_like import compat

compat.install()

# Every test forks a server: what it imports is there already.
import daphne_like.standalone  # noqa: E402
import daphne_like.testing.process  # noqa: E402, F401

# No example of one run is another's, and those that fail are not looked at until they are small.
settings.register_profile(
    "once", derandomize=True, database=None, phases=[Phase.explicit, Phase.generate]
)
settings.load_profile("once")

_ALSO = {"extensions", "http_version", "scheme", "state"}
"""Keys that scopes have besides; Daphne's tests allow no others than its own."""


def older_without_host(connection: HTTPConnection) -> None:
    """HTTP/1.1 without a Host is refused (RFC 9112, section 3.2): such requests are HTTP/1.0's."""
    lines: list[bytes] = connection._buffer  # type: ignore[attr-defined]
    if not any(line.lower().startswith(b"host:") for line in lines):
        lines[0] = lines[0].replace(b"HTTP/1.1", b"HTTP/1.0")


def whole(response: HTTPResponse) -> HTTPResponse:
    """The body, before the test ends the server that is sending it."""
    if response.status != 101:
        body = response.read()
        response.read = lambda: body  # type: ignore[method-assign, assignment]
    return response


def _adapt_client() -> None:
    end, get = HTTPConnection.endheaders, HTTPConnection.getresponse

    @wraps(end)
    def endheaders(self: HTTPConnection, *given: Any, **named: Any) -> None:
        older_without_host(self)
        end(self, *given, **named)

    HTTPConnection.endheaders = endheaders  # type: ignore[method-assign]
    HTTPConnection.getresponse = lambda self: whole(get(self))  # type: ignore[method-assign]


def _allow_more_keys() -> None:
    from http_base import DaphneTestCase  # type: ignore[import-not-found]

    before = DaphneTestCase.assert_key_sets

    def assert_key_sets(
        self: Any, required_keys: Any, optional_keys: Any, actual_keys: Any
    ) -> None:
        before(self, required_keys, optional_keys | _ALSO, actual_keys)

    DaphneTestCase.assert_key_sets = assert_key_sets


_adapt_client()
_results: dict[str, list[str]] = {"passed": [], "failed": []}


def pytest_collection_modifyitems() -> None:
    _allow_more_keys()


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.failed:
        _results["failed"].append(report.nodeid)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.failed or report.when == "call":
        _results["failed" if report.failed else "passed"].append(report.nodeid)


def pytest_sessionfinish() -> None:
    Path(os.environ["DAPHNE_RESULTS"]).write_text(json.dumps(_results))
