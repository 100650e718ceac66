"""Two processes, one of which watches the other, and how both end."""

from __future__ import annotations

import signal
import subprocess
import threading
from typing import Any

import pytest

from daphne_like.management import reloading
from daphne_like.management.reloading import AGAIN, Running, is_inner, serve_again_and_again


class Inner:
    """A process that ends as it is told to: each wait is a status, or is interrupted."""

    def __init__(self, *waits: Any) -> None:
        self._waits = list(waits)
        self.told: list[str] = []

    def wait(self, timeout: float | None = None) -> int:
        self.told.append(f"wait {timeout}")
        self.returncode = None
        step = self._waits.pop(0)
        if isinstance(step, BaseException):
            raise step
        self.returncode = step
        return step

    def poll(self) -> int | None:
        return self.returncode

    def terminate(self) -> None:
        self.told.append("terminate")

    def kill(self) -> None:
        self.told.append("kill")


@pytest.fixture
def handlers(monkeypatch) -> dict[int, Any]:
    found: dict[int, Any] = {}
    monkeypatch.setattr(reloading, "get_child_arguments", lambda: ["manage.py", "runserver"])
    monkeypatch.setattr(reloading.signal, "signal", found.__setitem__)
    return found


def served(*inners: Inner) -> int:
    started: list[Any] = []
    left = list(inners)

    def start(arguments: list[str], *, env: dict[str, str], close_fds: bool) -> Inner:
        started.append((arguments, env["RUN_MAIN"], close_fds))
        return left.pop(0)

    status = serve_again_and_again(start)
    assert left == []
    assert all(how == (["manage.py", "runserver"], "true", False) for how in started)
    return status


@pytest.mark.usefixtures("handlers")
def test_it_is_started_again_while_it_asks_for_that_and_its_last_status_counts() -> None:
    assert served(Inner(AGAIN), Inner(AGAIN), Inner(1)) == 1


@pytest.mark.usefixtures("handlers")
def test_an_interrupt_lets_it_end_by_itself() -> None:
    inner = Inner(KeyboardInterrupt(), 0)
    assert served(inner) == 0
    assert inner.told == ["wait None", "terminate", "wait 7.0"]


def test_sigterm_is_passed_on(handlers) -> None:
    inner = Inner(SystemExit(0), 0)
    with pytest.raises(SystemExit):
        served(inner)
    assert inner.told == ["wait None", "terminate", "wait 7.0"]
    with pytest.raises(SystemExit) as left:
        handlers[signal.SIGTERM](signal.SIGTERM, None)
    assert left.value.code == 0


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize(
    "impatience", [KeyboardInterrupt(), SystemExit(0), subprocess.TimeoutExpired("inner", 7)]
)
def test_one_that_does_not_end_is_killed(impatience) -> None:
    inner = Inner(KeyboardInterrupt(), impatience, -9)
    assert served(inner) == 0
    assert inner.told == ["wait None", "terminate", "wait 7.0", "kill", "wait None"]


def test_the_inner_one_leaves_without_hearing_sigterm(handlers) -> None:
    reloading.hear_no_more()
    assert handlers == {signal.SIGTERM: signal.SIG_IGN}


@pytest.mark.parametrize("value", ["true", "false"])
def test_a_process_knows_which_of_the_two_it_is(monkeypatch, value) -> None:
    monkeypatch.setenv("RUN_MAIN", value)
    assert is_inner() is (value == "true")


class Server:
    """One that runs until it is stopped."""

    def __init__(self, *, fails: bool = False) -> None:
        self.stopped = threading.Event()
        self._fails = fails

    def run(self) -> None:
        if self._fails:
            raise SystemExit(1)
        assert self.stopped.wait(10)

    def stop(self) -> None:
        self.stopped.set()


def test_a_server_in_a_thread_is_ended_from_another_one() -> None:
    running = Running(Server())
    thread = threading.Thread(target=running.run)
    thread.start()
    running.end(10)
    thread.join(10)
    assert not thread.is_alive()


def test_one_that_could_not_run_is_over_as_well() -> None:
    running = Running(Server(fails=True))
    with pytest.raises(SystemExit):
        running.run()
    running.end(10)


def test_who_is_interrupted_while_it_waits_waits_no_more(monkeypatch) -> None:
    def interrupted(self: threading.Event, seconds: float) -> bool:
        raise KeyboardInterrupt

    running = Running(Server())
    monkeypatch.setattr(threading.Event, "wait", interrupted)
    running.end()
