"""HTTP2Connection: how much one client may ask for, and what it may not do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from daphne_like.testing import MemoryWire
from daphne_like.wire.http2 import HTTP2Connection
from tests.support.attacker import Attacker
from tests.support.frames import (
    DATA,
    ENHANCE_YOUR_CALM,
    GOAWAY,
    INTERNAL_ERROR,
    PING,
    POST,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    SETTINGS,
    frame,
    priority_update,
)
from tests.support.http1 import answering
from tests.support.http2 import Client, Served, pseudo

Connect = Callable[..., Served]
KIB = 1024


def large(size: int) -> list[tuple[bytes, bytes]]:
    return [(b"x-large", b"x" * size)]


class TestLimits:
    def test_more_streams_than_there_may_be_are_refused(self, connect: Connect) -> None:
        served = connect(http2_streams=3)
        asked = [served.ask() for _ in range(3)]
        served.client.h2.remote_settings[3] = 100
        served.client.h2.remote_settings.acknowledge()
        assert served.ask().reply.reset == REFUSED_STREAM
        assert len(served.requests) == 3
        assert all(not each.reply.complete and each.reply.reset is None for each in asked)
        assert served.client.goodbyes == []

    def test_those_do_not_count_that_were_answered_and_that_the_client_does_not_end(
        self, attack: Callable[..., Attacker]
    ) -> None:
        attacker = attack(http2_streams=3)
        uploads = [attacker.ask(POST, end=False) for _ in range(2)]
        for exchange in list(attacker.open.exchanges):
            exchange.answer(b"too much")
        attacker.clock.advance(0)
        streams = [attacker.ask() for _ in range(3)]
        assert len(attacker.open.exchanges) == 5
        assert attacker.ask() in attacker.resets
        assert set(attacker.resets) & {*uploads, *streams} == set()
        assert attacker.goaways == []

    def test_but_a_client_that_does_not_know_yet_may_try_again(self) -> None:
        client, shared = Client(65535), Served(http2_streams=3, ended=answering(b"hi")).shared
        numbers = [client.ask(pseudo(), ended=True) for _ in range(5)]
        wire = MemoryWire(HTTP2Connection(shared), shared.clock)
        wire.send(client.h2.data_to_send())
        client.receive(bytes(wire.received))
        resets = [client.replies[number].reset for number in numbers]
        assert resets == [None] * 3 + [REFUSED_STREAM] * 2
        assert [client.replies[number].body for number in numbers[:3]] == [b"hi"] * 3

    def test_what_comes_with_one_that_is_refused_is_given_back(self, connect: Connect) -> None:
        served = connect(http2_streams=1, read_budget=64 * KIB, keep_alive=1000)
        asked = served.ask()
        served.last.lingers = True
        asked.cancel()
        for number in range(20):
            with served.in_one_segment():
                late = served.ask("POST", more=True)
                late.send(b"x" * 40 * KIB)
                if number % 2:
                    served.client.h2.send_headers(late.number, [(b"x", b"y")], end_stream=True)
            assert late.reply.reset == REFUSED_STREAM
            served.wait(1)
        assert served.client.h2.outbound_flow_control_window >= 64 * KIB

    def test_those_whose_application_goes_on_count(self, connect: Connect, caplog: Any) -> None:
        served = connect(http2_streams=3)
        for _ in range(3):
            asked = served.ask()
            served.last.lingers = True
            asked.cancel()
        late = served.ask()
        assert late.reply.reset == REFUSED_STREAM
        assert caplog.messages[-1].endswith("503 too many streams of one connection")
        served.open.exchanges[0].lingers = False
        assert served.ask().reply.reset is None
        assert len(served.requests) == 4

    def test_those_that_have_ended_do_not(self, connect: Connect) -> None:
        served = connect(http2_streams=3)
        for _ in range(20):
            asked = served.ask()
            asked.cancel()
        assert len(served.requests) == 20

    def test_heads_of_all_streams_have_a_size_together(self, connect: Connect, caplog: Any) -> None:
        served = connect(http2_heads=3 * KIB)
        fields = [(b"x", b"y" * KIB)]
        first, second, third = (served.ask(fields=fields) for _ in range(3))
        assert third.reply.reset == REFUSED_STREAM
        assert caplog.messages[-1].endswith("503 too large heads of one connection's streams")
        served.open.exchanges[0].answer()
        assert first.reply.complete
        assert served.ask(fields=fields).reply.reset is None
        assert second.reply.reset is None
        for _ in range(10):
            served.ask(fields=fields).cancel()
        assert len(served.requests) == 3

    def test_a_head_that_is_too_large_is_answered_and_others_go_on(self, connect: Connect) -> None:
        served = connect(head_size=KIB, line_size=KIB)
        asked = served.ask(fields=[(b"x", b"y" * KIB)])
        assert asked.reply.status == 431
        served.ask()
        assert len(served.requests) == 1

    @pytest.mark.parametrize(("method", "words"), [("GET", True), ("HEAD", False)])
    def test_its_answer_has_a_body_where_one_may_be(
        self, connect: Connect, method: str, words: bool
    ) -> None:
        served = connect(head_size=KIB, line_size=KIB)
        reply = served.ask(method, fields=[(b"x", b"y" * KIB)]).reply
        assert (reply.status, reply.complete, bool(reply.body)) == (431, True, words)

    def test_a_push_beyond_is_not_promised_and_nobody_is_blamed(
        self, connect: Connect, caplog: Any
    ) -> None:
        served = connect(http2_streams=2)
        asked = served.ask()
        page = served.last
        for _ in range(3):
            page.stream.push(b"/a", [])
        assert served.frames("PUSH_PROMISE") == [1]
        served.last.answer(b"pushed")
        page.answer(b"hi")
        assert asked.reply.body == b"hi"
        assert served.replies[2].body == b"pushed"
        assert caplog.messages == []

    def test_nor_is_one_whose_tasks_go_on(self, connect: Connect) -> None:
        served = connect(http2_streams=2)
        gone = served.ask()
        served.last.lingers = True
        gone.cancel()
        served.ask()
        served.last.stream.push(b"/a", [])
        assert served.replies[2].reset == REFUSED_STREAM
        assert len(served.requests) == 2


class TestLargeHeadsOfTheApplication:
    def test_they_are_sent(self, attack: Callable[..., Attacker]) -> None:
        attacker = attack(ended=lambda exchange: exchange.answer(b"hi", fields=large(200 * KIB)))
        stream = attacker.ask()
        assert attacker.body(stream) == b"hi"
        assert attacker.complete(stream)

    @pytest.mark.parametrize(
        "act",
        [
            lambda exchange: exchange.answer(b"hi", fields=large(2 * KIB * KIB)),
            lambda exchange: exchange.start(b"hi", fields=large(2 * KIB * KIB)),
            lambda exchange: (exchange.start(b"hi"), exchange.stream.end(large(2 * KIB * KIB))),
        ],
        ids=["whole", "in pieces", "trailers"],
    )
    def test_too_large_ones_break_off_and_are_not_the_clients_fault(
        self, attack: Callable[..., Attacker], caplog: Any, act: Any
    ) -> None:
        attacker = attack(ended=act, http2_resets=3)
        streams = [attacker.ask() for _ in range(10)]
        assert attacker.resets == dict.fromkeys(streams, INTERNAL_ERROR)
        assert attacker.goaways == []
        said = "Refused a request from 192.0.2.1:50000: 500 more fields than can be sent"
        assert caplog.messages == [said] * 10


class TestBadClients:
    def test_a_malformed_head_is_reset_and_logged(self, connect: Connect, caplog: Any) -> None:
        served = connect()
        asked = served.ask_unchecked([*pseudo(), (b"X-Upper", b"y")])
        assert asked.reply.reset == PROTOCOL_ERROR
        said = "Refused a request from 192.0.2.1:50000: 400 malformed head"
        assert caplog.messages == [said]
        assert served.ask().reply.reset is None
        assert len(served.requests) == 1

    @pytest.mark.parametrize("how", ["reset", "malformed", "malformed body"])
    def test_too_many_resets_end_the_connection(self, connect: Connect, how: str) -> None:
        served = connect(http2_resets=10, http2_reset_rate=1)
        other = served.ask(target=b"/other")
        for number in range(20):
            if served.wire.eof:
                break
            assert number <= 10
            if how == "reset":
                served.ask().cancel()
            elif how == "malformed":
                served.ask_unchecked([*pseudo(), (b"X-Upper", b"y")])
            else:
                head = [*pseudo("POST"), (b"content-length", b"5")]
                asked = served.ask_unchecked(head, ended=False)
                served.client.h2.streams[asked.number]._expected_content_length = None
                asked.end()
        assert served.client.goodbyes[0][1] == ENHANCE_YOUR_CALM
        assert served.open.exchanges[0].events[-1] == "disconnected"
        assert not other.reply.complete

    @pytest.mark.parametrize(
        "raw",
        [
            frame(PING, b"12345678"),
            frame(SETTINGS),
            frame(DATA, b"", stream=1),
            priority_update(1, b"u=1"),
        ],
        ids=["PING", "SETTINGS", "empty DATA", "PRIORITY_UPDATE"],
    )
    def test_so_do_too_many_frames_that_carry_nothing(self, connect: Connect, raw: bytes) -> None:
        served = connect(http2_control_frames=20, http2_control_rate=1)
        served.ask("POST", more=True)
        for number in range(40):
            if served.wire.eof:
                break
            assert number <= 20
            served.wire.send(raw)
        served.turn()
        assert served.client.goodbyes == [(1, ENHANCE_YOUR_CALM)]
        assert served.last.events == ["disconnected"]

    def test_but_not_if_they_come_slowly(self, connect: Connect) -> None:
        served = connect(http2_control_frames=20, http2_control_rate=1, keep_alive=1000)
        served.ask()
        for _ in range(100):
            served.wire.send(frame(PING, b"12345678"))
            served.wait(1)
        assert served.client.goodbyes == []

    def test_what_comes_with_the_last_straw_is_not_served(self, connect: Connect) -> None:
        served = connect(http2_resets=2, http2_reset_rate=0)
        with served.in_one_segment():
            for _ in range(4):
                served.ask().cancel()
            served.ask()
        assert len(served.requests) == 3
        assert all(exchange.events[-1] == "disconnected" for exchange in served.open.exchanges)

    def test_what_breaks_the_rules_ends_all(self, connect: Connect, caplog: Any) -> None:
        served = connect()
        served.ask()
        served.wire.send(frame(DATA))
        assert served.last.events == ["body_ended", "disconnected"]
        assert str(served.last.over).startswith("HTTP/2: ")
        assert len(caplog.messages) == 1
        assert "400 HTTP/2: " in caplog.messages[0]

    @pytest.mark.parametrize("reads", [False, True])
    def test_nobody_else_is_blamed_for_it(self, connect: Connect, caplog: Any, reads: bool) -> None:
        served = connect(http2_resets=1, reads=reads)
        for _ in range(5):
            served.ask("POST", more=True).send(b"abc")
        served.wire.send(frame(DATA))
        served.turn()
        assert served.client.goodbyes == [(9, PROTOCOL_ERROR)]
        assert {str(each.over)[:8] for each in served.open.exchanges} == {"HTTP/2: "}
        assert len(caplog.messages) == 1

    def test_in_the_middle_of_a_frame_there_is_no_place_for_a_goodbye(
        self, connect: Connect
    ) -> None:
        served = connect(http2_control_frames=5)
        served.ask()
        served.stop_reading()
        served.last.answer(b"x" * 300 * KIB)
        served.wire.send(frame(PING, b"12345678") * 20)
        served.read_on()
        assert served.client.goodbyes == []
        assert served.wire.closed

    def test_what_is_no_http2_does_too(self, connect: Connect) -> None:
        served = connect()
        served.wire.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        served.turn()
        assert served.wire.closed
        assert served.requests == []

    def test_a_goaway_of_the_client_ends_it_when_all_is_answered(self, connect: Connect) -> None:
        served = connect()
        asked = served.ask()
        served.wire.send(frame(GOAWAY, bytes(8)))
        assert served.last.over is None
        served.last.answer(b"hi")
        assert asked.reply.body == b"hi"

    def test_frames_that_nobody_knows_are_nothing(self, connect: Connect) -> None:
        served = connect(ended=answering(b"hi"))
        served.wire.send(frame(0xFA, b"grease"), frame(SETTINGS, b"\xfa\xfa" + bytes(4)))
        assert served.ask().reply.body == b"hi"
