"""What a response is on any wire."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.http1 import Response, answering
from tests.wire.under_test import Asked, Wire

Connect = Callable[..., Wire]
LARGE = b"x" * 300_000


def whole(asked: Asked) -> Response:
    """The response, which is complete."""
    response = asked.response
    assert response is not None
    assert response.complete
    return response


@pytest.mark.parametrize("body", [b"", b"hello", LARGE], ids=["empty", "small", "large"])
def test_a_whole_one(connect: Connect, body: bytes) -> None:
    wire = connect()
    asked = wire.ask()
    assert asked.response is None
    wire.last.answer(body, 404, [(b"x-one", b"1"), (b"set-cookie", b"a"), (b"set-cookie", b"b")])
    response = whole(asked)
    assert (response.status, response.body) == (404, body)
    assert response[b"content-length"] == b"%d" % len(body)
    ours = [field for field in response.headers if field[0] != b"content-length"]
    assert ours == [(b"x-one", b"1"), (b"set-cookie", b"a"), (b"set-cookie", b"b")]


@pytest.mark.parametrize("announced", [False, True])
def test_one_out_of_a_file(connect: Connect, announced: bool, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(LARGE)
    wire = connect()
    asked = wire.ask()
    length = [(b"content-length", b"%d" % (len(LARGE) + 2))]
    wire.last.start(b"abc", fields=length if announced else [])
    with (tmp_path / "file").open("rb") as file:
        wire.last.stream.send_file(file.fileno(), 1, len(LARGE) - 1)
    assert wire.last.stream.full
    wire.wait()
    assert not wire.last.stream.full
    wire.last.end()
    assert whole(asked).body == b"abc" + LARGE[1:]
    second = wire.ask()
    wire.last.answer(b"next")
    assert whole(second).body == b"next"


@pytest.mark.parametrize("announced", [False, True])
def test_one_that_comes_piece_by_piece(connect: Connect, announced: bool) -> None:
    wire = connect()
    asked = wire.ask()
    length = [(b"content-length", b"%d" % (len(LARGE) + 3))]
    wire.last.start(fields=length if announced else [])
    assert asked.response is not None
    assert not asked.response.complete
    for piece in (b"abc", b"", LARGE):
        wire.last.stream.send_body(piece)
        assert asked.response.body.endswith(piece)
    assert not announced or asked.response.body == b"abc" + LARGE
    wire.last.end()
    assert whole(asked).body == b"abc" + LARGE


def test_the_first_piece_may_go_with_the_head(connect: Connect) -> None:
    wire = connect()
    asked = wire.ask()
    wire.last.start(b"a")
    wire.last.stream.send_body(b"b")
    wire.last.end()
    assert whole(asked).body == b"ab"


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
@pytest.mark.parametrize("at_once", [False, True])
def test_some_have_no_body(connect: Connect, method: str, status: int, at_once: bool) -> None:
    wire = connect()
    asked = wire.ask(method)
    if at_once:
        wire.last.answer(b"", status)
    else:
        wire.last.start(b"", status)
        wire.last.end()
    assert whole(asked).body == b""
    assert b"transfer-encoding" not in whole(asked)
    wire.ask()
    assert len(wire.open.exchanges) == 2


def test_to_head_the_length_of_the_body_that_get_would_get(connect: Connect) -> None:
    wire = connect()
    asked = wire.ask("HEAD")
    wire.last.answer(fields=[(b"content-length", b"5")])
    assert whole(asked)[b"content-length"] == b"5"


def test_a_connections_own_fields_are_not_the_applications(connect: Connect) -> None:
    wire = connect()
    asked = wire.ask()
    fields = [(b"transfer-encoding", b"gzip"), (b"keep-alive", b"x"), (b"upgrade", b"y")]
    wire.last.answer(b"hello", fields=fields)
    assert not {b"transfer-encoding", b"keep-alive", b"upgrade"} & dict(whole(asked).headers).keys()


def test_a_date_is_added_unless_the_application_has_one(connect: Connect) -> None:
    wire = connect(date=True, ended=answering())
    assert whole(wire.ask())[b"date"] == b"Thu, 01 Jan 1970 00:00:00 GMT"
    wire = connect(date=True, ended=answering(fields=[(b"date", b"today")]))
    assert whole(wire.ask())[b"date"] == b"today"


def test_one_that_breaks_off_is_not_taken_for_whole(connect: Connect) -> None:
    wire = connect()
    asked = wire.ask()
    wire.last.start(b"a")
    wire.last.abort()
    wire.wait()
    assert asked.broken
    assert asked.response is None or not asked.response.complete


def test_an_early_one_and_then_the_next_request(connect: Connect) -> None:
    wire = connect(opened=answering(b"early"))
    asked = wire.ask("POST", more=True)
    assert whole(asked).body == b"early"
    asked.send(b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
    asked.end()
    assert whole(wire.ask(target=b"/next")).body == b"early"
    assert [request.raw_path for request in wire.open.requests] == [b"/", b"/next"]


def test_before_it_the_client_may_be_told_to_go_on(connect: Connect) -> None:
    wire = connect()
    asked = wire.ask("POST", fields=[(b"expect", b"100-continue")], more=True)
    wire.last.stream.wanted()
    asked.send(b"hello")
    asked.end()
    wire.last.answer()
    assert whole(asked).interim == [100]


def test_with_it_nobody_is_told_to_go_on(connect: Connect) -> None:
    wire = connect()
    asked = wire.ask("POST", fields=[(b"expect", b"100-continue")], more=True)
    wire.last.start()
    wire.last.stream.wanted()
    wire.last.end()
    assert whole(asked).interim == []


def test_nobody_is_told_to_go_on_who_did_not_ask(connect: Connect) -> None:
    wire = connect()
    asked = wire.ask("POST", body=b"hello")
    wire.last.stream.wanted()
    wire.last.answer()
    assert whole(asked).interim == []
