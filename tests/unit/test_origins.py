"""Which pages may open WebSockets: by what a browser says of them, and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from twisted.internet.task import Clock

from daphne_like.exchange import Fields, Request
from daphne_like.origins import from_pages, judge_of
from daphne_like.tally import Flood
from daphne_like.testing import FakeStream, RecordingOpen
from tests.unit.asgi.fakes import request


def asked(
    *origins: bytes, host: bytes = b"a.example", upgrade: str | None = "websocket"
) -> Request:
    headers: Fields = [(b"host", host), *[(b"origin", origin) for origin in origins]]
    return request(headers=headers, authority=host, upgrade=upgrade)


def allows(allowed: str, origin: bytes, host: bytes = b"a.example") -> bool:
    return judge_of(allowed.split())(asked(origin, host=host))


@pytest.mark.parametrize(
    ("allowed", "origin"),
    [
        ("https://example.org", b"https://example.org"),
        ("https://other https://example.org", b"https://example.org"),
        ("https://Example.ORG", b"https://example.org"),
        ("https://example.org", b"HTTPS://EXAMPLE.org"),
        ("https://example.org:443", b"https://example.org"),
        ("http://example.org:80", b"http://example.org"),
        ("https://example.org:8443", b"https://example.org:8443"),
        ("https://*.example.org", b"https://a.example.org"),
        ("https://*.example.org", b"https://a.b.example.org"),
        ("https://*.example.org:443", b"https://a.example.org"),
        ("null", b"null"),
        ("chrome-extension://abcdef", b"chrome-extension://abcdef"),
    ],
)
def test_an_origin_that_is_named_may(allowed: str, origin: bytes) -> None:
    assert allows(allowed, origin)


@pytest.mark.parametrize(
    ("allowed", "origin"),
    [
        ("https://example.org", b"http://example.org"),
        ("https://example.org", b"https://example.org:8443"),
        ("https://example.org", b"https://example.org.evil.example"),
        ("https://example.org", b"https://evil-example.org"),
        ("https://example.org", b"https://a.example.org"),
        ("https://example.org", b"https://example.org/"),
        ("https://example.org", b"null"),
        ("https://example.org", b""),
        ("https://*.example.org", b"https://example.org"),
        ("https://*.example.org", b"https://evilexample.org"),
        ("https://*.example.org", b"https://a.example.org.evil.example"),
        ("https://*.example.org", b"https://a.example.org:8443"),
        ("https://*.example.org", b"http://a.example.org"),
        ("https://*.example.org", b"https://.example.org"),
        ("https://*.example.org", b"https://evil.example/.example.org"),
        ("https://*.example.org", b"https://u@a.example.org"),
        ("same", b"same"),
        ("same", b"null"),
        ("same", b""),
    ],
)
def test_any_other_may_not(allowed: str, origin: bytes) -> None:
    assert not allows(allowed, origin)


@pytest.mark.parametrize(
    ("origin", "host", "is_same"),
    [
        (b"http://a.example", b"a.example", True),
        (b"https://a.example", b"a.example", True),
        (b"https://a.example", b"A.Example:443", True),
        (b"http://a.example", b"a.example:80", True),
        (b"http://a.example:8000", b"a.example:8000", True),
        (b"http://[::1]:8000", b"[::1]:8000", True),
        (b"http://a.example", b"a.example:8000", False),
        (b"http://a.example:8000", b"a.example", False),
        (b"http://a.example", b"b.example", False),
        (b"http://a.example.evil", b"a.example", False),
        (b"http://a.example", b"", False),
        (b"", b"", False),
        (b"null", b"", False),
    ],
)
def test_a_page_of_the_host_that_is_asked_may_by_same(
    origin: bytes, host: bytes, is_same: bool
) -> None:
    assert allows("same", origin, host) is is_same


def test_who_is_no_browser_may() -> None:
    assert judge_of(["https://example.org"])(asked())


def test_who_says_two_things_may_not() -> None:
    may_open = judge_of(["https://a.example", "https://*.example.org"])
    assert not may_open(asked(b"https://a.example", b"https://a.example"))
    assert not may_open(asked(b"https://evil.example", b"https://a.example.org"))


class Door:
    """A server behind ``from_pages``, with a clock."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.inside = RecordingOpen()
        self.refusals: Counter[tuple[int, str]] = Counter()
        self.open = from_pages(self.inside, ["https://a.example"], self._flood, self.refusals)

    def _flood(self, tell: Callable[[int], None], most: int) -> Flood:
        return Flood(self.clock, tell, most)

    def ask(self, request: Request) -> FakeStream:
        stream = FakeStream()
        self.open(request, stream)
        return stream


def test_a_page_of_elsewhere_is_answered_403_and_the_log_names_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    door = Door()
    stream = door.ask(asked(b"https://evil.example\x1b[2J"))
    assert (stream.head.status, stream.body) == (403, b"403 Forbidden\n")
    assert stream.head.close
    assert door.inside.requests == []
    assert door.refusals == {(403, "a WebSocket from a page of elsewhere"): 1}
    assert caplog.messages == [
        "Answered 403 to 192.0.2.1:50000, WebSocket /: "
        "Origin https://evil.example\\x1b[2j is not in --ws-origins"
    ]


def test_everybody_else_goes_through(caplog: pytest.LogCaptureFixture) -> None:
    door = Door()
    for each in (asked(b"https://a.example"), asked(), asked(b"https://evil", upgrade=None)):
        assert door.ask(each).outcome is None
    assert len(door.inside.requests) == 3
    assert (door.refusals, caplog.messages) == ({}, [])


def test_a_flood_is_told_one_by_one_and_then_by_number(caplog: pytest.LogCaptureFixture) -> None:
    door = Door()
    for _ in range(25):
        door.ask(asked(b"https://evil"))
    assert len(caplog.messages) == 20
    door.clock.advance(10)
    assert caplog.messages[20:] == ["Refused 5 other WebSockets of pages of elsewhere"]
    assert sum(door.refusals.values()) == 25


def test_a_star_lets_everybody_in() -> None:
    assert judge_of(["*"])(asked(b"https://anywhere.example"))
