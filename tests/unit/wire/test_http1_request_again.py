"""RequestReader: a head that repeats the fields of an earlier one."""

from __future__ import annotations

import re

import pytest

from daphne_like.errors import RemoteFault
from daphne_like.wire import http1_known, http1_request
from daphne_like.wire.http1_request import RequestReader
from tests.support.http1 import REQUEST
from tests.unit.wire.test_http1_request import HEAD, UPGRADE, reader

SAID = (
    b"\r\nHost: a\r\nAccept: */*\r\n\r\n",
    b"\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
    b"\r\nHost: a\r\nConnection: close\r\n\r\n",
    b"\r\nHost: a\r\n" + UPGRADE + b"\r\n",
    b"\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"\r\nHost: a\r\nX: " + b"y" * 3000 + b"\r\n\r\n",
    b"\r\nhost : a\r\n\r\n",
    b"\r\n\r\n",
)
LINES = (
    b"GET /a?b HTTP/1.1",
    b"GET / HTTP/1.1",
    b"POST /a?b?c HTTP/1.1",
    b"BREW /a HTTP/1.1",
    b"get /a HTTP/1.1",
    b"GET /a HTTP/1.0",
    b"GET /a HTTP/1.2",
    b"GET  /a HTTP/1.1",
    b"GET /a b HTTP/1.1",
    b"GET /a#b HTTP/1.1",
    b"GET http://b/a HTTP/1.1",
    b"CONNECT a:80 HTTP/1.1",
    b"OPTIONS * HTTP/1.1",
    b"GET /\xc3\xa9 HTTP/1.1",
    b"GET /a HTTP/1.1\r\nX: y",
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1",
)


def shown(reading: RequestReader, raw: bytes) -> object:
    """All that a reader makes of one segment: the request, what is left of it, or the fault."""
    try:
        got, rest = reading.take(raw)
    except RemoteFault as fault:
        return fault.status, fault.reason
    if got is None:
        return rest
    return [getattr(got, name) for name in REQUEST], reading.framing, rest


@pytest.mark.parametrize("said", SAID)
@pytest.mark.parametrize("line", LINES)
def test_it_makes_no_difference_what_came_before(line: bytes, said: bytes) -> None:
    fresh = shown(reader(), line + said)
    for earlier in LINES:
        reading = reader()
        shown(reading, earlier + said)
        reading._parser = http1_request.HttpRequestParser(reading)  # As after its body.
        assert shown(reading, line + said) == fresh


def test_it_is_not_parsed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    reading = reader()
    first, _ = reading.take(HEAD)
    monkeypatch.setattr(reading, "_parser", None)
    second, rest = reading.take(HEAD.replace(b"/a?b", b"/c"))
    assert (second.raw_path, second.headers, rest) == (b"/c", first.headers, b"")


def test_what_an_application_does_to_its_headers_stays_with_it() -> None:
    reading = reader()
    for _ in range(3):
        got, _ = reading.take(HEAD)
        assert got.headers == [(b"host", b"a")]
        got.headers.clear()


def test_its_size_is_limited_all_the_same() -> None:
    reading = reader(head_size=100)
    reading.take(HEAD)
    with pytest.raises(RemoteFault):
        reading.take(HEAD.replace(b"/a", b"/" + b"a" * 100))


def test_lines_are_remembered_up_to_a_bound_and_long_ones_never() -> None:
    known = http1_known._PlainLines()
    for number in range(3000):
        line = b"GET /%d?x HTTP/1.1" % number
        assert known[line] == known[line] == ("GET", b"/%d" % number, b"x")
        assert len(known) <= 1024
    assert known[b"GET /" + b"a" * 300 + b" HTTP/1.1"] is not None
    assert known[b"BREW / HTTP/1.1"] is known[b"GET / HTTP/1.0"] is None
    assert all(len(line) < 256 for line in known)
    assert None not in known.values()


def test_a_plain_line_is_matched_without_trying_again() -> None:
    """A client decides how long a line is that is plain but for its end.

    What may give back what it took, tries every place: the time goes by the square of the size.
    """
    bare = re.sub(rb"\[.*?\]", b"x", http1_known._PLAIN_LINE.pattern)
    assert re.findall(rb"[+*]+", bare) == [b"++", b"*+", b"*+"]


@pytest.mark.parametrize("end", [b"", b"\xe9 HTTP/1.1", b" HTTP/1.0"])
@pytest.mark.parametrize("piece", [b"a", b"?", b"a?"])
def test_a_long_line_that_is_almost_plain_is_not(piece: bytes, end: bytes) -> None:
    assert http1_known._PLAIN_LINE.fullmatch(b"GET /" + piece * 1_000_000 + end) is None


def test_what_is_too_long_is_not_even_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http1_request, "PLAIN_LINES", None)
    assert reader(line_size=100).again(b"GET /" + b"a" * 100 + b"\r\n\r\n" * 2) is None
