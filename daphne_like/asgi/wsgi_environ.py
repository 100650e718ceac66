"""From an ASGI scope to the environ of WSGI: the only file that spells its keys.

PEP 3333, "environ Variables", and CGI 1.1 (RFC 3875) behind it. This module must not know what
is done with the environ.
"""

from __future__ import annotations

from typing import Any

from daphne_like.asgi.scope import Scope
from daphne_like.exchange import Fields
from daphne_like.targets import unescaped

_PORTS = {"http": "80", "https": "443"}

_OF_THEIR_OWN = {b"content-type": "CONTENT_TYPE", b"content-length": "CONTENT_LENGTH"}
"""Fields that CGI knows by name, without ``HTTP_``."""


class _Names(dict[bytes, str | None]):
    """What a field is called in an environ, ``None`` for one that must not be in it.

    ``X_User`` and ``X-User`` would be one: who sends the first would speak for a proxy that
    sets the second. And ``Proxy`` would be a variable by which clients are told their proxy
    (CVE-2016-5385). A number of names are remembered, then forgotten.
    """

    def __missing__(self, name: bytes) -> str | None:
        known = _OF_THEIR_OWN.get(name)
        if known is None and b"_" not in name and name != b"proxy":
            known = "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
        if len(self) >= 1024:
            self.clear()
        self[name] = known
        return known


_NAMES = _Names()


def environ_of(scope: Scope) -> dict[str, Any]:
    """What CGI says of a request, with the fields of its head; strings are bytes as Latin-1."""
    script, path = _paths(scope)
    query = scope["query_string"].decode("latin-1")
    raw_path = scope["raw_path"].decode("latin-1")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": script,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "REQUEST_URI": f"{raw_path}?{query}" if query else raw_path,
        "SERVER_PROTOCOL": "HTTP/" + scope["http_version"],
        "SERVER_SOFTWARE": "daphne-like",
        "REMOTE_ADDR": "",
        "wsgi.url_scheme": scope["scheme"],
    }
    _add_fields(environ, scope["headers"])
    environ["SERVER_NAME"], environ["SERVER_PORT"] = _server(scope, environ.get("HTTP_HOST", ""))
    if scope["client"] is not None:
        host, port = scope["client"]
        environ["REMOTE_ADDR"] = host
        if port is not None:
            environ["REMOTE_PORT"] = str(port)
    if scope["scheme"] == "https":
        environ["HTTPS"] = "on"
    return environ


def _paths(scope: Scope) -> tuple[str, str]:
    """Where the application is mounted, and the rest of the path.

    A proxy in front may have cut the first off already.
    """
    raw = scope["raw_path"]
    path = unescaped(raw).decode("latin-1")
    script = scope["root_path"].rstrip("/").encode().decode("latin-1")
    if script and (path == script or path.startswith(script + "/")):
        path = path[len(script) :]
    return script, path


def _add_fields(environ: dict[str, Any], fields: Fields) -> None:
    """Fields that come several times are one, in their order (RFC 9110, section 5.3)."""
    for name, value in fields:
        key = _NAMES[name]
        if key is None:
            continue
        text = value.decode("latin-1")
        if key in environ:
            between = "; " if key == "HTTP_COOKIE" else ","
            text = environ[key] + between + text
        environ[key] = text


def _server(scope: Scope, asked: str) -> tuple[str, str]:
    """A name and a port, which may not be empty: a Unix socket has those that were asked for."""
    server = scope["server"]
    if server is not None and server[1] is not None:
        return server[0], str(server[1])
    name, colon, port = asked.rpartition(":")
    if not (colon and port.isdecimal()):
        name, port = asked, _PORTS.get(scope["scheme"], "80")
    return name or "localhost", port
