"""Targets of HTTP/1 requests that are no path."""

from __future__ import annotations

import pytest

from daphne_like.errors import RemoteFault
from daphne_like.exchange import Fields
from daphne_like.wire.http1_target import judge_other_form


def fields() -> Fields:
    return [(b"a", b"1"), (b"host", b"b")]


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"http://a.example/c?d", b"/c?d"),
        (b"HTTPS://a.example", b"/"),
        (b"http://a.example?d", b"/?d"),
    ],
)
def test_a_whole_url_says_the_authority_whatever_host_says(target: bytes, path: bytes) -> None:
    given = fields()
    assert judge_other_form(b"GET", target, given, b"b") == (b"a.example", path)
    assert given == [(b"host", b"a.example"), (b"a", b"1")]


def test_a_star_is_for_options_and_leaves_host_alone() -> None:
    given = fields()
    assert judge_other_form(b"OPTIONS", b"*", given, b"b") == (b"b", b"*")
    assert given == fields()


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        (b"GET", b"*", 400),
        (b"GET", b"", 400),
        (b"GET", b"a", 400),
        (b"GET", b"http:///c", 400),
        (b"GET", b"ftp://a/c", 400),
        (b"GET", b"http://a b/c", 400),
        (b"CONNECT", b"a:80", 501),
    ],
)
def test_all_others_are_refused(method: bytes, target: bytes, status: int) -> None:
    with pytest.raises(RemoteFault) as caught:
        judge_other_form(method, target, fields(), b"b")
    assert caught.value.status == status
