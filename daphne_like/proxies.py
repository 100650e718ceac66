"""What a configuration says about the proxies in front: whom to believe, and what.

This module must not know how a proxy says it: that is ``forwarded``'s for headers and the
transport's for the PROXY protocol.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import Any

from twisted.internet.address import UNIXAddress

from daphne_like.config import Config, facts
from daphne_like.errors import ConfigError
from daphne_like.exchange import Open
from daphne_like.forwarded import STYLES, forwarded
from daphne_like.request_id import identified
from daphne_like.transport.arrival import Roll
from daphne_like.transport.endpoints import behind_proxy
from daphne_like.transport.proxied import Preambles
from daphne_like.trust import Trusted
from daphne_like.wire.shared import address_of


class Proxies:
    """The proxies in front of one server; raises :class:`ConfigError`."""

    def __init__(self, config: Config) -> None:
        self._config = config
        given = {"for": config.proxy_headers_host, "port": config.proxy_headers_port}
        names = {fact: name.lower().encode("ascii") for fact, name in given.items() if name}
        self._of_headers = Trusted(config.forwarded_allow_ips, "--forwarded-allow-ips")
        self._of_protocol = Trusted(config.proxy_protocol_allow_ips, "--proxy-protocol-allow-ips")
        self._headers = STYLES[config.forwarded_style](self._of_headers, facts(config), names)
        self._request_id = (config.request_id or "").lower().encode()
        if config.proxy_headers and self._headers.speaks(self._request_id):
            taken = f"--request-id {config.request_id} is a header of --proxy-headers"
            raise ConfigError(f"{taken}; try X-Request-ID.")

    def before(self, open: Open) -> Open:
        """Wrap `open`, where what they say of a client, or call a request, is believed."""
        if self._config.proxy_headers:
            open = forwarded(open, self._headers)
        if self._request_id:
            open = identified(open, self._of_headers, self._request_id)
        return open

    def preambles(self, roll: Roll) -> tuple[Preambles, Preambles | None]:
        """What ``haproxy:`` before an endpoint asks for, and what ``--proxy-protocol`` does."""
        some = Preambles(roll, self._speaks) if self._config.proxy_protocol else None
        return Preambles(roll), some

    def _speaks(self, peer: Any) -> bool:
        return self._of_protocol.peer(address_of(peer))

    def announced(self, hosts: Iterable[Any]) -> Iterator[tuple[int, str]]:
        """Levels and lines for the log of a server that listens on `hosts`."""
        config = self._config
        if config.proxy_headers:
            yield logging.INFO, f"Proxy headers: {self._headers}"
        if config.proxy_protocol:
            yield logging.INFO, f"PROXY protocol: required from {self._of_protocol}"
        for text in config.endpoints:
            if behind_proxy(text)[0]:
                yield logging.INFO, f"PROXY protocol: required from everybody on {text}"
        if all(isinstance(host, UNIXAddress) for host in hosts):
            return
        for used, trusted in (
            (config.proxy_headers, self._of_headers),
            (config.proxy_protocol, self._of_protocol),
        ):
            if used and trusted.everybody:
                yield logging.WARNING, f"{trusted.option} '*': who can connect can be anybody"
