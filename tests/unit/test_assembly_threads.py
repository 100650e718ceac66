"""Applications whose code runs in threads: what the configuration makes of them, and their end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from daphne_like.asgi.threads import Threads, ThreadSensitive
from daphne_like.asgi.wsgi import WSGI
from daphne_like.assembly import application_of, asgi
from daphne_like.errors import ConfigError
from daphne_like.options import configure
from tests.unit.asgi.fakes import START, body
from tests.unit.asgi.threads import PATIENCE, run_for_real, until
from tests.unit.fakes import House


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> Callable[..., House]:
    return lambda *given, **options: House(monkeypatch, *given, **options)


def name_of_thread() -> bytes:
    return threading.current_thread().name.encode()


async def synchronous(scope, receive, send) -> None:
    """An ASGI application that answers with the thread of its synchronous code."""
    await send(START)
    await send(body(await sync_to_async(name_of_thread)()))


def wsgi(environ, start_response):
    start_response("200 OK", [])
    return [name_of_thread()]


@pytest.mark.parametrize(
    ("call", "options", "name"),
    [
        (synchronous, {"sync_threads": 2}, "sync-0"),
        (lambda: WSGI(wsgi, Threads(2, "wsgi")), {}, "wsgi-0"),
    ],
)
def test_its_threads_end_with_the_server(house, call, options, name):
    async def main():
        at = house(call if call is synchronous else call(), **options)
        at.service.startService()
        await until(lambda: at.ports)
        await until(lambda: at.service.ports)
        wire = at.connect()
        await until(lambda: name.encode() in wire.received)
        (thread,) = [each for each in threading.enumerate() if each.name == name]
        wire.vanish()
        await at.service.stopService().asFuture(asyncio.get_running_loop())
        thread.join(PATIENCE)
        assert not thread.is_alive()

    run_for_real(main())


def test_without_the_option_nothing_is_in_the_way(house):
    async def main():
        made = asgi(house().config, synchronous, asyncio.get_running_loop())
        assert made.call is synchronous
        await made.close()

    run_for_real(main())


def test_with_it_every_request_passes_what_lends_threads(house):
    async def main():
        made = asgi(house(sync_threads=3).config, synchronous, asyncio.get_running_loop())
        assert isinstance(made.call, ThreadSensitive)
        await made.close()

    run_for_real(main())


def test_wsgi_has_threads_of_its_own(house):
    async def main():
        call = WSGI(wsgi, Threads(2, "wsgi"))
        with pytest.raises(ConfigError, match="--sync-threads is for ASGI"):
            asgi(house(sync_threads=3).config, call, asyncio.get_running_loop())

    run_for_real(main())


def test_the_interface_is_the_one_that_is_asked_for(tmp_path, monkeypatch):
    (tmp_path / "anything.py").write_text("def app(*anything): ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    given: dict[str, Any] = {"application": "anything:app", "app_dir": str(tmp_path)}
    assert not isinstance(application_of(configure(given)), WSGI)
    found = application_of(configure({**given, "interface": "wsgi", "wsgi_threads": 5}))
    assert isinstance(found, WSGI)
    assert found.threads.most == 5
    assert not found.multiprocess
    beside: Any = application_of(configure({**given, "interface": "wsgi", "workers": 2}))
    assert beside.multiprocess
