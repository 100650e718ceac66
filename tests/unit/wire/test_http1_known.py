"""What is remembered of requests, and that it is bounded."""

from __future__ import annotations

from daphne_like.wire.http1_known import _Names, _PlainLines


def test_a_name_is_one_object_however_it_is_written():
    names = _Names()
    assert names[b"X-One"] == b"x-one"
    assert names[b"X-One"] is names[b"x-ONE"]


def test_long_names_and_those_beyond_the_first_hundreds_are_not_remembered():
    names = _Names()
    assert names[b"X" * 40] == b"x" * 40
    assert len(names) == 0
    for number in range(600):
        assert names[b"X-%d" % number] == b"x-%d" % number
    assert len(names) <= 513


def test_a_plain_line_is_taken_apart():
    assert _PlainLines()[b"GET /a?b HTTP/1.1"] == ("GET", b"/a", b"b")


def test_a_line_that_is_not_plain_is_nothing():
    lines = _PlainLines()
    assert lines[b"BREW /a HTTP/1.1"] is lines[b"GET a HTTP/1.1"] is None
    assert not lines


def test_long_lines_are_not_remembered_and_a_thousand_are_forgotten():
    lines = _PlainLines()
    assert lines[b"GET /" + b"a" * 256 + b" HTTP/1.1"] is not None
    assert not lines
    for number in range(1025):
        assert lines[b"GET /%d HTTP/1.1" % number] is not None
    assert len(lines) == 1
