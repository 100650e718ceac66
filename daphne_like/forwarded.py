"""Who the client really is, and what it asked for, when trusted proxies say so.

Runs once, on the request, before its exchange, for every wire. Only a peer on the trust
list is believed; from it the addresses are walked right to left, past every trusted proxy,
to the first that is not trusted, so that what a client sent itself is never taken. What is
not believed is removed: an application that looks for itself finds nothing made up. This
module must not know a wire, nor ASGI.
"""

from __future__ import annotations

import logging
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import lru_cache
from urllib.parse import unquote

from daphne_like.errors import RemoteFault
from daphne_like.exchange import Exchange, Field, Fields, Open, Request, Stream
from daphne_like.headers import host_of
from daphne_like.rfc7239 import elements
from daphne_like.tally import Tally, and_others
from daphne_like.trust import Trusted, host_address

_logger = logging.getLogger("daphne_like.server")

NAMES = {
    "for": b"x-forwarded-for",
    "port": b"x-forwarded-port",
    "proto": b"x-forwarded-proto",
    "host": b"x-forwarded-host",
    "prefix": b"x-forwarded-prefix",
}
"""What a proxy can say, and the field, its name in lower case, in which it says it."""

_REMEMBER_AT_MOST = 1024
"""Clients: most send many requests. And peers that are not believed, and were told of."""

_LONGEST = 100
"""Characters of an address with brackets and a port, and more than these need."""

FORWARDED = b"forwarded"
ROOT_PATH = b"daphne-root-path"

_SCHEMES = {b"http": "http", b"https": "https", b"ws": "http", b"wss": "https"}

_PREFIX = re.compile(rb"((?:/(?:[A-Za-z0-9\-._~!$&'()*+;=:@]|%[0-9A-Fa-f]{2})+)*)/?")
"""No segment is empty: a browser takes what follows ``//`` for a host."""


class Said:
    """What proxies say about one request; ``None`` where they say nothing.

    `fields` are the believed ones, each with the part of its value that is.
    """

    __slots__ = ("client", "fields", "host", "prefix", "root_path", "scheme")

    def __init__(self) -> None:
        self.fields: dict[bytes, bytes] = {}
        self.client: tuple[str, int] | None = None
        self.scheme: str | None = None
        self.host: bytes | None = None
        self.prefix: bytes | None = None
        self.root_path: bytes | None = None

    # Each takes a value if it can be one, and tells whether it did.

    def take_port(self, value: bytes) -> bool:
        """The client's port; it means nothing without an address."""
        if self.client is None or not _is_port(value):
            return False
        self.client = self.client[0], int(value)
        return True

    def take_scheme(self, value: bytes) -> bool:
        """The scheme of the client's request; for a WebSocket, of its handshake."""
        self.scheme = _SCHEMES.get(value.lower())
        return self.scheme is not None

    def take_host(self, value: bytes) -> bool:
        """The ``Host`` of the client's request."""
        try:
            self.host = host_of(value) or None
        except RemoteFault:
            self.host = None
        return self.host is not None

    def take_prefix(self, value: bytes) -> bool:
        """The beginning of the path, which the proxy has cut off."""
        found = _PREFIX.fullmatch(value)
        self.prefix = found[1] if found else None
        return found is not None

    def only(self, spoken: Fields) -> bool:
        """Whether the fields `spoken` are just what is believed, as from an only proxy."""
        fields = self.fields
        return self.host is None and len(spoken) == len(fields) and dict(spoken) == fields

    def tell(self, request: Request) -> None:
        """Let `request` be what is said."""
        if self.client is not None:
            request.on_behalf_of(self.client)
        if self.scheme is not None:
            request.scheme = self.scheme
        if self.host is not None:
            request.authority = self.host
        if self.prefix is not None and request.raw_path.startswith(b"/"):
            # The root path is a part of the path: what was cut off is put back.
            request.root_path = unquote(self.prefix.decode("ascii"))
            request.raw_path = self.prefix + request.raw_path
        if self.root_path is not None:
            request.root_path = unquote(self.root_path.decode("latin-1"))


_TAKE = {
    "port": Said.take_port,
    "proto": Said.take_scheme,
    "host": Said.take_host,
    "prefix": Said.take_prefix,
}


class Forwarding(ABC):
    """Which fields are believed, and from whom.

    `facts` are keys of :data:`NAMES`; `names` has the fields that are called otherwise. `now` is a
    clock in seconds.
    """

    def __init__(
        self,
        trusted: Trusted,
        facts: Collection[str],
        names: Mapping[str, bytes] | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._trusted = trusted
        every = NAMES | dict(names or {})
        # In the table's order: a port comes after its address.
        self._names = {fact: name for fact, name in every.items() if fact in facts}
        speaking = (*NAMES.values(), *every.values(), FORWARDED, ROOT_PATH)
        self._speaking = frozenset(name.replace(b"_", b"-") for name in speaking)
        self._strangers: set[str] = set()
        self._newcomers = Tally(now)

    def apply(self, request: Request) -> None:
        """Let `request` be the client's, and remove what is not believed."""
        if self._trusted.peer(request.client):
            self._believe(request)
        else:
            self._disbelieve(request)

    # Applications that know CGI's names take an underscore for a hyphen.

    def _believe(self, request: Request) -> None:
        headers, speaking = request.headers, self._speaking
        spoken = [field for field in headers if field[0].replace(b"_", b"-") in speaking]
        if spoken:
            said = self.read(spoken)
            said.root_path = dict(spoken).get(ROOT_PATH)
            said.tell(request)
            if not said.only(spoken):
                headers[:] = list(_kept(headers, said, frozenset(spoken)))

    def _disbelieve(self, request: Request) -> None:
        headers = request.headers
        kept = [field for field in headers if not self.speaks(field[0])]
        if len(kept) < len(headers):
            self._tell_of("a Unix socket" if request.client is None else request.client[0])
            headers[:] = kept

    def _tell_of(self, peer: str) -> None:
        """Warn once of each: an operator may have forgotten a proxy, or a client tries its luck."""
        if peer in self._strangers:
            return
        if len(self._strangers) == _REMEMBER_AT_MOST:
            self._strangers.clear()
        self._strangers.add(peer)
        if told := self._newcomers.count():
            _logger.warning(
                "Headers of proxies are not believed from %s, and removed: it is not in %s%s",
                peer,
                self._trusted.option,
                and_others(told),
            )

    def speaks(self, name: bytes) -> bool:
        """Whether a proxy may say something in the field `name`, which is in lower case."""
        name = name.replace(b"_", b"-")
        return name.startswith(b"x-forwarded-") or name in self._speaking

    @abstractmethod
    def read(self, spoken: Fields) -> Said:
        """What a trusted peer says by the fields `spoken`."""


def _kept(headers: Fields, said: Said, spoken: Collection[Field]) -> Iterator[Field]:
    """The fields for the application; a believed one is there once, where it first stood."""
    if said.host is not None and all(name != b"host" for name, _ in headers):
        yield b"host", said.host
    believed = said.fields.copy()
    for field in headers:
        name = field[0]
        if name in believed:
            yield name, believed.pop(name)
        elif name == b"host" and said.host is not None:
            yield name, said.host
        elif field not in spoken:
            yield field


class XForwarded(Forwarding):
    """Each fact has a field of its own, which a proxy appends to or replaces."""

    def __str__(self) -> str:
        names = ", ".join(name.decode("latin-1").title() for name in self._names.values())
        return f"{names} believed from {self._trusted}"

    def read(self, spoken: Fields) -> Said:
        said = Said()
        for fact, name in self._names.items():
            parts = _parts(spoken, name)
            believed = (
                self._walked(parts, said)
                if fact == "for"
                # Of several, the last is what the peer itself has written.
                else [part for part in parts[-1:] if _TAKE[fact](said, part)]
            )
            if believed:
                said.fields[name] = b", ".join(believed)
        return said

    def _walked(self, parts: list[bytes], said: Said) -> list[bytes]:
        """The addresses from the right up to the first that is not trusted."""
        for index in reversed(range(len(parts))):
            client = client_of(parts[index].decode("latin-1"))
            if client is None:
                return parts[index + 1 :]
            said.client = client
            if not self._trusted.host(client[0]):
                return parts[index:]
        return parts


class Forwarded(Forwarding):
    """All facts are in ``Forwarded``, to which each proxy appends an element (RFC 7239)."""

    def __str__(self) -> str:
        return f"Forwarded ({', '.join(self._facts)}) believed from {self._trusted}"

    @property
    def _facts(self) -> list[str]:
        """What an element can say; a port stands with its address."""
        return [fact for fact in ("for", "proto", "host") if fact in self._names]

    def read(self, spoken: Fields) -> Said:
        said = Said()
        texts: list[str] = []
        facts: dict[str, str] = {}
        for text, facts in elements(b", ".join(_parts(spoken, FORWARDED)).decode("latin-1")):
            texts.append(text)
            client = client_of(facts.get("for", "")) if "for" in self._names else None
            if client is None:
                break
            said.client = client
            if not self._trusted.host(client[0]):
                break
        if texts:
            said.fields[FORWARDED] = ", ".join(reversed(texts)).encode("latin-1")
        # The proxy that names the client is also the one that saw its request.
        for fact in self._facts:
            if fact in facts and fact != "for":
                _TAKE[fact](said, facts[fact].encode("latin-1"))
        return said


STYLES: dict[str, type[Forwarding]] = {"x-forwarded": XForwarded, "forwarded": Forwarded}


def forwarded(open: Open, forwarding: Forwarding) -> Open:
    """Wrap `open`: a trusted peer's request is about the client that the peer names."""

    def open_forwarded(request: Request, stream: Stream) -> Exchange:
        forwarding.apply(request)
        return open(request, stream)

    return open_forwarded


def _parts(spoken: Fields, wanted: bytes) -> list[bytes]:
    """The values of all fields `wanted`, as one list (RFC 9110, section 5.3)."""
    values = [value for name, value in spoken if name == wanted]
    return [part.strip() for part in b",".join(values).split(b",")] if values else []


def client_of(text: str) -> tuple[str, int] | None:
    """An address with its port, 0 where that is not known; ``None`` for anything else.

    So ``unknown`` and the hidden names of RFC 7239, section 6.3, are none.
    """
    return None if len(text) > _LONGEST else _client_of(text)


@lru_cache(_REMEMBER_AT_MOST)
def _client_of(text: str) -> tuple[str, int] | None:
    host, port = text, ""
    if text.startswith("["):
        host, bracket, port = text[1:].partition("]")
        if not bracket:
            return None
        port = port.removeprefix(":")
    elif text.count(":") == 1:  # More are an IPv6 address, as some write it.
        host, _, port = text.partition(":")
    said = port.encode("latin-1")
    try:
        return str(host_address(host)), int(said) if _is_port(said) else 0
    except ValueError:
        return None


def _is_port(text: bytes) -> bool:
    return text.isdigit() and len(text) <= 5 and int(text) <= 65535
