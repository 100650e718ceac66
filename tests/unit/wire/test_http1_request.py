"""RequestReader: where a head ends, what it says, and where a chunked body ends."""

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daphne_like.errors import RemoteFault
from daphne_like.exchange import Request
from daphne_like.limits import Limits
from daphne_like.wire import http1_request
from daphne_like.wire.http1_request import RequestReader
from tests.support.http1 import splits

CLIENT = ("192.0.2.1", 50000)
SERVER = ("192.0.2.2", 80)
HEAD = b"GET /a?b HTTP/1.1\r\nHost: a\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
UPGRADE = b"Connection: upgrade\r\nUpgrade: h2c\r\n"
KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
VERSION = b"Sec-WebSocket-Version: 13"
ASKING = b"Connection: keep-alive, Upgrade", b"Upgrade: WebSocket"
TOKEN = frozenset(b"!#$%&'*+-.^_`|~" + (string.ascii_letters + string.digits).encode())


def reader(**limits: Any) -> RequestReader:
    return RequestReader(Limits(**limits), CLIENT, SERVER, "http")


def request(*fields: bytes, line: bytes = b"GET / HTTP/1.1", **limits: Any) -> Request:
    return reader(**limits).request(b"\r\n".join([line, b"Host: a", *fields, b"", b""]))


def target(raw: bytes) -> Request:
    return request(line=b"GET " + raw + b" HTTP/1.1")


def status_of(*fields: bytes, **options: Any) -> int:
    with pytest.raises(RemoteFault) as caught:
        request(*fields, **options)
    return caught.value.status


def accepts(*fields: bytes, **options: Any) -> bool:
    try:
        request(*fields, **options)
    except RemoteFault:
        return False
    return True


def take(reading: RequestReader, *segments: bytes) -> tuple[bytes | None, bytes]:
    """Feed segments until a head is whole; the head, and what follows it."""
    rest = b""
    for segment in segments:
        rest += segment
        head = None
        while rest and head is None:
            head, rest = reading.take_head(rest)
        if head is not None:
            return head, rest
    return None, rest


def read_chunks(reading: RequestReader, *segments: bytes) -> tuple[bytes, int]:
    """The body, and how many bytes of the segments belong to it."""
    body, eaten = b"", 0
    for segment in segments:
        eaten += reading.chunked(segment)
        body += reading.take_pieces()
        if reading.complete:
            return body, eaten
    raise AssertionError("the body has not ended")


class TestTakingHeads:
    def test_a_head_in_one_segment_is_not_copied(self) -> None:
        head, rest = reader().take_head(HEAD)
        assert head is HEAD
        assert rest == b""

    def test_what_follows_a_head_is_left(self) -> None:
        assert reader().take_head(HEAD + b"more") == (HEAD, b"more")

    def test_it_makes_no_difference_how_a_head_arrives(self) -> None:
        for segments in splits(HEAD + b"x"):
            head, _ = take(reader(), *segments)
            assert head == HEAD

    def test_what_has_been_searched_is_not_searched_again(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        searched: list[int] = []

        class Partial(bytearray):
            def find(self, what: Any, at: Any = 0, *_: Any) -> int:  # type: ignore[override]
                searched.append(len(self) - at)
                return super().find(what, at)

        class Hopeless:
            def search(self, data: bytearray, at: int) -> None:
                searched.append(len(data) - at)

        monkeypatch.setattr(http1_request, "_HOPELESS", Hopeless())
        reading = reader()
        reading._partial = Partial()
        for _ in range(20_000):
            reading.take_head(b"x")
        assert sum(searched) < 10 * 20_000

    def test_empty_lines_before_a_head_are_ignored_however_they_arrive(self) -> None:
        for segments in splits(b"\r\n\r\n\r\n" + HEAD):
            assert take(reader(), *segments) == (HEAD, b"")

    def test_a_head_has_begun_with_its_first_byte_and_not_with_an_empty_line(self) -> None:
        reading = reader()
        begun = []
        for segment in (b"\r\n", b"\r", b"\n", b"\r", b"\nG", b"ET"):
            take(reading, segment)
            begun.append(reading.begun)
        assert begun == [False, False, False, False, True, True]

    def test_after_a_head_nothing_has_begun(self) -> None:
        reading = reader()
        take(reading, HEAD[:10], HEAD[10:])
        assert not reading.begun

    @pytest.mark.parametrize(
        "beginning",
        [
            b"GET / HTTP/1.1\n",
            b"GET / HTTP/1.1\rX",
            b"GET /\x00",
            b" GET",
            b"\n",
            b"\rX",
            b"\x15\x03",
        ],
    )
    def test_what_can_become_no_head_is_refused_at_once(self, beginning: bytes) -> None:
        for segments in splits(beginning):
            with pytest.raises(RemoteFault, match="malformed head"):
                take(reader(), *segments)

    def test_a_line_without_end_is_refused_with_414(self) -> None:
        with pytest.raises(RemoteFault, match="line is too long") as caught:
            reader(head_size=50).take_head(b"GET /" + b"a" * 46)
        assert caught.value.status == 414

    @pytest.mark.parametrize("piecemeal", [False, True])
    @pytest.mark.parametrize(("size", "status"), [(40, None), (39, 414)])
    def test_a_line_has_a_limit_of_its_own(
        self, piecemeal: bool, size: int, status: int | None
    ) -> None:
        head = b"GET /%b HTTP/1.1\r\nHost: a\r\nX: %b\r\n\r\n" % (b"a" * 26, b"b" * 40)
        segments = [head[at : at + 1] for at in range(len(head))] if piecemeal else [head]
        reading = reader(line_size=size)
        if status is None:
            assert reading.request(take(reading, *segments)[0] or b"").method == "GET"
            return
        with pytest.raises(RemoteFault) as caught:
            reading.request(take(reading, *segments)[0] or b"")
        assert caught.value.status == status

    def test_fields_without_end_are_refused_with_431(self) -> None:
        with pytest.raises(RemoteFault, match="head is too large") as caught:
            take(reader(head_size=50), b"GET / HTTP/1.1\r\n", b"X: " + b"a" * 46)
        assert caught.value.status == 431

    def test_a_head_as_large_as_the_limit_is_good(self) -> None:
        assert reader(head_size=len(HEAD)).request(HEAD).method == "GET"
        with pytest.raises(RemoteFault):
            reader(head_size=len(HEAD) - 1).request(HEAD)


class TestHeads:
    def test_a_request_is_what_the_head_says(self) -> None:
        got = reader().request(b"GET /a%20b?c=d HTTP/1.1\r\nHost: a:81\r\nX: y\r\nx:  Z\r\n\r\n")
        assert (got.method, got.raw_path, got.query) == ("GET", b"/a%20b", b"c=d")
        assert got.headers == [(b"host", b"a:81"), (b"x", b"y"), (b"x", b"Z")]
        assert (got.http_version, got.scheme, got.authority) == ("1.1", "http", b"a:81")
        assert (got.client, got.server, got.tls) == (CLIENT, SERVER, None)
        assert (got.upgrade, got.root_path) == (None, None)

    def test_the_framing_is_told(self) -> None:
        reading = reader()
        reading.request(b"POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\n")
        assert reading.framing.length == 5
        assert not reading.framing.keep_alive

    def test_a_method_that_is_seldom(self) -> None:
        assert request(line=b"M-SEARCH / HTTP/1.1").method == "M-SEARCH"

    @pytest.mark.parametrize("version", [b"HTTP/2.0", b"HTTP/0.9", b"RTSP/1.0"])
    def test_another_version_is_refused_with_505(self, version: bytes) -> None:
        assert status_of(line=b"GET / " + version) == 505

    def test_a_field_more_than_the_limit_is_refused_with_431(self) -> None:
        assert accepts(b"X: y", head_fields=2)
        assert status_of(b"X: y", b"X: y", head_fields=2) == 431

    def test_white_space_around_a_value_is_no_part_of_it(self) -> None:
        got = request(b"A: \t x y \t", b"B:\t", b"C: z\t")
        assert got.headers[1:] == [(b"a", b"x y"), (b"b", b""), (b"c", b"z")]

    def test_parser_and_fields_must_agree_on_the_framing(self) -> None:
        class NeverComplete:
            def feed_data(self, data: bytes) -> None:
                reading.on_header(b"Host", b"a")

            def get_method(self) -> bytes:
                return b"GET"

        reading = reader()
        reading._parser = NeverComplete()
        with pytest.raises(RemoteFault, match="ambiguous framing"):
            reading.request(HEAD)

    def test_a_name_has_the_bytes_of_a_token(self) -> None:
        colon = ord(":")
        assert {b for b in range(256) if accepts(b"x%cy: z" % b)} == TOKEN | {colon}

    @pytest.mark.parametrize("field", [b"X: a%cb", b"X: %ca", b"X: a%c", b"X: %c", b"X:%c"])
    def test_a_value_has_no_controls(self, field: bytes) -> None:
        visible = {9, *range(32, 127), *range(128, 256)}
        assert {b for b in range(256) if accepts(field % b)} == visible

    def test_a_target_has_visible_bytes_and_no_fragment(self) -> None:
        visible = {*range(33, 127), *range(128, 256)} - {ord("#")}
        lines = {b: b"GET /a%cb HTTP/1.1" % b for b in range(256)}
        assert {b for b, line in lines.items() if accepts(line=line)} == visible

    @given(st.binary(max_size=40))
    def test_no_bytes_make_it_fail_otherwise(self, raw: bytes) -> None:
        accepts(raw, line=b"GET /" + raw + b" HTTP/1.1")
        accepts(line=raw)


class TestTargets:
    def test_utf8_is_left_as_it_is(self) -> None:
        got = target("/é?ü".encode())
        assert (got.raw_path, got.query) == ("/é".encode(), "ü".encode())

    def test_utf8_in_a_target_excuses_nothing_else(self) -> None:
        assert status_of(b"X : y", line="GET /é HTTP/1.1".encode()) == 400

    def test_after_utf8_the_reader_goes_on(self) -> None:
        reading = reader()
        reading.request("GET /é HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        assert reading.request(HEAD).raw_path == b"/a"

    def test_an_asterisk_is_for_options(self) -> None:
        got = request(line=b"OPTIONS * HTTP/1.1")
        assert (got.raw_path, got.authority) == (b"*", b"a")
        assert status_of(line=b"GET * HTTP/1.1") == 400

    @pytest.mark.parametrize(
        ("form", "path", "query"),
        [
            (b"http://b", b"/", b""),
            (b"HTTPS://b/", b"/", b""),
            (b"http://b/c?d", b"/c", b"d"),
            (b"http://b?d", b"/", b"d"),
        ],
    )
    def test_an_absolute_form_replaces_the_host(
        self, form: bytes, path: bytes, query: bytes
    ) -> None:
        got = request(b"X: y", line=b"GET " + form + b" HTTP/1.1")
        assert (got.raw_path, got.query, got.authority) == (path, query, b"b")
        assert got.headers == [(b"host", b"b"), (b"x", b"y")]

    @pytest.mark.parametrize(
        "form",
        [b"a", b"a:80", b"?a", b"ftp://a/", b"http:///", b"http://u@a/", b"/#a", b"http://a/#b"],
    )
    def test_another_form_is_refused(self, form: bytes) -> None:
        assert status_of(line=b"GET " + form + b" HTTP/1.1") == 400

    def test_a_body_that_is_too_large_is_refused_with_413(self) -> None:
        assert status_of(b"Content-Length: 6", body_size=5) == 413
        assert accepts(b"Content-Length: 5", body_size=5)

    def test_connect_is_refused_with_501(self) -> None:
        assert status_of(line=b"CONNECT a:80 HTTP/1.1") == 501


class TestChunkedBodies:
    BODY = b"5;a=b\r\nhello\r\n4\r\n\r\n\r\n\r\n0\r\nX: y\r\n\r\n"

    def test_it_makes_no_difference_how_a_body_arrives(self) -> None:
        for segments in splits(self.BODY + HEAD):
            reading = reader()
            reading.request(CHUNKED)
            assert not reading.complete
            assert read_chunks(reading, *segments) == (b"hello\r\n\r\n", len(self.BODY))

    def test_one_reader_reads_many(self) -> None:
        reading = reader()
        for _ in range(3):
            reading.request(CHUNKED)
            assert read_chunks(reading, self.BODY)[0] == b"hello\r\n\r\n"
            reading.request(HEAD)
            assert reading.complete

    def test_a_counted_body_does_not_pass_through_the_reader(self) -> None:
        reading = reader()
        reading.request(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
        assert reading.request(HEAD).raw_path == b"/a"

    def test_trailers_are_not_merged_into_the_fields(self) -> None:
        reading = reader()
        got = reading.request(CHUNKED)
        read_chunks(reading, b"0\r\nHost: evil\r\nX: y\r\n\r\n")
        assert got.headers == [(b"host", b"a"), (b"transfer-encoding", b"chunked")]

    def test_an_upgrade_that_is_not_taken_leaves_the_body_as_it_is(self) -> None:
        reading = reader()
        got = reading.request(CHUNKED[:-2] + UPGRADE + b"\r\n")
        assert len(got.headers) == 4
        assert read_chunks(reading, self.BODY + HEAD) == (b"hello\r\n\r\n", len(self.BODY))

    def test_an_upgrade_that_is_not_taken_leaves_the_next_request_as_it_is(self) -> None:
        reading = reader()
        reading.request(HEAD[:-2] + UPGRADE + b"\r\n")
        assert reading.request(HEAD).raw_path == b"/a"

    def test_a_body_that_turns_bad_is_refused(self) -> None:
        reading = reader()
        reading.request(CHUNKED)
        assert reading.chunked(b"5\r\nhel") == 6
        with pytest.raises(RemoteFault) as caught:
            reading.chunked(b"loXX0\r\n\r\n")
        assert caught.value.status == 400

    def test_extensions_are_bounded_like_a_head(self) -> None:
        reading = reader(head_size=100)
        reading.request(CHUNKED[:70])
        reading.chunked(b"5;" + b"a" * 90)
        with pytest.raises(RemoteFault, match="extensions or trailers"):
            reading.chunked(b"a" * 20)

    def test_data_makes_up_for_the_size_of_small_chunks(self) -> None:
        reading = reader(head_size=100)
        reading.request(CHUNKED[:70])
        for _ in range(100):
            reading.chunked(b"00000001\r\nx\r\n")
        assert reading.take_pieces() == b"x" * 100


class TestWebSockets:
    def test_a_handshake_is_a_request_that_asks_for_one(self) -> None:
        got = request(*ASKING, VERSION, KEY, line=b"GET /chat?room=1 HTTP/1.1")
        assert (got.upgrade, got.method) == ("websocket", "GET")
        assert (got.raw_path, got.query) == (b"/chat", b"room=1")

    def test_what_follows_it_is_left_for_the_tunnel(self) -> None:
        head = b"\r\n".join([HEAD[:-4], *ASKING, VERSION, KEY, b"", b""])
        reading = reader()
        assert reading.take_head(head + b"\x81\x80") == (head, b"\x81\x80")
        for _ in range(2):
            assert reading.request(head).upgrade == reading.framing.upgrade == "websocket"
            assert reading.again(head) is None, "it is judged each time"

    @pytest.mark.parametrize(
        ("line", "fields"),
        [
            (b"POST / HTTP/1.1", ()),
            (b"OPTIONS * HTTP/1.1", ()),
            (b"GET / HTTP/1.1", (b"Content-Length: 3",)),
            (b"GET / HTTP/1.1", (b"Transfer-Encoding: chunked",)),
            (b"GET / HTTP/1.0", ()),
        ],
    )
    def test_another_method_a_body_or_an_older_version_makes_it_a_plain_request(
        self, line: bytes, fields: tuple[bytes, ...]
    ) -> None:
        head = b"\r\n".join([line, b"Host: a", *ASKING, *fields, b"", b""])
        reading = reader()
        assert reading.request(head).upgrade is None
        assert reading.framing.upgrade is None

    @pytest.mark.parametrize(
        ("fields", "status"),
        [([KEY], 426), ([KEY, b"Sec-WebSocket-Version: 8"], 426), ([KEY, VERSION, VERSION], 400),
         ([VERSION], 400), ([VERSION, b"Sec-WebSocket-Key: short"], 400),
         ([VERSION, KEY, b"Sec-WebSocket-Protocol: a b"], 400),
         ([VERSION, KEY, b"Sec-WebSocket-Extensions: ;"], 400)],
    )  # fmt: skip
    def test_a_handshake_that_is_wrong_is_refused(self, fields: list[bytes], status: int) -> None:
        with pytest.raises(RemoteFault) as caught:
            request(*ASKING, *fields)
        told = [(b"sec-websocket-version", b"13")] if status == 426 else []
        assert (caught.value.status, list(caught.value.fields)) == (status, told)


def test_who_speaks_tls_where_there_is_none_is_told_so() -> None:
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
    with pytest.raises(RemoteFault, match="TLS, where none is spoken: ask for http://") as refusal:
        reader().take(hello)
    assert refusal.value.status == 400
