"""Every body of the table is broken off, however it arrives, and nothing behind it is served."""

from __future__ import annotations

import pytest

from tests.differential.bodies_broken import BROKEN, Broken
from tests.differential.h11_reading import heard
from tests.support.http1 import SMUGGLED, Served, answering, splits

by_name = pytest.mark.parametrize("row", BROKEN, ids=lambda row: row.name)


@by_name
def test_before_the_response_the_application_is_told_and_the_client_gets_400(
    row: Broken, caplog: pytest.LogCaptureFixture
) -> None:
    for pieces in splits(row.raw + SMUGGLED):
        caplog.clear()
        served = Served().send(*pieces)
        (exchange,) = served.open.exchanges
        assert exchange.events == ["disconnected"]
        assert served.response.status == 400
        assert served.response[b"connection"] == b"close"
        assert caplog.messages == [
            f"Refused a request from 192.0.2.1:50000: 400 {exchange.over}",
        ]
        served.send_eof()
        assert served.wire.closed
        assert not served.wire.aborted


@by_name
def test_within_the_response_the_connection_is_reset(
    row: Broken, caplog: pytest.LogCaptureFixture
) -> None:
    served = Served(opened=lambda exchange: exchange.start(b"so far")).send(row.raw + SMUGGLED)
    (exchange,) = served.open.exchanges
    assert exchange.events == ["disconnected"]
    assert not served.response.complete
    assert len(caplog.messages) == 1
    assert served.wire.aborted
    assert served.wire.closed


@by_name
def test_after_the_response_the_connection_just_ends(
    row: Broken, caplog: pytest.LogCaptureFixture
) -> None:
    for pieces in splits(row.raw + SMUGGLED):
        caplog.clear()
        served = Served(opened=answering()).send(*pieces, SMUGGLED)
        assert served.targets == ["/target"]
        assert served.response.status == 200
        assert len(caplog.messages) == 1
        assert served.send_eof().wire.closed
        assert not served.wire.aborted


@by_name
def test_h11_refuses_it_too_or_the_table_says_why_we_do(row: Broken) -> None:
    assert bool(heard(row.raw).refusal) == (not row.h11)
