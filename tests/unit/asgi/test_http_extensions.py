"""HTTP exchanges: early hints and trailers."""

from __future__ import annotations

from typing import Any

from tests.unit.asgi.fakes import (
    START,
    WITH_TRAILERS,
    FakeStream,
    Served,
    body,
    hint,
    run,
    sending,
    trailers,
)

ALL = ("http.response.early_hint", "http.response.trailers")


def stream_after(*messages: Any, supports: tuple[str, ...] = ALL) -> FakeStream:
    async def main() -> FakeStream:
        stream = FakeStream(*supports)
        await Served(sending(*messages)).get(stream=stream)
        return stream

    return run(main())


def test_hints_go_out_before_the_head_and_not_after_it():
    some = hint(b"</a.css>; rel=preload"), hint(b"</b>", b"</c>")
    stream = stream_after(some[0], START, some[1], body(b"x", more=True), hint(b"late"), body())
    assert stream.hints == [
        (b"link", b"</a.css>; rel=preload"),
        (b"link", b"</b>"),
        (b"link", b"</c>"),
    ]
    assert (stream.body, stream.outcome) == (b"x", "complete")


def test_trailers_follow_the_body():
    first, second = (b"x-one", b"1"), (b"x-two", b"2")
    stream = stream_after(WITH_TRAILERS, body(b"x"), trailers(first, more=True), trailers(second))
    assert (stream.body, stream.trailers, stream.outcome) == (b"x", [first, second], "complete")


def test_what_a_client_cannot_take_is_left_out():
    messages = hint(b"</a>"), WITH_TRAILERS, body(b"x"), trailers((b"x-one", b"1"))
    stream = stream_after(*messages, supports=())
    assert (stream.hints, stream.trailers) == ([], [])
    assert (stream.body, stream.outcome) == (b"x", "complete")


def test_who_announces_trailers_and_sends_none_has_not_finished(caplog):
    stream = stream_after(WITH_TRAILERS, body(b"x"))
    assert stream.outcome == "aborted"
    assert "returned without finishing" in caplog.messages[0]
