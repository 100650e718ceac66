"""What the fields of an HTTP/2 request's head become, and which heads are refused."""

from __future__ import annotations

from itertools import chain
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ngh2 import NeverIndexedHeader

from daphne_like.errors import RemoteFault
from daphne_like.exchange import Field, Request
from daphne_like.limits import Limits
from daphne_like.wire.http2_request import TARGETS, HeadReader
from tests.support.http1 import REQUEST

CLIENT, SERVER = ("192.0.2.1", 50000), ("192.0.2.2", 443)
METHOD, SCHEME = (b":method", b"GET"), (b":scheme", b"https")
AUTHORITY, PATH = (b":authority", b"a.example"), (b":path", b"/a?b=c")

PSEUDO = {
    "curl": (METHOD, SCHEME, AUTHORITY, PATH),
    "Chrome": (METHOD, AUTHORITY, SCHEME, PATH),
    "Firefox": (METHOD, PATH, AUTHORITY, SCHEME),
    "Safari": (METHOD, SCHEME, PATH, AUTHORITY),
    "somebody": (PATH, SCHEME, METHOD, AUTHORITY),
}
GET = PSEUDO["Chrome"]
CONNECT = (
    (b":method", b"CONNECT"),
    (b":protocol", b"websocket"),
    SCHEME,
    PATH,
    AUTHORITY,
    (b"sec-websocket-version", b"13"),
)


def reader(**limits: Any) -> HeadReader:
    return HeadReader(Limits(**limits), CLIENT, SERVER, "https", {"tls_version": 0x0304})


def request(*fields: Field, pseudo: Any = GET, **limits: Any) -> Request:
    return reader(**limits).request((*pseudo, *fields))


def refused(*fields: Field, pseudo: Any = GET, **limits: Any) -> tuple[int, str]:
    with pytest.raises(RemoteFault) as caught:
        request(*fields, pseudo=pseudo, **limits)
    return caught.value.status, caught.value.reason


def pseudo(**said: bytes) -> tuple[Field, ...]:
    """Chrome's fields of the protocol, with others in their place."""
    return tuple((name, said.get(name[1:].decode(), value)) for name, value in GET)


def parts(made: Request) -> list[Any]:
    return [getattr(made, name) for name in REQUEST]


def outcome(at: HeadReader, head: Any) -> list[Any]:
    """What becomes of `head`: all of a request, or the fault."""
    try:
        made = at.request(head)
    except RemoteFault as fault:
        return [fault.status, fault.reason]
    return [*parts(made), at.framing, at.size]


class TestRequests:
    @pytest.mark.parametrize("who", PSEUDO)
    def test_it_is_the_same_whoever_asks_and_however_often(self, who: str) -> None:
        at = reader()
        for _ in range(3):
            made = at.request((*PSEUDO[who], (b"accept", b"*/*")))
            assert (made.method, made.raw_path, made.query) == ("GET", b"/a", b"b=c")
            assert made.headers == [(b"host", b"a.example"), (b"accept", b"*/*")]
            assert (made.http_version, made.scheme, made.authority) == ("2", "https", b"a.example")
            assert (made.client, made.server) == (CLIENT, SERVER)
            assert (made.tls, made.upgrade) == ({"tls_version": 0x0304}, None)

    @pytest.mark.parametrize("method", ["GET", "DELETE", "OPTIONS", "PROPFIND", "M-SEARCH"])
    def test_it_may_have_any_method(self, method: str) -> None:
        at = reader()
        for _ in range(2):
            assert at.request(pseudo(method=method.encode())).method == method

    def test_its_scheme_is_the_transports(self) -> None:
        assert request(pseudo=pseudo(scheme=b"http")).scheme == "https"

    def test_a_path_is_left_as_it_is(self) -> None:
        path = "/%zz/é//..;a=b".encode() + b"\xff"
        assert request(pseudo=pseudo(path=path)).raw_path == path

    @pytest.mark.parametrize("host", [b"a.example", b"A.example:8443", b"[::1]:80"])
    def test_a_host_may_stand_in_for_an_authority(self, host: bytes) -> None:
        made = request((b"x", b"y"), (b"host", host), pseudo=(METHOD, SCHEME, PATH))
        assert made.headers == [(b"host", host), (b"x", b"y")]
        assert made.authority == host

    def test_a_host_may_say_the_same(self) -> None:
        made = request((b"x", b"y"), (b"host", b"a.example"))
        assert made.headers == [(b"host", b"a.example"), (b"x", b"y")]

    def test_crumbs_of_cookies_are_one_cookie(self) -> None:
        crumbs = [(b"cookie", b"a=1"), (b"x", b"y"), (b"cookie", b"b=2"), (b"cookie", b"c=3")]
        made = request(*crumbs)
        joined = (b"cookie", b"a=1; b=2; c=3")
        assert made.headers == [(b"host", b"a.example"), (b"x", b"y"), joined]

    def test_what_must_not_be_indexed_is_a_field_like_any_other(self) -> None:
        made = request(NeverIndexedHeader(b"authorization", b"secret"))
        assert made.headers[1] == (b"authorization", b"secret")
        assert {type(field) for field in made.headers} == {tuple}


class TestFraming:
    def test_it_says_what_is_known_of_the_body(self) -> None:
        at = reader()
        at.request((*GET, (b"content-length", b"5"), (b"expect", b"100-continue")))
        assert (at.framing.length, at.framing.expect, at.framing.trailers) == (5, True, False)
        at.request((*GET, (b"te", b"trailers")))
        assert (at.framing.length, at.framing.expect, at.framing.trailers) == (None, False, True)

    def test_it_is_that_of_the_last_head(self) -> None:
        at = reader()
        for length in (5, None, None, 5):
            fields = [] if length is None else [(b"content-length", b"%d" % length)]
            at.request((*GET, *fields))
            assert at.framing.length == length

    def test_a_head_counts_decoded_with_32_for_each_field(self) -> None:
        at = reader()
        for _ in range(2):
            at.request((*GET, (b"x", b"y" * 100)))
            size = sum(len(name) + len(value) + 32 for name, value in GET)
            assert at.size == size + 101 + 32


class TestMemory:
    """A head that is like the one before it takes a shorter way to the same request."""

    @given(data=st.data())
    def test_it_changes_nothing(self, data: st.DataObject) -> None:
        heads = data.draw(st.lists(HEADS, min_size=1, max_size=6))
        limits = {
            "head_size": data.draw(st.integers(210, 1000)),
            "line_size": data.draw(st.sampled_from([100, 300])),
            "body_size": 4,
        }
        at = reader(**limits)
        for again in chain.from_iterable(map(alike, heads)):
            assert outcome(at, again) == outcome(reader(**limits), again)

    def test_no_two_requests_have_the_same_list_of_fields(self) -> None:
        at = reader()
        first, second = at.request(GET), at.request(GET)
        first.headers.append((b"x", b"y"))
        assert second.headers == [(b"host", b"a.example")]

    def test_a_target_is_judged_each_time(self) -> None:
        at = reader(line_size=100)
        at.request(GET)
        for path, status in ((b"/" * 101, 414), (b"/#a", 400)):
            with pytest.raises(RemoteFault) as caught:
                at.request(pseudo(path=path))
            assert caught.value.status == status
            assert at.request(GET).raw_path == b"/a"

    def test_so_is_the_size_of_a_head(self) -> None:
        at = reader(head_size=300, line_size=300)
        at.request(GET)
        with pytest.raises(RemoteFault) as caught:
            at.request(pseudo(path=b"/" + b"a" * 200))
        assert caught.value.status == 431

    def test_targets_are_remembered_and_not_without_end(self) -> None:
        at = reader()
        for number in range(3000):
            assert at.request(pseudo(path=b"/%d?a" % number)).raw_path == b"/%d" % number
            assert len(TARGETS) <= 1024
        long = b"/" + b"x" * 300
        assert at.request(pseudo(path=long)).raw_path == long
        assert long not in TARGETS

    def test_a_large_head_is_not_remembered(self) -> None:
        at = reader()
        at.request((*GET, (b"x", b"y" * 4096)))
        assert at._said.fields_in_all == 0


def alike(head: tuple[Field, ...]) -> list[tuple[Field, ...]]:
    """The head, and others that differ in their path only."""
    paths = [b"/", b"/a?b", b"/#", b"/" * 90, b"/" * 101, b"/" * 301, b"/"]
    return [tuple((n, path if n == b":path" else v) for n, v in head) for path in paths]


NAMES = st.sampled_from([b"accept", b"cookie", b"te", b"x-one", b"content-length", b"host"])


@st.composite
def _heads(draw: st.DrawFn) -> tuple[Field, ...]:
    """A head of a few kinds, so that many are alike."""
    said = {
        b":method": draw(st.sampled_from([b"GET", b"POST", b"OPTIONS"])),
        b":path": b"/",
        b":scheme": draw(st.sampled_from([b"http", b"https"])),
        b":authority": draw(st.sampled_from([b"a.example", b"b.example"])),
    }
    order = draw(st.sampled_from(list(PSEUDO.values())))
    fields = dict.fromkeys(draw(st.lists(NAMES, max_size=4)), said[b":authority"])
    fields |= {b"content-length": b"5"} if b"content-length" in fields else {}
    crumbs = draw(st.sampled_from([(), ((b"cookie", b"a"), (b"cookie", b"b"))]))
    return (*[(name, said[name]) for name, _ in order], *fields.items(), *crumbs)


HEADS = _heads()


class TestRefused:
    @pytest.mark.parametrize(
        ("fields", "head", "status"),
        [
            ([], pseudo(path=b"/#"), 400),
            ([], pseudo(scheme=b"ftp"), 400),
            ([], pseudo(authority=b"a b"), 400),
            ([], pseudo(authority=b"user@a.example"), 400),
            ([], (METHOD, SCHEME, PATH), 400),
            ([(b"host", b"b.example")], GET, 400),
            ([(b"host", b"a.example"), (b"host", b"b.example")], (METHOD, SCHEME, PATH), 400),
            ([(b"content-length", b"1"), (b"content-length", b"1")], GET, 400),
            ([(b"content-length", b"+1")], GET, 400),
            ([(b"expect", b"something")], GET, 417),
            ([], ((b":method", b"CONNECT"), AUTHORITY), 501),
        ],
    )
    def test_what_no_request_can_be(self, fields: Any, head: Any, status: int) -> None:
        assert refused(*fields, pseudo=head)[0] == status

    def test_one_that_is_too_long(self) -> None:
        assert refused(pseudo=pseudo(path=b"/" * 101), line_size=100)[0] == 414
        assert refused((b"x", b"y" * 300), head_size=300)[0] == 431
        assert refused(*[(b"x", b"y")] * 5, head_fields=4)[0] == 431
        assert request(*[(b"x", b"y")] * 4, head_fields=4).headers[1:] == [(b"x", b"y")] * 4

    def test_one_whose_body_is_too_large(self) -> None:
        length = (b"content-length", b"11")
        assert refused(length, body_size=10)[0] == 413
        assert request(length, body_size=11).method == "GET"
        assert request(length).method == "GET"

    def test_no_empty_host_stands_for_one(self) -> None:
        assert request(pseudo=pseudo(authority=b"")).authority == b""


class TestTunnels:
    def test_one_asks_for_a_websocket_as_an_upgrade_does(self) -> None:
        made = request(pseudo=CONNECT)
        assert (made.method, made.upgrade, made.raw_path) == ("GET", "websocket", b"/a")
        assert made.headers == [(b"host", b"a.example"), (b"sec-websocket-version", b"13")]

    def test_its_name_may_be_in_any_case(self) -> None:
        protocol = (b":protocol", b"WebSocket")
        assert request(pseudo=(CONNECT[0], protocol, *CONNECT[2:])).upgrade == "websocket"

    def test_of_others_we_know_none(self) -> None:
        protocol = (b":protocol", b"connect-udp")
        assert refused(pseudo=(CONNECT[0], protocol, *CONNECT[2:])) == (501, "no such protocol")

    def test_its_handshake_is_judged(self) -> None:
        assert refused(pseudo=(*CONNECT[:-1], (b"sec-websocket-version", b"12")))[0] == 426


def test_what_is_pushed_is_what_a_client_would_have_asked() -> None:
    at = reader()
    head = at.pushed(b"/style.css", [(b"accept", b"*/*")], b"a.example")
    made = at.request(head)
    assert (made.method, made.raw_path, made.authority) == ("GET", b"/style.css", b"a.example")
    assert made.headers == [(b"host", b"a.example"), (b"accept", b"*/*")]
