"""One application and its WebSockets: which exchange they get, who has how many, how they stop."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from daphne_like.asgi.http import HTTPExchange
from daphne_like.asgi.websocket import WebSocketExchange
from tests.unit.asgi.fakes import START, FakeStream, Served, body, run, sending, turn
from tests.unit.asgi.sockets import (
    ACCEPT,
    CLOSING,
    close,
    connecting,
    disconnect,
    handshake,
    opened,
)


def test_a_request_opens_the_exchange_that_it_asks_for():
    async def main():
        async def app(scope, receive, send):
            await asyncio.sleep(0)

        served = Served(app)
        opened = [served.open(FakeStream()), served.open(FakeStream(), handshake())]
        assert [type(exchange) for exchange in opened] == [HTTPExchange, WebSocketExchange]
        assert served.application.live == set(opened)
        await turn()
        assert served.application.live == set()
        assert [record.kind for record in served.records] == ["http", "websocket"]

    run(main())


# --- How many each client has ----------------------------------------------------------------


def test_the_sockets_of_each_client_are_counted_and_forgotten():
    async def main():
        first = await connecting()
        second = await connecting(served=first.served)
        other = await connecting(served=first.served, asked=handshake(client=("192.0.2.9", 50000)))
        sockets = first.served.application.sockets
        assert sockets == {"192.0.2.1": 2, "192.0.2.9": 1}
        await second.returns()
        assert sockets == {"192.0.2.1": 1, "192.0.2.9": 1}
        other.leaves()
        await other.returns()
        first.finish.set_exception(ValueError("x"))
        await first.ended()
        assert sockets == {}
        assert list(sockets) == []

    run(main())


def test_a_client_behind_a_proxy_is_counted_by_its_own_address():
    async def main():
        asked = handshake()
        asked.on_behalf_of(("203.0.113.7", 4000))
        socket = await connecting(asked=asked)
        assert socket.served.application.sockets == {"203.0.113.7": 1}
        await socket.returns()
        assert socket.served.application.sockets == {}

    run(main())


def test_requests_and_clients_without_an_address_are_not_counted():
    async def main():
        socket = await connecting(asked=handshake(client=None))
        application = socket.served.application
        assert application.sockets == {}
        await socket.returns()
        served = Served(sending(START, body()))
        await served.get()
        assert application.sockets == served.application.sockets == {}
        assert len(socket.served.records) == 1

    run(main())


# --- Stopping --------------------------------------------------------------------------------


async def crowd(number, **options):
    """So many open sockets, which the server begins to close; their streams' ends by time."""
    first = await opened(**options)
    sockets = [first]
    while len(sockets) < number:
        sockets.append(await opened(served=first.served))
    for socket in sockets:
        socket.exchange.drain()
    return sockets


async def told(sockets, seconds):
    """How many have been told after so many seconds."""
    await asyncio.sleep(seconds)
    return sum(bool(socket.frames) for socket in sockets)


def test_sockets_are_closed_one_after_the_other():
    async def main():
        sockets = await crowd(300, websocket_drain_time=1)
        so_far = [await told(sockets, 0.1) for _ in range(10)]
        assert so_far[-1] == 300
        assert all(25 <= after - before <= 40 for before, after in pairwise([0, *so_far[:-1]]))
        assert {socket.close for socket in sockets} == {(1012, "the server is stopping")}

    run(main())


def test_a_few_need_not_wait():
    async def main():
        sockets = await crowd(10, websocket_drain_time=60)
        assert await told(sockets, 1) == 10

    run(main())


def test_within_half_of_the_time_that_the_server_has():
    async def main():
        sockets = await crowd(300, websocket_drain_time=60, graceful_timeout=2)
        assert await told(sockets, 0.5) < 200
        assert await told(sockets, 0.5) == 300

    run(main())


def test_or_at_once_where_there_is_no_time():
    async def main():
        sockets = await crowd(100, websocket_drain_time=0)
        await turn()
        assert await told(sockets, 0) == 100

    run(main())


def test_with_the_code_that_is_configured():
    async def main():
        (socket,) = await crowd(1, options={"close_code": 1001})
        await asyncio.sleep(5)
        assert socket.close == (1001, "the server is stopping")

    run(main())


def test_draining_waits_until_applications_have_said_good_bye():
    async def main():
        sockets = await crowd(3, websocket_drain_time=1)
        application, began = sockets[0].served.application, sockets[0].loop.time()

        async def consume(socket):
            assert await socket.receive() == disconnect(1012, "the server is stopping")
            await asyncio.sleep(2)
            socket.finish.set_result(None)

        for socket in sockets:
            socket.pending(consume(socket))
        await application.drain(20)
        assert 2 <= sockets[0].loop.time() - began <= 3.1
        assert application.live == set()
        assert [record.outcome for record in sockets[0].served.records] == ["complete"] * 3

    run(main())


@pytest.mark.parametrize("accepted", [False, True])
def test_an_application_that_does_not_listen_is_cancelled_in_time(accepted, caplog):
    async def main():
        socket = await (opened if accepted else connecting)(application_close_timeout=60)
        socket.exchange.drain()
        began = socket.loop.time()
        await socket.served.application.drain(10)
        assert socket.loop.time() - began == 10
        assert socket.exchange.task.cancelled()
        assert socket.record.status == (1012 if accepted else 503)
        if accepted:
            assert socket.close == (1012, "the server is stopping")

    run(main())
    assert caplog.messages == ["1 request did not finish in time: cancelled."]


def test_where_there_is_no_time_at_all_the_client_still_gets_its_close():
    async def main():
        socket = await opened()
        socket.exchange.drain()
        await socket.served.application.drain(0)
        assert socket.close == (1012, "the application was cancelled")
        assert socket.record.status == 1012
        assert socket.record.outcome == "failed"
        await asyncio.sleep(60)
        assert socket.stream.outcome == "aborted", "it did not answer"

    run(main())


def test_the_turn_of_a_socket_that_is_gone_is_nobodys():
    async def main():
        sockets = await crowd(4, websocket_drain_time=4)
        sockets[-1].says(close(1000))
        sockets[-2].leaves()
        await sockets[0].send(CLOSING)
        await asyncio.sleep(5)
        assert sockets[0].close == (1000, "")
        assert sockets[1].close == (1012, "the server is stopping")
        assert sockets[-2].frames == []
        assert sockets[-1].close == (1000, "")

    run(main())


def test_a_socket_that_is_accepted_while_the_server_stops_is_closed_in_its_turn():
    async def main():
        first = await opened(websocket_drain_time=4)
        socket = await connecting(served=first.served)
        for each in (first, socket):
            each.exchange.drain()
        await socket.send(ACCEPT)
        await asyncio.sleep(5)
        assert socket.close == (1012, "the server is stopping")

    run(main())
