"""A client that no server trusts, and what it would like to be believed."""

from __future__ import annotations

from typing import Any

import httpx

from tests.examples.serving import PATIENCE

STRANGER = "127.0.0.2"
"""An address of this machine that is not on the default list of trusted peers."""

CLAIMS = {
    "X-Forwarded-For": "192.0.2.7",
    "X-Forwarded-Port": "7",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded-User": "root",
    "Forwarded": "for=192.0.2.7;proto=https",
    "Daphne-Root-Path": "/evil",
}


class Stranger(httpx.Client):
    """A client of one connection, at `STRANGER`; `port` is its own, once it has connected."""

    def __init__(self) -> None:
        transport = httpx.HTTPTransport(local_address=STRANGER)
        super().__init__(transport=transport, timeout=PATIENCE)
        self.port = 0

    def send(self, *given: Any, **more: Any) -> httpx.Response:
        response = super().send(*given, **more)
        self.port = response.extensions["network_stream"].get_extra_info("client_addr")[1]
        return response
