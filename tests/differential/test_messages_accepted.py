"""Every message of the table reaches the application as h11 reads it, however it arrives."""

from __future__ import annotations

import pytest

from daphne_like.exchange import Field
from daphne_like.testing import RecordedExchange
from tests.differential.h11_reading import Heard, heard
from tests.differential.messages_accepted import ACCEPTED, BODIES, Accepted
from tests.support.http1 import SMUGGLED, Served, answering, splits

Message = tuple[bytes, bytes, bytes, list[Field], bytes, bytes, bool]

same = pytest.mark.parametrize(
    "row", [row for row in ACCEPTED if not row.difference], ids=lambda row: row.name
)
different = pytest.mark.parametrize(
    "row", [row for row in ACCEPTED if row.difference], ids=lambda row: row.name
)


def ours(exchange: RecordedExchange) -> Message:
    request = exchange.request
    return (
        request.method.encode(),
        request.raw_path,
        request.query,
        request.headers,
        request.http_version.encode(),
        exchange.body,
        "body_ended" in exchange.events,
    )


def theirs(message: Heard) -> Message:
    path, _, query = message.target.partition(b"?")
    return (
        message.method,
        path,
        query,
        message.headers,
        message.http_version,
        message.body,
        message.complete,
    )


def served_by_us(raw: bytes) -> list[list[Message]]:
    """What reaches the application, each way of arriving once."""
    readings: list[list[Message]] = []
    for pieces in splits(raw):
        served = Served(ended=answering()).send(*pieces)
        reading = [ours(exchange) for exchange in served.open.exchanges]
        assert [response.status for response in served.responses] == [200] * len(reading)
        if reading not in readings:
            readings.append(reading)
    return readings


@same
def test_we_read_what_h11_reads(row: Accepted) -> None:
    hearing = heard(row.raw)
    assert not hearing.refusal
    assert served_by_us(row.raw) == [[theirs(message) for message in hearing.requests]]


@different
def test_we_read_what_the_table_says_and_h11_does_not(row: Accepted) -> None:
    (reading,) = served_by_us(row.raw)
    shown = [
        (path + b"?" * bool(query) + query, fields, body)
        for _, path, query, fields, _, body, complete in reading
        if complete
    ]
    assert shown == list(row.ours)
    assert reading != [theirs(message) for message in heard(row.raw).requests]


@pytest.mark.parametrize("row", BODIES, ids=lambda row: row.name)
def test_answered_before_it_is_read_a_body_is_still_no_request(row: Accepted) -> None:
    for pieces in splits(row.raw + SMUGGLED):
        served = Served(opened=answering()).send(*pieces)
        first = served.responses[0]
        ends = b"connection" in first and first[b"connection"] == b"close"
        assert served.targets[1:] == ([] if ends else ["/smuggled"])
        assert not served.wire.aborted
