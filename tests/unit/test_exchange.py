"""The seam's types: requests, response heads and records."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from daphne_like.exchange import Record, Request, ResponseHead, escaped, printable, spelled


def request(raw_path: bytes = b"/", query: bytes = b"", **options: Any) -> Request:
    return Request("GET", raw_path, query, [], "1.1", "http", b"a", None, None, **options)


def test_a_request_holds_what_it_is_given() -> None:
    client, server = ("192.0.2.1", 50000), ("192.0.2.2", 443)
    got = Request(
        "POST", b"/a", b"b", [(b"host", b"c")], "2", "https", b"c", client, server,
        {"tls_version": 0x0304}, "websocket", "/root",
    )  # fmt: skip
    assert (got.method, got.raw_path, got.query) == ("POST", b"/a", b"b")
    assert (got.headers, got.http_version, got.scheme) == ([(b"host", b"c")], "2", "https")
    assert (got.authority, got.client, got.server) == (b"c", client, server)
    assert (got.tls, got.upgrade, got.root_path) == ({"tls_version": 772}, "websocket", "/root")


def test_most_requests_have_no_tls_no_upgrade_and_no_root_path() -> None:
    assert (request().tls, request().upgrade, request().root_path) == (None, None, None)


def test_a_request_takes_no_other_attributes() -> None:
    assert not hasattr(request(), "__dict__")


def test_who_it_is_about_may_be_another_than_who_sent_it() -> None:
    got = request()
    got.client = ("192.0.2.1", 50000)
    assert got.peer == ("192.0.2.1", 50000)
    got.on_behalf_of(("192.0.2.9", 0))
    got.on_behalf_of(("192.0.2.8", 0))
    assert (got.client, got.peer) == (("192.0.2.8", 0), ("192.0.2.1", 50000))


def test_it_has_a_name_where_it_was_given_one() -> None:
    got = request()
    assert got.request_id is None
    got.request_id = "a1"
    assert got.request_id == "a1"


def test_in_a_log_line_it_has_method_target_and_name() -> None:
    got = request(b"/\xff", b"b")
    assert got.label == r"GET /\xff?b"
    got.request_id = "a1"
    assert got.label == r"GET /\xff?b [a1]"


@given(st.text(st.characters(categories=None)))
def test_any_name_can_be_printed(name: str) -> None:
    assert printable(name).isascii()
    assert (printable(name) + " ").isprintable()


def test_a_name_is_shown_as_its_bytes() -> None:
    assert printable("/run/caf\xe9") == r"/run/caf\xc3\xa9"


def test_a_target_is_path_and_query() -> None:
    assert request(b"/a").target == "/a"
    assert request(b"/a", b"b=c?d").target == "/a?b=c?d"


def test_a_target_cannot_act_on_a_terminal() -> None:
    assert request("/é\x1b[2J\r\n".encode()).target == r"/\xc3\xa9\x1b[2J\x0d\x0a"


@given(st.binary())
def test_what_is_escaped_can_be_printed(raw: bytes) -> None:
    text = escaped(raw)
    assert text.isascii()
    assert text.isprintable()


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters='"\\')))
def test_what_can_be_printed_is_not_escaped(text: str) -> None:
    assert escaped(text.encode()) == text


def test_nothing_ends_the_quotes_of_a_log_line_or_looks_escaped() -> None:
    assert escaped(b'/"\\xff') == r"/\x22\x5cxff"


def test_a_response_head_is_plain_unless_it_is_said_otherwise() -> None:
    head = ResponseHead(200, [(b"a", b"b")])
    assert (head.status, head.fields, head.length) == (200, [(b"a", b"b")], None)
    assert (head.bodiless, head.close, head.own) == (False, False, frozenset())


def test_a_response_head_holds_what_it_is_given() -> None:
    head = ResponseHead(204, [], 0, bodiless=True, close=True, own=frozenset((b"date",)))
    assert (head.length, head.bodiless, head.close, head.own) == (0, True, True, {b"date"})
    assert not hasattr(head, "__dict__")


def test_a_record_names_its_fields() -> None:
    made = Record("http", request(), 200, 1, 2, 3.0, 0.1, 0.2, "complete")
    assert (made.kind, made.status, made.bytes_in, made.bytes_out) == ("http", 200, 1, 2)
    assert (made.started, made.first_byte, made.duration) == (3.0, 0.1, 0.2)
    assert made.outcome == "complete"


def test_of_what_is_long_the_beginning_is_shown() -> None:
    assert escaped(b"a" * 2048) == "a" * 2048
    assert escaped(b"a" * 2049) == "a" * 2048 + "..."
    assert escaped(b"\x80bc", 2) == r"\x80b..."
    assert len(request(b"/" * 9000, b"q" * 9000).target) == 2048 + 3


def test_an_address_is_spelt_as_people_write_it() -> None:
    assert spelled("192.0.2.1", 80) == "192.0.2.1:80"
    assert spelled("::1", 80) == "[::1]:80"
