"""The TLS transport: its handshake, and what becomes of it."""

from __future__ import annotations

import logging
import ssl
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import INegotiated, ISSLTransport
from zope.interface.verify import verifyObject

from daphne_like.transport import tls
from daphne_like.transport.handshakes import Handshakes
from daphne_like.transport.proxied import Preambles
from daphne_like.transport.records import why
from daphne_like.transport.tls import Secured, TLSTransport
from tests.support.certificates import client_context
from tests.unit.transport.arrivals import (
    CLOSED,
    IN_PLAIN,
    PEER,
    Arrival,
    Identity,
    Roll,
    shaken,
)
from tests.unit.transport.fakes import BUDGET, Bug, Native, Notes


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
    assert why(refused) == "the client's certificate is refused: certificate has expired"
    assert "odd" in why(ssl.SSLError(1, "odd"))


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
def test_a_server_that_stops_does_not_wait_long_for_a_handshake(
    arrive: Any, caplog: Any, end: Any, rounds: int
) -> None:
    at = arrive(Notes())
    at.client.shake()
    if rounds:
        at.transport.data_received(at.client.sends())
    written = at.native.written.copy()
    end(at.transport)
    end(at.transport)
    at.roll.clock.advance(1)
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


def test_who_is_slow_gives_way_to_others(arrive: Any, caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    at = arrive(Notes(), most=1)
    at.client.shake()
    at.transport.data_received(at.client.sends())
    other = arrive(Notes(), handshakes=at.handshakes)
    other.client.shake()
    other.transport.data_received(other.client.sends())
    at.roll.clock.advance(2)
    at.loop.turn()
    assert at.native.calls[-1] == "abort"
    assert caplog.messages == [CLOSED + "was slow, and others waited"]
    assert other.shake().factory.buildProtocol(None).events == ["made"]
