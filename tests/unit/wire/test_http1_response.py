"""ResponseSide: a response as bytes, with the framing that the client can read."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from daphne_like.errors import RemoteFault
from daphne_like.exchange import Fields
from daphne_like.headers_sent import response_head
from daphne_like.limits import Limits
from daphne_like.testing import RecordingOpen
from daphne_like.wire import http1_response
from daphne_like.wire.http1 import HTTP1Connection
from daphne_like.wire.shared import DefaultFields, Shared
from tests.support.http1 import Response, read_responses

TEXT = [(b"content-type", b"text/plain")]
LARGE = b"x" * (64 * 1024)


class Side:
    """The way out of one connection: what it writes is kept, what it asks is set by the test."""

    def __init__(self, defaults: DefaultFields | None = None) -> None:
        self.writes: list[bytes] = []
        self.files: list[tuple[Any, ...]] = []
        defaults = defaults or DefaultFields(None, False)
        self.shared = Shared(RecordingOpen(), Clock(), Limits(), defaults)
        self.connection = HTTP1Connection(self.shared)
        self.connection.transport = SimpleNamespace(
            unregisterProducer=nothing, loseWriteConnection=nothing
        )
        self.connection._write = self.writes.append
        self.connection._write_pieces = self.writes.extend
        self.connection._write_file = lambda *given: self.files.append(given)
        self.connection._responding = self.connection._settled = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)

    def of(self, http_version: str = "1.1", *, expects: bool = False) -> Side:
        """The side of a connection whose client speaks `http_version`."""
        self.connection._http_1_0 = http_version == "1.0"
        self.connection._continue_due = expects
        return self

    @property
    def raw(self) -> bytes:
        return b"".join(self.writes)

    def response(self, method: str = "GET", *, eof: bool = False) -> Response:
        """The response as h11 reads it; it is the only one, and whole."""
        (response,) = read_responses(self.raw, [method], eof=eof)
        assert response.complete
        assert not self._responding
        return response


def nothing() -> None:
    """What a transport does where nobody looks."""


def head(
    fields: Fields | None = None, status: int = 200, method: str = "GET"
) -> http1_response.ResponseHead:
    return response_head(status, fields or [], method)


class TestWholeResponses:
    def test_a_small_one_is_one_write(self) -> None:
        side = Side()
        side.respond(head(TEXT), b"hello")
        assert side.writes == [
            b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\nhello"
        ]
        assert not side._responding

    def test_a_large_body_is_not_copied(self) -> None:
        side = Side()
        side.respond(head(), LARGE)
        assert side.writes[1] is LARGE
        assert side.response().body == LARGE

    def test_a_length_of_the_application_is_kept(self) -> None:
        side = Side()
        side.respond(head([(b"Content-Length", b"5")]), b"hello")
        assert side.response().headers == [(b"content-length", b"5")]

    def test_no_body_has_the_length_0(self) -> None:
        side = Side()
        side.respond(head(), b"")
        assert side.response()[b"content-length"] == b"0"

    def test_a_status_without_a_phrase(self) -> None:
        side = Side()
        side.respond(head(status=799), b"")
        assert side.raw.startswith(b"HTTP/1.1 799 \r\n")

    @pytest.mark.parametrize(("status", "method"), [(204, "GET"), (304, "GET"), (200, "HEAD")])
    def test_where_no_body_may_be_nothing_announces_one(self, status: int, method: str) -> None:
        side = Side()
        side.respond(head(status=status, method=method), b"")
        assert side.response(method).headers == []

    def test_to_head_the_length_is_what_the_application_says(self) -> None:
        side = Side()
        side.respond(head([(b"content-length", b"5")], method="HEAD"), b"")
        assert side.response("HEAD")[b"content-length"] == b"5"

    @given(
        st.lists(st.tuples(st.from_regex(rb"x-[a-z]{1,9}", fullmatch=True), st.just(b"v\xff"))),
        st.binary(),
    )
    def test_h11_reads_what_was_sent(self, fields: Fields, body: bytes) -> None:
        side = Side()
        side.respond(head(fields), body)
        response = side.response()
        assert response.headers == [*fields, (b"content-length", b"%d" % len(body))]
        assert response.body == body


class TestStreamedResponses:
    def test_without_a_length_it_is_chunked(self) -> None:
        side = Side()
        side.send_head(head(TEXT))
        side.send_body(b"hello")
        side.send_body(b"0123456789")
        side.end()
        assert side.writes[1:] == [b"5\r\nhello\r\n", b"a\r\n0123456789\r\n", b"0\r\n\r\n"]
        assert side.response()[b"transfer-encoding"] == b"chunked"

    def test_the_first_piece_goes_with_the_head(self) -> None:
        side = Side()
        side.send_head(head(), b"hello")
        assert side.writes == [
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n"
        ]

    def test_an_empty_piece_does_not_end_it(self) -> None:
        side = Side()
        side.send_head(head(), b"a")
        side.send_body(b"")
        side.send_body(b"b")
        side.end()
        assert side.response().body == b"ab"

    def test_with_a_length_it_is_not_chunked(self) -> None:
        side = Side()
        side.send_head(head([(b"content-length", b"6")]), b"abc")
        side.send_body(b"def")
        side.end()
        assert side.writes[1:] == [b"def"]
        assert side.response().body == b"abcdef"

    def test_large_pieces_are_not_copied(self) -> None:
        side = Side()
        side.send_head(head(), LARGE)
        side.send_body(LARGE)
        side.end()
        assert [piece is LARGE for piece in side.writes].count(True) == 2
        assert side.response().body == LARGE * 2

    def test_to_head_nothing_follows_the_head(self) -> None:
        side = Side()
        side.send_head(head(method="HEAD"))
        side.end()
        assert side.response("HEAD").headers == []

    @given(st.lists(st.binary()), st.booleans())
    def test_h11_reads_what_was_sent(self, pieces: list[bytes], announced: bool) -> None:
        length = [(b"content-length", b"%d" % len(b"".join(pieces)))]
        side = Side()
        side.send_head(head(length if announced else []))
        for piece in pieces:
            side.send_body(piece)
        side.end()
        assert side.response().body == b"".join(pieces)


class TestTheConnectionsEnd:
    def test_is_not_said_where_it_goes_on(self) -> None:
        side = Side()
        side.respond(head(), b"")
        assert b"connection" not in side.response()

    def test_is_said_where_the_application_asks_for_it(self) -> None:
        side = Side()
        side.respond(head([(b"Connection", b"close")]), b"")
        assert side.response()[b"connection"] == b"close"
        assert not side._keep_alive

    def test_is_said_where_the_client_asks_for_it(self) -> None:
        side = Side()
        side.connection._keep_alive = False
        side.respond(head(), b"")
        assert side.response()[b"connection"] == b"close"

    def test_is_said_where_the_server_stops(self) -> None:
        side = Side()
        side.shared.leaving = True
        side.respond(head(), b"")
        assert side.response()[b"connection"] == b"close"

    def test_is_said_where_the_rest_of_the_request_may_not_be_read(self) -> None:
        side = Side()
        side.connection._settled = False
        side.connection._remaining = Limits().discard_size + 1
        side.respond(head(), b"")
        assert side.response()[b"connection"] == b"close"


class TestHTTP10:
    def test_keep_alive_is_said(self) -> None:
        side = Side().of("1.0")
        side.respond(head(), b"x")
        assert side.response()[b"connection"] == b"keep-alive"

    def test_a_body_of_unknown_length_ends_with_the_connection_and_is_never_chunked(self) -> None:
        side = Side().of("1.0")
        side.send_head(head(), b"a")
        side.send_body(b"b")
        side.end()
        assert side.writes == [b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\na", b"b"]
        assert side.response(eof=True).body == b"ab"

    def test_a_body_of_known_length_does_not_end_the_connection(self) -> None:
        side = Side().of("1.0")
        side.send_head(head([(b"content-length", b"1")]), b"a")
        side.end()
        assert side.response()[b"connection"] == b"keep-alive"


class TestContinue:
    def test_it_is_said_once_and_when_the_application_reads(self) -> None:
        side = Side().of(expects=True)
        assert side.writes == []
        side.wanted()
        side.wanted()
        assert side.writes == [b"HTTP/1.1 100 Continue\r\n\r\n"]
        side.respond(head(), b"")
        assert side.response().interim == [100]

    def test_it_is_not_said_where_nobody_waits_for_it(self) -> None:
        side = Side().of()
        side.wanted()
        assert side.writes == []

    def test_it_is_not_said_after_a_head(self) -> None:
        side = Side().of(expects=True)
        side.send_head(head())
        side.wanted()
        side.end()
        assert side.response().interim == []


class TestDefaultFields:
    def test_they_follow_the_applications(self) -> None:
        side = Side(DefaultFields(b"us", True, [(b"x-extra", b"1")], now=lambda: 0.0))
        side.respond(head(TEXT), b"")
        assert [name for name, _ in side.response().headers] == [
            b"content-type", b"content-length", b"date", b"server", b"x-extra",
        ]  # fmt: skip

    def test_an_applications_own_take_their_place(self) -> None:
        side = Side(DefaultFields(b"us", True, now=lambda: 0.0))
        side.respond(head([(b"Server", b"theirs"), (b"date", b"now")]), b"")
        response = side.response()
        assert response[b"server"] == b"theirs"
        assert response[b"date"] == b"now"


class TestRefusals:
    def test_a_refusal_is_whole_and_the_last_response(self) -> None:
        side = Side().of("1.0")
        side.writes.append(side._refusal(RemoteFault(400, "no Host")))
        (response,) = read_responses(side.raw)
        assert response.status == 400
        assert response.body == b"400 no Host\n"
        assert response[b"connection"] == b"close"
        assert response[b"content-type"] == b"text/plain; charset=utf-8"
        assert not side._keep_alive


class TestRememberedLines:
    def test_a_line_is_made_once(self) -> None:
        lines = http1_response._Lines()
        assert lines[b"a", b"b"] is lines[b"a", b"b"]

    def test_long_lines_are_not_remembered_and_the_others_not_for_ever(self) -> None:
        lines = http1_response._Lines()
        assert lines[b"a", b"b" * 200] == b"a: " + b"b" * 200 + b"\r\n"
        for number in range(600):
            assert lines[b"a", b"%d" % number] == b"a: %d\r\n" % number
        assert len(lines) < 512
        assert lines[b"a", b"599"] is lines[b"a", b"599"]


def test_a_response_cut_short_is_seen_by_h11() -> None:
    side = Side()
    side.respond(head(), b"hello")
    (response,) = read_responses(side.raw[:-1], eof=True)
    assert not response.complete
    with pytest.raises(h11.RemoteProtocolError):
        read_responses(b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n")


TRAILERS = [(b"x-one", b"1"), (b"x-two", b"2")]


class TestExtensions:
    def test_trailers_follow_the_last_chunk(self) -> None:
        side = Side()
        side.send_head(head(TEXT), b"hello")
        side.end(TRAILERS)
        assert side.raw.endswith(b"\r\n5\r\nhello\r\n0\r\nx-one: 1\r\nx-two: 2\r\n\r\n")
        assert side.response().body == b"hello"

    @pytest.mark.parametrize("version", ["1.0", "1.1"])
    def test_where_there_are_no_chunks_there_are_no_trailers(self, version: str) -> None:
        side = Side().of(version)
        length = [(b"content-length", b"5")] if version == "1.1" else []
        side.send_head(head(length), b"hello")
        side.end(TRAILERS)
        assert b"x-one" not in side.raw
        assert side.response(eof=True).body == b"hello"

    def test_hints_go_before_the_head(self) -> None:
        side = Side()
        side.send_hints([(b"link", b"</a.css>; rel=preload"), (b"link", b"</b>")])
        assert side.raw == (
            b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\nlink: </b>\r\n\r\n"
        )
        side.respond(head(TEXT), b"hello")
        response = side.response()
        assert (response.interim, response.status) == ([103], 200)


# --- Files ------------------------------------------------------------------------------------


def test_a_file_goes_out_as_it_is_where_the_length_is_known() -> None:
    side = Side()
    side.send_head(response_head(200, [(b"content-length", b"5")], "GET"))
    side.send_file(7, 1, 5)
    assert side.files == [(7, 1, 5)]


def test_a_file_is_a_chunk_where_there_are_chunks() -> None:
    side = Side()
    side.send_head(response_head(200, [], "GET"))
    side.send_file(7, 1, 26)
    assert side.files == [(7, 1, 26, b"1a\r\n", b"\r\n")]
