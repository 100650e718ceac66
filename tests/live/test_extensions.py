"""Extensions of ASGI, as curl sees them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator

import pytest

from tests.live.serving import PATIENCE, Serving

EARLY, FILE, PATH, TRAILERS = (
    f"http.response.{name}" for name in ("early_hint", "zerocopysend", "pathsend", "trailers")
)


@pytest.fixture(scope="module")
def server() -> Iterator[Serving]:
    with Serving("served:extended") as running:
        yield running


@pytest.fixture
def shown(server: Serving, tool: Callable[[str], str]) -> Callable[..., str]:
    """All that curl gets, heads and trailers too."""

    def run(*options: str) -> str:
        host, port = server.addresses[0]
        command = [tool("curl"), "-sS", "-i", "--max-time", str(PATIENCE), *options]
        done = subprocess.run(
            [*command, f"http://{host}:{port}/"], capture_output=True, text=True, check=True
        )
        return done.stdout

    return run


def test_who_reads_trailers_gets_them(shown):
    got = shown("--http1.1", "-H", "TE: trailers", "-H", "Connection: TE")
    hints, head, body = got.replace("\r", "").split("\n\n", 2)
    assert hints == "HTTP/1.1 103 Early Hints\nlink: </style.css>; rel=preload"
    assert head.startswith("HTTP/1.1 200 OK\n")
    assert "transfer-encoding: chunked" in head
    assert f"{EARLY} {PATH} {TRAILERS} {FILE}" in body
    assert "x-checksum: 42" in got


def test_who_does_not_gets_the_rest(shown):
    got = shown("--http1.1")
    assert "103 Early Hints" in got
    assert got.endswith(f"{EARLY} {PATH} {FILE}")
    assert "x-checksum" not in got


def test_an_old_client_gets_nothing_that_it_does_not_know(shown):
    got = shown("--http1.0")
    assert got.startswith("HTTP/1.1 200 OK")
    assert "link:" not in got
    assert "x-checksum" not in got
