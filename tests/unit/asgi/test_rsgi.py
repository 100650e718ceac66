"""RSGI applications: their kinds, and their life."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from daphne_like.asgi.lifespan import Lifespan
from daphne_like.asgi.rsgi import RSGI
from daphne_like.errors import StartupError
from daphne_like.limits import Limits
from tests.unit.asgi.fakes import calls_of
from tests.unit.asgi.threads import run_for_real

OK = [("respond", 200, b"ok")]


async def plain(scope: Any, protocol: Any) -> None:
    protocol.response_str(200, [], "ok")


class Whole:
    """As Granian's documentation shows one: its life waits for coroutines."""

    def __init__(self) -> None:
        self.noted: list[Any] = []

    def __rsgi__(self, scope: Any, protocol: Any) -> Any:
        """No coroutine function itself: Emmett's is not."""
        return plain(scope, protocol)

    def __rsgi_init__(self, loop: Any) -> None:
        self.noted.append(loop.run_until_complete(self._thread("init")))
        self.background = loop.create_task(asyncio.sleep(0, "slept"), name="background")
        loop.call_soon(self.noted.append, "called")
        assert loop.is_running()

    def __rsgi_del__(self, loop: Any) -> None:
        self.noted.append(loop.run_until_complete(self.background))
        self.noted.append(loop.run_until_complete(self._thread("del")))

    async def _thread(self, word: str) -> tuple[str, bool]:
        return word, threading.current_thread() is threading.main_thread()


def test_a_function_is_an_application_and_so_is_an_object():
    assert calls_of(RSGI(plain)) == OK
    assert calls_of(RSGI(Whole())) == OK


def test_its_life_begins_before_requests_and_may_wait_for_the_loop():
    async def main():
        lifespan = Lifespan(RSGI(app), Limits(), "on")
        await lifespan.startup()
        assert app.noted[0] == ("init", True)
        await lifespan.shutdown()

    app = Whole()
    run_for_real(main())
    assert app.noted == [("init", True), "called", "slept", ("del", True)]


@pytest.mark.parametrize("kind", [KeyError, GeneratorExit])
def test_one_that_cannot_begin_does_not_start_the_server(kind, caplog):
    class Broken:
        def __rsgi_init__(self, loop):
            raise kind("no database")

    async def main():
        with pytest.raises(StartupError, match="failed to start") as caught:
            await Lifespan(RSGI(Broken()), Limits()).startup()
        assert caught.value.exit_status == 3

    run_for_real(main())
    assert caplog.records[0].exc_info


def test_one_that_exits_as_it_begins_says_so():
    class Leaving:
        def __rsgi_init__(self, loop):
            raise SystemExit(4)

    async def main():
        with pytest.raises(StartupError, match=r"sys.exit\(4\)"):
            await Lifespan(RSGI(Leaving()), Limits()).startup()

    run_for_real(main())


@pytest.mark.parametrize("name", ["__rsgi_init__", "__rsgi_del__"])
def test_one_of_the_two_is_enough(name):
    async def main():
        lifespan = Lifespan(
            RSGI(type("One", (), {name: staticmethod(noted.append)})), Limits(), "on"
        )
        await lifespan.startup()
        assert len(noted) == (name == "__rsgi_init__")
        await lifespan.shutdown()
        assert len(noted) == 1

    noted: list[Any] = []
    run_for_real(main())


def test_a_failure_at_its_end_is_logged(caplog):
    class Broken:
        def __rsgi_del__(self, loop):
            raise KeyError("too late")

    async def main():
        lifespan = Lifespan(RSGI(Broken()), Limits())
        await lifespan.startup()
        await lifespan.shutdown()

    run_for_real(main())
    assert "too late" in caplog.text


def test_one_without_a_life_has_no_lifespan():
    async def main():
        with pytest.raises(StartupError, match="does not support lifespan"):
            await Lifespan(RSGI(plain), Limits(), "on").startup()

    run_for_real(main())
