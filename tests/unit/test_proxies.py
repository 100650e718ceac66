"""The proxies in front: what a configuration makes of them, and what the log says at start."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.task import Clock

from daphne_like.errors import ConfigError
from daphne_like.limits import Limits
from daphne_like.options import configure
from daphne_like.proxies import Proxies
from daphne_like.testing import FakeStream, RecordingOpen
from tests.unit.asgi.fakes import body, request, sending, start
from tests.unit.fakes import GET, House, serving

TCP = IPv4Address("TCP", "127.0.0.1", 80)
UNIX = UNIXAddress(b"/x")


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> Callable[..., House]:
    return lambda *given, **options: House(monkeypatch, *given, **options)


def proxies(**options: Any) -> Proxies:
    return Proxies(configure({"demo": True, **options}))


async def shown(scope, receive, send) -> None:
    text = f"{scope['client']} {scope['scheme']} {scope['headers']}"
    await sending(start(), body(text.encode()))(scope, receive, send)


# --- Headers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["X-Forwarded-For", "x_forwarded_by", "Forwarded", "X-Real"])
def test_an_id_is_in_no_header_of_theirs(name) -> None:
    with pytest.raises(ConfigError, match=f"--request-id {name} is a header of --proxy-headers"):
        proxies(proxy_headers=True, proxy_headers_host="X-Real", request_id=name)
    proxies(request_id=name)


@pytest.mark.parametrize(
    ("options", "client"),
    [
        ({}, ("10.0.0.1", 1)),
        ({"proxy_headers": False}, ("192.0.2.1", 50000)),
        ({"forwarded_allow_ips": "192.0.2.2"}, ("192.0.2.1", 50000)),
        ({"proxy_headers_host": "X-Real", "proxy_headers_port": "X-Port"}, ("10.0.0.2", 2)),
        ({"forwarded_fields": "for"}, ("10.0.0.1", 0)),
        ({"forwarded_style": "forwarded"}, ("10.0.0.3", 3)),
    ],
)
def test_who_the_client_is_is_said_by_whom_the_operator_trusts(house, options, client):
    said = b"X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Port: 1\r\n"
    said += b"X-Real: 10.0.0.2\r\nX-Port: 2\r\n"
    said += b'Forwarded: for="10.0.0.3:3"\r\n\r\n'
    at = house(shown, **{"proxy_headers": True, "forwarded_allow_ips": "192.0.2.1", **options})
    answer = serving(at, lambda at: at.get(GET[:-2] + said))
    assert str(client) in answer


def test_without_the_switch_a_request_is_not_looked_at():
    open = RecordingOpen()
    assert proxies().before(open) is open
    assert proxies(proxy_headers=True).before(open) is not open


def test_whoever_is_trusted_may_name_a_request():
    open = RecordingOpen()
    named = proxies(request_id="X-Id", forwarded_allow_ips="192.0.2.1").before(open)
    for client in (("192.0.2.1", 5), ("192.0.2.2", 5)):
        named(request(headers=[(b"x-id", b"a1")], client=client), FakeStream())
    first, second = (one.request_id for one in open.requests)
    assert first == "a1"
    assert second not in (None, "a1")


@pytest.mark.parametrize("name", ["forwarded_allow_ips", "proxy_protocol_allow_ips"])
def test_whom_to_trust_is_judged_before_the_application_starts(house, name):
    flag = "--" + name.replace("_", "-")
    at = house(shown, proxy_protocol=True, **{name: "nobody"})
    serving(at)
    [error] = at.failures
    assert isinstance(error, ConfigError)
    assert f"{flag} 'nobody'" in str(error)
    assert at.ports == []


# --- The PROXY protocol -----------------------------------------------------------------------


class Roll:
    clock = Clock()
    limits = Limits()

    def opened(self, connection: Any) -> None:
        """Nobody connects."""

    closed = opened


def test_a_preamble_is_required_of_everybody_or_of_those_on_the_list():
    of_everybody, of_some = proxies().preambles(Roll())
    assert of_everybody.required(TCP)
    assert of_some is None
    given = {"proxy_protocol": True, "proxy_protocol_allow_ips": "192.0.2.0/24,unix"}
    of_everybody, of_some = proxies(**given).preambles(Roll())
    assert of_everybody.required(TCP)
    assert of_some is not None
    peers = [TCP, IPv4Address("TCP", "192.0.2.9", 1), UNIX, UNIXAddress(None)]
    assert [of_some.required(peer) for peer in peers] == [False, True, True, True]


# --- The log ----------------------------------------------------------------------------------

BELIEVED = "Proxy headers: X-Forwarded-For, X-Forwarded-Port, X-Forwarded-Proto believed from "
LOCAL = "127.0.0.1, ::1 and Unix sockets"
ANYBODY = "'*': who can connect can be anybody"


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        ({}, []),
        ({"proxy_headers": True}, [BELIEVED + LOCAL]),
        ({"proxy_protocol": True}, ["PROXY protocol: required from " + LOCAL]),
        (
            {"endpoints": ("tcp:1", "haproxy:tcp:2")},
            ["PROXY protocol: required from everybody on haproxy:tcp:2"],
        ),
    ],
)
def test_the_log_says_who_is_believed(options: Any, lines: list[str]) -> None:
    said = list(proxies(**options).announced([TCP]))
    assert said == [(logging.INFO, line) for line in lines]


@pytest.mark.parametrize(
    ("switch", "option"),
    [
        ("proxy_headers", "forwarded_allow_ips"),
        ("proxy_protocol", "proxy_protocol_allow_ips"),
    ],
)
def test_the_log_warns_of_trust_in_everybody_where_everybody_can_connect(switch, option) -> None:
    def warnings(*hosts: Any, **options: Any) -> list[str]:
        said = proxies(**options).announced(hosts)
        return [line for level, line in said if level == logging.WARNING]

    careless = {switch: True, option: "*"}
    assert warnings(UNIX, TCP, TCP, **careless) == [f"--{option.replace('_', '-')} {ANYBODY}"]
    assert warnings(UNIX, **careless) == []
    assert warnings(TCP, **{switch: True}) == []
    assert warnings(TCP, forwarded_allow_ips="*") == []
