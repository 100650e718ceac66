"""HTTP2Connection: its streams together, its limits, and its ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from daphne_like.testing import MemoryWire, RecordedExchange
from daphne_like.wire.http2 import HTTP2Connection
from tests.support.frames import NO_ERROR, PING, frame
from tests.support.http1 import answering, echoing, splits
from tests.support.http2 import ALL_STREAMS, Client, Served, pseudo

Connect = Callable[..., Served]
KIB = 1024


class TestRequests:
    def test_many_are_served_at_once_and_answered_in_any_order(self, connect: Connect) -> None:
        served = connect()
        asked = [served.ask(target=b"/%d" % number) for number in range(100)]
        for exchange in reversed(served.open.exchanges):
            exchange.answer(exchange.request.raw_path)
        assert [each.reply.body for each in asked] == [b"/%d" % number for number in range(100)]

    def test_addresses_are_the_transports(self, connect: Connect) -> None:
        served = connect()
        served.ask()
        assert served.last.request.client == ("192.0.2.1", 50000)
        assert served.last.request.server == ("192.0.2.2", 80)

    @pytest.mark.parametrize("pieces", list(splits(b"".join([frame(PING, b"12345678")] * 2))))
    def test_frames_come_in_any_pieces(self, connect: Connect, pieces: tuple[bytes, ...]) -> None:
        served = connect()
        for piece in pieces:
            served.wire.send(piece)
        assert len(served.frames("PING")) == 2

    @pytest.mark.parametrize("segment", [1, 2, 3, 10, 1000])
    def test_so_does_all_that_a_client_sends(self, connect: Connect, segment: int) -> None:
        served = connect(segment=segment, ended=echoing)
        asked = [served.ask("POST", b"/%d" % size, body=b"x" * size) for size in (0, 1, 3000)]
        tunnel = served.ask_for_a_tunnel()
        for number, size in enumerate((0, 1, 3000)):
            assert asked[number].reply.body == b"POST /%d " % size + b"x" * size
        assert tunnel.reply.complete

    def test_trailers_of_a_body_end_it(self, connect: Connect) -> None:
        served = connect()
        asked = served.ask("POST", more=True)
        served.client.h2.send_headers(asked.number, [(b"x-sum", b"1")], end_stream=True)
        served.turn()
        assert served.last.events == ["body_ended"]


class TestPushes:
    def test_one_is_a_request_of_its_own(self, connect: Connect) -> None:
        served = connect(ended=lambda exchange: None)
        asked = served.ask()
        served.last.stream.push(b"/a", [])
        served.last.answer(b"pushed")
        assert asked.reply.pushes == [2]
        assert served.replies[2].body == b"pushed"

    def test_none_is_made_for_a_client_that_wants_none_or_has_left(self, connect: Connect) -> None:
        served = connect(pushes=False)
        served.ask()
        served.last.stream.push(b"/a", [])
        served = connect()
        asked = served.ask()
        with served.in_one_segment():
            served.client.reset(asked.number)
            served.connection.engine.receive_data(served.client.h2.data_to_send())
            served.open.exchanges[-1].stream.push(b"/a", [])
        assert len(served.requests) == 1
        assert served.client.frames[-1][0] != "PUSH_PROMISE"


class TestEnds:
    def test_with_the_last_request_that_it_may_carry(self, connect: Connect) -> None:
        served = connect(connection_requests=1, ended=answering(b"hi"))
        assert served.ask().reply.body == b"hi"
        assert served.wire.closed

    def test_with_the_server_that_stops_while_it_begins(self) -> None:
        client, at = Client(65535), Served()
        client.ask(pseudo(), ended=True)
        at.shared.draining = True
        wire = MemoryWire(HTTP2Connection(at.shared), at.clock)
        wire.send(client.h2.data_to_send())
        client.receive(bytes(wire.received))
        assert client.goodbyes == [(ALL_STREAMS, NO_ERROR)]

    def test_a_client_that_closes_its_side_has_left(self, connect: Connect) -> None:
        served = connect()
        served.ask()
        served.send_eof()
        assert served.last.over == "the client closed the connection"
        assert served.wire.closed
        assert not served.wire.aborted

    def test_one_that_is_lost_too(self, connect: Connect) -> None:
        served = connect()
        for _ in range(3):
            served.ask()
        served.wire.vanish("reset by peer")
        assert all("reset by peer" in str(each.over) for each in served.open.exchanges)

    def test_what_comes_after_the_end_is_not_read(self, connect: Connect) -> None:
        served = connect(linger=5, head_timeout=30)
        with served.in_one_segment():
            served.clock.advance(30)
            served.client.ask(pseudo(), ended=True)
            served.wire.send(served.client.h2.data_to_send())
        assert served.requests == []


class TestSnapshots:
    def test_it_tells_what_it_does(self, connect: Connect) -> None:
        served = connect(linger=5)
        served.wait(3)
        shots = [served.connection.snapshot()]
        for _ in range(2):
            served.ask()
        shots.append(served.connection.snapshot())
        for exchange in served.open.exchanges:
            exchange.answer()
        served.turn()
        shots.append(served.connection.snapshot())
        assert [shot[:3] for shot in shots] == [(0, 0, "idle"), (0, 2, "request"), (0, 2, "idle")]
        requests = [progress.request for progress in shots[1].current]
        assert requests == served.requests
        with served.in_one_segment():
            served.shared.abort()
            assert served.connection.snapshot().state == "ending"


class TestSupport:
    @pytest.mark.parametrize("trailers", [False, True])
    @pytest.mark.parametrize("pushes", [False, True])
    def test_it_is_what_the_client_says_of_itself(
        self, connect: Connect, pushes: bool, trailers: bool
    ) -> None:
        served = connect(pushes=pushes)
        served.ask(fields=[(b"te", b"trailers")] if trailers else [])
        there = served.last.stream.supports
        always = {"early_hint", "pathsend", "zerocopysend"}
        more = {"push": pushes, "trailers": trailers}
        expected = always | {name for name, is_there in more.items() if is_there}
        assert there == {f"http.response.{name}" for name in expected}

    def test_a_client_may_change_its_mind(self, connect: Connect) -> None:
        served = connect()
        served.client.h2.update_settings({2: 0})
        served.turn()
        served.ask()
        assert "http.response.push" not in served.last.stream.supports


def test_an_application_that_answers_at_once_is_not_called_again(connect: Connect) -> None:
    served = connect(opened=answering(b"hi"))
    with served.in_one_segment():
        asked = [served.ask(), served.ask("POST", body=b"abc"), served.ask("POST", more=True)]
        asked[-1].cancel()
    assert [exchange.events for exchange in served.open.exchanges] == [[]] * 3
    assert [each.reply.body for each in asked[:2]] == [b"hi"] * 2


@pytest.mark.parametrize("act", [RecordedExchange.start, RecordedExchange.abort, lambda _: None])
def test_one_whose_client_leaves_at_once_is_told_once(connect: Connect, act: Any) -> None:
    served = connect(opened=act)
    with served.in_one_segment():
        served.ask().cancel()
    assert served.last.events.count("disconnected") <= 1
    assert served.last.over
