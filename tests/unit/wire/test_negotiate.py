"""Which HTTP a connection speaks: by ALPN, by what it begins with, or by what may be."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from twisted.internet.interfaces import IProtocol, ISSLTransport
from zope.interface import classImplements, directlyProvides

from daphne_like.testing import MemoryWire, RecordingOpen
from daphne_like.wire.http1 import HTTP1Connection
from daphne_like.wire.http2 import HTTP2Connection
from daphne_like.wire.negotiate import H2, HTTP_1_1, Negotiation, hand_over
from tests.support.frames import NO_ERROR
from tests.support.http1 import GET, Served, answering, splits
from tests.support.http2 import ALL_STREAMS, Client, pseudo

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def shared() -> Any:
    return Served().shared


class Undecided(Served):
    """A client that may begin with either, and its connection."""

    def __init__(self, *, http2: bool = True, in_the_clear: bool = True, **options: Any) -> None:
        self._options = {"http2": http2, "in_the_clear": in_the_clear}
        super().__init__(**options)

    def speaks(self, shared: Any) -> Any:
        return Negotiation(shared, **self._options).connection()


@pytest.fixture
def begin() -> Iterator[Callable[..., Undecided]]:
    made: list[Undecided] = []

    def make(**options: Any) -> Undecided:
        made.append(Undecided(**options))
        return made[-1]

    yield make
    for served in made:
        assert len(served.shared.connections) == (not served.wire.closed)
        assert not served.shared.clients or served.shared.clients == {"192.0.2.1": 1}
        served.wire.vanish()
        served.turn()
        assert served.clock.getDelayedCalls() == []
        assert served.shared.connections == set()
        assert not served.shared.clients


Begin = Callable[..., Undecided]


def asking() -> tuple[Client, bytes]:
    """A client of HTTP/2, and the bytes with which it asks for something."""
    client = Client(65535)
    client.ask(pseudo(), ended=True)
    return client, client.h2.data_to_send()


class TestALPN:
    def test_it_decides(self) -> None:
        negotiation = Negotiation(shared())
        assert negotiation.protocols == (H2, HTTP_1_1)
        assert type(negotiation.connection(H2)) is HTTP2Connection
        for name in (HTTP_1_1, None, b"spdy/3"):
            assert type(negotiation.connection(name)) is HTTP1Connection

    @pytest.mark.parametrize("name", [H2, HTTP_1_1])
    def test_its_requests_may_be_opened_otherwise(self, name: bytes) -> None:
        ours, otherwise = shared(), RecordingOpen()
        connection = Negotiation(ours, otherwise).connection(name)
        MemoryWire(connection, ours.clock).send(asking()[1] if name == H2 else GET)
        assert len(otherwise.exchanges) == 1
        assert ours.open.exchanges == []
        assert connection in ours.connections

    def test_where_all_is_to_be_http1_it_is(self) -> None:
        ours = shared()
        negotiation = Negotiation(ours, http2=False)
        assert negotiation.protocols == (HTTP_1_1,)
        assert type(negotiation.connection(H2)) is HTTP1Connection

    @pytest.mark.pure("imports a module again")
    def test_where_the_engine_is_missing_it_is_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in [name for name in sys.modules if name.startswith("daphne_like.wire.http2")]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, "ngh2", None)
        assert Negotiation(shared()).protocols == (HTTP_1_1,)

    @pytest.mark.pure("imports a module again")
    def test_but_what_is_wrong_with_it_is_not_hidden(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in [name for name in sys.modules if name.startswith("daphne_like.wire.http2")]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, "daphne_like.wire.http2_engine", None)
        with pytest.raises(ModuleNotFoundError, match="http2_engine"):
            Negotiation(shared())


class TestPriorKnowledge:
    @pytest.mark.parametrize("pieces", list(splits(asking()[1])))
    def test_a_client_may_begin_with_http2(self, begin: Begin, pieces: tuple[bytes, ...]) -> None:
        client, served = asking()[0], begin(ended=answering(b"hi"))
        served.send(*pieces)
        assert served.last.request.http_version == "2"
        client.receive(served.raw)
        assert client.replies[1].body == b"hi"
        assert client.goodbyes == []

    def test_its_first_response_waits_for_no_further_turn(self, begin: Begin) -> None:
        client, raw = asking()
        served = begin(ended=answering(b"hi"))
        served.wire.send(raw)
        client.receive(served.raw)
        assert client.replies[1].complete

    def test_but_not_go_on_with_it(self, begin: Begin) -> None:
        served = begin(ended=answering()).send(GET, asking()[1])
        assert [response.status for response in served.responses] == [200, 505]
        assert [request.http_version for request in served.requests] == ["1.1"]

    @pytest.mark.parametrize("options", [{"http2": False}, {"in_the_clear": False}])
    def test_it_may_be_off(self, begin: Begin, options: Any, caplog: Any) -> None:
        served = begin(**options).send(asking()[1])
        assert served.response.status == 505
        assert caplog.messages[0].endswith("505 not HTTP/1.0 or HTTP/1.1")

    def test_under_tls_alpn_has_decided(self) -> None:
        ours = shared()
        wire = secured(Negotiation(ours).connection(), ours.clock)
        wire.send(PREFACE)
        assert wire.received.startswith(b"HTTP/1.1 505 ")

    def test_an_upgrade_is_never_honoured(self, begin: Begin) -> None:
        fields = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n"
        served = begin(ended=answering(b"hi")).send(GET[:-2] + fields + b"\r\n")
        assert served.raw.startswith(b"HTTP/1.1 200 ")
        assert served.requests[0].upgrade is None
        assert served.send(PREFACE).responses[-1].status == 505

    def test_nothing_is_left_of_http1s_time(self, begin: Begin) -> None:
        served = begin(head_timeout=5, keep_alive=60)
        served.send(PREFACE[:10])
        served.wait(4)
        served.send(PREFACE[10:], H2Connection(H2Configuration()).data_to_send())
        served.wait(4)
        assert not served.wire.eof

    def test_a_server_that_stops_meanwhile_tells_it_so(self, begin: Begin) -> None:
        client, raw = asking()
        served = begin(ended=answering(b"hi")).send(raw[:10])
        served.shared.drain(lambda: None)
        served.send(raw[10:])
        client.receive(served.raw)
        assert client.goodbyes == [(ALL_STREAMS, NO_ERROR)]
        assert client.replies[1].body == b"hi"


def secured(protocol: Any, clock: Any) -> MemoryWire:
    """A connection that is encrypted."""

    class Secure(MemoryWire):
        tls = None

    classImplements(Secure, ISSLTransport)
    return Secure(protocol, clock)


class TestHandOver:
    """Three kinds of transports have three words for it."""

    def test_ours(self) -> None:
        taken: list[Any] = []
        hand_over(SimpleNamespace(hand_over=taken.append), "a protocol")
        assert taken == ["a protocol"]

    @pytest.mark.parametrize(
        ("wraps", "name"), [(False, "protocol"), (True, "wrappedProtocol")], ids=["TCP", "TLS"]
    )
    def test_twisteds(self, wraps: bool, name: str) -> None:
        transport = SimpleNamespace()
        if wraps:
            directlyProvides(transport, IProtocol)
        made: list[Any] = []
        protocol = SimpleNamespace(makeConnection=made.append)
        hand_over(transport, protocol)
        assert getattr(transport, name) is protocol
        assert made == [transport]
