"""What connections share: default fields, the set of live ones, addresses."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import ISSLTransport
from twisted.internet.task import Clock
from zope.interface import directlyProvides

from daphne_like.errors import RemoteFault
from daphne_like.exchange import Snapshot, peer_name
from daphne_like.limits import Limits
from daphne_like.testing import RecordingOpen
from daphne_like.wire.shared import (
    DefaultFields,
    Shared,
    address_of,
    nobody_knows,
    security_of,
)


class FakeConnection:
    """A connection as the server sees it when it stops; it closes when it is told."""

    def __init__(self, shared: Shared, *, busy: bool = False, host: str | None = None) -> None:
        self.shared = shared
        self.client = None if host is None else (host, 5000)
        self.busy = busy
        self.told: list[str] = []
        shared.opened(self)

    def drain(self) -> None:
        self.told.append("drain")
        if not self.busy:
            self.shared.closed(self)

    def cut(self, reason: str) -> None:
        self.told.append(reason)
        self.shared.closed(self)

    def snapshot(self) -> Snapshot:
        raise NotImplementedError


def shared() -> Shared:
    return Shared(RecordingOpen(), Clock(), Limits(), DefaultFields())


class TestRefusals:
    def test_each_is_logged_with_its_client_and_its_reason(self, caplog) -> None:
        caplog.set_level(logging.INFO)
        at = shared()
        at.refused(("192.0.2.1", 5), RemoteFault(400, "no Host"), left=False)
        at.refused(None, RemoteFault(408, "slow"), left=True)
        assert caplog.record_tuples == [
            ("daphne_like.http", 30, "Refused a request from 192.0.2.1:5: 400 no Host"),
            ("daphne_like.http", 20, "Refused a request from a Unix socket: 408 slow"),
        ]

    def test_a_unix_client_can_have_any_name(self, caplog) -> None:
        shared().refused(("/a\x1b[2J\xe9", None), RemoteFault(400, "no Host"), left=False)
        said = r"Refused a request from /a\x1b[2J\xc3\xa9: 400 no Host"
        assert caplog.messages == [said]

    def test_of_a_flood_the_log_says_how_many_there_were(self, caplog) -> None:
        clock = Clock()
        at = Shared(RecordingOpen(), clock, Limits(), DefaultFields())
        for _ in range(30):
            at.refused(None, RemoteFault(400, "no Host"), left=False)
        assert len(caplog.messages) == 20
        clock.advance(10)
        at.refused(None, RemoteFault(414, "long"), left=False)
        assert caplog.record_tuples[20:] == [
            ("daphne_like.http", 30, "Refused 10 other requests"),
            ("daphne_like.http", 30, "Refused a request from a Unix socket: 414 long"),
        ]
        assert at.refusals == {(400, "no Host"): 30, (414, "long"): 1}
        assert clock.getDelayedCalls() == []

    def test_one_that_comes_before_the_timer_says_it_too(self, caplog) -> None:
        clock = Clock()
        at = Shared(RecordingOpen(), clock, Limits(), DefaultFields())
        for _ in range(22):
            at.refused(None, RemoteFault(400, "no Host"), left=False)
        clock.rightNow += 10
        at.refused(None, RemoteFault(414, "long"), left=False)
        clock.advance(0)
        said = "Refused a request from a Unix socket: 414 long, and 2 others before"
        assert caplog.messages[20:] == [said]

    @pytest.mark.parametrize("stop", [lambda at: at.drain(list), Shared.abort])
    def test_a_stop_says_it_at_once(self, caplog, stop) -> None:
        clock = Clock()
        at = Shared(RecordingOpen(), clock, Limits(), DefaultFields())
        for _ in range(22):
            at.refused(None, RemoteFault(400, "no Host"), left=False)
        stop(at)
        assert caplog.messages[20:] == ["Refused 2 other requests"]
        assert clock.getDelayedCalls() == []

    def test_reasons_without_end_are_counted_as_one(self) -> None:
        at = shared()
        for number in range(1000):
            at.refused(None, RemoteFault(400, f"reason {number}"), left=False)
        at.refused(None, RemoteFault(400, "reason 0"), left=False)
        at.refused(None, RemoteFault(408, "slow"), left=False)
        assert at.refusals[400, "reason 0"] == 2
        assert at.refusals[400, "other"] == 1000 - 64
        assert at.refusals[408, "other"] == 1
        assert len(at.refusals) == 64 + 2


class TestDefaultFields:
    def test_nothing_is_added_where_nothing_is_wanted(self) -> None:
        assert DefaultFields(None, False).fields() == []
        assert DefaultFields(None, False).lines() == b""

    def test_the_applications_own_are_left_out(self) -> None:
        defaults = DefaultFields(b"us", extra=[(b"x-extra", b"1")], now=lambda: 0.0)
        assert [name for name, _ in defaults.fields(frozenset((b"date",)))] == [
            b"server",
            b"x-extra",
        ]
        assert defaults.lines(frozenset((b"date", b"server"))) == b"x-extra: 1\r\n"

    def test_extra_fields_cannot_be_left_out(self) -> None:
        defaults = DefaultFields(None, False, [(b"x-extra", b"1")])
        assert defaults.fields(frozenset((b"x-extra",))) == [(b"x-extra", b"1")]

    def test_lines_are_made_once_a_second(self) -> None:
        clock = Clock()
        defaults = DefaultFields(now=clock.seconds)
        first = defaults.lines()
        assert first == b"date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
        clock.advance(0.9)
        assert defaults.lines() is first
        clock.advance(0.1)
        assert defaults.lines() == b"date: Thu, 01 Jan 1970 00:00:01 GMT\r\n"

    def test_for_other_wires_they_are_a_list_that_is_the_same_until_it_changes(self) -> None:
        clock = Clock()
        defaults = DefaultFields(b"us", extra=[(b"x", b"1")], now=clock.seconds)
        first = defaults.listed()
        date = (b"date", b"Thu, 01 Jan 1970 00:00:00 GMT")
        assert first == [date, (b"server", b"us"), (b"x", b"1")]
        clock.advance(0.9)
        assert defaults.listed() is first
        clock.advance(0.1)
        assert defaults.listed()[0] == (b"date", b"Thu, 01 Jan 1970 00:00:01 GMT")
        assert first[0] == date, "a head may still be using it"

    def test_the_list_too_is_without_the_applications_own(self) -> None:
        defaults = DefaultFields(b"us", now=lambda: 0.0)
        assert defaults.listed(frozenset((b"date",))) == [(b"server", b"us")]

    def test_without_a_clock_the_time_is_the_systems(self) -> None:
        assert DefaultFields().lines().endswith(b" GMT\r\n")


class TestShared:
    def test_it_knows_the_live_connections(self) -> None:
        ours = shared()
        connection = FakeConnection(ours)
        assert ours.connections == {connection}
        ours.closed(connection)
        assert ours.connections == set()

    def test_without_connections_a_drain_is_over_at_once(self) -> None:
        ours = shared()
        emptied: list[bool] = []
        ours.drain(lambda: emptied.append(ours.draining and ours.leaving))
        assert emptied == [True]

    def test_a_drain_is_over_with_the_last_connection(self) -> None:
        ours = shared()
        idle, busy, busier = (FakeConnection(ours, busy=busy) for busy in (False, True, True))
        emptied: list[bool] = []
        ours.drain(lambda: emptied.append(True))
        assert [idle.told, busy.told, busier.told] == [["drain"]] * 3
        ours.closed(busy)
        assert emptied == []
        ours.closed(busier)
        assert emptied == [True]

    def test_what_is_left_is_cut(self) -> None:
        ours = shared()
        connections = [FakeConnection(ours, busy=True) for _ in range(3)]
        ours.abort()
        assert [connection.told for connection in connections] == [["the server stops"]] * 3
        assert ours.connections == set()


class TestAddresses:
    def test_tcp(self) -> None:
        assert address_of(IPv4Address("TCP", "192.0.2.1", 80)) == ("192.0.2.1", 80)
        assert address_of(IPv6Address("TCP", "2001:db8::1", 80)) == ("2001:db8::1", 80)

    def test_an_ipv4_client_of_a_dual_stack_socket_is_shown_as_what_it_is(self) -> None:
        assert address_of(IPv6Address("TCP", "::ffff:192.0.2.1", 80)) == ("192.0.2.1", 80)
        assert address_of(IPv6Address("TCP", "::ffff:0:1", 80)) == ("::ffff:0:1", 80)

    def test_unix(self) -> None:
        assert address_of(UNIXAddress(b"/run/\xff.sock")) == ("/run/\ufffd.sock", None)
        assert address_of(UNIXAddress(None)) is None
        assert address_of(UNIXAddress(b"")) is None

    def test_anything_else_is_unknown(self) -> None:
        assert address_of(object()) is None

    def test_a_peer_has_a_name_for_the_log(self) -> None:
        assert peer_name(("192.0.2.1", 50000)) == "192.0.2.1:50000"
        assert peer_name(("2001:db8::1", 50000)) == "[2001:db8::1]:50000"
        assert peer_name(("/run/x.sock", None)) == "/run/x.sock"
        assert peer_name(None) == "a Unix socket"


class TestSecurity:
    def test_it_is_what_the_transport_is(self) -> None:
        plain, secure = SimpleNamespace(), SimpleNamespace(tls={"tls_version": 0x0304})
        directlyProvides(secure, ISSLTransport)
        assert security_of(plain) == ("http", None)
        assert security_of(secure) == ("https", {"tls_version": 0x0304})

    def test_of_twisteds_own_nothing_more_is_known(self) -> None:
        twisteds = SimpleNamespace()
        directlyProvides(twisteds, ISSLTransport)
        assert security_of(twisteds) == ("https", None)

    def test_who_does_not_know_what_waits_says_that_nothing_does(self) -> None:
        assert nobody_knows() == 0


class TestCrowds:
    def test_it_is_told_when_there_are_too_many_and_when_there_is_room_again(self) -> None:
        told: list[bool] = []
        ours = Shared(RecordingOpen(), Clock(), Limits(connections=2), DefaultFields())
        ours.crowded = told.append
        # The loop may have accepted more before it was told.
        connections = [FakeConnection(ours) for _ in range(4)]
        assert told == [True]
        for connection in connections:
            ours.closed(connection)
        assert told == [True, False]

    def test_there_is_room_again_when_a_twentieth_has_left(self) -> None:
        told: list[bool] = []
        ours = Shared(RecordingOpen(), Clock(), Limits(connections=100), DefaultFields())
        ours.crowded = told.append
        connections = [FakeConnection(ours) for _ in range(100)]
        for _ in range(3):  # The last place is taken, left, and taken again.
            ours.closed(connections.pop())
            connections.append(FakeConnection(ours))
        for connection in connections[:4]:
            ours.closed(connection)
        assert told == [True]
        ours.closed(connections[4])
        assert told == [True, False]

    def test_without_a_limit_nobody_is_told(self) -> None:
        ours = Shared(RecordingOpen(), Clock(), Limits(connections=0), DefaultFields())
        ours.closed(FakeConnection(ours))
        assert ours.connections == set()

    def test_it_counts_the_connections_of_each_client(self) -> None:
        ours = shared()
        connections = [FakeConnection(ours, host=host) for host in ("a", "a", "b", None)]
        assert ours.clients == {"a": 2, "b": 1}
        for connection in connections[1:]:
            ours.closed(connection)
        assert ours.clients == {"a": 1}
        ours.closed(connections[0])
        assert not ours.clients

    def test_and_nobody_needs_to_listen(self) -> None:
        ours = Shared(RecordingOpen(), Clock(), Limits(connections=1), DefaultFields())
        ours.closed(FakeConnection(ours))
        assert ours.connections == set()
