"""A worker's end of the line: its supervisor dies, and it does not live on."""

from __future__ import annotations

import faulthandler
import os
import signal
import threading

import pytest

from daphne_like.lifeline import hold, watch
from daphne_like.orders import Orders


def test_it_stops_when_its_supervisor_is_gone_and_ends_if_it_does_not(caplog) -> None:
    happened: list[object] = []
    read, write = os.pipe()
    os.close(write)
    watch(read, lambda: happened.append("stop"), 45.0, happened.append, happened.append)
    os.close(read)
    assert happened == ["stop", 45.0, 1]
    assert "The supervisor is gone: stopping" in caplog.text


def test_a_thread_holds_the_line_and_the_process_can_be_asked_where_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(faulthandler, "register", lambda number, **_: asked.append(number))
    read, write = os.pipe()
    stopped, ended = threading.Event(), threading.Event()
    monkeypatch.setattr("daphne_like.lifeline.watch", lambda *given: (given[1](), ended.set()))
    hold(Orders(1, 1, {}, read, ""), stopped.set, 0.0)
    assert stopped.wait(10)
    assert ended.wait(10)
    assert asked == [signal.SIGUSR2]
    os.close(read)
    os.close(write)
