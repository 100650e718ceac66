"""HTTP1Connection: a client that begins with HTTP/2's preface was never meant for it."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from twisted.internet.interfaces import ISSLTransport
from twisted.internet.protocol import Protocol
from zope.interface import classImplements

from daphne_like.testing import MemoryWire
from daphne_like.wire.http1 import HTTP1Connection
from tests.support.http1 import GET, Served, answering, splits

PREFACE = b"PRI * HTTP/2.0\r\n\r\n"
REST = b"SM\r\n\r\nand frames"


class Switching(Served):
    """A connection that can be switched; ``switched`` is what came behind the preface."""

    def __init__(self, **options: Any) -> None:
        self.switched: list[tuple[Any, bytes]] = []
        super().__init__(**options)

    def switch(self, transport: Any, rest: bytes) -> None:
        self.switched.append((transport, rest))

    @property
    def speaks(self) -> Any:  # type: ignore[override]
        return partial(HTTP1Connection, switch=self.switch)


@pytest.fixture
def begin() -> Iterator[Callable[..., Switching]]:
    made: list[Switching] = []

    def make(**options: Any) -> Switching:
        made.append(Switching(**options))
        return made[-1]

    yield make
    for served in made:
        served.wire.vanish()
        served.turn()
        assert served.clock.getDelayedCalls() == []
        assert served.shared.connections == set()


Begin = Callable[..., Switching]


@pytest.mark.parametrize("pieces", list(splits(PREFACE)))
def test_it_is_switched_when_the_preface_is_whole(begin: Begin, pieces: tuple[bytes, ...]) -> None:
    served = begin().send(*pieces)
    assert served.switched == [(served.wire, b"")]
    assert served.raw == b""


def test_what_comes_behind_the_preface_goes_along(begin: Begin) -> None:
    served = begin().send(PREFACE + REST)
    assert served.switched == [(served.wire, REST)]


def test_nothing_is_left_of_it(begin: Begin) -> None:
    served = begin().send(PREFACE[:5], PREFACE[5:])
    assert served.clock.getDelayedCalls() == []
    assert served.shared.connections == set()
    served.wire.registerProducer(served.connection, True)  # There is none any more.
    served.wire.unregisterProducer()


def living() -> int:
    return sum(type(found) is HTTP1Connection for found in gc.get_objects())


def test_it_leaves_no_circle_behind(begin: Begin) -> None:
    served = begin()
    gc.collect()
    before = living()
    connection = HTTP1Connection(served.shared, lambda transport, rest: None)
    wire = MemoryWire(connection, served.clock)
    gc.disable()
    wire.send(PREFACE)
    wire.hand_over(Protocol())
    del connection
    gc.enable()
    assert living() == before


def test_behind_a_request_it_is_no_beginning(begin: Begin) -> None:
    served = begin(ended=answering()).send(GET, PREFACE)
    assert [response.status for response in served.responses] == [200, 505]
    assert served.switched == []


def test_under_tls_alpn_has_decided(begin: Begin) -> None:
    class Secure(MemoryWire):
        tls = None

    classImplements(Secure, ISSLTransport)
    served = begin()
    wire = Secure(HTTP1Connection(served.shared, served.switch), served.clock)
    wire.send(PREFACE)
    assert wire.received.startswith(b"HTTP/1.1 505 ")
    assert served.switched == []
    wire.vanish()


def test_where_there_is_nothing_to_switch_to_it_is_refused() -> None:
    served = Served().send(PREFACE)
    assert served.response.body == b"505 not HTTP/1.0 or HTTP/1.1\n"
    served.wire.vanish()


@pytest.mark.parametrize(
    "raw",
    [b"PRI / HTTP/2.0\r\n\r\n", b"PRI * HTTP/2.1\r\n\r\n", b"PRI * HTTP/2.0\r\nHost: a\r\n\r\n"],
)
def test_what_is_nearly_one_is_none(begin: Begin, raw: bytes) -> None:
    served = begin().send(raw)
    assert served.switched == []
    assert served.response.status in {400, 505}


def test_it_is_one_connection_all_the_while(begin: Begin) -> None:
    """With two there would be as many as there may be, for a moment."""
    served = begin(connections=2)
    crowds: list[bool] = []
    served.shared.crowded = crowds.append
    served.switch = lambda transport, rest: served.shared.opened(served)  # type: ignore[method-assign, assignment, arg-type]
    served.connection._switch = served.switch
    served.client = served.connection.client  # type: ignore[attr-defined]
    served.send(PREFACE)
    assert crowds == []
    assert served.shared.connections == {served}
    assert served.shared.clients == {"192.0.2.1": 1}
    served.shared.closed(served)  # type: ignore[arg-type]
