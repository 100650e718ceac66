"""The doubles of the seam write down what happens, and refuse what the seam forbids."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from daphne_like.exchange import Request, ResponseHead
from daphne_like.headers_sent import response_head
from daphne_like.testing import FakeStream, RecordedExchange, RecordingOpen, SeamBroken

HEAD = response_head(200, [], "GET")


def request(method: str = "GET") -> Request:
    return Request(method, b"/", b"", [], "1.1", "http", b"a", None, None)


def opened(*, method: str = "GET", reads: bool = True) -> tuple[RecordedExchange, FakeStream]:
    stream = FakeStream()
    return RecordingOpen(reads=reads)(request(method), stream), stream


class TestFakeStream:
    def test_a_whole_response(self) -> None:
        stream = FakeStream("trailers")
        stream.respond(HEAD, b"hello")
        assert (stream.head, stream.body, stream.outcome) == (HEAD, b"hello", "complete")
        assert stream.supports == {"trailers"}

    def test_a_streamed_response(self) -> None:
        stream = FakeStream()
        stream.send_head(HEAD)
        stream.send_body(b"a")
        stream.send_body(b"b")
        assert stream.outcome is None
        stream.end()
        assert (stream.body, stream.outcome) == (b"ab", "complete")

    def test_a_file_is_a_piece_of_the_body_where_one_can_be_sent(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"abcdef")
        stream = FakeStream("http.response.pathsend")
        stream.send_head(HEAD, b"-")
        with (tmp_path / "file").open("rb") as file:
            stream.send_file(file.fileno(), 1, 3)
            assert stream.body == b"-bcd"
            other = FakeStream()
            other.send_head(HEAD)
            with pytest.raises(SeamBroken, match="a file where none can be sent"):
                other.send_file(file.fileno(), 0, 1)

    def test_a_response_that_breaks_off(self) -> None:
        stream = FakeStream()
        stream.send_head(HEAD, b"a")
        stream.abort("oops")
        assert (stream.body, stream.outcome, stream.reason) == (b"a", "aborted", "oops")

    def test_hints_come_before_the_head(self) -> None:
        stream = FakeStream()
        stream.send_hints([(b"link", b"</a>")])
        stream.send_head(HEAD)
        assert stream.hints == [(b"link", b"</a>")]
        with pytest.raises(SeamBroken, match="hints after the head"):
            stream.send_hints([])

    def test_what_the_application_reads(self) -> None:
        stream = FakeStream()
        stream.wanted()
        stream.consumed(3)
        stream.consumed(4)
        assert (stream.wants, stream.credit) == (1, 7)

    def test_a_tunnel(self) -> None:
        stream, head = FakeStream(), ResponseHead(101, [])
        stream.open_tunnel(head)
        stream.send_body(b"a")
        stream.send_body(b"b")
        assert (stream.tunnel, stream.head, stream.body) == (True, head, b"ab")
        stream.end()
        assert stream.outcome == "complete"

    def test_a_tunnel_is_a_beginning_like_any_other(self) -> None:
        started, granted = FakeStream(), FakeStream()
        started.send_head(HEAD)
        granted.open_tunnel(HEAD)
        for stream in (started, granted):
            for act in (stream.open_tunnel, stream.send_head):
                with pytest.raises(SeamBroken, match="a second head"):
                    act(HEAD)
        assert not started.tunnel

    @pytest.mark.parametrize(
        "act",
        [
            lambda stream: stream.respond(HEAD, b""),
            lambda stream: stream.send_head(HEAD),
            lambda stream: stream.open_tunnel(HEAD),
            lambda stream: stream.send_body(b""),
            lambda stream: stream.end(),
            lambda stream: stream.abort(""),
            lambda stream: stream.wanted(),
            lambda stream: stream.consumed(1),
        ],
    )
    def test_after_its_end_nothing_may_come(self, act: Callable[[FakeStream], None]) -> None:
        stream = FakeStream()
        stream.respond(HEAD, b"")
        with pytest.raises(SeamBroken, match="the stream is over: complete"):
            act(stream)

    def test_a_response_has_one_head_and_it_is_first(self) -> None:
        stream = FakeStream()
        for act in (lambda: stream.send_body(b"a"), stream.end):
            with pytest.raises(SeamBroken, match="a body before the head"):
                act()
        stream.send_head(HEAD)
        with pytest.raises(SeamBroken, match="a second head"):
            stream.send_head(HEAD)

    def test_where_no_body_may_be_none_is(self) -> None:
        stream = FakeStream()
        stream.send_head(response_head(204, [], "GET"))
        stream.send_body(b"")
        with pytest.raises(SeamBroken, match="a body where none may be"):
            stream.send_body(b"a")


class TestRecordedExchange:
    def test_it_remembers_the_body_and_pays_for_it(self) -> None:
        exchange, stream = opened()
        exchange.body_received(b"ab")
        exchange.body_received(b"c")
        exchange.body_ended()
        assert (exchange.pieces, exchange.body) == ([b"ab", b"c"], b"abc")
        assert exchange.events == ["body_ended"]
        assert stream.credit == 3

    def test_it_may_leave_the_body_unpaid(self) -> None:
        exchange, stream = opened(reads=False)
        exchange.body_received(b"ab")
        assert stream.credit == 0

    def test_it_remembers_what_happened(self) -> None:
        exchange, _ = opened()
        exchange.drained()
        exchange.drain()
        exchange.timed_out()
        exchange.disconnected("gone")
        assert exchange.events == ["drained", "drain", "timed_out", "disconnected"]
        assert exchange.over == "gone"

    def test_it_answers_at_once(self) -> None:
        exchange, stream = opened()
        exchange.answer(b"hello", 404, [(b"a", b"b")])
        assert stream.head is not None
        assert (stream.head.status, stream.head.fields) == (404, [(b"a", b"b")])
        assert (stream.body, stream.outcome) == (b"hello", "complete")

    def test_to_head_it_answers_without_a_body(self) -> None:
        exchange, stream = opened(method="HEAD")
        exchange.answer(b"hello")
        assert stream.body == b""

    def test_it_answers_in_pieces(self) -> None:
        exchange, stream = opened()
        exchange.start(b"a")
        stream.send_body(b"b")
        exchange.end()
        assert (stream.body, stream.outcome) == (b"ab", "complete")

    def test_it_grants_an_upgrade(self) -> None:
        exchange, stream = opened()
        exchange.body_ended()
        exchange.accept([(b"a", b"b")])
        exchange.body_received(b"there")
        exchange.send(b"back")
        assert stream.tunnel
        assert stream.head is not None
        assert (stream.head.status, stream.head.fields) == (101, [(b"a", b"b")])
        assert (exchange.body, stream.body, stream.credit) == (b"there", b"back", 5)
        exchange.end()
        assert stream.outcome == "complete"

    def test_it_breaks_off(self) -> None:
        exchange, stream = opened()
        exchange.start()
        exchange.abort()
        assert stream.outcome == "aborted"

    @pytest.mark.parametrize(
        "finish",
        [
            lambda exchange: exchange.answer(),
            lambda exchange: (exchange.start(), exchange.end()),
            lambda exchange: exchange.abort(),
            lambda exchange: exchange.disconnected("gone"),
        ],
    )
    def test_after_its_end_nothing_may_come(
        self, finish: Callable[[RecordedExchange], None]
    ) -> None:
        exchange, _ = opened()
        finish(exchange)
        for late in (
            lambda: exchange.body_received(b"x"),
            exchange.body_ended,
            exchange.drained,
            lambda: exchange.disconnected("again"),
        ):
            with pytest.raises(SeamBroken):
                late()

    def test_it_tells_how_far_it_is(self) -> None:
        exchange, _ = opened()
        assert exchange.progress() == (exchange.request, None, "open")
        exchange.answer()
        assert exchange.progress().state == "answered"

    def test_a_body_ends_once_and_has_no_empty_pieces(self) -> None:
        exchange, _ = opened()
        with pytest.raises(SeamBroken, match="an empty piece"):
            exchange.body_received(b"")
        exchange.body_ended()
        with pytest.raises(SeamBroken, match="a body that ends twice"):
            exchange.body_ended()
        with pytest.raises(SeamBroken, match="after the end"):
            exchange.body_received(b"x")


class TestRecordingOpen:
    def test_it_keeps_every_exchange(self) -> None:
        recording = RecordingOpen()
        first, second = request(), request("POST")
        made = [recording(each, FakeStream()) for each in (first, second)]
        assert recording.exchanges == made
        assert recording.requests == [first, second]
        assert recording.last is made[1]

    def test_it_may_answer_as_soon_as_a_request_is_there(self) -> None:
        stream = FakeStream()
        RecordingOpen(opened=RecordedExchange.answer)(request(), stream)
        assert stream.outcome == "complete"

    def test_it_may_answer_when_the_request_is_whole(self) -> None:
        stream = FakeStream()
        exchange = RecordingOpen(ended=RecordedExchange.answer)(request(), stream)
        assert stream.outcome is None
        exchange.body_ended()
        assert stream.outcome == "complete"
