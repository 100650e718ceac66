"""HTTP exchanges: early hints, pushes and trailers."""

from __future__ import annotations

from typing import Any

from tests.unit.asgi.fakes import (
    START,
    WITH_TRAILERS,
    FakeStream,
    Served,
    body,
    hint,
    push,
    run,
    sending,
    trailers,
)

ALL = tuple(f"http.response.{name}" for name in ("early_hint", "push", "trailers"))


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


def test_a_push_goes_out_at_once_before_the_start_and_until_the_last_of_the_body():
    field = (b"Accept-Language", b"en")
    stream = stream_after(
        push("/a.css", field),
        START,
        push("/b c?d=\xe9"),
        body(b"x", more=True),
        push("/%2f"),
        body(),
    )
    assert stream.pushes == [
        (b"/a.css", [(b"accept-language", b"en")]),
        (b"/b%20c?d=%C3%A9", []),
        (b"/%2f", []),
    ]
    assert [call[0] for call in stream.calls] == ["push", "push", "head", "push", "end"]


def test_trailers_follow_the_body():
    first, second = (b"x-one", b"1"), (b"x-two", b"2")
    stream = stream_after(WITH_TRAILERS, body(b"x"), trailers(first, more=True), trailers(second))
    assert (stream.body, stream.trailers, stream.outcome) == (b"x", [first, second], "complete")


def test_what_a_client_cannot_take_is_left_out():
    messages = hint(b"</a>"), push("/a"), WITH_TRAILERS, body(b"x"), trailers((b"x-one", b"1"))
    stream = stream_after(*messages, supports=())
    assert (stream.hints, stream.pushes, stream.trailers) == ([], [], [])
    assert (stream.body, stream.outcome) == (b"x", "complete")


def test_who_announces_trailers_and_sends_none_has_not_finished(caplog):
    stream = stream_after(WITH_TRAILERS, body(b"x"))
    assert stream.outcome == "aborted"
    assert "returned without finishing" in caplog.messages[0]
