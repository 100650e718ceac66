"""The service where it redirects: listeners of their own, and the same server in all else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import fail, succeed

from tests.unit.asgi.fakes import body, sending, start, turn
from tests.unit.fakes import GET, House, Port, serving

INSECURE = {"insecure_bind": (("127.0.0.1", 80), ("/x", None))}
SECURE = {"endpoints": ("tcp:1", "ssl:443"), **INSECURE}


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> Callable[..., House]:
    return lambda *given, **options: House(monkeypatch, *given, **options)


async def hello(scope, receive, send) -> None:
    await sending(start(200, (b"content-length", b"5")), body(b"hello"))(scope, receive, send)


def test_they_listen_last_and_send_to_the_port_on_which_there_is_tls(house, caplog):
    async def main(at: House) -> list[bytes]:
        assert at.service.ports == at.ports
        wires = [at.connect(index=index) for index in range(4)]
        await turn()
        return [bytes(wire.received) for wire in wires]

    caplog.set_level(logging.INFO)
    served, secure, *others = serving(house(hello, **SECURE), main)
    assert served[9:12] == secure[9:12] == b"200"
    for answer in others:
        assert answer.startswith(b"HTTP/1.1 308 Permanent Redirect\r\n")
        assert b"\r\nlocation: https://a:1/p\r\n" in answer
    assert caplog.messages == [
        "Listening on http://127.0.0.1:0",
        "Listening on https://127.0.0.1:1",
        "Redirecting to https from http://127.0.0.1:2",
        "Redirecting to https from http://127.0.0.1:3",
    ]


def test_the_operator_may_know_the_port_better(house):
    at = house(hello, https_port=443, **INSECURE)
    assert "\r\nlocation: https://a/p\r\n" in serving(at, House.get)


def test_the_health_path_is_answered_there_too(house):
    at = house(hello, https_port=443, health_path="/up", **INSECURE)
    assert serving(at, lambda at: at.get(GET.replace(b"/p", b"/up"))).startswith("HTTP/1.1 200 ")


def test_what_trusted_proxies_say_is_believed_there_too(house):
    trust = {"proxy_headers": True, "forwarded_allow_ips": "192.0.2.1", "forwarded_fields": "host"}
    at = house(hello, https_port=443, **trust, **INSECURE)
    asked = GET[:-2] + b"X-Forwarded-Host: b.example:80\r\n\r\n"
    assert "\r\nlocation: https://b.example/p\r\n" in serving(at, lambda at: at.get(asked))


def test_redirects_are_in_no_access_log_and_need_no_room_with_the_application(house, capsys):
    async def slow(scope, receive, send):
        await asyncio.sleep(1)
        await hello(scope, receive, send)

    async def main(at: House) -> bytes:
        at.connect(index=0)
        return bytes(at.connect(index=1).received)

    at = house(slow, https_port=443, concurrency=1, verbosity=1, **INSECURE)
    assert serving(at, main).startswith(b"HTTP/1.1 308 ")
    assert capsys.readouterr().out.count("GET") == 1


def test_connections_count_together_and_all_ports_pause_together(house):
    async def main(at: House) -> None:
        here = IPv4Address("TCP", "192.0.2.1", 50000)
        at.connect(b"", index=0)
        assert at.factories[1].buildProtocol(here) is not None
        wire = at.connect(b"", index=1)
        assert at.factories[0].buildProtocol(here) is None, "a client's connections are counted"
        assert at.factories[1].buildProtocol(here) is None
        assert [port.paused for port in at.ports] == [True, True, True]
        wire.vanish()
        assert [port.paused for port in at.ports] == [False, False, False]

    limits = {"connections": 2, "client_connections": 2}
    serving(house(hello, https_port=443, **limits, **INSECURE), main)


def test_a_stop_ends_them_with_the_others(house):
    async def main(at: House) -> None:
        wire = at.connect(b"", index=1)
        assert await at.stopped() == 1, "its first request may be on its way"
        await turn()
        assert wire.closed
        assert [port.open for port in at.ports] == [False] * 3

    serving(house(hello, https_port=443, **INSECURE), main)


def test_a_port_that_is_taken_is_told_of_before_anything_is_announced(house, caplog):
    def listening(port: Port):
        return fail(OSError("taken")) if port.number == 1 else succeed(port)

    caplog.set_level(logging.INFO)
    at = house(hello, https_port=443, **INSECURE)
    at.listening = listening
    serving(at)
    assert [str(error) for error in at.failures] == ["Cannot listen on 127.0.0.1:80: taken."]
    assert [port.open for port in at.ports] == [False, True], "what was bound is given back"
    assert caplog.messages == []
