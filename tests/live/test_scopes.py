"""What a scope offers, and what it tells of TLS, on each wire: what is true, and no more."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.live.http2_client import Client
from tests.live.raw_websocket import first_message, frames_in
from tests.live.serving import Serving
from tests.support.certificates import authority, client_context, localhost

WIRES = pytest.mark.parametrize("version", ["1.1", "2"])
SECURE = pytest.mark.parametrize("scheme", ["http", "https"])
TE = (b"te", b"trailers")
HINTS, PUSH, TRAILERS, BY_PATH, BY_FILE = (
    f"http.response.{name}"
    for name in ("early_hint", "push", "trailers", "pathsend", "zerocopysend")
)
FILES = {BY_PATH, BY_FILE}
ALWAYS = {
    ("1.1", "http"): {HINTS} | FILES,
    ("1.1", "https"): {HINTS, "tls"},
    ("2", "http"): {HINTS} | FILES,
    ("2", "https"): {HINTS, "tls"} | FILES,
}


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def server(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """In the clear at its first address, and over TLS at its second."""
    place = tmp_path_factory.mktemp("tls")
    chain, key = localhost().write(place)
    trusted = place / "ca.pem"
    trusted.write_bytes(authority().pem)
    places = "tcp:0:interface=127.0.0.1", f"ssl:0:{key}:{chain}:interface=127.0.0.1"
    options = [part for place in places for part in ("-e", place)]
    asked = "--ssl-cert-reqs", "optional", "--ssl-ca-certs", str(trusted), "--loop", request.param
    with Serving("encrypted:told", *options, *asked, port=False, listens=2) as running:
        yield running


def connected(
    server: Serving, version: str, scheme: str, context: ssl.SSLContext | None = None
) -> socket.socket:
    """A connection on which that version is agreed on."""
    if scheme == "http":
        return server.connect(0)
    context = context or client_context()
    context.set_alpn_protocols(["h2" if version == "2" else "http/1.1"])
    return context.wrap_socket(server.connect(1), server_hostname="localhost")


def told(
    connection: socket.socket, version: str, scheme: str, *fields: Any, pushes: bool = False
) -> dict[str, Any]:
    """What the application is told of a request."""
    if version == "2":
        client = Client(connection, scheme, pushes=pushes)
        stream = client.ask("/", None, *fields)
        client.wait_until(lambda: stream in client.closed)
        return json.loads(client.bodies[stream])  # type: ignore[no-any-return]
    asking = http.client.HTTPConnection("localhost")
    asking.sock = connection
    asking.request("GET", "/", headers={name.decode(): value for name, value in fields})
    return json.loads(asking.getresponse().read())  # type: ignore[no-any-return]


def told_to_socket(connection: socket.socket, version: str, scheme: str) -> dict[str, Any]:
    """What the application is told of a WebSocket."""
    if version == "1.1":
        return json.loads(first_message(connection))  # type: ignore[no-any-return]
    client = Client(connection, scheme)
    stream = client.open()
    client.wait_until(lambda: frames_in(client.bodies.get(stream, b"")))
    return json.loads(frames_in(client.bodies[stream])[0][1])  # type: ignore[no-any-return]


# --- What is offered --------------------------------------------------------------------------


@WIRES
@SECURE
@pytest.mark.parametrize("fields", [[], [TE]], ids=["plain", "TE"])
def test_what_works_is_offered_and_nothing_else(server, version, scheme, fields) -> None:
    with closing(connected(server, version, scheme)) as connection:
        seen = told(connection, version, scheme, *fields)
    assert (seen["http_version"], seen["scheme"]) == (version, scheme)
    assert set(seen["offered"]) == ALWAYS[version, scheme] | {TRAILERS for _ in fields}


@SECURE
def test_pushes_are_offered_for_clients_that_take_them(server, scheme) -> None:
    with closing(connected(server, "2", scheme)) as connection:
        seen = told(connection, "2", scheme, pushes=True)
    assert set(seen["offered"]) == ALWAYS["2", scheme] | {PUSH}


@WIRES
@SECURE
def test_a_websocket_is_offered_a_denial(server, version, scheme) -> None:
    with closing(connected(server, version, scheme)) as connection:
        seen = told_to_socket(connection, version, scheme)
    assert (seen["http_version"], seen["scheme"]) == (version, scheme.replace("http", "ws"))
    tls = {"tls"} if scheme == "https" else set()
    assert set(seen["offered"]) == {"websocket.http.response"} | tls


# --- What is told of TLS ----------------------------------------------------------------------


@WIRES
@pytest.mark.parametrize("ask", [told, told_to_socket], ids=["HTTP", "WebSocket"])
def test_tls_is_told_of_with_and_without_a_clients_certificate(
    server, version, ask, tmp_path: Path
) -> None:
    shown = authority().issue("client")
    for context, name, chain in (
        (client_context(), None, []),
        (client_context(shown, tmp_path), "CN=client", [shown.own.decode()]),
    ):
        with closing(connected(server, version, "https", context)) as connection:
            suite = ssl_suite(connection)
            seen = ask(connection, version, "https")["tls"]
        authorities = [authority().pem.decode()] if chain else []
        assert seen == {
            "server_cert": localhost().own.decode(),
            "client_cert_chain": chain + authorities,
            "client_cert_name": name,
            "client_cert_error": None,
            "tls_version": 0x0304,
            "cipher_suite": suite,
        }


def ssl_suite(connection: Any) -> int:
    """The number of the suite of ciphers that the client has agreed on (RFC 8446, B.4)."""
    suites = "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"
    return 0x1301 + suites.index(connection.cipher()[0])
