"""The application and its side of the server, in this process: no socket, no port, no wait."""

import asyncio

import report

from daphne_like.asgi.application import Application
from daphne_like.exchange import Request
from daphne_like.limits import Limits
from daphne_like.testing import FakeStream


def request(path):
    """A GET as the wire would hand it over."""
    host = (b"host", b"mysite.example")
    client, server = ("192.0.2.1", 50000), ("192.0.2.2", 80)
    return Request("GET", path, b"", [host], "1.1", "http", host[1], client, server)


async def turns(number):
    """Let the event loop turn a few times: who can go on, has."""
    for _ in range(number):
        await asyncio.sleep(0)


async def start(stream):
    """Let the application begin to answer on `stream`; return the exchange."""
    application = Application(report.application, Limits(), asyncio.get_running_loop())
    exchange = application.open(request(b"/"), stream)
    exchange.body_ended()
    await turns(10)
    return exchange


def test_the_report_is_whole():
    async def read_all():
        stream = FakeStream()
        exchange = await start(stream)
        await exchange.task
        return stream

    stream = asyncio.run(read_all())
    assert stream.outcome == "complete"
    assert stream.body.count(b"\n") == 1000


def test_a_slow_reader_makes_the_report_wait():
    async def read_some():
        stream = FakeStream()
        exchange = await start(stream)
        stream.full = True
        await turns(10)
        sent = len(stream.body)
        await turns(10)
        waited = len(stream.body) == sent
        stream.full = False
        exchange.drained()
        await exchange.task
        return waited, stream.outcome

    assert asyncio.run(read_some()) == (True, "complete")


def test_a_reader_who_leaves_ends_the_report():
    async def leave():
        exchange = await start(FakeStream())
        exchange.disconnected("the reader has left")
        await exchange.task

    asyncio.run(leave())
    assert report.opened == []
