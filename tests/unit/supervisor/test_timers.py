"""Calls to come, when somebody looks."""

from __future__ import annotations

from daphne_like.supervisor.timers import Timers


def test_what_is_due_is_called_once_and_may_ask_for_the_next() -> None:
    now = [0.0]
    called: list[object] = []
    timers = Timers(lambda: now[0])

    def again(what: str) -> None:
        called.append(what)
        timers.callLater(5, called.append, "later")

    timers.callLater(1, again, "first")
    never = timers.callLater(1, called.append, "never")
    never.cancel()
    for now[0] in (0.5, 1.0, 2.0, 6.0, 7.0):
        timers.look()
        called.append(now[0])
    assert called == [0.5, "first", 1.0, 2.0, "later", 6.0, 7.0]
