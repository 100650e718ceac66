"""What a request is on any wire."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.http1 import answering
from tests.wire.under_test import Wire

Connect = Callable[..., Wire]


def test_a_request_arrives_as_it_was_asked(connect: Connect) -> None:
    wire = connect()
    wire.ask("PUT", b"/a%20b?c=d&e", [(b"x-one", b"1"), (b"x-two", b"2"), (b"x-one", b"3")], b"")
    request = wire.last.request
    assert (request.method, request.raw_path, request.query) == ("PUT", b"/a%20b", b"c=d&e")
    assert (request.scheme, request.authority) == ("http", b"a.example")
    assert request.http_version == wire.http_version
    assert request.client == ("192.0.2.1", 50000)
    assert request.server == ("192.0.2.2", 80)
    assert (request.tls, request.upgrade) == (None, None)
    assert request.headers[0] == (b"host", b"a.example")
    ours = [field for field in request.headers if field[0].startswith(b"x-")]
    assert ours == [(b"x-one", b"1"), (b"x-two", b"2"), (b"x-one", b"3")]


@pytest.mark.parametrize(
    "path",
    [b"/", b"//a//../b", b"/%C3%A9%2F%00", b"/%zz%", b"/;a=b,c", "/é/ü".encode(), b"/\xff"],
)
def test_a_path_is_left_as_it_is(connect: Connect, path: bytes) -> None:
    wire = connect()
    wire.ask(target=path)
    assert wire.last.request.raw_path == path


def test_an_asterisk_is_a_target_for_options(connect: Connect) -> None:
    wire = connect()
    wire.ask("OPTIONS", b"*")
    assert wire.last.request.raw_path == b"*"


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE"])
def test_without_a_body_it_is_complete_at_once(connect: Connect, method: str) -> None:
    wire = connect()
    wire.ask(method)
    assert wire.last.events == ["body_ended"]
    assert wire.last.body == b""


@pytest.mark.parametrize("body", [b"", b"hello", b"\r\n\r\n0\r\n\r\n", b"x" * 300_000])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_body_of_known_size(connect: Connect, method: str, body: bytes) -> None:
    wire = connect()
    wire.ask(method, body=body)
    assert wire.last.body == body
    assert wire.last.events == ["body_ended"]


def test_a_body_that_comes_piece_by_piece(connect: Connect) -> None:
    wire = connect()
    asked = wire.ask("POST", more=True)
    for piece in (b"a", b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n", b"x" * 100_000):
        asked.send(piece)
        assert wire.last.body.endswith(piece)
        assert wire.last.events == []
    asked.end()
    assert wire.last.events == ["body_ended"]
    assert len(wire.open.exchanges) == 1


def test_requests_on_one_connection_have_nothing_in_common(connect: Connect) -> None:
    wire = connect(ended=answering())
    wire.ask("POST", b"/one?1", [(b"cookie", b"one"), (b"x-only", b"one")], b"one")
    wire.ask("GET", b"/two", [(b"cookie", b"two")])
    one, two = wire.open.exchanges
    assert (two.request.raw_path, two.request.query, two.body) == (b"/two", b"", b"")
    assert two.request.headers is not one.request.headers
    assert dict(two.request.headers)[b"cookie"] == b"two"
    assert b"x-only" not in dict(two.request.headers)


def test_a_bad_request_reaches_the_log_and_nobody_else(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    wire = connect()
    wire.ask_badly()
    assert wire.open.exchanges == []
    (message,) = caplog.messages
    assert "192.0.2.1:50000" in message
    assert "400" in message
