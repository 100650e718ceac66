"""The ways in which both ends come to speak HTTP/2, and what they need for it."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import Any, NamedTuple

from tests.live.serving import Serving
from tests.support.certificates import authority, client_context, localhost


class Way(NamedTuple):
    """How HTTP/2 is agreed on: the server's options, and those of clients.

    ``verify`` is what clients in Python know of TLS.
    """

    scheme: str
    server: tuple[str, ...] = ()
    curl: tuple[str, ...] = ("--http2-prior-knowledge",)
    verify: ssl.SSLContext | bool = False

    def base(self, server: Serving) -> str:
        """Where `server` is."""
        host, port = server.addresses[0]
        return f"{self.scheme}://{host}:{port}"

    def connect(self, server: Serving, index: int = 0, before: bytes = b"") -> socket.socket:
        """A connection on which HTTP/2 is agreed on; something may be said before that."""
        plain = server.connect(index)
        plain.sendall(before)
        if not isinstance(self.verify, ssl.SSLContext):
            return plain
        client = self.verify.wrap_socket(plain, server_hostname="localhost")
        assert client.selected_alpn_protocol() == "h2"
        return client

    @property
    def httpx(self) -> dict[str, Any]:
        """The options of a client of httpx."""
        known = {"http1": self.scheme == "https", "http2": True, "verify": self.verify}
        return known | {"trust_env": False}


IN_THE_CLEAR = Way("http")


def encrypted(directory: Path) -> Way:
    """By TLS, which agrees on it (ALPN); the certificates are kept in `directory`."""
    chain, key = localhost().write(directory)
    trusted = directory / "ca.pem"
    trusted.write_bytes(authority().pem)
    context = client_context()
    context.set_alpn_protocols(["h2"])
    pair = "--ssl-certfile", chain, "--ssl-keyfile", key
    return Way("https", pair, ("--http2", "--cacert", str(trusted)), context)
