"""Whom to believe: a list of addresses, as an operator writes it.

This module must not know what is believed, nor who asks.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from daphne_like.errors import ConfigError
from daphne_like.exchange import Address

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Host = ipaddress.IPv4Address | ipaddress.IPv6Address

_REMEMBER_AT_MOST = 1024
_MAPPED = 96
"""Bits in front of an IPv4 address in its IPv6 form (RFC 4291, section 2.5.5.2)."""


class Trusted:
    """The peers that may speak for others: addresses, networks, ``unix``, or ``*`` for all.

    `option` is where `text` was given. Raises :class:`ConfigError` for a word that is none
    of these.
    """

    def __init__(self, text: str, option: str) -> None:
        words = [word.strip() for word in text.split(",") if word.strip()]
        self.option = option
        self.everybody = "*" in words
        self._unix = self.everybody or "unix" in words
        self._words = [word for word in words if word not in ("*", "unix")]
        self._networks = [_network(word, option) for word in self._words]
        # A server has few proxies, and each sends many requests.
        self.host = lru_cache(_REMEMBER_AT_MOST)(self._trusts)

    def peer(self, client: Address | None) -> bool:
        """Whether the peer of a connection is trusted; a Unix socket's has no port."""
        if client is None or client[1] is None:
            return self._unix
        return self.host(client[0])

    def _trusts(self, host: str) -> bool:
        """Whether the address `host` is trusted; what is no address is not."""
        if self.everybody:
            return True
        try:
            address = host_address(host)
        except ValueError:
            return False
        return any(address in network for network in self._networks)

    def __str__(self) -> str:
        if self.everybody:
            return "everybody"
        *most, last = [*self._words, "Unix sockets"] if self._unix else self._words or ["nobody"]
        return f"{', '.join(most)} and {last}" if most else last


def host_address(text: str) -> _Host:
    """An address; an IPv4 client of an IPv6 socket is known by its IPv4 address.

    Raises :class:`ValueError`, also for an address with a zone, which means nothing to others.
    """
    if "%" in text:
        raise ValueError(f"{text!r} has a zone")
    address = ipaddress.ip_address(text)
    return getattr(address, "ipv4_mapped", None) or address


def _network(word: str, option: str) -> _Network:
    try:
        network = ipaddress.ip_network(word if "/" in word else host_address(word))
    except ValueError as error:
        raise ConfigError(f"{option} {word!r}: {error}.") from None
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is None:
        return network
    return ipaddress.IPv4Network((mapped, network.prefixlen - _MAPPED))
