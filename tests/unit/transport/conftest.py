"""The event loop that the native transports run on, taken by hand."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.certificates import localhost
from tests.unit.transport.arrivals import Arrival
from tests.unit.transport.fakes import Loop


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Loop:
    made = Loop()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: made)
    return made


@pytest.fixture(scope="session")
def server_context(tmp_path_factory: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(localhost().write_in_one(tmp_path_factory.mktemp("server")))
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


@pytest.fixture
def arrive(loop: Loop, server_context: ssl.SSLContext) -> Iterator[Callable[..., Arrival]]:
    """Makes connections; whatever becomes of one, it leaves nothing where all of them write."""
    made: list[Arrival] = []

    def arrive(protocol: Any, **more: Any) -> Arrival:
        made.append(Arrival(loop, protocol, server_context, **more))
        return made[-1]

    yield arrive
    assert not any(each.secured.outgoing.pending for each in made)
