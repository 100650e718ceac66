"""One HTTP/2 stream: its body, its credit, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.frames import CANCEL, DATA, NO_ERROR, PROTOCOL_ERROR, frame
from tests.support.http1 import answering
from tests.support.http2 import Served, pseudo

Connect = Callable[..., Served]
KIB = 1024


def room_of(served: Served) -> int:
    """What the server lets come on the whole connection."""
    served.turn()
    return served.client.h2.outbound_flow_control_window


class TestBodies:
    def test_one_comes_as_it_arrives(self, connect: Connect) -> None:
        served = connect()
        asked = served.ask("POST", more=True)
        for piece in (b"a", b"bc"):
            asked.send(piece)
        assert served.last.pieces == [b"a", b"bc"]
        assert served.last.events == []
        asked.send(b"d", ended=True)
        assert served.last.body == b"abcd"
        assert served.last.events == ["body_ended"]

    def test_an_empty_frame_is_no_piece(self, connect: Connect) -> None:
        served = connect()
        asked = served.ask("POST", more=True)
        served.client.h2.send_data(asked.number, b"")
        served.turn()
        served.client.h2.send_data(asked.number, b"", end_stream=True)
        served.turn()
        assert (served.last.pieces, served.last.events) == ([], ["body_ended"])

    def test_padding_is_no_part_of_it_and_takes_no_room(self, connect: Connect) -> None:
        served = connect(reads=False, read_budget=64 * KIB, http2_streams=1)
        asked = served.ask("POST", more=True)
        for _ in range(1000):
            served.client.h2.send_data(asked.number, b"x", pad_length=255)
            served.turn()
        assert served.last.body == b"x" * 1000

    def test_trailers_end_it(self, connect: Connect) -> None:
        served = connect()
        asked = served.ask("POST", more=True)
        asked.send(b"abc")
        served.client.h2.send_headers(asked.number, [(b"x-sum", b"1")], end_stream=True)
        served.turn()
        assert served.last.events == ["body_ended"]
        served.last.answer(b"hi")
        assert asked.reply.body == b"hi"

    def test_trailers_that_come_after_the_answer_are_nothing(self, connect: Connect) -> None:
        served = connect(opened=answering(b"hi"))
        asked = served.ask("POST", more=True)
        served.client.h2.send_headers(asked.number, [(b"x-sum", b"1")], end_stream=True)
        served.turn()
        assert (asked.reply.complete, asked.reply.reset) == (True, None)

    def test_one_that_is_not_as_long_as_announced_is_no_body(self, connect: Connect) -> None:
        for sent in (b"abc", b"abcdef"):
            served = connect()
            head = [*pseudo("POST"), (b"content-length", b"5")]
            asked = served.ask_unchecked(head, ended=False)
            served.client.h2.streams[asked.number]._expected_content_length = None
            asked.send(sent, ended=True)
            assert served.last.events == ["disconnected"]
            assert asked.reply.reset == PROTOCOL_ERROR
            assert served.ask().reply.reset is None, "others go on"

    def test_one_that_is_too_large_is_refused(self, connect: Connect, caplog: Any) -> None:
        served = connect(body_size=10)
        asked = served.ask("POST", more=True)
        asked.send(b"x" * 10)
        assert served.last.over is None
        asked.send(b"x")
        assert served.last.events == ["disconnected"]
        assert (served.last.refused, served.last.over) == (413, "the body is too large")
        assert (asked.reply.status, asked.reply.body) == (413, b"413 the body is too large\n")
        assert len(caplog.messages) == 1

    def test_in_the_middle_of_a_response_it_is_reset(self, connect: Connect, caplog: Any) -> None:
        served = connect(body_size=10)
        asked = served.ask("POST", more=True)
        served.last.start(b"a")
        asked.send(b"x" * 11)
        assert served.last.events == ["disconnected"]
        assert served.last.refused is None
        assert asked.reply.reset == CANCEL
        assert len(caplog.messages) == 1


class TestRefusals:
    @pytest.mark.parametrize("more", [False, True])
    def test_a_head_that_is_judged_bad_is_answered(self, connect: Connect, more: bool) -> None:
        served = connect()
        head = [(b":method", b"GET"), (b":scheme", b"ftp"), *pseudo()[2:]]
        asked = served.ask_with(head, more=more)
        assert (asked.reply.status, asked.reply.body) == (400, b"400 unknown scheme\n")
        assert asked.reply[b"content-type"] == b"text/plain; charset=utf-8"
        assert asked.reply.complete
        if more:
            asked.send(b"x" * 100, ended=True)
        assert served.requests == []
        assert served.ask().reply.reset is None

    def test_its_fields_come_too(self, connect: Connect) -> None:
        served = connect()
        head = [*pseudo("CONNECT"), (b":protocol", b"websocket"), (b"sec-websocket-version", b"8")]
        asked = served.ask_with(head, more=True)
        assert (asked.reply.status, asked.reply[b"sec-websocket-version"]) == (426, b"13")


class TestCredit:
    def test_only_what_is_taken_may_come_again(self, connect: Connect) -> None:
        served = connect(reads=False, read_budget=64 * KIB)
        asked = served.ask("POST", more=True)
        asked.send(b"x" * (300 * KIB))
        taken = 0
        while taken < 300 * KIB:
            waiting = len(served.last.body) - taken
            assert 0 < waiting <= 64 * KIB
            served.last.stream.consumed(waiting)
            taken += waiting
            served.turn()
        asked.end()
        assert served.last.events == ["body_ended"]

    def test_one_that_is_not_read_does_not_stall_the_others(self, connect: Connect) -> None:
        served = connect(reads=False, read_budget=64 * KIB, http2_streams=10)
        stuck = [served.ask("POST", more=True) for _ in range(9)]
        for asked in stuck:
            asked.send(b"x" * (100 * KIB))
        assert all(served.client.waiting(asked.number) == 36 * KIB for asked in stuck)
        quick = served.ask("POST", more=True)
        for _ in range(5):
            quick.send(b"y" * (64 * KIB))
            assert served.client.waiting(quick.number) == 0
            served.last.stream.consumed(64 * KIB)
        assert len(served.last.body) == 320 * KIB

    @pytest.mark.parametrize("end", ["reset", "answer", "abort", "refuse"])
    def test_nothing_of_the_connections_room_is_ever_lost(self, connect: Connect, end: str) -> None:
        served = connect(reads=False, read_budget=64 * KIB, http2_streams=4, body_size=60 * KIB)
        for _ in range(200):
            asked = served.ask("POST", more=True)
            asked.send(b"x" * (40 * KIB))
            exchange = served.last
            exchange.stream.consumed(KIB)
            if end == "reset":
                asked.cancel()
            elif end == "answer":
                exchange.answer(b"enough")
                served.turn()
                asked.cancel()
            elif end == "abort":
                exchange.abort()
            else:
                asked.send(b"x" * (21 * KIB))
                asked.cancel()
            served.turn()
            served.wait(1)
        assert room_of(served) >= 4 * 64 * KIB, "half of it may not be given back yet"

    def test_what_is_reset_in_the_segment_that_brings_it_is_given_back(
        self, connect: Connect
    ) -> None:
        served = connect(reads=False, http2_streams=4)
        for _ in range(100):
            with served.in_one_segment():
                asked = served.ask("POST", more=True)
                asked.send(b"x" * (40 * KIB))
                asked.cancel()
            served.wait(1)
        assert room_of(served) >= 4 * 64 * KIB
        assert served.last.events == ["disconnected"]

    def test_what_is_taken_when_the_client_has_just_left_is_nothing(self, connect: Connect) -> None:
        served = connect(opened=lambda exchange: exchange.stream.wanted())
        with served.in_one_segment():
            asked = served.ask("POST", more=True)
            asked.send(b"x" * KIB)
            asked.cancel()
        assert served.last.body == b"x" * KIB
        assert served.last.events == ["disconnected"]


class TestEarlyResponses:
    def test_what_is_left_of_the_body_is_thrown_away(self, connect: Connect) -> None:
        served = connect(opened=answering(b"early"), discard_size=100 * KIB)
        asked = served.ask("POST", more=True)
        asked.send(b"x" * (100 * KIB))
        assert asked.reply.body == b"early"
        assert asked.reply.reset is None
        asked.end()
        assert (asked.reply.complete, asked.reply.reset) == (True, None)
        assert served.last.body == b""

    def test_beyond_a_bound_the_client_is_asked_to_stop(self, connect: Connect) -> None:
        served = connect(opened=answering(b"early"), discard_size=100 * KIB)
        asked = served.ask("POST", more=True)
        asked.send(b"x" * (100 * KIB + 1))
        assert (asked.reply.body, asked.reply.complete) == (b"early", True)
        assert asked.reply.reset == NO_ERROR
        assert served.ask().reply.complete

    def test_that_takes_nothing_of_the_connections_room(self, connect: Connect) -> None:
        served = connect(opened=answering(b"early"), discard_size=0, http2_streams=2)
        for _ in range(20):
            asked = served.ask("POST", more=True)
            asked.send(b"x" * (64 * KIB))
            assert asked.reply.reset == NO_ERROR
        assert room_of(served) >= 2 * 64 * KIB

    def test_a_response_that_ends_meanwhile_is_out_before_it(self, connect: Connect) -> None:
        served = connect(discard_size=0)
        asked = served.ask("POST", more=True)
        exchange = served.last
        exchange.start(b"a")
        exchange.body_received = lambda data: exchange.end()  # type: ignore[method-assign]
        asked.send(b"x" * (64 * KIB))
        assert (asked.reply.body, asked.reply.complete) == (b"a", True)
        assert asked.reply.reset == NO_ERROR

    def test_but_not_before_the_response_is_out(self, connect: Connect) -> None:
        body = b"y" * (10 * KIB)
        served = connect(
            opened=answering(body), discard_size=KIB, window=KIB, gives=False, linger=5
        )
        asked = served.ask("POST", more=True)
        asked.send(b"x" * (2 * KIB))
        assert len(asked.reply.body) == KIB
        assert asked.reply.reset is None
        served.client.give(10 * KIB)
        served.client.give(10 * KIB, asked.number)
        assert asked.reply.body == body
        served.wait(5)
        assert (asked.reply.complete, asked.reply.reset) == (True, NO_ERROR)

    def test_one_that_sends_nothing_more_is_not_waited_for(self, connect: Connect) -> None:
        served = connect(opened=answering(b"early"), linger=5)
        asked = served.ask("POST", more=True)
        served.wait(4)
        assert asked.reply.reset is None
        served.wait(1)
        assert (asked.reply.complete, asked.reply.reset) == (True, NO_ERROR)

    def test_nor_does_it_lose_a_response_that_it_takes_slowly(self, connect: Connect) -> None:
        served = connect(
            opened=answering(b"y" * KIB), linger=5, window=100, gives=False, write_timeout=60
        )
        asked = served.ask("POST", more=True)
        served.wait(20)
        assert asked.reply.reset is None
        served.client.give(KIB)
        served.client.give(KIB, asked.number)
        assert asked.reply.body == b"y" * KIB
        served.wait(20)
        assert (asked.reply.complete, asked.reply.reset) == (True, NO_ERROR)


class TestEnds:
    def test_a_client_that_resets_it_is_told_to_the_exchange_once(self, connect: Connect) -> None:
        served = connect()
        asked = served.ask("POST", more=True)
        asked.send(b"abc")
        asked.cancel()
        assert served.last.events == ["disconnected"]
        assert served.last.over == "the client has reset the stream"
        assert served.client.frames[-1][0] != "GOAWAY"

    def test_frames_on_one_that_has_ended_are_nobodys(self, connect: Connect) -> None:
        served = connect(ended=answering(b"hi"))
        asked = served.ask()
        served.client.h2.streams.clear()
        raw = served.client.h2
        raw.increment_flow_control_window(1000)
        served.turn()
        assert asked.reply.complete
        assert served.ask().reply.body == b"hi"

    def test_an_application_that_answers_at_once_is_not_called_again(
        self, connect: Connect
    ) -> None:
        served = connect(opened=answering(b"hi"))
        bodies = [served.ask().reply.body, served.ask("POST", body=b"abc").reply.body]
        assert bodies == [b"hi"] * 2
        assert [exchange.events for exchange in served.open.exchanges] == [[], []]

    def test_one_that_breaks_off_at_once_is_not_either(self, connect: Connect) -> None:
        served = connect(opened=lambda exchange: exchange.abort())
        assert served.ask().reply.reset is not None
        assert served.last.events == []

    def test_what_waits_for_the_application_when_the_connection_ends_is_nothing(
        self, connect: Connect
    ) -> None:
        served = connect(reads=False)
        served.ask("POST", more=True).send(b"abc")
        served.wire.send(frame(DATA))  # DATA of no stream.
        assert served.last.events == ["disconnected"]
        assert served.client.goodbyes == []
        served.turn()
        assert served.client.goodbyes[0][1] == PROTOCOL_ERROR

    def test_one_that_was_refused_is_told_nothing(self, connect: Connect) -> None:
        served = connect()
        served.ask_unchecked([*pseudo(), (b"host", b"b.example")], ended=False)
        served.shared.drain(lambda: None)
        assert served.requests == []
        assert served.connection.snapshot().current == ()
