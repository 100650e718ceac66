"""Answers of the server's own: whole, and nothing follows them."""

from __future__ import annotations

import pytest

from daphne_like.answers import Later, answer
from daphne_like.testing import FakeStream
from tests.unit.asgi.fakes import request


def test_an_answer_is_a_whole_response():
    stream = FakeStream()
    answer(request(), stream, 418, b"tea\n", (b"x", b"y"))
    assert stream.outcome == "complete"
    assert (stream.head.status, stream.body) == (418, b"tea\n")
    assert stream.head.fields == [(b"content-type", b"text/plain; charset=utf-8"), (b"x", b"y")]


def test_an_answer_may_be_of_another_type():
    stream = FakeStream()
    answer(request(), stream, 200, b"{}", content_type=b"application/json")
    assert stream.head.fields == [(b"content-type", b"application/json")]


def test_head_gets_no_body():
    stream = FakeStream()
    answer(request("HEAD"), stream, 200, b"tea\n")
    assert (stream.head.status, stream.head.bodiless, stream.body) == (200, True, b"")


@pytest.mark.parametrize(("upgrade", "closes"), [(None, False), ("websocket", True)])
def test_where_an_upgrade_was_asked_for_it_is_the_last_one(upgrade, closes):
    stream = FakeStream()
    answer(request(upgrade=upgrade), stream, 403, b"no\n")
    assert stream.head.close is closes


@pytest.mark.parametrize(
    "told",
    [
        lambda exchange: exchange.body_received(b"x"),
        lambda exchange: exchange.body_ended(),
        lambda exchange: exchange.drained(),
        lambda exchange: exchange.timed_out(),
        lambda exchange: exchange.drain(),
        lambda exchange: exchange.disconnected("gone"),
        lambda exchange: exchange.progress(),
    ],
)
def test_nothing_that_follows_reaches_anybody(told):
    stream = FakeStream()
    exchange = answer(request(), stream, 200, b"tea\n")
    assert told(exchange) is None
    assert exchange.finished
    assert stream.body == b"tea\n"


def test_an_answer_may_come_later():
    stream = FakeStream()
    later = Later(request(), stream)
    assert not later.finished
    later.answer(200, b"tea\n", content_type=b"text/x")
    assert later.finished
    assert stream.body == b"tea\n"
    later.answer(200, b"more")
    assert stream.body == b"tea\n"


def test_nobody_is_answered_who_has_left():
    stream = FakeStream()
    later = Later(request(), stream)
    later.disconnected("gone")
    later.answer(200, b"tea\n")
    assert stream.body == b""
