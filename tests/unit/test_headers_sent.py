"""The judge of header fields: what a response may say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daphne_like import headers_sent
from daphne_like.exchange import Fields
from daphne_like.headers_sent import (
    BadField,
    accept_fields,
    hint_fields,
    push_fields,
    response_head,
    trailer_fields,
)
from tests.unit.test_headers import TOKEN, every_byte

VISIBLE = frozenset((9, *range(32, 127), *range(128, 256)))

token = st.lists(st.sampled_from(sorted(TOKEN)), min_size=1).map(bytes)
value = st.lists(st.sampled_from(sorted(VISIBLE))).map(bytes)


def sent(field: Any) -> Fields:
    return response_head(200, [field], "GET").fields


class TestResponseFields:
    def test_they_go_out_as_they_are(self) -> None:
        fields: Fields = [(b"X-A", b" b "), (b"content-type", b"text/plain"), (b"X-A", b"")]
        for _ in range(2):
            assert response_head(200, fields, "GET").fields == fields

    @given(token, value)
    def test_a_token_and_a_value_without_controls_are_good(self, name: bytes, text: bytes) -> None:
        assert response_head(200, [(b"x-" + name, text)], "GET").fields == [(b"x-" + name, text)]

    def test_a_name_has_the_bytes_of_a_token(self) -> None:
        assert every_byte(lambda byte: sent((b"x%c" % byte, b""))) == TOKEN

    def test_a_value_has_no_controls(self) -> None:
        assert every_byte(lambda byte: sent((b"x", b"a%cb" % byte))) == VISIBLE

    @pytest.mark.parametrize(
        "field",
        [
            ("x", b"y"),
            (b"x", "y"),
            (b"x", 1),
            (b"x", None),
            (b"", b"y"),
            (b"x", bytearray(b"y")),
            [bytearray(b"x"), b"y"],
            (b"x",),
            (b"x", b"y", b"z"),
            (),
            b"x",
            b"xyz",
            1,
            None,
        ],
    )
    def test_a_field_is_a_pair_of_bytes(self, field: Any) -> None:
        with pytest.raises(BadField):
            sent(field)

    @pytest.mark.parametrize("field", [(b"x", bytearray(b"y")), (b"x", [b"y"]), (b"x", "y")])
    def test_what_is_not_bytes_is_shown(self, field: Any) -> None:
        with pytest.raises(BadField) as fault:
            sent(field)
        assert str(fault.value).startswith(f"Header value {field[1]!r} expected to be `bytes`")

    def test_fields_are_iterable(self) -> None:
        with pytest.raises(BadField):
            response_head(200, None, "GET")  # type: ignore[arg-type]
        assert response_head(200, iter([[b"x", b"y"]]), "GET").fields == [(b"x", b"y")]

    def test_a_splitter_of_responses_is_shown_escaped(self) -> None:
        with pytest.raises(BadField, match="header b'x' has a control character"):
            response_head(200, [(b"x", b"y\r\nSet-Cookie: z")], "GET")

    def test_the_connections_own_are_left_out(self) -> None:
        fields = [
            (name, b"x")
            for name in (
                b"Transfer-Encoding",
                b"keep-alive",
                b"Upgrade",
                b"proxy-connection",
                b"TE",
            )
        ]
        head = response_head(200, fields, "GET")
        assert head.fields == []
        assert not head.close

    def test_a_connections_end_may_be_asked_for(self) -> None:
        head = response_head(200, [(b"Connection", b"x, Close"), (b"connection", b"y")], "GET")
        assert head.close
        assert head.fields == []

    def test_default_fields_of_the_applications_own_are_named(self) -> None:
        head = response_head(200, [(b"Date", b"x"), (b"server", b"y")], "GET")
        assert head.own == {b"date", b"server"}
        assert head.fields == [(b"Date", b"x"), (b"server", b"y")]
        assert response_head(200, [], "GET").own == frozenset()

    def test_only_so_many_are_remembered(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(headers_sent, "_good", remembered := set())
        monkeypatch.setattr(headers_sent, "REMEMBER_AT_MOST", 1)
        fields = [(b"vary", b"a"), (b"vary", b"b"), (b"x-seldom", b"c")]
        assert response_head(200, fields, "GET").fields == fields
        assert remembered == {(b"vary", b"a")}


class TestResponseLengths:
    @pytest.mark.parametrize("name", [b"content-length", b"Content-Length"])
    @pytest.mark.parametrize("text", [b"5", b" 5\t", b"005", b"0" * 18 + b"5"])
    def test_a_length_is_a_number(self, name: bytes, text: bytes) -> None:
        head = response_head(200, [(name, text)], "GET")
        assert head.length == 5
        assert head.fields == [(name, text)]

    @pytest.mark.parametrize("name", [b"content-length", b"Content-Length"])
    @pytest.mark.parametrize("text", [b"", b"+5", b"5.0", b"0x5", b"5, 5", b"1" * 20, b"\xb2"])
    def test_and_nothing_else(self, name: bytes, text: bytes) -> None:
        with pytest.raises(BadField, match="is not a number"):
            response_head(200, [(name, text)], "GET")

    def test_said_twice_it_goes_out_once(self) -> None:
        fields = [(b"content-length", b"5"), (b"content-length", b"05"), (b"Content-Length", b"5")]
        assert response_head(200, fields, "GET").fields == [(b"content-length", b"5")]

    def test_two_different_ones_are_a_fault(self) -> None:
        with pytest.raises(BadField, match="two different values"):
            response_head(200, [(b"content-length", b"5"), (b"content-length", b"6")], "GET")

    def test_without_one_it_is_unknown(self) -> None:
        assert response_head(200, [], "GET").length is None

    @pytest.mark.parametrize(
        ("status", "method", "bodiless"),
        [(200, "GET", False), (200, "HEAD", True), (204, "GET", True), (304, "GET", True)],
    )
    def test_some_responses_have_no_body(self, status: int, method: str, bodiless: bool) -> None:
        assert response_head(status, [], method).bodiless is bodiless

    def test_a_204_has_no_length_either(self) -> None:
        for name in (b"content-length", b"Content-Length"):
            head = response_head(204, [(name, b"0")], "GET")
            assert head.length is None
            assert head.fields == []


class TestAcceptFields:
    """What goes with the acceptance of a WebSocket."""

    def test_they_go_out_as_they_are(self) -> None:
        fields = [[b"X-One", b"1"], (b"set-cookie", b"a=b"), (b"set-cookie", b"c=d")]
        kept, own = accept_fields(fields)
        assert kept == [(b"X-One", b"1"), (b"set-cookie", b"a=b"), (b"set-cookie", b"c=d")]
        assert own == frozenset()

    def test_defaults_among_them_are_named(self) -> None:
        fields = [(b"Date", b"x"), (b"server", b"y")]
        assert accept_fields(fields) == (fields, {b"date", b"server"})

    @pytest.mark.parametrize(
        "name", [b"Connection", b"upgrade", b"Transfer-Encoding", b"keep-alive", b"Content-Length"]
    )
    def test_those_of_the_connection_are_left_out(self, name: bytes) -> None:
        assert accept_fields([(name, b"1"), (b"x", b"y")])[0] == [(b"x", b"y")]

    @pytest.mark.parametrize(
        "name", [b"Sec-WebSocket-Accept", b"sec-websocket-protocol", b"SEC-WEBSOCKET-EXTENSIONS"]
    )
    def test_those_of_the_handshake_are_the_servers(self, name: bytes) -> None:
        with pytest.raises(BadField, match=r"header b'sec-websocket-[a-z]+' belongs to the server"):
            accept_fields([(b"x", b"y"), (name, b"z")])

    @pytest.mark.parametrize("field", [(b"x", b"a\r\nb: c"), (b"a b", b"c"), ("x", b"y"), (b"x",)])
    def test_and_all_are_fields(self, field: Any) -> None:
        with pytest.raises(BadField):
            accept_fields([field])


class TestExtensions:
    def test_trailers_are_fields(self) -> None:
        assert trailer_fields([[b"X-One", b"1"], (b"x-two", b"2")]) == [
            (b"X-One", b"1"),
            (b"x-two", b"2"),
        ]

    @pytest.mark.parametrize(
        "name", [b"Content-Length", b"transfer-encoding", b"Host", b"Trailer", b"Set-Cookie", b"TE"]
    )
    def test_but_not_those_that_come_too_late_there(self, name: bytes) -> None:
        with pytest.raises(BadField, match="may not be a trailer"):
            trailer_fields([(name, b"x")])

    def test_nor_those_that_split_a_response(self) -> None:
        with pytest.raises(BadField, match="control character"):
            trailer_fields([(b"x", b"a\r\nb: c")])

    def test_what_is_pushed_is_asked_for_by_fields_in_lower_case(self) -> None:
        assert push_fields([[b"Accept", b"*/*"], (b"x-a", b"B")]) == [
            (b"accept", b"*/*"),
            (b"x-a", b"B"),
        ]

    @pytest.mark.parametrize(
        "name",
        [b"Content-Length", b"transfer-encoding", b"Host", b"Connection", b"Keep-Alive", b"TE",
         b"Proxy-Connection", b"Upgrade", b"Trailer", b"Expect"],
    )  # fmt: skip
    def test_but_not_by_those_of_a_connection_or_a_body(self, name: bytes) -> None:
        with pytest.raises(BadField, match="may not be pushed"):
            push_fields([(name, b"x")])

    @pytest.mark.parametrize(
        ("field", "fault"),
        [
            ((b":path", b"/"), "not a token"),
            ((b"", b"/"), "not a token"),
            ((b"x", b"a\r\nb: c"), "control character"),
            ((b"x", "text"), "expected to be `bytes`"),
            (b"x", "pair of name and value"),
        ],
    )
    def test_nor_by_what_is_no_field(self, field: Any, fault: str) -> None:
        with pytest.raises(BadField, match=fault):
            push_fields([field])

    def test_hints_are_links(self) -> None:
        assert hint_fields([b"</a>", b"</b>"]) == [(b"link", b"</a>"), (b"link", b"</b>")]
        with pytest.raises(BadField, match="control character"):
            hint_fields([b"</a>\r\nb: c"])
