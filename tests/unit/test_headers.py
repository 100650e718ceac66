"""The judge of header fields: what a request's say."""

from __future__ import annotations

import contextlib
import string
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daphne_like import headers
from daphne_like.errors import RemoteFault
from daphne_like.headers import (
    Framing,
    host_of,
    is_free,
    is_token,
    judge_request,
    listed,
    tokens,
)
from daphne_like.headers_sent import BadField

HOST = (b"host", b"a")
TOKEN = frozenset(b"!#$%&'*+-.^_`|~" + (string.ascii_letters + string.digits).encode())
HOST_BYTES = frozenset(b"._~!$&'()*+,;=%-" + (string.ascii_letters + string.digits).encode())


def every_byte(use: Callable[[int], object]) -> set[int]:
    """The bytes that `use` does not refuse."""
    good = set()
    for byte in range(256):
        with contextlib.suppress(BadField, RemoteFault):
            use(byte)
            good.add(byte)
    return good


def framing(*fields: tuple[bytes, bytes], version: str = "1.1") -> Framing:
    return judge_request([HOST, *fields], version)[1]


def refused(*fields: tuple[bytes, bytes], version: str = "1.1") -> tuple[int, str]:
    with pytest.raises(RemoteFault) as caught:
        judge_request(list(fields), version)
    return caught.value.status, caught.value.reason


@pytest.mark.parametrize(
    ("name", "free"),
    [
        (b"x-request-id", True),
        (b"traceparent", True),
        (b"", False),
        (b"a b", False),
        (b"host", False),
        (b"connection", False),
        (b"content-length", False),
        (b"date", False),
        (b"server", False),
    ],
)
def test_a_free_name_has_no_meaning_for_the_server(name: bytes, free: bool) -> None:
    assert is_free(name) is free


def test_a_token_has_these_bytes_and_no_others() -> None:
    assert {byte for byte in range(256) if is_token(b"a%cb" % byte)} == TOKEN
    assert not is_token(b"")
    assert not is_token(b"a\n")


@pytest.mark.parametrize(
    ("values", "elements"),
    [
        ([], []),
        ([b""], []),
        ([b"a"], [b"a"]),
        ([b"a, B\t,c;d=e"], [b"a", b"B", b"c;d=e"]),
        ([b"a", b"b,c"], [b"a", b"b", b"c"]),
        ([b",, a ,\t,"], [b"a"]),
    ],
)
def test_a_list_has_its_elements_over_all_fields_of_a_name(
    values: list[bytes], elements: list[bytes]
) -> None:
    fields = [(b"x", b"other"), *[(b"list", value) for value in values], (b"listed", b"no")]
    assert listed(fields, b"list") == elements


class TestHost:
    def test_it_is_the_requests_authority(self) -> None:
        assert judge_request([HOST], "1.1")[0] == b"a"
        assert judge_request([(b"x", b"y"), HOST, (b"connection", b"close")], "1.1")[0] == b"a"

    def test_it_is_there_once(self) -> None:
        assert refused() == (400, "no Host")
        assert refused(HOST, HOST) == (400, "Host more than once")
        assert refused(HOST, (b"host", b"b"), version="1.0") == (400, "Host more than once")

    def test_before_http_1_1_it_may_be_missing(self) -> None:
        assert judge_request([], "1.0")[0] == b""

    @pytest.mark.parametrize(
        "good",
        [b"", b"a", b"a.example:80", b"192.0.2.1:", b"[::1]", b"[2001:db8::1]:8080",
         b"[::ffff:192.0.2.1]", b"[fe80::1%25eth0]:80", b"a_b", b"%C3%A9"],
    )  # fmt: skip
    def test_a_host_and_its_port_are_good(self, good: bytes) -> None:
        assert host_of(good) == good

    @pytest.mark.parametrize(
        "bad",
        [b"a b", b"a/b", b"a\\b", b"u@a", b"a:b", b"a:80:80", b"::1", b"[::1", b"[::1]a", b"[]",
         b"[g]", b"[fe80::1%eth0]", b"a?", b"a#", b"<a>", b'"', b"a\n", b"\xe9"],
    )  # fmt: skip
    def test_anything_else_is_malformed(self, bad: bytes) -> None:
        assert refused((b"host", bad)) == (400, "malformed Host")

    def test_a_name_has_these_bytes_and_no_others(self) -> None:
        assert every_byte(lambda byte: host_of(b"a%cb" % byte)) == HOST_BYTES

    def test_only_so_many_are_remembered(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(headers, "_good_hosts", remembered := set())
        monkeypatch.setattr(headers, "REMEMBER_AT_MOST", 2)
        for host in (b"a", b"b", b"c", b"a"):
            assert host_of(host) == host
        assert remembered == {b"a", b"b"}

    def test_long_ones_are_not(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(headers, "_good_hosts", remembered := set())
        assert host_of(b"a" * 256) == b"a" * 256
        assert host_of(b"a" * 255) == b"a" * 255
        assert remembered == {b"a" * 255}


class TestFraming:
    def test_a_plain_request_has_no_body_and_goes_on(self) -> None:
        plain = Framing(0, keep_alive=True, expect=False, upgrade=None)
        assert framing() == plain
        assert framing((b"accept", b"*/*"), (b"connection", b"keep-alive")) == plain
        assert framing((b"connection", b"x")) == plain

    @pytest.mark.parametrize(
        ("length", "size"), [(b"0", 0), (b"5", 5), (b"007", 7), (b"9" * 19, 10**19 - 1)]
    )
    def test_a_length_is_a_number(self, length: bytes, size: int) -> None:
        assert framing((b"content-length", length)).length == size

    @given(st.binary().filter(lambda raw: not raw.isdigit() or len(raw) > 19))
    def test_and_nothing_else(self, length: bytes) -> None:
        fault = refused(HOST, (b"content-length", length))
        assert fault == (400, "malformed Content-Length")

    def test_a_length_is_there_once(self) -> None:
        for second in (b"5", b"6"):
            fault = refused(HOST, (b"content-length", b"5"), (b"content-length", second))
            assert fault == (400, "Content-Length more than once")

    def test_a_chunked_body_has_no_length(self) -> None:
        assert framing((b"transfer-encoding", b"chunked")).length is None
        assert framing((b"transfer-encoding", b"Chunked")).length is None

    @given(st.binary().filter(lambda raw: raw.lower() != b"chunked"))
    def test_another_coding_is_unknown(self, coding: bytes) -> None:
        fault = refused(HOST, (b"transfer-encoding", coding))
        assert fault == (501, "unknown transfer coding")

    def test_a_coding_is_there_once_alone_and_in_http_1_1(self) -> None:
        chunked = (b"transfer-encoding", b"chunked")
        assert refused(HOST, chunked, chunked)[1] == "Transfer-Encoding more than once"
        assert refused(HOST, chunked, (b"content-length", b"5"))[0] == 400
        assert refused(HOST, (b"content-length", b"5"), chunked)[0] == 400
        assert refused(chunked, version="1.0")[1] == "Transfer-Encoding before HTTP/1.1"


class TestConnection:
    @pytest.mark.parametrize(
        ("version", "said", "goes_on"),
        [
            ("1.1", [], True),
            ("1.1", [b"close"], False),
            ("1.1", [b"x, CLOSE\t,y"], False),
            ("1.1", [b"x", b"close"], False),
            ("1.1", [b"close, keep-alive"], False),
            ("1.1", [b"closed"], True),
            ("1.0", [], False),
            ("1.0", [b"Keep-Alive"], True),
            ("1.0", [b"keep-alive, close"], False),
        ],
    )
    def test_the_client_says_whether_it_goes_on(
        self, version: str, said: list[bytes], goes_on: bool
    ) -> None:
        fields = [(b"connection", options) for options in said]
        assert framing(*fields, version=version).keep_alive == goes_on

    def test_tokens_are_in_lower_case_and_without_white_space(self) -> None:
        assert tokens(b" Close\t,,keep-ALIVE ") == [b"close", b"", b"keep-alive"]

    def test_a_client_may_wait_for_a_100(self) -> None:
        assert framing((b"expect", b"100-Continue")).expect
        assert not framing((b"expect", b"100-continue"), version="1.0").expect

    def test_it_may_expect_nothing_else(self) -> None:
        assert refused(HOST, (b"expect", b"101-x")) == (417, "unknown expectation")
        twice = [(b"expect", b"100-continue")] * 2
        assert refused(HOST, *twice) == (400, "Expect more than once")

    @pytest.mark.parametrize(
        ("version", "connection", "upgrade", "named"),
        [
            ("1.1", b"Upgrade", b"WebSocket", "websocket"),
            ("1.1", b"keep-alive, upgrade", b"h2c, websocket", "websocket"),
            ("1.1", b"upgrade", b"h2c", None),
            ("1.1", b"keep-alive", b"websocket", None),
            ("1.0", b"upgrade", b"websocket", None),
        ],
    )
    def test_an_upgrade_is_named_by_both_fields(
        self, version: str, connection: bytes, upgrade: bytes, named: str | None
    ) -> None:
        fields = [(b"connection", connection), (b"upgrade", upgrade)]
        assert framing(*fields, version=version).upgrade == named

    @pytest.mark.parametrize(
        ("fields", "version", "reads"),
        [
            ([], "1.1", False),
            ([b"trailers"], "1.1", True),
            ([b"gzip;q=0.5, Trailers"], "1.1", True),
            ([b"gzip", b"trailers"], "1.1", True),
            ([b"gzip"], "1.1", False),
            ([b"trailers"], "1.0", False),
        ],
    )
    def test_a_client_says_that_it_reads_trailers(
        self, fields: list[bytes], version: str, reads: bool
    ) -> None:
        said = framing(*[(b"te", value) for value in fields], version=version)
        assert said.trailers is reads
        assert said.length == 0
