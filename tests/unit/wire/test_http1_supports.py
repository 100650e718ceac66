"""What a connection's stream supports: by its client's version, its TE, and its transport."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from daphne_like.testing import MemoryWire
from tests.support.http1 import Served, answering

Serve = Callable[..., Served]
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
FILES = {"pathsend", "zerocopysend"}


def supported(served: Served) -> set[str]:
    """The names of the last stream's extensions, without what they all begin with."""
    names = served.last.stream.supports
    assert all(name.startswith("http.response.") for name in names)
    return {name.removeprefix("http.response.") for name in names}


@pytest.mark.parametrize("files", [FILES, set()])
@pytest.mark.parametrize(
    ("head", "names"),
    [
        (GET, {"early_hint"}),
        (GET.replace(b"\r\n\r\n", b"\r\nTE: trailers\r\n\r\n"), {"early_hint", "trailers"}),
        (b"GET / HTTP/1.0\r\n\r\n", set()),
    ],
)
def test_a_stream_supports_what_its_client_and_its_transport_do(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, head: bytes, names: set[str], files: set[str]
) -> None:
    monkeypatch.setattr(MemoryWire, "sends_files", bool(files))
    assert supported(serve().send(head)) == names | files


def test_each_request_has_its_own(serve: Serve) -> None:
    served = serve(ended=answering()).send(GET.replace(b"Host", b"TE: trailers\r\nHost"))
    served.send(GET)
    assert supported(served) == FILES | {"early_hint"}
