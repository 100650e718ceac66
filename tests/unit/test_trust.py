"""Whom to believe: what the words of a list mean, and how a log shows it."""

from __future__ import annotations

import pytest

from daphne_like.errors import ConfigError
from daphne_like.exchange import Address
from daphne_like.trust import Trusted, host_address


def trusting(text: str) -> Trusted:
    return Trusted(text, "--trust")


@pytest.mark.parametrize(
    ("text", "client", "believed"),
    [
        ("127.0.0.1", ("127.0.0.1", 1), True),
        ("127.0.0.1", ("127.0.0.2", 1), False),
        (" 10.0.0.0/8 , ::1", ("10.9.8.7", 1), True),
        ("10.0.0.0/8,::1", ("::1", 1), True),
        ("10.0.0.0/8", ("::1", 1), False),
        ("2001:db8::/32", ("2001:db8:1::1", 1), True),
        ("2001:db8::/32", ("2001:db9::1", 1), False),
        ("127.0.0.1", ("::ffff:127.0.0.1", 1), True),
        ("127.0.0.0/8", ("::ffff:7f00:1", 1), True),
        ("::ffff:127.0.0.1", ("127.0.0.1", 1), True),
        ("::ffff:10.0.0.0/104", ("10.9.8.7", 1), True),
        ("::ffff:10.0.0.0/104", ("::ffff:10.9.8.7", 1), True),
        ("::ffff:10.0.0.0/104", ("11.0.0.0", 1), False),
        ("::ffff:0:0/96", ("192.0.2.1", 1), True),
        ("::fffe:0:0/95", ("192.0.2.1", 1), False),
        ("fe80::/10", ("fe80::1%eth0", 1), False),
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
def test_a_peer_is_trusted_if_a_word_of_the_list_means_it(
    text: str, client: Address | None, believed: bool
) -> None:
    trusted = trusting(text)
    assert trusted.peer(client) is believed
    assert trusted.peer(client) is believed, "also when it comes again"


def test_what_is_no_address_is_not_trusted() -> None:
    assert not trusting("127.0.0.1").host("localhost")


@pytest.mark.parametrize(
    "word", ["localhost", "10.0.0.1/8", "1.2.3", "fe80::1%eth0", "::ffff:10.0.0.1/104"]
)
def test_a_list_with_nonsense_is_refused(word: str) -> None:
    with pytest.raises(ConfigError, match=f"--trust '{word}'"):
        trusting(f"127.0.0.1,{word}")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("127.0.0.1,::1,unix", "127.0.0.1, ::1 and Unix sockets"),
        ("10.0.0.0/8, unix", "10.0.0.0/8 and Unix sockets"),
        ("127.0.0.1", "127.0.0.1"),
        ("::1, 127.0.0.1", "::1 and 127.0.0.1"),
        ("unix", "Unix sockets"),
        ("127.0.0.1,*", "everybody"),
        ("", "nobody"),
    ],
)
def test_a_log_shows_who_is_trusted(text: str, shown: str) -> None:
    assert str(trusting(text)) == shown


def test_an_ipv4_address_in_ipv6_is_the_ipv4_address() -> None:
    assert str(host_address("::ffff:192.0.2.1")) == "192.0.2.1"
    assert str(host_address("2001:DB8::0:1")) == "2001:db8::1"
