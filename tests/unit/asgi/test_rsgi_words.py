"""What RSGI's protocols have in common: the outbox, and whose exceptions are raised."""

from __future__ import annotations

import asyncio
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from daphne_like.asgi.rsgi_words import Outbox, granians
from tests.unit.asgi.fakes import run, turn


class Noted:
    """Calls that note when they are done."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.outbox = Outbox()

    def call(self, word: str, error: Exception | None = None) -> Any:
        async def called() -> None:
            await asyncio.sleep(0)
            self.done.append(word)
            if error is not None:
                raise error

        return called


def noting(main: Any) -> None:
    async def whole() -> None:
        await main(Noted())

    run(whole())


def test_what_was_put_in_is_done_when_it_is_flushed():
    async def main(at):
        at.outbox.put(at.call("a"))
        at.outbox.put(at.call("b"))
        await at.outbox.flush()
        assert at.done == ["a", "b"]
        await at.outbox.flush()
        await turn()
        assert at.done == ["a", "b"]

    noting(main)


def test_what_was_put_in_is_done_soon_if_nobody_flushes_it():
    async def main(at):
        at.outbox.put(at.call("a"))
        assert at.done == []
        await turn()
        assert at.done == ["a"]
        at.outbox.put(at.call("b"))
        await turn()
        await at.outbox.flush()
        assert at.done == ["a", "b"]

    noting(main)


def test_it_keeps_its_order_whoever_does_it():
    async def main(at):
        at.outbox.put(at.call("a"))
        at.outbox.put(at.call("b"))
        await asyncio.sleep(0)
        await at.outbox.do(at.call("c"))
        assert at.done == ["a", "b", "c"]

    noting(main)


def test_a_flush_may_find_that_another_was_quicker():
    async def main(at):
        at.outbox.put(at.call("a"))
        await asyncio.gather(at.outbox.flush(), at.outbox.flush())
        assert at.done == ["a"]

    noting(main)


def test_what_was_done_between_is_not_begun_again():
    async def main(at):
        at.outbox.put(at.call("a"))
        coming = at.outbox.do(at.call("b"))
        await coming
        await turn()
        assert at.done == ["a", "b"]

    noting(main)


def test_what_is_put_in_meanwhile_is_done_with_the_rest():
    async def main(at):
        async def more():
            at.outbox.put(at.call("b"))

        at.outbox.put(more)
        await at.outbox.flush()
        await turn()
        assert at.done == ["b"]

    noting(main)


@pytest.mark.parametrize("turns", [0, 4])
def test_what_it_raises_is_raised_by_the_flush(turns):
    async def main(at):
        at.outbox.put(at.call("a", KeyError("no")))
        await turn(turns)
        with pytest.raises(KeyError, match="no"):
            await at.outbox.flush()
        await at.outbox.flush()

    noting(main)


def test_exceptions_are_granians_where_the_application_has_loaded_them(monkeypatch):
    class Own(Exception):
        pass

    class Granians(Exception):
        pass

    monkeypatch.setitem(sys.modules, "granian.rsgi", SimpleNamespace(ProtocolClosed=Granians))
    assert granians("ProtocolClosed", Own) is Granians
    monkeypatch.delitem(sys.modules, "granian.rsgi")
    assert granians("ProtocolClosed", Own) is Own
