"""Who the client really is: believed from trusted peers only, walked from the right."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from daphne_like.exchange import Address, Fields, Request
from daphne_like.forwarded import NAMES, STYLES, Forwarded, Forwarding, XForwarded, client_of
from daphne_like.forwarded import forwarded as wrapped
from daphne_like.trust import Trusted

PROXY = ("127.0.0.1", 5000)
STRANGER = ("203.0.113.9", 1)
DEFAULT = ("for", "port", "proto")
EVERYTHING = tuple(NAMES)
X = {fact: name.decode() for fact, name in NAMES.items()}


def request(headers: Fields, client: Address | None = PROXY, path: bytes = b"/") -> Request:
    return Request("GET", path, b"", headers, "1.1", "http", b"x", client, ("127.0.0.1", 80))


def seen(
    headers: Fields,
    client: Address | None = PROXY,
    facts: tuple[str, ...] = EVERYTHING,
    style: type[Forwarding] = XForwarded,
    path: bytes = b"/",
    trust: str = "127.0.0.1,::1,unix",
    **names: bytes,
) -> Request:
    """The request as it is opened, behind the wrapper."""
    opened: list[Any] = []

    def open(request: Request, stream: Any) -> Any:
        opened.append((request, stream))
        return "exchange"

    given = request(headers, client, path)
    behind = wrapped(open, style(Trusted(trust, "--trust"), facts, names))
    assert behind(given, "stream") == "exchange"
    assert opened == [(given, "stream")]
    return given


def of(name: str, *values: bytes) -> Fields:
    return [(name.encode(), value) for value in values]


# --- Addresses --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "client"),
    [
        ("192.0.2.1", ("192.0.2.1", 0)),
        ("192.0.2.1:99", ("192.0.2.1", 99)),
        ("192.0.2.1:99999", ("192.0.2.1", 0)),
        ("192.0.2.1:_hidden", ("192.0.2.1", 0)),
        ("192.0.2.1:\xb2", ("192.0.2.1", 0)),
        ("2001:db8::1", ("2001:db8::1", 0)),
        ("[2001:DB8::1]", ("2001:db8::1", 0)),
        ("[2001:db8::1]:99", ("2001:db8::1", 99)),
        ("::ffff:192.0.2.1", ("192.0.2.1", 0)),
        ("[::ffff:c000:201]:99", ("192.0.2.1", 99)),
        ("[::1", None),
        ("::1]", None),
        ("fe80::1%eth0", None),
        ('fe80::1%"evil', None),
        ("192.0.2.1:" + "0" * 90, ("192.0.2.1", 0)),
        ("192.0.2.1:" + "0" * 91, None),
        ("unknown", None),
        ("_hidden", None),
        ("", None),
        ("\xff", None),
    ],
)
def test_an_address_has_a_port_or_not(text: str, client: Any) -> None:
    assert client_of(text) == client


# --- Whom to believe --------------------------------------------------------------------------

CLAIMS = [
    *((name, b"203.0.113.1") for name in NAMES.values()),
    (b"x-forwarded-user", b"root"),
    (b"x_forwarded_for", b"203.0.113.1"),
    (b"forwarded", b"for=203.0.113.1"),
    (b"daphne-root-path", b"/evil"),
    (b"daphne_root_path", b"/evil"),
    (b"x-real", b"203.0.113.1"),
]


@pytest.mark.parametrize("style", STYLES.values())
@pytest.mark.parametrize("client", [STRANGER, ("127.0.0.2", 5000), ("::2", 1)])
def test_of_a_peer_that_is_not_trusted_nothing_is_believed_or_left(
    style: type[Forwarding], client: Address
) -> None:
    headers = [(b"host", b"x"), *CLAIMS, (b"x-forwarding", b"a"), (b"accept", b"b")]
    extra = {"for": b"x-real"} if style is XForwarded else {}
    found = seen(headers.copy(), client, style=style, path=b"/p", **extra)
    others = [(b"x-real", b"203.0.113.1")] if not extra else []
    kept = [(b"host", b"x"), *others, (b"x-forwarding", b"a"), (b"accept", b"b")]
    assert found.headers == kept
    assert (found.client, found.peer, found.scheme) == (client, client, "http")
    assert (found.authority, found.root_path, found.raw_path) == (b"x", None, b"/p")


@pytest.mark.parametrize("client", [PROXY, ("::ffff:127.0.0.1", 1), ("::1", 1), None, ("/x", None)])
def test_a_trusted_peer_speaks_for_its_client(client: Address | None) -> None:
    found = seen(of("x-forwarded-for", b"192.0.2.1"), client)
    assert found.client == ("192.0.2.1", 0)
    assert found.peer == client


def test_a_request_that_says_nothing_is_left_alone() -> None:
    headers = [(b"host", b"x"), (b"accept", b"*/*"), (b"x-forwarded-user", b"me")]
    found = seen(headers)
    assert found.headers is headers
    assert headers == [(b"host", b"x"), (b"accept", b"*/*"), (b"x-forwarded-user", b"me")]
    assert found.client == found.peer == PROXY


def test_a_log_shows_what_is_believed_and_from_whom() -> None:
    trusted = Trusted("127.0.0.1,unix", "--trust")
    whom = "believed from 127.0.0.1 and Unix sockets"
    shown = "X-Forwarded-For, X-Forwarded-Port, X-Forwarded-Proto"
    assert str(XForwarded(trusted, DEFAULT)) == f"{shown} {whom}"
    assert str(XForwarded(trusted, ("host", "for"), {"for": b"x-real"})) == (
        f"X-Real, X-Forwarded-Host {whom}"
    )
    assert str(Forwarded(trusted, DEFAULT)) == f"Forwarded (for, proto) {whom}"


# --- X-Forwarded-For --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chain", "client", "left"),
    [
        (b"192.0.2.1", ("192.0.2.1", 0), b"192.0.2.1"),
        (b"192.0.2.1:99", ("192.0.2.1", 99), b"192.0.2.1:99"),
        (b"6.6.6.6, 192.0.2.1, 127.0.0.1", ("192.0.2.1", 0), b"192.0.2.1, 127.0.0.1"),
        (b"6.6.6.6,192.0.2.1 ,::ffff:127.0.0.1", ("192.0.2.1", 0), b"192.0.2.1, ::ffff:127.0.0.1"),
        (b"6.6.6.6,192.0.2.1", ("192.0.2.1", 0), b"192.0.2.1"),
        (b"127.0.0.1, 127.0.0.1", ("127.0.0.1", 0), b"127.0.0.1, 127.0.0.1"),
        (b"6.6.6.6, unknown, 127.0.0.1", ("127.0.0.1", 0), b"127.0.0.1"),
        (b"6.6.6.6, 127.0.0.1, , 127.0.0.1", ("127.0.0.1", 0), b"127.0.0.1"),
        (b"6.6.6.6, unknown", PROXY, None),
        (b"", PROXY, None),
        (b"_hidden", PROXY, None),
        (b"\xff", PROXY, None),
    ],
)
def test_the_client_is_the_first_from_the_right_that_is_not_trusted(
    chain: bytes, client: Address, left: bytes | None
) -> None:
    found = seen([*of("x-forwarded-for", chain), (b"a", b"b")])
    assert found.client == client
    assert found.headers == [*([(b"x-forwarded-for", left)] if left else []), (b"a", b"b")]


def test_several_fields_are_one_chain_and_become_one_field() -> None:
    headers = of("x-forwarded-for", b"6.6.6.6", b"192.0.2.1", b"127.0.0.1")
    found = seen([(b"a", b"b"), headers[0], (b"c", b"d"), *headers[1:]])
    assert found.client == ("192.0.2.1", 0)
    chain = (b"x-forwarded-for", b"192.0.2.1, 127.0.0.1")
    assert found.headers == [(b"a", b"b"), chain, (b"c", b"d")]


def test_where_everybody_is_trusted_the_left_most_counts() -> None:
    found = seen(of("x-forwarded-for", b"192.0.2.1, 192.0.2.2"), STRANGER, trust="*")
    assert found.client == ("192.0.2.1", 0)


address = st.sampled_from(
    [b"127.0.0.1", b"::1", b"192.0.2.7", b"[2001:db8::7]:7", b"unknown", b"", b'"', b"6.6.6.6"]
)
noise = st.one_of(st.binary(max_size=8), address, address)


@given(st.lists(noise, max_size=5), st.sampled_from(["192.0.2.99", "2001:db8::99"]), st.booleans())
def test_nothing_left_of_an_address_that_is_not_trusted_is_believed(
    left: list[bytes], stranger: str, several: bool
) -> None:
    chain = [*left, stranger.encode(), b"127.0.0.1"]
    values = chain if several else [b",".join(chain)]
    found = seen(of("x-forwarded-for", *values))
    assert found.client == (stranger, 0)
    assert found.headers == of("x-forwarded-for", b"%b, 127.0.0.1" % stranger.encode())


@given(st.lists(st.tuples(st.sampled_from([*NAMES.values(), b"forwarded", b"a"]), noise)))
@example([(b"x-forwarded-prefix", b"/%")])
def test_no_field_is_too_bad_to_read_and_what_is_left_is_not_read_otherwise(given: Fields) -> None:
    for style in STYLES.values():
        found = seen(given.copy(), style=style)
        again = seen(found.headers.copy(), style=style)
        assert (again.client, again.scheme) == (found.client, found.scheme)
        assert again.headers == found.headers


# --- Port, proto, host, prefix ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("port", "expected"),
    [(b"99", 99), (b" 99 ", 99), (b"98, 99", 99), (b"65536", 7), (b"x", 7), (b"", 7)],
)
def test_a_port_field_tells_the_clients_port(port: bytes, expected: int) -> None:
    fields = of("x-forwarded-port", port) + of("x-forwarded-for", b"192.0.2.1:7")
    found = seen(fields)
    assert found.client == ("192.0.2.1", expected)
    assert (b"x-forwarded-port", b"99") in found.headers or expected == 7


def test_without_an_address_the_client_is_the_peer_and_no_port_is_left() -> None:
    found = seen(of("x-forwarded-port", b"99"))
    assert found.client == PROXY
    assert found.headers == []


@pytest.mark.parametrize(
    ("given", "scheme", "left"),
    [
        (b"https", "https", b"https"),
        (b" HTTPS ", "https", b"HTTPS"),
        (b"http", "http", b"http"),
        (b"wss", "https", b"wss"),
        (b"ws", "http", b"ws"),
        (b"gopher", "http", None),
        (b"http, https", "https", b"https"),
        (b"https,http", "http", b"http"),
        (b"https,", "http", None),
    ],
)
def test_the_scheme_is_the_last_that_the_peer_has_written(
    given: bytes, scheme: str, left: bytes | None
) -> None:
    expected = of("x-forwarded-proto", *([left] if left else []))
    for values in ([given], given.split(b",")):
        found = seen(of("x-forwarded-proto", *values))
        assert (found.scheme, found.headers) == (scheme, expected)


@pytest.mark.parametrize(
    ("given", "host"),
    [
        (b"mysite.example", b"mysite.example"),
        (b"mysite.example:8443", b"mysite.example:8443"),
        (b"[2001:db8::1]:1", b"[2001:db8::1]:1"),
        (b"evil.example, mysite.example", b"mysite.example"),
        (b"my site", b"x"),
        (b"a/b", b"x"),
        (b"user@mysite", b"x"),
        (b"", b"x"),
    ],
)
def test_a_host_replaces_the_one_that_the_proxy_has_asked_for(given: bytes, host: bytes) -> None:
    found = seen([(b"a", b"b"), (b"host", b"x"), *of("x-forwarded-host", given)])
    assert found.authority == host
    left = [] if host == b"x" else of("x-forwarded-host", host)
    assert found.headers == [(b"a", b"b"), (b"host", host), *left]


def test_a_host_comes_to_a_request_that_has_none() -> None:
    found = seen([(b"a", b"b"), *of("x-forwarded-host", b"mysite")])
    assert found.headers == [(b"host", b"mysite"), (b"a", b"b"), (b"x-forwarded-host", b"mysite")]


@pytest.mark.parametrize(
    ("given", "root_path", "path"),
    [
        (b"/forum", "/forum", b"/forum/a"),
        (b"/forum/", "/forum", b"/forum/a"),
        (b"/a/b", "/a/b", b"/a/b/a"),
        (b"/caf%C3%A9", "/caf\xe9", b"/caf%C3%A9/a"),
        (b"/evil, /forum", "/forum", b"/forum/a"),
        (b"/", "", b"/a"),
        (b"", "", b"/a"),
        (b"forum", None, b"/a"),
        (b"//evil.example", None, b"/a"),
        (b"/a//b", None, b"/a"),
        (b"/a?b", None, b"/a"),
        (b"/a#b", None, b"/a"),
        (b"/a b", None, b"/a"),
        (b"/%zz", None, b"/a"),
        (b"/\xff", None, b"/a"),
    ],
)
def test_a_prefix_that_was_cut_off_is_put_back(
    given: bytes, root_path: str | None, path: bytes
) -> None:
    found = seen(of("x-forwarded-prefix", given), path=b"/a")
    assert (found.root_path, found.raw_path) == (root_path, path)
    assert bool(found.headers) is (root_path is not None)


def test_a_target_that_is_no_path_has_no_prefix() -> None:
    found = seen(of("x-forwarded-prefix", b"/forum"), path=b"*")
    assert (found.root_path, found.raw_path) == (None, b"*")


def test_the_header_of_daphne_names_a_root_path_that_was_not_cut_off() -> None:
    fields = of("daphne-root-path", b"/caf%C3%A9")
    found = seen([(b"host", b"x"), *fields, (b"a", b"b")], facts=DEFAULT)
    assert (found.root_path, found.raw_path) == ("/caf\xe9", b"/")
    assert found.headers == [(b"host", b"x"), (b"a", b"b")]
    assert seen(fields, style=Forwarded).root_path == "/caf\xe9"


# --- Which fields -----------------------------------------------------------------------------

GOOD = {
    "for": b"192.0.2.1",
    "port": b"7",
    "proto": b"https",
    "host": b"mysite",
    "prefix": b"/forum",
}


@pytest.mark.parametrize("left_out", EVERYTHING)
def test_a_fact_that_the_proxy_does_not_tell_is_not_believed_of_its_client(left_out: str) -> None:
    fields = [(NAMES[fact], value) for fact, value in GOOD.items()]
    facts = tuple(fact for fact in EVERYTHING if fact != left_out)
    found = seen([(b"host", b"x"), *fields, (b"forwarded", b"for=6.6.6.6")], facts=facts)
    told = {
        "for": found.client != PROXY,
        "port": found.client == ("192.0.2.1", 7),
        "proto": found.scheme == "https",
        "host": found.authority == b"mysite",
        "prefix": found.root_path == "/forum",
    }
    untold = {"for", "port"} if left_out == "for" else {left_out}
    assert {fact for fact, believed in told.items() if not believed} == untold
    host = b"x" if left_out == "host" else b"mysite"
    left = [field for field in fields if field[0] not in {NAMES[fact] for fact in untold}]
    assert found.headers == [(b"host", host), *left]


def test_the_fields_can_have_other_names() -> None:
    headers = [*of("x-forwarded-for", b"6.6.6.6"), *of("x-forwarded-port", b"6")]
    headers += [(b"x-real", b"192.0.2.1"), (b"x-real-port", b"99")]
    found = seen(headers, port=b"x-real-port", **{"for": b"x-real"})
    assert found.client == ("192.0.2.1", 99)
    assert found.headers == [(b"x-real", b"192.0.2.1"), (b"x-real-port", b"99")]


def test_a_name_may_have_an_underscore() -> None:
    headers = [(b"x-real", b"6.6.6.6"), (b"x_real", b"192.0.2.1")]
    found = seen(headers, **{"for": b"x_real"})
    assert found.client == ("192.0.2.1", 0)
    assert found.headers == [(b"x_real", b"192.0.2.1")]
    assert seen(headers.copy(), STRANGER, **{"for": b"x_real"}).headers == []


# --- Whom nobody has named --------------------------------------------------------------------


def told_of(peers: list[Address | None], headers: Fields, now: list[float]) -> None:
    forwarding = XForwarded(Trusted("127.0.0.1", "--trust"), DEFAULT, None, lambda: now.pop(0))
    for peer in peers:
        forwarding.apply(request([*headers], peer))


SAID = "Headers of proxies are not believed from {}, and removed: it is not in --trust"


def test_the_first_header_that_is_dropped_of_a_peer_is_told_of(caplog) -> None:
    told_of([STRANGER, STRANGER, PROXY], of(X["for"], b"192.0.2.1"), [1.0])
    assert caplog.messages == [SAID.format("203.0.113.9")]
    assert caplog.records[0].levelname == "WARNING"


def test_the_peer_of_a_unix_socket_has_no_address(caplog) -> None:
    told_of([None], of("forwarded", b"for=192.0.2.1"), [1.0])
    assert caplog.messages == [SAID.format("a Unix socket")]


def test_of_a_request_without_such_headers_nothing_is_told(caplog) -> None:
    told_of([STRANGER], of("accept", b"*/*"), [])
    assert caplog.messages == []


def test_many_peers_are_told_of_by_number_and_not_remembered_without_end(caplog) -> None:
    crowd: list[Address | None] = [(f"peer {number}", 1) for number in range(1025)]
    told_of([*crowd, crowd[0]], of(X["for"], b"192.0.2.1"), [1.0] * 1025 + [11.0])
    assert caplog.messages == [
        SAID.format("peer 0"),
        f"{SAID.format('peer 0')}, and 1024 others before",
    ]
