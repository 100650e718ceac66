"""From an ASGI scope to the scope of RSGI 1.6, as Granian fills it.

This module must not know what the application does with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from daphne_like.asgi.scope import Scope as ASGIScope
from daphne_like.exchange import Address, Fields, spelled

VERSION = "1.6"

_PROTOCOLS = {"http": "http", "websocket": "ws"}
_SCHEMES = {"ws": "http", "wss": "https"}


class Headers:
    """The request's fields: a mapping of names, in any case, to their first values."""

    __slots__ = ("_all",)

    def __init__(self, fields: Fields) -> None:
        self._all: dict[str, list[str]] = {}
        for name, value in fields:
            self._all.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._all

    def __getitem__(self, name: str) -> str:
        return self._all[name.lower()][0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def get(self, name: str, default: Any = None) -> Any:
        """The first value of that name."""
        values = self._all.get(name.lower())
        return values[0] if values else default

    def get_all(self, name: str) -> list[str]:
        """All values of that name, in their order."""
        return list(self._all.get(name.lower(), ()))

    def keys(self) -> list[str]:
        """Each name once, in lower case."""
        return list(self._all)

    def values(self) -> list[str]:
        """All values, also those of a name that came several times."""
        return [value for values in self._all.values() for value in values]

    def items(self) -> list[tuple[str, str]]:
        """All names and values, one pair for each field."""
        return [(name, value) for name, values in self._all.items() for value in values]


class Scope:
    """What a request, or a WebSocket, is.

    ``proto`` is ``"http"`` or ``"ws"``, ``http_version`` ``"1"``, ``"1.1"`` or ``"2"``;
    ``scheme`` is ``"http"`` or ``"https"`` of both; ``server`` and ``client`` are
    ``address:port``; ``path`` is decoded and ``query_string`` is not; ``authority`` is that of
    HTTP/2, which has no ``host`` field of its own.
    """

    __slots__ = (
        "_headers",
        "_scope",
        "authority",
        "client",
        "http_version",
        "method",
        "path",
        "proto",
        "query_string",
        "rsgi_version",
        "scheme",
        "server",
    )

    def __init__(self, scope: ASGIScope) -> None:
        self._scope = scope
        self._headers: Headers | None = None
        self.proto = _PROTOCOLS[scope["type"]]
        self.http_version = "1" if scope["http_version"] == "1.0" else scope["http_version"]
        self.rsgi_version = VERSION
        self.server = _spelled(scope["server"])
        self.client = _spelled(scope["client"])
        self.scheme = _SCHEMES.get(scope["scheme"], scope["scheme"])
        self.method = scope.get("method", "GET")
        self.path = scope["path"]
        self.query_string = scope["query_string"].decode("utf-8", "replace")
        self.authority = None if self.http_version[0] == "1" else self.headers.get("host")

    @property
    def headers(self) -> Headers:
        """The request's fields."""
        if self._headers is None:
            self._headers = Headers(self._scope["headers"])
        return self._headers


def _spelled(address: Address | None) -> str:
    """A Unix socket is its path, and its client mostly nothing."""
    if address is None:
        return ""
    host, port = address
    return f"unix:{host}" if port is None else spelled(host, port)
