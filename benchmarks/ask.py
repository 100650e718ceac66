"""One request and its answer, over each wire: whether a server is there, and answers rightly.

The standard library does not speak HTTP/2; ``curl`` does.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import subprocess
from typing import TYPE_CHECKING

from benchmarks.certificate import certificate
from benchmarks.model import Answer, Failed

if TYPE_CHECKING:
    from benchmarks.model import Scenario

READY_WITHIN = 30.0
"""Seconds that a server has for its first answer, and for each other that is asked for alone."""

# From another loopback address: a connection to a free port could otherwise meet itself.
_FROM = ("127.0.0.2", 0)

_CURL = ("curl", "--silent", "--show-error")
_TELL = "%{stderr}%{http_version} %{http_code}"


def ask(port: int, scenario: Scenario) -> Answer:
    """Send the scenario's request to a port of this machine and return the answer.

    Raises:
        OSError: if nobody listens, or the connection breaks.
        http.client.HTTPException: if the answer is not HTTP.
        Failed: if it is HTTP, but not HTTP/2 where that is asked for.
    """
    return _ASKED_BY[scenario.wire](port, scenario)


def _ask_http1(port: int, scenario: Scenario) -> Answer:
    request = scenario.request
    with contextlib.closing(_connection(port, tls=scenario.tls)) as connection:
        connection.request(
            request.method, request.path, request.body or None, dict(request.headers)
        )
        response = connection.getresponse()
        return Answer(response.read(), response.status)


def _connection(port: int, *, tls: bool) -> http.client.HTTPConnection:
    if not tls:
        return http.client.HTTPConnection(
            "127.0.0.1", port, timeout=READY_WITHIN, source_address=_FROM
        )
    return http.client.HTTPSConnection(
        "127.0.0.1",
        port,
        timeout=READY_WITHIN,
        source_address=_FROM,
        context=ssl.create_default_context(cafile=str(certificate().certificate)),
    )


def _ask_http2(port: int, scenario: Scenario) -> Answer:
    # The program is not worth starting before somebody listens.
    socket.create_connection(("127.0.0.1", port), READY_WITHIN, _FROM).close()
    ended = subprocess.run(_curl(port, scenario), capture_output=True, check=False)
    told = ended.stderr.decode(errors="replace").strip()
    if ended.returncode:
        raise ConnectionError(told)
    version, status = told.split()
    if version != "2":
        raise Failed(f"HTTP/{version} instead of HTTP/2")
    return Answer(ended.stdout, int(status))


def _curl(port: int, scenario: Scenario) -> list[str]:
    request = scenario.request
    assert not request.body
    tls = ["--http2", "--cacert", str(certificate().certificate)] if scenario.tls else []
    return [
        *_CURL,
        *(tls or ["--http2-prior-knowledge"]),
        *("--max-time", str(READY_WITHIN)),
        *("--write-out", _TELL),
        *("--request", request.method),
        *(word for pair in request.headers for word in ("--header", ": ".join(pair))),
        scenario.origin(port) + request.path,
    ]


_ASKED_BY = {
    "http": _ask_http1,
    "websocket": _ask_http1,
    "https": _ask_http1,
    "h2c": _ask_http2,
    "h2": _ask_http2,
}
