"""Endpoints: what their strings mean, and that nothing stays bound that nobody listens on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet import endpoints as twisteds
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock

from daphne_like.errors import ConfigError, StartupError
from daphne_like.limits import Limits
from daphne_like.transport import activation, endpoints
from daphne_like.transport import endpoint as one_endpoint
from daphne_like.transport.certificates import Source
from daphne_like.transport.contexts import Pair, Words
from daphne_like.transport.endpoint import NativeEndpoint
from daphne_like.transport.endpoints import behind_proxy, from_string, parse
from daphne_like.transport.handshakes import Handshakes
from daphne_like.transport.proxied import Preambles
from daphne_like.transport.sockets import Listener
from daphne_like.transport.stream import NativeTransport
from daphne_like.transport.tls import Secured
from tests.unit.transport.fakes import PortDouble

LIMITS = Limits(backlog=7, write_budget=1000)


class Roll:
    clock = Clock()
    limits = LIMITS

    def opened(self, connection: Any) -> None:
        """Nobody connects."""

    closed = opened


OF_EVERYBODY = Preambles(Roll())
OF_SOME = Preambles(Roll())


class Secure:
    """Notes what is to be secured."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.handshakes: Any = Handshakes(Roll())
        self.secured = Secured(self.handshakes, self)  # type: ignore[arg-type]

    def __call__(self, source: Source, dh_parameters: str | None) -> Secured:
        if source.pair is not None and source.pair.key == Path("/nowhere.pem"):
            raise ConfigError("privateKey /nowhere.pem: not there.")
        self.asked.append((source, dh_parameters))
        return self.secured


SECURE = Secure()


@pytest.fixture
def bound(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What would have been bound, instead of doing it."""
    calls: list[tuple[Any, ...]] = []
    for name in ("tcp_listener", "unix_listener", "inherited_listener"):

        def listen(
            *arguments: Any, name: str = name, option: str = "", shared: bool = False, **named: Any
        ) -> Listener:
            said = [option] if "unit" in option else []
            told = ["shared"] if shared else [each for each in named.values() if each]
            calls.append((name, *arguments, *told, *said))
            return Listener("a socket", "closed")  # type: ignore[arg-type]

        monkeypatch.setattr(endpoints, name, listen)
    return calls


@pytest.fixture(autouse=True)
def bounds(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What was bounded of which socket."""
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(one_endpoint, "bound_unsent", lambda *given: calls.append(given))
    return calls


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch) -> list[PortDouble]:
    PortDouble.made = []
    monkeypatch.setattr(one_endpoint, "NativePort", PortDouble)
    return PortDouble.made


# --- Strings ----------------------------------------------------------------------------------


def strings(text: str, asked: Preambles | None = None) -> list[Any]:
    return from_string(Clock(), text, LIMITS, OF_EVERYBODY, asked, SECURE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tcp:80", ("tcp_listener", "", 80, 7)),
        ("tcp:port=80", ("tcp_listener", "", 80, 7)),
        ("tcp:80:127.0.0.1:9", ("tcp_listener", "127.0.0.1", 80, 9)),
        (
            "tcp:80:backlog=9:interface=127.0.0.1",
            ("tcp_listener", "127.0.0.1", 80, 9),
        ),
        (r"TCP:80:interface=\:\:1", ("tcp_listener", "::1", 80, 7)),
        ("tcp6:80", ("tcp_listener", "::", 80, 7)),
        (r"tcp6:80:interface=\:\:1:backlog=9", ("tcp_listener", "::1", 80, 9)),
        ("unix:/x", ("unix_listener", "/x", 0o666, 7)),
        (
            "unix:address=/x:mode=600:lockfile=0:backlog=9",
            ("unix_listener", "/x", 0o600, 9),
        ),
        ("fd:3", ("inherited_listener", 3, 7)),
        ("fd:fileno=3:domain=INET", ("inherited_listener", 3, 7)),
    ],
)
def test_strings_of_our_own_kinds_take_the_native_transport(
    bound: list[Any], ports: list[PortDouble], text: str, expected: Any
) -> None:
    for before, asked, carry in (
        ("", None, NativeTransport),
        ("", OF_SOME, OF_SOME.carry),
        ("haproxy:", None, OF_EVERYBODY.carry),
        ("HAProxy:", OF_SOME, OF_EVERYBODY.carry),
    ):
        [endpoint] = strings(before + text, asked)
        assert isinstance(endpoint, NativeEndpoint)
        endpoint.listen(Factory()).addErrback(lambda _: None).cancel()
        assert bound.pop() == expected
        assert ports.pop().arguments[-1] == carry


WORDS = Words("certKey", "privateKey", keyless="give privateKey")


def pair(key: str, certificate: str, chain: str | None = None) -> Source:
    return Source(Pair(Path(certificate), Path(key), chain and Path(chain), WORDS))


@pytest.mark.parametrize(
    ("text", "bound_to", "source", "dh_parameters"),
    [
        ("ssl:443", ("", 443, 7), pair("server.pem", "server.pem"), None),
        ("ssl:443:k.pem:c.pem", ("", 443, 7), pair("k.pem", "c.pem"), None),
        (
            r"ssl:port=443:privateKey=k:certKey=c:extraCertChain=x:interface=\:\:1:backlog=9"
            ":dhParameters=dh:sslmethod=TLS_METHOD",
            ("::1", 443, 9),
            pair("k", "c", "x"),
            "dh",
        ),
        ("tls:/d", ("::", 443, 7), Source(directory=Path("/d"), word="tls:"), None),
        (
            "tls:/d:8443:5:127.0.0.1",
            ("127.0.0.1", 8443, 5),
            Source(directory=Path("/d"), word="tls:"),
            None,
        ),
    ],
)
def test_strings_that_say_tls_have_twisteds_arguments(
    bound: list[Any],
    ports: list[PortDouble],
    text: str,
    bound_to: Any,
    source: Source,
    dh_parameters: str | None,
) -> None:
    for before, asked in (("", None), ("haproxy:", None), ("", OF_SOME)):
        [endpoint] = strings(before + text, asked)
        endpoint.listen(Factory()).addErrback(lambda _: None).cancel()
        assert bound.pop() == ("tcp_listener", *bound_to)
        assert SECURE.asked.pop() == (source, dh_parameters)
        port = ports.pop()
        assert port.secure
        carry = port.arguments[-1]
        if before or asked:
            assert carry.func == (OF_EVERYBODY if before else OF_SOME).carry
            carry = carry.keywords["then"]
        assert carry == SECURE.secured.carry


def test_ours_are_secured_where_options_say_so(bound: list[Any], ports: list[PortDouble]) -> None:
    endpoints.tcp(Clock(), "", 80, LIMITS, secured=SECURE.secured).listen(Factory())
    endpoints.unix(Clock(), "/x", LIMITS, secured=SECURE.secured).listen(Factory())
    endpoints.inherited(Clock(), 3, LIMITS, secured=SECURE.secured).listen(Factory())
    endpoints.tcp(Clock(), "", 80, LIMITS).listen(Factory())
    assert [port.secure for port in ports] == [True, True, True, False]
    assert ports[0].arguments[-1] == SECURE.secured.carry


@pytest.mark.parametrize(
    ("make", "place"),
    [
        (endpoints.tcp, ("127.0.0.1", 80)),
        (endpoints.unix, ("/x",)),
        (endpoints.inherited, (3,)),
    ],
)
def test_connections_to_every_kind_begin_with_the_preambles_that_are_asked_for(
    bound: list[Any], ports: list[PortDouble], make: Any, place: tuple[Any, ...]
) -> None:
    make(Clock(), *place, LIMITS, preambles=OF_SOME).listen(Factory())
    assert ports[0].arguments[-1] == OF_SOME.carry


@pytest.mark.parametrize(
    ("text", "asked"),
    [("bogus:0", None), ("haproxy:bogus:0", None), ("haproxy:bogus:0", OF_SOME)],
)
def test_any_other_string_is_twisteds(
    monkeypatch: pytest.MonkeyPatch, text: str, asked: Preambles | None
) -> None:
    monkeypatch.setattr(twisteds, "serverFromString", lambda *given: given)
    assert from_string("reactor", text, LIMITS, OF_EVERYBODY, asked, SECURE) == [("reactor", text)]


def test_what_twisted_listens_on_takes_no_preambles_of_ours() -> None:
    with pytest.raises(ConfigError, match="'bogus:0': --proxy-protocol needs haproxy: in front"):
        from_string(Clock(), "bogus:0", LIMITS, OF_EVERYBODY, OF_SOME, SECURE)


UNIT = "the .socket unit"


@pytest.mark.parametrize(
    ("text", "asked_for", "expected"),
    [
        ("systemd:", (None, None), [(3, 7, UNIT), (5, 7, UNIT)]),
        ("systemd", (None, None), [(3, 7, UNIT), (5, 7, UNIT)]),
        ("systemd:name=http", ("http", None), [(3, 7, UNIT), (5, 7, UNIT)]),
        ("systemd:index=1", (None, 1), [(3, 7, UNIT), (5, 7, UNIT)]),
        ("SystemD:INET6:http", ("http", None), [(3, 7, "INET6", UNIT), (5, 7, "INET6", UNIT)]),
        ("systemd:domain=UNIX:index=0", (None, 0), [(3, 7, "UNIX", UNIT), (5, 7, "UNIX", UNIT)]),
    ],
)
def test_all_that_was_passed_and_chosen_is_listened_on(
    monkeypatch: pytest.MonkeyPatch,
    bound: list[Any],
    ports: list[PortDouble],
    text: str,
    asked_for: Any,
    expected: list[Any],
) -> None:
    def chosen(*given: Any) -> list[int]:
        assert given == asked_for
        return [3, 5]

    monkeypatch.setattr(activation, "chosen", chosen)
    for before, carry in (("", NativeTransport), ("haproxy:", OF_EVERYBODY.carry)):
        for one in strings(before + text):
            one.listen(Factory()).addErrback(lambda _: None).cancel()
            assert ports.pop().arguments[-1] == carry
        assert bound == [("inherited_listener", *each) for each in expected]
        bound.clear()


def test_that_nothing_was_passed_is_told_when_it_is_listened_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def chosen(*_: Any) -> list[int]:
        raise StartupError("No sockets were passed.")

    monkeypatch.setattr(activation, "chosen", chosen)
    failures: list[Any] = []
    of_string("systemd:").listen(Factory()).addErrback(failures.append)
    assert failures[0].getErrorMessage() == "No sockets were passed."


def test_a_port_may_be_shared(bound: list[Any], ports: list[PortDouble]) -> None:
    endpoints.tcp(Clock(), "", 80, LIMITS, shared=True).listen(Factory())
    assert bound == [("tcp_listener", "", 80, 7, "shared")]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("haproxy:tcp:80", (True, "tcp:80")),
        ("HAProxy:tcp:80", (True, "tcp:80")),
        ("haproxy", (True, "")),
        ("tcp:80", (False, "tcp:80")),
        ("unix:haproxy:", (False, "unix:haproxy:")),
        ("", (False, "")),
    ],
)
def test_a_string_says_whether_a_proxy_is_before_it(text: str, parts: Any) -> None:
    assert behind_proxy(text) == parts


def test_what_twisted_does_not_know_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def server_from_string(reactor: Any, text: str) -> Any:
        raise ValueError(f"Unknown endpoint type: {text!r}")

    monkeypatch.setattr(twisteds, "serverFromString", server_from_string)
    with pytest.raises(ConfigError, match="Bad endpoint 'bogus': Unknown endpoint type: 'bogus'"):
        from_string(Clock(), "bogus", LIMITS, OF_EVERYBODY, None, SECURE)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("tcp", "missing a required argument: 'port'"),
        ("tcp:abc", "'abc' is not a number to base 10"),
        ("tcp:65536", "65536 is no port: those are from 0 to 65535"),
        ("tcp6:-1", "-1 is no port"),
        ("haproxy:tcp:70000", "70000 is no port"),
        (
            "tcp:80:interfaec=127.0.0.1",
            "got an unexpected keyword argument 'interfaec'; tcp: takes port, interface, backlog.",
        ),
        (
            "ssl:127.0.0.1:443:privateKey=k",
            "multiple values for argument 'privateKey'; ssl: takes port, privateKey, certKey, "
            "sslmethod, interface, backlog, extraCertChain, dhParameters.",
        ),
        ("tcp:80:127.0.0.1:9:9", "too many positional arguments"),
        ("tcp:80:backlog=many", "'many' is not a number"),
        ("tcp:80:backlog=2147483648", "2147483648 is no backlog: 2147483647 at most"),
        ("unix:", "missing a required argument: 'address'"),
        ("unix:/x:mode=999", "'999' is not a number to base 8"),
        ("fd:x", "'x' is not a number"),
        ("systemd:domain=IPX", "IPX is no domain: those are INET, INET6, UNIX"),
        ("systemd:name=a:index=0", "give name or index, not both"),
        ("systemd:index=first", "'first' is not a number to base 10"),
        ("systemd:index=-1", "-1 is no index: the first socket is 0"),
        ("haproxy:systemd:names=a", "unexpected keyword argument 'names'"),
        ("haproxy:tcp:abc", "'abc' is not a number to base 10"),
        ("ssl:443:sslmethod=TLSv1_METHOD", "sslmethod TLSv1_METHOD: TLS 1.2 is the oldest"),
        ("ssl", "missing a required argument: 'port'"),
        ("tls", "missing a required argument: 'path'"),
        ("ssl:443:privateKey=/nowhere.pem", "privateKey /nowhere.pem: not there."),
    ],
)
def test_a_string_that_names_no_endpoint_is_refused_with_its_fault(text: str, reason: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        from_string(Clock(), text, LIMITS, OF_EVERYBODY, None, SECURE)
    assert str(refusal.value).startswith(f"Bad endpoint {text!r}: ")
    assert reason in str(refusal.value)


def of_string(text: str) -> Any:
    [endpoint] = strings(text)
    return endpoint


@pytest.mark.parametrize(
    ("endpoint", "option"),
    [
        (of_string("unix:/nowhere/s"), "--endpoint"),
        (endpoints.unix(Clock(), "/nowhere/s", LIMITS), "--unix-socket"),
        (endpoints.unix(Clock(), "/nowhere/s", LIMITS, option="--admin-bind"), "--admin-bind"),
        (endpoints.tcp(Clock(), "a" * 64, 80, LIMITS, option="--admin-bind"), "--admin-bind"),
        (of_string(f"tcp:80:{'a' * 64}"), "--endpoint"),
    ],
)
def test_what_cannot_be_bound_names_the_option_that_asked_for_it(
    endpoint: NativeEndpoint, option: str
) -> None:
    failures: list[Any] = []
    endpoint.listen(Factory()).addErrback(failures.append)
    assert failures[0].getErrorMessage().endswith(f"; check {option}.")


@pytest.mark.parametrize(
    ("endpoint", "option"),
    [(of_string("fd:-1"), "--endpoint"), (endpoints.inherited(Clock(), -1, LIMITS), "--fd")],
)
def test_what_was_not_inherited_names_the_option_that_asked_for_it(
    endpoint: NativeEndpoint, option: str
) -> None:
    failures: list[Any] = []
    endpoint.listen(Factory()).addErrback(failures.append)
    assert f"; {option} needs the number of" in failures[0].getErrorMessage()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ("", [], {})),
        ("tcp", ("tcp", [], {})),
        ("tcp:80", ("tcp", ["80"], {})),
        ("tcp:80:", ("tcp", ["80"], {})),
        ("tcp:80:a=b=c", ("tcp", ["80"], {"a": "b=c"})),
        (r"unix:/a\:b\=c\\d", ("unix", [r"/a:b=c\d"], {})),
        ("unix:/a b", ("unix", ["/a b"], {})),
        (r"unix:address=/a\:b", ("unix", [], {"address": "/a:b"})),
    ],
)
def test_a_string_is_split_at_its_colons(text: str, parts: Any) -> None:
    assert parse(text) == parts
