"""Every head of the table is refused cleanly, however it arrives; nothing behind it is served."""

from __future__ import annotations

from typing import Any

import pytest

from tests.differential.h11_reading import heard
from tests.differential.heads_refused import REFUSED, Refused, head, with_fields, with_line
from tests.support.http1 import SMUGGLED, Served, answering, splits

by_name = pytest.mark.parametrize("row", REFUSED, ids=lambda row: row.name)


def expect_refusal(served: Served, status: int, caplog: pytest.LogCaptureFixture) -> None:
    """A clean answer, one line in the log, and the end of the connection; no request."""
    response = served.response
    reason = response.body.decode().removeprefix(f"{status} ").removesuffix("\n")
    assert served.targets == []
    assert response.complete
    assert response.status == status
    assert response[b"connection"] == b"close"
    assert caplog.messages == [f"Refused a request from 192.0.2.1:50000: {status} {reason}"]
    assert served.wire.eof
    assert served.wire.unread == 0
    served.send_eof()
    assert served.wire.closed
    assert not served.wire.aborted
    assert served.clock.getDelayedCalls() == []


@by_name
def test_it_is_answered_logged_and_never_served(
    row: Refused, caplog: pytest.LogCaptureFixture
) -> None:
    for pieces in splits(row.raw + SMUGGLED):
        caplog.clear()
        expect_refusal(Served(ended=answering()).send(*pieces), row.status, caplog)


@by_name
def test_nothing_is_served_that_comes_after_its_answer(row: Refused) -> None:
    served = Served(ended=answering()).send(row.raw, SMUGGLED * 3)
    assert served.targets == []
    assert len(served.responses) == 1


@by_name
def test_what_was_served_before_it_is_no_matter(row: Refused) -> None:
    served = Served(ended=answering()).send(with_line(b"GET /before HTTP/1.1") + row.raw + SMUGGLED)
    assert served.targets == ["/before"]
    assert [response.status for response in served.responses] == [200, row.status]


@by_name
def test_h11_refuses_it_too_or_the_table_says_why_we_do(row: Refused) -> None:
    assert bool(heard(row.raw).refusal) == (not row.h11)


@pytest.mark.parametrize(
    ("raw", "limits", "status"),
    [
        (with_fields(b"X: " + b"y" * 1000), {"head_size": 500}, 431),
        (with_fields(*[b"X: y"] * 100), {"head_size": 500}, 431),
        (with_fields(*[b"X: y"] * 5), {"head_fields": 5}, 431),
        (with_line(b"GET /" + b"a" * 1000 + b" HTTP/1.1"), {"head_size": 500}, 414),
        (head(line=b"GET /" + b"a" * 1000), {"head_size": 500}, 414),
    ],
    ids=["one large field", "many fields", "one field too many", "a long line", "a longer line"],
)
def test_a_head_over_a_limit_is_refused_as_soon_as_it_is(
    raw: bytes, limits: dict[str, Any], status: int, caplog: pytest.LogCaptureFixture
) -> None:
    for pieces in splits(raw + SMUGGLED):
        caplog.clear()
        expect_refusal(Served(ended=answering(), **limits).send(*pieces), status, caplog)


def test_a_head_without_end_is_not_kept() -> None:
    served = Served(head_size=1000).send(b"GET /" + b"a" * 996)
    assert served.response.status == 414
