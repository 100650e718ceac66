"""Where a server listens: bound ahead or in time, announced, paused and closed together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import fail, succeed
from twisted.internet.task import Clock

from daphne_like.errors import StartupError
from daphne_like.listening import Listening
from daphne_like.orders import SHARES, Orders
from daphne_like.proxies import Proxies
from daphne_like.transport.shares import Shares
from daphne_like.wire.shared import DefaultFields, Shared
from tests.support.certificates import localhost
from tests.unit.asgi.fakes import run
from tests.unit.fakes import House

INSECURE = {"insecure_bind": (("127.0.0.1", 80),), "https_port": 443}


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[House, Listening]]:
    """Make the listeners of a configuration, with doubles of their endpoints."""

    def make(**options: Any) -> tuple[House, Listening]:
        at = House(monkeypatch, **options)
        config = at.config
        shared = Shared(lambda *_: None, Clock(), config.limits, DefaultFields())  # type: ignore[arg-type,return-value]
        return at, Listening(config, at, shared, Proxies(config))

    return make


def test_every_port_is_told_of_once_all_listen(made, caplog):
    caplog.set_level(logging.INFO)
    at, listening = made(endpoints=("tcp:1", "ssl:2"), proxy_protocol=True, **INSECURE)
    run(listening.listen())
    assert listening.ports == at.ports
    assert caplog.messages == [
        "Listening on http://127.0.0.1:0",
        "Listening on https://127.0.0.1:1",
        "Redirecting to https from http://127.0.0.1:2",
        "PROXY protocol: required from 127.0.0.1, ::1 and Unix sockets",
    ]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (StartupError("in use."), "in use."),
        (OSError("no device"), "Cannot listen on tcp:2: no device."),
    ],
)
def test_one_that_cannot_listen_says_why_and_none_is_told_of(made, caplog, fault, said):
    caplog.set_level(logging.INFO)
    at, listening = made(endpoints=("tcp:1", "tcp:2", "tcp:3"))
    at.listening = lambda port: fail(fault) if port.number else succeed(port)
    with pytest.raises(StartupError) as failure:
        run(listening.listen())
    assert str(failure.value) == said
    assert listening.ports == at.ports[:1], "they are closed by a stop"
    assert caplog.messages == []


def test_all_are_paused_and_closed_together(made):
    async def main() -> None:
        await listening.listen()
        listening.pause()
        assert [port.paused for port in at.ports] == [True, True]
        listening.resume()
        assert [port.paused for port in at.ports] == [False, False]
        await listening.stop()
        assert [port.open for port in at.ports] == [False, False]
        assert listening.ports == []

    at, listening = made(**INSECURE)
    run(main())


def test_a_port_that_does_not_close_is_logged_and_the_others_close(made, caplog):
    async def main() -> None:
        await listening.listen()
        at.ports[0].stopListening = lambda: 1 / 0
        await listening.stop()
        assert at.ports[1].open is False

    at, listening = made(endpoints=("tcp:1", "tcp:2"))
    run(main())
    assert caplog.messages == ["A port did not close cleanly:"]
    assert caplog.records[0].exc_info[0] is ZeroDivisionError


def test_all_can_be_bound_ahead_and_are_given_back_by_a_stop(made):
    at, listening = made(**INSECURE)
    listening.bind()
    assert at.bound == ["bound", "bound"]
    assert at.ports == []
    run(listening.stop())
    assert at.bound[2:] == ["unbound", "unbound"]


def test_where_one_cannot_be_bound_none_is(made):
    def bind() -> None:
        if len(at.bound) == 2:
            raise StartupError("in use.")

    at, listening = made(**INSECURE)
    at.binding = bind
    with pytest.raises(StartupError, match="in use"):
        listening.bind()
    assert at.bound == ["bound", "bound", "unbound", "unbound"]


def test_what_is_twisteds_own_is_bound_when_it_listens(made, monkeypatch):
    at, listening = made()
    monkeypatch.delattr(House, "bind")
    listening.bind()
    assert at.bound == []
    run(listening.listen())
    assert listening.ports == at.ports


def test_certificates_are_read_first_and_kept_up_to_date_once_it_listens(made, tmp_path):
    async def main() -> None:
        assert clock.getDelayedCalls() == []
        await listening.listen()
        assert clock.getDelayedCalls()
        listening.encryption.stop()
        await asyncio.sleep(0)

    at, listening = made(ssl_certfile=localhost().write_in_one(tmp_path))
    assert at.secured[0].identity.context
    clock: Any = listening.encryption._clock
    run(main())
    assert clock.getDelayedCalls() == []


# --- Workers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("own", [True, False])
def test_a_worker_listens_on_what_its_supervisor_has_bound(made, tmp_path, own) -> None:
    at, listening = made(endpoints=("tcp:1", "tcp:2"), reuse_port=own, **INSECURE)
    sockets = {"tcp:1": 5, "tcp:2": 6, "127.0.0.1:80": 7}
    other = Shares(tmp_path / SHARES, 2)
    listening.share(Orders(1, 1, sockets, 9, str(tmp_path)))
    assert [fileno for fileno, _ in at.taken] == [5, 6, 7]
    yields = {yields for _, yields in at.taken}
    if own:
        assert yields == {None}
        return
    [is_ahead] = yields
    listening._shared.connections.update([1, 2, 3])
    assert not is_ahead()
    other.is_ahead(0)
    assert is_ahead()
    run(listening.stop())
    assert not other.is_ahead(9), "it is not there any more"
