"""The health path: answered by the server, never by the application."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from daphne_like.health import Stage, checked
from daphne_like.testing import FakeStream, RecordingOpen
from tests.unit.asgi.fakes import request


class Asked:
    """What came of one request to a server whose health path is ``/health``."""

    def __init__(self, method: str, target: bytes, *, leaving: bool = False) -> None:
        self.stream = FakeStream()
        inside = RecordingOpen()
        open = checked(inside, "/health", SimpleNamespace(leaving=leaving))
        open(request(method, target), self.stream)
        self.reached = len(inside.exchanges) == 1


@pytest.mark.parametrize("target", [b"/health", b"/health?from=balancer"])
def test_a_server_that_serves_says_ok(target):
    asked = Asked("GET", target)
    assert (asked.stream.head.status, asked.stream.body) == (200, b"ok\n")
    assert (b"cache-control", b"no-store") in asked.stream.head.fields
    assert not asked.reached


def test_one_that_stops_says_so_by_503():
    asked = Asked("GET", b"/health", leaving=True)
    assert (asked.stream.head.status, asked.stream.body) == (503, b"draining\n")
    assert (b"cache-control", b"no-store") in asked.stream.head.fields
    assert not asked.reached


@pytest.mark.parametrize(("leaving", "status"), [(False, 200), (True, 503)])
def test_head_gets_the_status_alone(leaving, status):
    asked = Asked("HEAD", b"/health", leaving=leaving)
    assert (asked.stream.head.status, asked.stream.body) == (status, b"")


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("POST", b"/health"),
        ("GET", b"/health/"),
        ("GET", b"/healthy"),
        ("GET", b"/Health"),
        ("GET", b"/%68ealth"),
        ("GET", b"/"),
    ],
)
def test_everything_else_is_the_applications(method, target):
    asked = Asked(method, target)
    assert asked.reached
    assert asked.stream.outcome is None


def test_the_stages_are_words_for_an_operator():
    words = [str(stage) for stage in Stage]
    assert words == ["starting", "ready", "draining", "stopped", "failed"]
