"""Good messages with bytes put in, taken out and exchanged: what we accept, h11 reads the same.

The other way round is no rule: we refuse more. The tables of this directory say why.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.differential.h11_reading import heard
from tests.differential.test_messages_accepted import Message, ours, theirs
from tests.support.http1 import SMUGGLED, Served, answering

MESSAGES = {
    "GET": b"GET /a?b HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n",
    "counted": b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nX: y\r\n\r\nhello",
    "chunked": b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n",
}
BYTES = b'\x00\x01\t\n\x0b\x0c\r\x1c\x1f "#(*+,-./015:;=?@A\\_a\x7f\x80\x85\xa0\xff'

mutation = st.tuples(st.floats(0, 1), st.integers(0, 255), st.sampled_from(["in", "out", "for"]))


def mutated(message: bytes, at: int, byte: int, how: str) -> bytes:
    new = b"" if how == "out" else bytes((byte,))
    return message[:at] + new + message[at if how == "in" else at + 1 :]


def mutants(message: bytes) -> Iterator[bytes]:
    for at in range(len(message) + 1):
        yield mutated(message, at, 0, "out")
        for byte in BYTES:
            yield mutated(message, at, byte, "in")
            yield mutated(message, at, byte, "for")


def whole_messages(*segments: bytes) -> list[Message]:
    served = Served(ended=answering()).send(*segments)
    readings = [ours(exchange) for exchange in served.open.exchanges]
    return [reading for reading in readings if reading[-1]]


def expect_no_other_reading(message: bytes) -> None:
    """Not by h11, and not by ourselves when it arrives byte by byte."""
    raw = message + SMUGGLED
    reading = whole_messages(raw)
    assert whole_messages(*[raw[at : at + 1] for at in range(len(raw))]) == reading
    if raw.partition(b"\r")[0].isascii():  # UTF-8 in a target h11 refuses.
        # Empty lines too, which a server should ignore (RFC 9112 section 2.2).
        hearing = heard(raw, ignored=b"\r\n")
        assert reading == [theirs(request) for request in hearing.requests][: len(reading)]


@pytest.mark.parametrize("name", MESSAGES)
def test_one_byte_of_many_kinds_at_every_place(name: str) -> None:
    for mutant in mutants(MESSAGES[name]):
        expect_no_other_reading(mutant)


def test_empty_lines_between_two_requests() -> None:
    for lines in (b"\r\n", b"\n", b"\r\n\r\n"):
        expect_no_other_reading(MESSAGES["GET"] + lines)


@pytest.mark.parametrize("name", MESSAGES)
@given(st.data())
@settings(max_examples=150)
def test_several_bytes_of_any_kind_at_any_place(name: str, data: st.DataObject) -> None:
    message = MESSAGES[name]
    for place, byte, how in data.draw(st.lists(mutation, min_size=1, max_size=4)):
        message = mutated(message, int(place * len(message)), byte, how)
    expect_no_other_reading(message)
