"""Who the client really is, when trusted proxies say so.

Runs once, on the request, before its exchange, for every wire. Only a peer on the trust
list is believed; from it the addresses are walked right to left, past every trusted proxy,
to the first that is not trusted, so that what a client sent itself is never taken. This
module must not know a wire, nor ASGI.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import unquote

from daphne_like.errors import ConfigError
from daphne_like.exchange import Address, Exchange, Fields, Open, Request, Stream

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Host = ipaddress.IPv4Address | ipaddress.IPv6Address

ROOT_PATH = b"daphne-root-path"
_SCHEMES = frozenset((b"http", b"https"))


class Trusted:
    """The peers that may speak for others: addresses, networks, ``unix``, or ``*`` for all."""

    def __init__(self, text: str) -> None:
        words = [word.strip() for word in text.split(",") if word.strip()]
        self.everybody = "*" in words
        self.unix = self.everybody or "unix" in words
        self._networks = [_network(word) for word in words if word not in ("*", "unix")]

    def peer(self, client: Address | None) -> bool:
        """Whether the peer of a connection is trusted; a Unix socket's has no port."""
        if client is None or client[1] is None:
            return self.unix
        return self.host(client[0])

    def host(self, host: str) -> bool:
        """Whether the address `host` is trusted; what is no address is not."""
        if self.everybody:
            return True
        try:
            address = _host(host)
        except ValueError:
            return False
        return any(address in network for network in self._networks)


def _network(word: str) -> _Network:
    try:
        return ipaddress.ip_network(word if "/" in word else _host(word))
    except ValueError as error:
        raise ConfigError(f"--forwarded-allow-ips {word!r}: {error}.") from None


def _host(text: str) -> _Host:
    """An address; an IPv4 client of an IPv6 socket is known by its IPv4 address.

    Raises :class:`ValueError`.
    """
    address = ipaddress.ip_address(text)
    return getattr(address, "ipv4_mapped", None) or address


@dataclass(frozen=True, slots=True)
class ForwardedHeaders:
    """The names, in lower case, of the fields that speak of the client."""

    address: bytes = b"x-forwarded-for"
    port: bytes = b"x-forwarded-port"
    scheme: bytes = b"x-forwarded-proto"


def forwarded(open: Open, trusted: Trusted, names: ForwardedHeaders) -> Open:
    """Wrap `open`: a trusted peer's request is about the client that the peer names."""

    def open_forwarded(request: Request, stream: Stream) -> Exchange:
        if trusted.peer(request.client):
            rewrite(request, trusted, names)
        return open(request, stream)

    return open_forwarded


def rewrite(request: Request, trusted: Trusted, names: ForwardedHeaders) -> None:
    """Set client, scheme and root path of `request` to what its fields say."""
    said = dict(request.headers)
    if names.address in said:
        client = _client(_all(request.headers, names.address), trusted)
        if client is not None:
            port = said.get(names.port, b"").strip()
            request.on_behalf_of((client[0], int(port) if _is_port(port) else client[1]))
    # Of several, the last is what the peer itself has written.
    scheme = said.get(names.scheme, b"").rpartition(b",")[2].strip().lower()
    if scheme in _SCHEMES:
        request.scheme = scheme.decode()
    if ROOT_PATH in said:
        request.root_path = unquote(said[ROOT_PATH].decode("latin-1"))
        request.headers[:] = [field for field in request.headers if field[0] != ROOT_PATH]


def _all(headers: Fields, wanted: bytes) -> list[str]:
    values = b",".join(value for name, value in headers if name == wanted)
    return [part.strip() for part in values.decode("latin-1").split(",")]


def _client(chain: list[str], trusted: Trusted) -> tuple[str, int] | None:
    """The first address from the right that is not trusted; the leftmost if all are."""
    found = None
    for text in reversed(chain):
        address = _address(text)
        if address is None:
            break
        found = address
        if not trusted.host(address[0]):
            break
    return found


def _address(text: str) -> tuple[str, int] | None:
    """An address with or without a port; ``None`` for anything else."""
    host, port = text, ""
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        port = port.removeprefix(":")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    try:
        return str(_host(host)), int(port) if _is_port(port.encode()) else 0
    except ValueError:
        return None


def _is_port(text: bytes) -> bool:
    return text.isdigit() and len(text) <= 5 and int(text) <= 65535
