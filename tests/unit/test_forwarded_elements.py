"""The header Forwarded: the element that names the client tells of its request (RFC 7239)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daphne_like.exchange import Address
from daphne_like.forwarded import Forwarded
from tests.unit.test_forwarded import DEFAULT, PROXY, noise, of, seen


@pytest.mark.parametrize(
    ("value", "client", "scheme", "left"),
    [
        (b"for=192.0.2.1", ("192.0.2.1", 0), "http", b"for=192.0.2.1"),
        (b'for="192.0.2.1:7"', ("192.0.2.1", 7), "http", b'for="192.0.2.1:7"'),
        (b'For="[2001:db8::1]:_x"', ("2001:db8::1", 0), "http", b'For="[2001:db8::1]:_x"'),
        (b"for=6.6.6.6;proto=https, for=192.0.2.1", ("192.0.2.1", 0), "http", b"for=192.0.2.1"),
        (
            b"for=192.0.2.1;proto=https,for=127.0.0.1;proto=http",
            ("192.0.2.1", 0),
            "https",
            b"for=192.0.2.1;proto=https, for=127.0.0.1;proto=http",
        ),
        (b'for="6.6.6.6, for=192.0.2.1', ("192.0.2.1", 0), "http", b"for=192.0.2.1"),
        (b"for=6.6.6.6, for=unknown;proto=wss", PROXY, "https", b"for=unknown;proto=wss"),
        (b"for=6.6.6.6, for=_x, for=127.0.0.1", ("127.0.0.1", 0), "http", b"for=_x, for=127.0.0.1"),
        (b"for=6.6.6.6, proto=https", PROXY, "https", b"proto=https"),
        (b"for=6.6.6.6, for=[::1]", PROXY, "http", None),
        (b"for=6.6.6.6, nonsense, for=127.0.0.1", ("127.0.0.1", 0), "http", b"for=127.0.0.1"),
        (b"for=127.0.0.1;proto=gopher", ("127.0.0.1", 0), "http", b"for=127.0.0.1;proto=gopher"),
        (b"", PROXY, "http", None),
    ],
)  # fmt: skip
def test_the_element_that_names_the_client_tells_of_its_request(
    value: bytes, client: Address, scheme: str, left: bytes | None
) -> None:
    claims = of("x-forwarded-for", b"6.6.6.6") + of("x-forwarded-proto", b"https")
    found = seen([*of("forwarded", value), *claims], facts=DEFAULT, style=Forwarded)
    assert (found.client, found.scheme) == (client, scheme)
    assert found.headers == of("forwarded", *([left] if left else []))


def test_several_fields_are_one_list() -> None:
    fields = of("forwarded", b"for=6.6.6.6", b"for=192.0.2.1;proto=https", b"for=127.0.0.1")
    found = seen(fields, style=Forwarded)
    assert (found.client, found.scheme) == (("192.0.2.1", 0), "https")
    assert found.headers == of("forwarded", b"for=192.0.2.1;proto=https, for=127.0.0.1")


@pytest.mark.parametrize(("host", "authority"), [(b"mysite:1", b"mysite:1"), (b"a b", b"x")])
def test_an_element_tells_the_host_where_it_is_to_be_believed(host, authority) -> None:
    headers = [(b"host", b"x"), (b"forwarded", b'for=192.0.2.1;host="%b"' % host)]
    assert seen(headers.copy(), style=Forwarded).authority == authority
    assert seen(headers.copy(), style=Forwarded, facts=DEFAULT).authority == b"x"


def test_without_addresses_the_last_element_is_the_peers() -> None:
    found = seen(
        of("forwarded", b"proto=https, for=127.0.0.1;proto=http"),
        style=Forwarded,
        facts=("proto",),
    )
    assert (found.client, found.scheme) == (PROXY, "http")
    assert found.headers == of("forwarded", b"for=127.0.0.1;proto=http")


@given(st.lists(noise, max_size=5), st.sampled_from(["192.0.2.99", "2001:db8::99"]))
def test_no_element_left_of_one_that_is_not_trusted_is_believed(
    left: list[bytes], stranger: str
) -> None:
    believed = b'for="[%b]";proto=http, for=127.0.0.1' % stranger.encode()
    chain = [b"for=%b;proto=https" % text for text in left]
    found = seen(of("forwarded", b",".join([*chain, believed])), style=Forwarded)
    assert (found.client, found.scheme) == ((stranger, 0), "http")
    assert found.headers == of("forwarded", believed)
