"""Who the client really is: believed from trusted peers only, walked from the right."""

from __future__ import annotations

from typing import Any

import pytest

from daphne_like.errors import ConfigError
from daphne_like.exchange import Address, Fields, Request
from daphne_like.forwarded import ForwardedHeaders, Trusted, forwarded

PROXY = ("127.0.0.1", 5000)


def request(headers: Fields, client: Address | None = PROXY) -> Request:
    return Request("GET", b"/", b"", headers, "1.1", "http", b"x", client, ("127.0.0.1", 80))


def seen(
    headers: Fields,
    client: Address | None = PROXY,
    trust: str = "127.0.0.1,::1,unix",
    names: ForwardedHeaders | None = None,
) -> Request:
    """The request as it is opened, behind the wrapper."""
    opened: list[Any] = []

    def open(request: Request, stream: Any) -> Any:
        opened.append((request, stream))
        return "exchange"

    given = request(headers, client)
    wrapped = forwarded(open, Trusted(trust), names or ForwardedHeaders())
    assert wrapped(given, "stream") == "exchange"
    assert opened == [(given, "stream")]
    return given


def said(address: bytes = b"192.0.2.1", *more: tuple[bytes, bytes]) -> Fields:
    return [(b"host", b"x"), (b"x-forwarded-for", address), *more]


# --- Whom to believe --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trust", "client", "believed"),
    [
        ("127.0.0.1", ("127.0.0.1", 1), True),
        ("127.0.0.1", ("127.0.0.2", 1), False),
        (" 10.0.0.0/8 , ::1", ("10.9.8.7", 1), True),
        ("10.0.0.0/8,::1", ("::1", 1), True),
        ("10.0.0.0/8", ("::1", 1), False),
        ("127.0.0.1", ("::ffff:127.0.0.1", 1), True),
        ("127.0.0.0/8", ("::ffff:7f00:1", 1), True),
        ("::ffff:127.0.0.1", ("127.0.0.1", 1), True),
        ("unix", None, True),
        ("unix", ("/run/proxy.sock", None), True),
        ("unix", ("127.0.0.1", 1), False),
        ("127.0.0.1", None, False),
        ("*", None, True),
        ("*", ("203.0.113.9", 1), True),
        ("", ("127.0.0.1", 1), False),
        ("", None, False),
    ],
)
def test_only_trusted_peers_are_believed(
    trust: str, client: Address | None, believed: bool
) -> None:
    found = seen(said(b"192.0.2.1"), client, trust)
    assert (found.client == ("192.0.2.1", 0)) is believed
    assert believed or found.client == client


def test_what_is_no_address_is_not_trusted() -> None:
    assert not Trusted("127.0.0.1").host("localhost")


@pytest.mark.parametrize("word", ["localhost", "10.0.0.1/8", "1.2.3"])
def test_a_trust_list_with_nonsense_is_refused(word: str) -> None:
    with pytest.raises(ConfigError, match=f"--forwarded-allow-ips '{word}'"):
        Trusted(f"127.0.0.1,{word}")


# --- Who the client is ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chain", "client"),
    [
        (b"192.0.2.1", ("192.0.2.1", 0)),
        (b"192.0.2.1:99", ("192.0.2.1", 99)),
        (b"192.0.2.1:99999", ("192.0.2.1", 0)),
        (b"2001:db8::1", ("2001:db8::1", 0)),
        (b"[2001:DB8::1]", ("2001:db8::1", 0)),
        (b"[2001:db8::1]:99", ("2001:db8::1", 99)),
        (b"::ffff:192.0.2.1", ("192.0.2.1", 0)),
        (b"[::ffff:c000:201]:99", ("192.0.2.1", 99)),
        (b"6.6.6.6, 192.0.2.1, 127.0.0.1", ("192.0.2.1", 0)),
        (b"6.6.6.6, 192.0.2.1, ::ffff:127.0.0.1", ("192.0.2.1", 0)),
        (b"6.6.6.6,192.0.2.1", ("192.0.2.1", 0)),
        (b"127.0.0.1, 127.0.0.1", ("127.0.0.1", 0)),
        (b"6.6.6.6, unknown, 127.0.0.1", ("127.0.0.1", 0)),
        (b"6.6.6.6, unknown", PROXY),
        (b"", PROXY),
        (b"_hidden", PROXY),
        (b"[::1", ("::1", 0)),
        (b"\xff", PROXY),
    ],
)
def test_the_client_is_the_first_from_the_right_that_is_not_trusted(
    chain: bytes, client: Address
) -> None:
    assert seen(said(chain)).client == client


def test_several_fields_are_one_chain() -> None:
    headers = [*said(b"6.6.6.6"), (b"x-forwarded-for", b"192.0.2.1, 127.0.0.1")]
    assert seen(headers).client == ("192.0.2.1", 0)


@pytest.mark.parametrize(
    ("port", "expected"), [(b"99", 99), (b" 99 ", 99), (b"65536", 7), (b"x", 7), (b"", 7)]
)
def test_a_port_field_tells_the_clients_port(port: bytes, expected: int) -> None:
    headers = said(b"192.0.2.1:7", (b"x-forwarded-port", port))
    assert seen(headers).client == ("192.0.2.1", expected)


def test_without_an_address_the_client_is_the_peer() -> None:
    assert seen([(b"x-forwarded-port", b"99")]).client == PROXY


def test_the_fields_can_have_other_names() -> None:
    names = ForwardedHeaders(b"x-real", b"x-real-port")
    headers = said(b"6.6.6.6", (b"x-real", b"192.0.2.1"), (b"x-real-port", b"99"))
    assert seen(headers, names=names).client == ("192.0.2.1", 99)


@pytest.mark.parametrize(
    ("scheme", "expected"),
    [
        (b"https", "https"),
        (b" HTTPS ", "https"),
        (b"http", "http"),
        (b"gopher", "http"),
        (b"http, https", "https"),
        (b"https,http", "http"),
        (b"https,", "http"),
    ],
)
def test_the_scheme_is_the_last_that_the_peer_has_written(scheme: bytes, expected: str) -> None:
    assert seen([(b"x-forwarded-proto", scheme)]).scheme == expected
    several = [(b"x-forwarded-proto", value) for value in scheme.split(b",")]
    assert seen(several).scheme == expected


def test_a_root_path_is_decoded_and_not_shown_to_the_application() -> None:
    found = seen([(b"host", b"x"), (b"daphne-root-path", b"/caf%C3%A9"), (b"a", b"b")])
    assert found.root_path == "/caf\xe9"
    assert found.headers == [(b"host", b"x"), (b"a", b"b")]


def test_a_root_path_of_anybody_is_left_alone() -> None:
    found = seen([(b"daphne-root-path", b"/evil")], ("203.0.113.9", 1))
    assert found.root_path is None
