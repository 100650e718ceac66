"""From a request to an ASGI scope: the only place that spells a scope's keys.

ASGI 3.0; HTTP and WebSocket sub-specifications 2.5, lifespan 2.0. This module must not know where a
request came from, nor what becomes of it.
"""

from __future__ import annotations

from typing import Any, Final, NoReturn

from daphne_like.exchange import Request
from daphne_like.handshake import offered_protocols
from daphne_like.targets import unescaped

Scope = dict[str, Any]
Message = dict[str, Any]


_REFUSED = "an extension of the scope cannot be changed"


class _Nothing(dict[str, Any]):
    """What an extension without parameters says: nothing, for good, since all requests share it."""

    def __setitem__(self, key: str, value: Any) -> NoReturn:
        raise TypeError(_REFUSED)

    def __ior__(self, other: Any) -> NoReturn:  # type: ignore[misc]
        raise TypeError(_REFUSED)

    def setdefault(self, *_: Any) -> NoReturn:
        raise TypeError(_REFUSED)

    def update(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError(_REFUSED)


class _Paths(dict[bytes, str]):
    """Decoded paths; a number of short ones are remembered, then forgotten."""

    def __missing__(self, raw: bytes) -> str:
        path = decoded_path(raw)
        if len(raw) < 256:
            if len(self) >= 1024:
                self.clear()
            self[raw] = path
        return path


_PATHS: Final = _Paths()


class _Extensions(dict[frozenset[str], dict[str, dict[str, Any]]]):
    """What a scope says for what a stream supports: there are few kinds of streams."""

    def __missing__(self, supports: frozenset[str]) -> dict[str, dict[str, Any]]:
        extensions: dict[str, dict[str, Any]] = dict.fromkeys(supports, _Nothing())
        self[supports] = extensions
        return extensions


_EXTENSIONS: Final = _Extensions()


def http_scope(
    request: Request, root_path: str, supports: frozenset[str], state: dict[str, Any] | None
) -> Scope:
    """The scope of one HTTP request; every call makes new containers.

    ``extensions`` names only what works on this connection; ``state`` is there only where
    the application's lifespan is, as a shallow copy ("a copy of the namespace passed into
    the lifespan").
    """
    raw_path = request.raw_path
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": request.http_version,
        "method": request.method,
        "scheme": request.scheme,
        "path": _PATHS[raw_path],
        "raw_path": raw_path,
        "query_string": request.query,
        "root_path": root_path if request.root_path is None else request.root_path,
        "headers": request.headers,
        "client": request.client,
        "server": request.server,
        "extensions": _EXTENSIONS[supports].copy(),
    }
    if request.tls is not None:
        scope["extensions"]["tls"] = _own_copy(request.tls)
    if state is not None:
        scope["state"] = state.copy()
    return scope


def _own_copy(tls: dict[str, Any]) -> dict[str, Any]:
    """All requests of a connection share what it says; no application changes it for others."""
    return tls | {"client_cert_chain": list(tls["client_cert_chain"])}


_SOCKET_SCHEMES = {"http": "ws", "https": "wss"}
_SOCKET_EXTENSIONS = frozenset(("websocket.http.response",))


def websocket_scope(request: Request, root_path: str, state: dict[str, Any] | None) -> Scope:
    """The scope of one WebSocket; every call makes new containers."""
    scope = http_scope(request, root_path, _SOCKET_EXTENSIONS, state)
    del scope["method"]
    return scope | {
        "type": "websocket",
        "scheme": _SOCKET_SCHEMES.get(request.scheme, request.scheme),
        "subprotocols": offered_protocols(request),
    }


def decoded_path(raw: bytes) -> str:
    """The path "with percent-encoded sequences and UTF-8 byte sequences decoded"."""
    return unescaped(raw).decode("utf-8", "replace")


def lifespan_scope(state: dict[str, Any]) -> Scope:
    """The scope of the application's lifespan in this process."""
    return {
        "type": "lifespan",
        "asgi": {"version": "3.0", "spec_version": "2.0"},
        "state": state,
    }
