"""The TLS transport: a handshake first, then a Twisted transport like any other."""

from __future__ import annotations

import logging
import ssl
import sys
from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet import error
from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import INegotiated, ISSLTransport
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from daphne_like.limits import Limits
from daphne_like.transport import tls
from daphne_like.transport.handshakes import Handshakes
from daphne_like.transport.proxied import Preambles
from daphne_like.transport.tls import Secured, TLSTransport
from tests.support.certificates import Client, client_context, localhost
from tests.unit.transport.fakes import BUDGET, Bug, HalfNotes, Loop, Native, Notes, Producer

PEER = IPv4Address("TCP", "127.0.0.2", 5000)
PORTION = 16 * 1024
IN_PLAIN = b"speak TLS"
CLOSED = "Closed a connection from 127.0.0.2:5000: its TLS handshake "


@pytest.fixture(scope="session")
def server_context(tmp_path_factory: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(localhost().write_in_one(tmp_path_factory.mktemp("server")))
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


class Identity:
    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context

    def facts(self, connection: ssl.SSLObject) -> dict[str, Any]:
        return {"version": connection.version()}


class Roll:
    """Notes who is entered."""

    def __init__(self, **limits: Any) -> None:
        self.clock = Clock()
        self.limits = Limits(handshake_timeout=10.0, linger=5.0, **limits)
        self.waiting: list[Any] = []
        self.events: list[str] = []

    def client_of(self, peer: Any) -> Any:
        return peer.host, peer.port

    def opened(self, connection: Any) -> None:
        self.waiting.append(connection)
        self.events.append("opened")

    def closed(self, connection: Any) -> None:
        self.waiting.remove(connection)
        self.events.append("closed")


@cache
def plain_client() -> ssl.SSLContext:
    return client_context()


class Arrival:
    """A connection that has just been made, with everything around it."""

    def __init__(
        self,
        loop: Loop,
        protocol: Any,
        context: ssl.SSLContext,
        client: ssl.SSLContext | None = None,
        handshakes: Handshakes | None = None,
        most: int = 0,
    ) -> None:
        self.loop = loop
        self.handshakes = handshakes or Handshakes(Roll(handshakes=most), IN_PLAIN)
        self.roll: Any = self.handshakes.roll
        self.asked: list[Any] = []
        self.factory = Factory()
        self.factory.buildProtocol = lambda addr: self.asked.append(addr) or protocol
        secured = Secured(self.handshakes, Identity(context))
        self.transport: TLSTransport = secured.carry(self.factory, BUDGET)
        self.native = Native(loop)
        self.client = Client(client or plain_client())
        self.transport.connection_made(self.native)

    def sent(self) -> bytes:
        """What has been sent to the client since this was asked for."""
        written = b"".join(self.native.written)
        self.native.written.clear()
        return written

    def shake(self, behind: bytes = b"", rounds: int = 3) -> Arrival:
        """Shake hands to the end; `behind` is sent in the same segment as the client's last."""
        for _ in range(rounds):
            over = self.client.shake(self.sent())
            data = self.client.sends()
            if over and behind:
                data += self.client.says(behind)
                behind = b""
            if data:
                self.transport.data_received(data)
            self.loop.turn()
        return self

    def received(self) -> bytes | None:
        return self.client.reads(self.sent())

    def say(self, data: bytes) -> None:
        self.transport.data_received(self.client.says(data))


@pytest.fixture
def arrive(loop: Loop, server_context: ssl.SSLContext) -> Callable[..., Arrival]:
    return lambda protocol, **more: Arrival(loop, protocol, server_context, **more)


def shaken(arrive: Any, protocol: Any) -> Arrival:
    """A connection that is ready, whose protocol's notes start empty."""
    at: Arrival = arrive(protocol).shake()
    assert protocol.events == ["made"]
    protocol.events.clear()
    at.native.calls.clear()
    at.received()
    return at


# --- The handshake ----------------------------------------------------------------------------


def test_the_protocol_is_built_when_the_handshake_is_over(arrive: Any) -> None:
    protocol = Notes()
    at = arrive(protocol)
    assert at.roll.events == ["opened"]
    assert at.transport.snapshot() == (0.0, 0, "handshake", ())
    at.shake(rounds=1)
    assert at.asked == []
    assert not at.transport.connected
    at.shake()
    assert at.asked == [PEER]
    assert protocol.events == ["made"]
    assert at.transport.tls == {"version": "TLSv1.3"}
    assert at.transport.negotiatedProtocol is None
    assert not at.transport.sends_files
    assert at.roll.events == ["opened", "closed"]
    assert at.roll.clock.getDelayedCalls() == at.loop.due == []
    at.transport.connection_lost(None)
    assert protocol.events == ["made", "lost"]
    assert at.roll.events == ["opened", "closed"]


def test_it_is_twisteds_interface(arrive: Any) -> None:
    at = shaken(arrive, Notes())
    assert verifyObject(INegotiated, at.transport)
    assert ISSLTransport.providedBy(at.transport)
    assert at.transport.getPeerCertificate() is None
    assert (at.transport.getPeer(), at.transport.getHost().port) == (PEER, 80)


@pytest.mark.parametrize("names", [["http/1.1"], ["h2"], []])
def test_a_factory_may_build_what_was_negotiated(arrive: Any, names: list[str]) -> None:
    client = client_context()
    client.set_alpn_protocols(names)
    at = arrive(None, client=client)
    protocol = Notes()
    at.factory.buildNegotiated = lambda *given: at.asked.append(given) or protocol
    at.shake()
    name = names[0].encode() if names else None
    assert at.asked == [(PEER, name)]
    assert at.transport.negotiatedProtocol == name
    assert protocol.events == ["made"]


def test_what_comes_with_the_end_of_the_handshake_is_the_protocols(arrive: Any) -> None:
    protocol = Notes()
    arrive(protocol).shake(behind=b"GET")
    assert protocol.events == ["made", "data b'GET'"]


@pytest.mark.parametrize("ending", ["loseConnection", "abortConnection"])
def test_a_protocol_that_ends_the_connection_at_once_gets_nothing(arrive: Any, ending: str) -> None:
    protocol = Notes()

    def end() -> None:
        getattr(protocol.transport, ending)()

    protocol.connectionMade = end  # type: ignore[method-assign]
    arrive(protocol).shake(behind=b"GET")
    assert protocol.events == []


def test_a_handshake_in_small_pieces(arrive: Any) -> None:
    protocol = Notes()
    at = arrive(protocol)
    over = at.client.shake()
    for _ in range(2):
        data = at.client.sends()
        for index in range(len(data)):
            at.transport.data_received(data[index : index + 1])
            at.loop.turn()
        over = over or at.client.shake(at.sent())
    assert protocol.events == ["made"]


def test_it_waits_for_its_turn_unread_and_in_no_time(arrive: Any) -> None:
    first = arrive(Notes(), most=1)
    first.shake(rounds=1)
    protocol = Notes()
    second = arrive(protocol, handshakes=first.handshakes)
    second.client.shake()
    data = second.client.sends()
    second.transport.data_received(data[:9])
    second.transport.data_received(data[9:])  # Which the loop had read already.
    first.loop.turn()
    assert second.native.calls == ["pause"]
    second.roll.clock.advance(9)
    first.transport.connection_lost(None)
    second.roll.clock.advance(9)
    first.loop.turn()
    assert second.native.calls == ["pause", "resume"]
    second.roll.clock.advance(9)
    second.shake()
    assert protocol.events == ["made"]


def test_who_leaves_while_he_waits_has_no_turn(arrive: Any, caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    first = arrive(Notes(), most=1)
    first.shake(rounds=1)
    second = arrive(Notes(), handshakes=first.handshakes)
    second.client.shake()
    second.transport.data_received(second.client.sends())
    second.transport.connection_lost(ConnectionResetError())
    first.transport.connection_lost(None)
    first.loop.turn()
    assert second.native.calls == ["pause"]
    assert caplog.messages == [CLOSED + "ended early"] * 2
    assert second.roll.events == ["opened", "opened", "closed", "closed"]


def test_no_protocol_means_no_connection(arrive: Any, caplog: Any) -> None:
    at = arrive(None).shake(behind=b"GET")
    assert at.native.closing
    assert at.roll.events == ["opened", "closed"]
    at.transport.data_received(b"more")
    at.transport.connection_lost(None)
    assert caplog.messages == []


def test_who_may_have_no_more_connections_has_no_handshake(arrive: Any, caplog: Any) -> None:
    at = arrive(Notes())
    assert at.transport.client == ("127.0.0.2", 5000)
    at.factory.admits = lambda peer: peer != PEER
    refused = Secured(at.handshakes, Identity(at.transport._identity.context))
    transport, native = refused.carry(at.factory, BUDGET), Native(at.loop)
    transport.connection_made(native)
    transport.data_received(b"\x16")
    assert native.calls == ["abort"]
    transport.connection_lost(None)
    assert at.roll.events == ["opened"]
    assert caplog.messages == []


def test_a_protocol_that_cannot_be_built_costs_one_connection(arrive: Any) -> None:
    def fail(addr: Any) -> Any:
        raise Bug

    at = arrive(None)
    at.factory.buildProtocol = fail
    at.shake()
    at.loop.turn()
    assert [type(each["exception"]) for each in at.loop.errors] == [Bug]
    assert at.native.calls[-1] == "abort"


# --- What is no handshake ---------------------------------------------------------------------


def expect_parted(at: Arrival, caplog: Any, *messages: str) -> None:
    """It has been told something, our side is closed, and what it sends is thrown away."""
    assert "write_eof" in at.native.calls
    assert "abort" not in at.native.calls
    at.transport.data_received(b"whatever")
    assert at.transport.eof_received()
    at.loop.turn()
    assert at.native.calls[-1] == "abort"
    at.transport.connection_lost(None)
    assert at.roll.events == ["opened", "closed"]
    assert at.roll.clock.getDelayedCalls() == at.loop.due == at.asked == []
    assert caplog.messages == list(messages)


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n", b"\x80\x2e\x01", b"\0"])
def test_who_speaks_in_plain_is_told_so_in_plain(arrive: Any, caplog: Any, data: bytes) -> None:
    at = arrive(Notes())
    at.transport.data_received(data)
    assert at.sent() == IN_PLAIN
    expect_parted(at, caplog, CLOSED + "did not come: it speaks in plain")
    assert caplog.records[0].levelname == "WARNING"


def test_who_is_told_so_and_stays_is_cut(arrive: Any, caplog: Any) -> None:
    at = arrive(Notes())
    at.native.eof_error = OSError("it has gone")
    at.transport.data_received(b"GET")
    at.roll.clock.advance(5)
    at.loop.turn()
    assert at.native.calls[-1] == "abort"
    assert len(caplog.messages) == 1


def test_where_there_is_nothing_to_tell_nothing_is_written(arrive: Any) -> None:
    at = arrive(Notes(), handshakes=Handshakes(Roll()))
    at.transport.data_received(b"GET")
    assert at.native.written == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            {
                "minimum_version": ssl.TLSVersion.TLSv1_1,
                "maximum_version": ssl.TLSVersion.TLSv1_1,
            },
            "failed: unsupported protocol",
        ),
        ({"check_hostname": False, "verify_mode": ssl.CERT_NONE}, None),
        ({"verify_mode": ssl.CERT_REQUIRED}, "failed: tlsv1 alert unknown ca"),
    ],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
def test_a_handshake_that_fails_is_told_of_once_with_its_reason(
    arrive: Any, caplog: Any, change: dict[str, Any], reason: str | None
) -> None:
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.set_ciphers("ALL:@SECLEVEL=0")
    for name, value in change.items():
        setattr(client, name, value)
    at = arrive(Notes(), client=client)
    for _ in range(3):
        try:
            at.client.shake(at.sent())
        except ssl.SSLError:
            assert reason
        if data := at.client.sends():
            at.transport.data_received(data)
        at.loop.turn()
    if reason is None:
        assert at.asked == [PEER]
    else:
        expect_parted(at, caplog, CLOSED + reason)


def test_what_fails_has_its_reason_sent(arrive: Any, caplog: Any) -> None:
    at = arrive(Notes())
    at.transport.data_received(b"\x16\x03\x01\x00\x04junk")
    at.loop.turn()
    assert at.sent().startswith(b"\x15\x03"), "an alert"
    assert len(caplog.messages) == 1


def test_a_name_beyond_ascii_fails_and_no_traceback_is_written(
    arrive: Any, caplog: Any, monkeypatch: Any, server_context: ssl.SSLContext
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    monkeypatch.setattr(server_context, "sni_callback", lambda *_: None)
    at = arrive(Notes())
    at.client.shake()
    at.transport.data_received(at.client.sends().replace(b"localhost", b"local\xffost"))
    at.loop.turn()
    expect_parted(at, caplog, CLOSED + "failed: callback failed")
    assert told == []
    with tls._hushed():
        sys.unraisablehook(said := SimpleNamespace(exc_value=Bug()))  # type: ignore[arg-type]
    assert told == [said]


def test_a_certificate_that_is_refused_is_told_of_in_words(arrive: Any) -> None:
    refused = ssl.SSLCertVerificationError("x")
    refused.verify_message = "certificate has expired"
    assert tls.why(refused) == "the client's certificate is refused: certificate has expired"
    assert "odd" in tls.why(ssl.SSLError(1, "odd"))


def test_a_handshake_has_its_time(arrive: Any, caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    for rounds in (0, 1):
        at = arrive(Notes())
        at.roll.clock.advance(9)
        at.shake(rounds=rounds)
        at.roll.clock.advance(9 if rounds else 0)
        assert not at.native.closing
        at.roll.clock.advance(1)
        at.loop.turn()
        assert at.native.calls[-2:] == ["pause", "abort"]
        at.transport.connection_lost(None)
        assert at.roll.events == ["opened", "closed"]
        assert caplog.messages == [CLOSED + "was not over in time"]
        caplog.clear()


def test_who_goes_without_a_word_is_nothing_to_tell_of(arrive: Any, caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    silent = arrive(Notes())
    assert silent.transport.eof_received()
    silent.loop.turn()
    assert silent.native.calls == ["pause", "abort"]
    silent.transport.connection_lost(None)
    reset = arrive(Notes())
    reset.transport.connection_lost(ConnectionResetError())
    assert caplog.messages == []
    begun = arrive(Notes()).shake(rounds=1)
    begun.transport.eof_received()
    begun.loop.turn()
    begun.transport.connection_lost(None)
    assert caplog.messages == [CLOSED + "ended early"]
    assert begun.roll.events == ["opened", "closed"]


@pytest.mark.parametrize("end", [TLSTransport.drain, lambda transport: transport.cut("over")])
@pytest.mark.parametrize("rounds", [0, 1])
def test_a_server_that_stops_does_not_wait_for_a_handshake(
    arrive: Any, caplog: Any, end: Any, rounds: int
) -> None:
    at = arrive(Notes())
    at.client.shake()
    if rounds:
        at.transport.data_received(at.client.sends())
    written = at.native.written.copy()
    end(at.transport)
    end(at.transport)
    at.loop.turn()
    assert at.native.calls[-1] == "abort"
    assert at.native.written == written
    at.transport.connection_lost(None)
    assert at.roll.events == ["opened", "closed"]
    assert caplog.messages == at.roll.clock.getDelayedCalls() == []


def test_it_stands_behind_a_preamble(arrive: Any) -> None:
    protocol = Notes()
    made = arrive(protocol)
    secured = Secured(made.handshakes, Identity(made.transport._identity.context))
    successors: list[TLSTransport] = []

    def then(*given: Any) -> TLSTransport:
        successors.append(secured.carry(*given))
        return successors[-1]

    made.transport = Preambles(made.roll).carry(made.factory, BUDGET, then)
    made.native = Native(made.loop)
    made.transport.connection_made(made.native)
    made.client.shake()
    preamble = b"PROXY TCP4 192.0.2.1 192.0.2.2 11 80\r\n"
    made.transport.data_received(preamble + made.client.sends())
    made.loop.turn()
    assert made.native.protocol is successors[0]
    made.transport = successors[0]
    made.shake()
    assert made.asked == [IPv4Address("TCP", "192.0.2.1", 11)]
    assert made.roll.events == ["opened", *["opened"] * 2, *["closed"] * 2]


# --- Afterwards -------------------------------------------------------------------------------


def test_records_are_delivered_a_segment_at_a_time(arrive: Any) -> None:
    protocol = Notes()
    at = shaken(arrive, protocol)
    segment = at.client.says(b"a") + at.client.says(b"b")
    at.transport.data_received(segment + at.client.says(b"c")[:9])
    assert protocol.events == ["data b'ab'"]


def test_a_record_in_pieces_is_delivered_when_it_is_whole(arrive: Any) -> None:
    protocol = Notes()
    at = shaken(arrive, protocol)
    record = at.client.says(b"abc")
    for index in range(len(record)):
        at.transport.data_received(record[index : index + 1])
    assert protocol.events == ["data b'abc'"]


def test_a_large_segment_is_decrypted_in_portions_and_delivered_whole(arrive: Any) -> None:
    protocol = Notes()
    received: list[bytes] = []
    protocol.dataReceived = received.append  # type: ignore[method-assign]
    at = shaken(arrive, protocol)
    body = bytes(range(256)) * 1024
    segment = at.client.says(body)
    at.transport.data_received(segment[:-1])
    at.transport.data_received(segment[-1:])
    assert [len(piece) for piece in received] == [len(body) - 16384, 16384]
    assert b"".join(received) == body


def test_small_writes_are_one_record_and_one_write_below(arrive: Any) -> None:
    at = shaken(arrive, Notes())
    at.transport.write(b"answer")
    assert len(at.native.written) == 1
    assert at.received() == b"answer"
    at.transport.writeSequence([b"an", b"", b"swer"])
    assert len(at.native.written) == 1
    assert at.received() == b"answer"
    at.transport.write(b"")
    at.transport.writeSequence([])
    assert at.native.written == []


def test_a_large_write_goes_below_in_portions_by_one_call(arrive: Any) -> None:
    at = shaken(arrive, Notes())
    calls: list[int] = []
    at.native.writelines = lambda pieces: (
        calls.append(len(pieces)),
        at.native.written.extend(pieces),
    )
    body = bytes(range(256)) * 512 + b"x"
    at.transport.write(body)
    assert calls == [9]
    at.client.incoming.write(at.sent())
    assert b"".join(iter(at.client.reads, None)) == body


def test_what_openssl_answers_by_itself_goes_out(arrive: Any) -> None:
    """Here a client of TLS 1.2 that wants to negotiate anew: it is told that it may not."""
    at = shaken(arrive, Notes())
    at.transport._outgoing.write(b"an answer")
    at.say(b"x")
    assert at.native.written == [b"an answer"]


def test_nothing_is_answered_when_our_side_is_closed(arrive: Any) -> None:
    at = shaken(arrive, HalfNotes())
    at.transport.loseWriteConnection()
    at.loop.turn()
    at.sent()
    at.transport._outgoing.write(b"an answer")
    at.say(b"x")
    assert at.native.written == []


@pytest.mark.parametrize("large", [False, True])
def test_a_record_that_was_changed_on_its_way_ends_the_connection(
    arrive: Any, caplog: Any, large: bool
) -> None:
    caplog.set_level(logging.INFO)
    protocol = Notes()
    at = shaken(arrive, protocol)
    good = at.client.says(b"good")
    record = bytearray(at.client.says(b"x" * 2 * PORTION if large else b"bad"))
    record[9] ^= 1
    at.transport.data_received(good + bytes(record))
    at.transport.write(b"too late")
    at.transport.writeSequence([b"too", b"late"])
    assert protocol.events == ["data b'good'"]
    assert at.native.calls == ["pause"]
    assert len(at.native.written) == 1, "an alert"
    at.loop.turn()
    assert at.native.calls == ["pause", "abort"]
    at.transport.connection_lost(None)
    assert protocol.reason.type is error.ConnectionLost
    [line] = caplog.messages
    assert line.startswith("Lost a connection from 127.0.0.2:5000: TLS: decryption failed")


def test_of_a_flood_of_what_is_no_tls_only_the_number_is_told(arrive: Any, caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    handshakes = Handshakes(roll := Roll())
    for seconds in (0, 10):
        roll.clock.advance(seconds)
        for _ in range(25):
            handshakes.broke(PEER, "odd")
    assert len(caplog.messages) == 40
    assert (
        caplog.messages[20]
        == "Lost a connection from 127.0.0.2:5000: TLS: odd, and 5 others before"
    )
    assert {record.levelname for record in caplog.records} == {"INFO"}


def test_what_is_no_tls_leaves_no_circle_behind(arrive: Any) -> None:
    at = shaken(arrive, Notes())
    at.transport.data_received(b"\x17\x03\x03\x00\x20" + bytes(32))
    assert at.transport._raised is not None
    assert at.transport._raised.__traceback__ is None


def empty(at: Arrival) -> None:
    """From now on no record carries anything, as those that change keys."""

    def read(size: int) -> bytes:
        at.transport._incoming.read()
        raise ssl.SSLWantReadError

    at.transport._read = read


@pytest.mark.parametrize("size", [1000, 60_000])
def test_records_that_carry_nothing_one_after_the_other_end_the_connection(
    arrive: Any, caplog: Any, size: int
) -> None:
    caplog.set_level(logging.INFO)
    protocol = Notes()
    at = shaken(arrive, protocol)
    empty(at)
    sent = 0
    while not at.native.calls:
        at.transport.data_received(bytes(size))
        sent += size
    assert sent <= max(size, 25_000)
    at.loop.turn()
    assert at.native.calls == ["pause", "abort"]
    assert protocol.events == []
    why = "too many records that carry nothing"
    assert caplog.messages == [f"Lost a connection from 127.0.0.2:5000: TLS: {why}"]


def test_a_few_of_them_now_and_then_do_no_harm(arrive: Any) -> None:
    at = shaken(arrive, Notes())
    empty(at)
    for _ in range(60):
        at.transport.data_received(bytes(16_000))
        at.roll.clock.advance(1)
    assert at.native.calls == []


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("size", [1, PORTION])
@pytest.mark.parametrize("segment", [7, 1000, 100_000])
def test_small_records_and_large_ones_in_pieces_carry_something(
    arrive: Any, version: ssl.TLSVersion, size: int, segment: int
) -> None:
    client = client_context()
    client.maximum_version = version
    protocol = Notes()
    at = arrive(protocol, client=client).shake()
    at.native.calls.clear()
    data = b"".join(at.client.says(b"x" * size) for _ in range(2000 if size == 1 else 4))
    for start in range(0, len(data), segment):
        at.transport.data_received(data[start : start + segment])
    assert at.native.calls == []
    assert at.transport._empty == 0


def test_what_comes_behind_the_peers_end_is_not_kept(arrive: Any) -> None:
    protocol = HalfNotes()
    at = shaken(arrive, protocol)
    at.transport.data_received(at.client.ends())
    at.loop.turn()
    for _ in range(10):
        at.transport.data_received(bytes(5000))
    at.loop.turn()
    assert at.native.calls == ["pause", "abort"]
    assert protocol.events == ["read lost"]


@pytest.mark.parametrize("size", [1, PORTION + 1])
def test_a_write_that_openssl_refuses_ends_the_connection(arrive: Any, size: int) -> None:
    def refuse(data: Any) -> int:
        raise ssl.SSLError(1, "protocol is shutdown")

    protocol = Notes()
    at = shaken(arrive, protocol)
    at.transport._seal = refuse
    at.transport.write(b"x" * size)
    assert at.sent() == b""
    at.loop.turn()
    assert at.native.calls == ["pause", "abort"]


# --- The end ----------------------------------------------------------------------------------


def test_the_end_of_the_connection_is_said(arrive: Any) -> None:
    at = shaken(arrive, Notes())
    at.transport.write(b"bye")
    at.transport.loseConnection()
    at.loop.turn()
    at.transport.write(b"too late")
    assert at.received() == b"bye"
    assert at.client.reads() == b""
    assert at.native.calls == ["pause", "close"]
    at.transport.connection_lost(None)


def test_our_side_closes_and_the_peer_goes_on(arrive: Any) -> None:
    protocol = HalfNotes()
    at = shaken(arrive, protocol)
    at.transport.loseWriteConnection()
    at.loop.turn()
    assert at.received() == b""
    assert at.native.calls == ["write_eof"]
    at.say(b"more")
    at.transport.data_received(at.client.ends())
    at.loop.turn()
    assert protocol.events == ["write lost", "data b'more'", "read lost"]
    at.transport.loseConnection()
    at.loop.turn()
    assert at.native.calls == ["write_eof", "pause", "close"]
    assert at.sent() == b"", "it has been said"


def test_the_peers_end_is_told_once_and_behind_what_it_has_sent(arrive: Any) -> None:
    protocol = HalfNotes()
    at = shaken(arrive, protocol)
    at.transport.data_received(at.client.says(b"last") + at.client.ends())
    at.loop.turn()
    assert at.transport.eof_received()
    assert protocol.events == ["data b'last'", "read lost"]
    at.transport.write(b"answer")
    assert at.received() == b"answer"


def test_an_end_without_a_word_is_an_end(arrive: Any) -> None:
    protocol = HalfNotes()
    at = shaken(arrive, protocol)
    assert at.transport.eof_received()
    assert protocol.events == ["read lost"]


def test_the_peers_end_ends_a_protocol_that_cannot_use_it(arrive: Any) -> None:
    at = shaken(arrive, Notes())
    at.transport.data_received(at.client.ends())
    assert at.native.calls == []
    at.loop.turn()
    assert at.native.calls == ["abort"]


@pytest.mark.parametrize("ending", ["loseConnection", "abortConnection"])
def test_the_peers_end_is_not_told_to_who_has_left(arrive: Any, ending: str) -> None:
    protocol = HalfNotes()
    at = shaken(arrive, protocol)
    getattr(at.transport, ending)()
    at.transport.data_received(at.client.ends())
    at.loop.turn()
    assert protocol.events == []


def test_the_peers_end_is_not_told_to_who_is_lost(arrive: Any) -> None:
    protocol = HalfNotes()
    at = shaken(arrive, protocol)
    at.transport.data_received(at.client.ends())
    at.transport.connection_lost(None)
    at.loop.turn()
    assert protocol.events == ["lost"]


def test_a_fault_of_the_protocol_at_the_peers_end_is_its_own(arrive: Any) -> None:
    def fail() -> None:
        raise Bug

    protocol = HalfNotes()
    protocol.readConnectionLost = fail  # type: ignore[method-assign]
    at = shaken(arrive, protocol)
    at.transport.data_received(at.client.ends())
    at.loop.turn()
    assert [type(each["exception"]) for each in at.loop.errors] == [Bug]


def test_what_is_lost_leaves_nothing_behind(arrive: Any) -> None:
    protocol = Notes()
    at = shaken(arrive, protocol)
    at.transport.registerProducer(Producer(protocol), True)
    at.transport.connection_lost(ConnectionResetError())
    at.transport.write(b"x")
    assert protocol.events == ["stop", "lost"]
    assert at.transport.unsent() == 0
    assert not hasattr(at.transport, "_deliver")


def test_a_successor_takes_the_place_of_the_protocol(arrive: Any) -> None:
    first, second = Notes(), Notes()
    at = shaken(arrive, first)
    at.transport.hand_over(second)
    at.say(b"x")
    assert (first.events, second.events) == ([], ["made", "data b'x'"])
