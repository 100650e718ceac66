"""What concerns the process: loop, reactor, threads, signals, and how it ends.

The real ones belong to the test runner: each test gets doubles of those it changes.
"""

from __future__ import annotations

import asyncio
import gc
import io
import math
import signal
import sys
import threading
import types
from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import twisted.internet
import twisted.internet.process
from twisted.internet.asyncioreactor import AsyncioSelectorReactor

from daphne_like import process
from daphne_like.errors import ConfigError
from daphne_like.options import configure
from tests.unit.asgi.fakes import TimelessLoop
from tests.unit.fakes import Reactor

REACTOR = "twisted.internet.reactor"

# --- The loop ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "platform", "uvloop", "made"),
    [
        ("auto", "linux", True, "uvloop's"),
        ("uvloop", "linux", True, "uvloop's"),
        ("asyncio", "linux", True, "the platform's"),
        ("auto", "linux", False, "the platform's"),
        ("auto", "win32", False, "a selector's"),
    ],
)
def test_the_loop_is_the_one_asked_for_or_the_best_that_twisted_can_use(
    monkeypatch, kind, platform, uvloop, made
) -> None:
    theirs = types.SimpleNamespace(new_event_loop=lambda: "uvloop's")
    monkeypatch.setitem(sys.modules, "uvloop", theirs if uvloop else None)
    monkeypatch.setattr(process.asyncio, "new_event_loop", lambda: "the platform's")
    monkeypatch.setattr(process.asyncio, "SelectorEventLoop", lambda: "a selector's")
    monkeypatch.setattr(sys, "platform", platform)
    assert process.new_loop(kind) == made


def test_uvloop_is_missed_where_it_was_asked_for(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    with pytest.raises(ConfigError, match="--loop uvloop: it is not installed; pip install uvloop"):
        process.new_loop("uvloop")


# --- The reactor ------------------------------------------------------------------------------


class Installation:
    """Stands for Twisted's asyncio reactor and the loop below it: what was installed on what."""

    current = loop = executor = openssl = None

    def __init__(self) -> None:
        self.kinds: list[str] = []
        self.running: list[Any] = []

    def new_loop(self, kind: str) -> Installation:
        self.kinds.append(kind)
        return self

    def set_default_executor(self, executor: Any) -> None:
        self.executor = executor

    def install(self, loop: Any) -> None:
        self.loop = loop
        self.openssl = sys.modules.get("OpenSSL", "to be found")
        sys.modules[REACTOR] = self  # type: ignore[assignment]

    def callWhenRunning(self, *call: Any) -> None:  # noqa: N802
        self.running.append(call)


@pytest.fixture
def installation(monkeypatch: pytest.MonkeyPatch) -> Installation:
    made = Installation()
    for name in (REACTOR, "OpenSSL"):
        # Put there first, so that it is taken away at the end, whatever the test leaves.
        monkeypatch.setitem(sys.modules, name, None)
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(twisted.internet, "asyncioreactor", made)
    monkeypatch.setattr(process, "new_loop", made.new_loop)
    monkeypatch.setattr(process.asyncio, "set_event_loop", partial(setattr, made, "current"))
    monkeypatch.delenv("ASGI_THREADS", raising=False)
    made.thresholds = [(700, 10, 10)]
    collector = SimpleNamespace(
        get_threshold=lambda: made.thresholds[-1],
        set_threshold=lambda *given: made.thresholds.append(given),
    )
    monkeypatch.setattr(process, "gc", collector)
    return made


def test_the_reactor_is_installed_on_a_new_loop_which_is_the_current_one(installation) -> None:
    assert process.install_reactor("asyncio") is installation
    assert installation.kinds == ["asyncio"]
    assert installation.loop is installation.current is installation
    assert installation.executor is None


@pytest.mark.parametrize(
    ("twisteds", "heard"), [(signal.SIG_DFL, False), (signal.SIG_IGN, True), (int, True)]
)
def test_on_uvloop_twisted_hears_of_its_processes_by_the_signal_itself(
    installation, monkeypatch, twisteds, heard
) -> None:
    def install(loop: Any) -> None:
        sys.modules[REACTOR] = reactor  # type: ignore[assignment]

    reaped: list[str] = []
    handlers: dict[int, Any] = {signal.SIGCHLD: twisteds}
    reactor = Reactor()
    monkeypatch.setattr(installation, "install", install)
    monkeypatch.setattr(process.signal, "signal", handlers.__setitem__)
    monkeypatch.setattr(process.signal, "getsignal", handlers.__getitem__)
    monkeypatch.setattr(twisted.internet.process, "reapAllProcesses", lambda: reaped.append("all"))
    assert process.install_reactor() is reactor
    assert handlers[signal.SIGCHLD] is twisteds, "Twisted installs its own when it runs"
    reactor.run()
    assert (handlers[signal.SIGCHLD] is not twisteds) is heard
    if heard:
        handlers[signal.SIGCHLD](signal.SIGCHLD, None)
    assert reaped == ["all"] * heard


@pytest.mark.parametrize("missing", [True, False])
def test_elsewhere_twisted_hears_of_them_by_itself(installation, monkeypatch, missing) -> None:
    loop = asyncio.new_event_loop()
    monkeypatch.setattr(process, "new_loop", lambda kind: "uvloop's" if missing else loop)
    monkeypatch.setattr(process, "ThreadPoolExecutor", lambda max_workers: max_workers)
    if missing:
        monkeypatch.delattr(process.signal, "SIGCHLD")
    process.install_reactor()
    assert installation.running == []
    loop.close()


def test_the_collector_looks_at_what_is_new_in_time_unless_told_otherwise(installation) -> None:
    process.install_reactor()
    assert installation.thresholds == [(700, 10, 10), (10_000, 20, 20)]


def test_who_has_told_the_collector_something_is_heard(installation) -> None:
    installation.thresholds.append((1, 2, 3))
    process.install_reactor()
    assert installation.thresholds[-1] == (1, 2, 3)


@pytest.mark.parametrize(
    ("tls", "before", "found"),
    [(False, {}, None), (True, {}, "to be found"), (False, {"OpenSSL": "loaded"}, "loaded")],
)
def test_openssl_is_hidden_unless_needed_or_there(installation, tls, before, found) -> None:
    sys.modules.update(before)
    process.install_reactor(tls=tls)
    assert installation.openssl == found
    assert sys.modules.get("OpenSSL", "to be found") == before.get("OpenSSL", "to be found")


def test_openssl_is_back_where_no_reactor_could_be_installed(installation, monkeypatch) -> None:
    monkeypatch.setattr(installation, "install", lambda loop: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        process.install_reactor()
    assert "OpenSSL" not in sys.modules


def test_an_asyncio_reactor_that_is_there_is_taken_as_it_is(installation) -> None:
    there = object.__new__(AsyncioSelectorReactor)
    sys.modules[REACTOR] = there  # type: ignore[assignment]
    assert process.install_reactor() is there
    assert installation.loop is None


def test_any_other_reactor_is_refused_by_its_name_and_stays(installation) -> None:
    there = type("SelectReactor", (), {"__module__": "twisted.internet.selectreactor"})()
    sys.modules[REACTOR] = there
    with pytest.raises(ConfigError) as refusal:
        process.install_reactor()
    assert "The reactor twisted.internet.selectreactor.SelectReactor is" in str(refusal.value)
    assert "with --reactor=asyncio" in str(refusal.value)
    assert sys.modules[REACTOR] is there
    assert installation.loop is None


@pytest.mark.parametrize(("text", "threads"), [("", None), ("1", 1), ("12", 12)])
def test_the_environment_says_how_many_threads(installation, monkeypatch, text, threads) -> None:
    monkeypatch.setenv("ASGI_THREADS", text)
    monkeypatch.setattr(process, "ThreadPoolExecutor", lambda max_workers: max_workers)
    process.install_reactor()
    assert installation.executor == threads


@pytest.mark.parametrize("text", ["0", "-1", "many", "1.5", " 4"])
def test_what_is_no_number_of_threads_is_refused_first(installation, monkeypatch, text) -> None:
    monkeypatch.setenv("ASGI_THREADS", text)
    with pytest.raises(ConfigError, match=r"ASGI_THREADS=.* is not a number of threads"):
        process.install_reactor()
    assert installation.kinds == []


# --- From start to end ------------------------------------------------------------------------


@pytest.fixture
def handlers(monkeypatch: pytest.MonkeyPatch) -> dict[int, Any]:
    """The process's signal handlers."""
    table: dict[int, Any] = {}
    monkeypatch.setattr(process.signal, "signal", table.__setitem__)
    return table


@pytest.fixture
def loop(handlers: dict[int, Any]) -> Iterator[TimelessLoop]:
    """A current event loop, which is to be closed at the end."""
    made = TimelessLoop()
    asyncio.set_event_loop(made)
    yield made
    asyncio.set_event_loop(None)
    assert made.is_closed()


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("early", [0, 1])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_runs_until_a_signal_and_a_second_one_forces(handlers, number, early) -> None:
    def begins() -> None:
        for _ in range(early):
            handlers[number](number, None)
        handlers.clear()  # As Twisted does, which takes SIGTERM for itself.

    def start() -> None:
        events.append("start")
        for _ in range(3 - early):
            handlers[number](number, None)

    events: list[str] = []
    reactor = Reactor(begins)
    stop, force = partial(events.append, "stop"), partial(events.append, "force")
    process.run(reactor, start, stop, force, int, int)
    told = ["stop", "force", "force"]
    assert events == [*told[:early], "start", *told[early:]]
    assert set(handlers.values()) == {signal.SIG_DFL, signal.SIG_IGN}


@pytest.mark.usefixtures("loop")
def test_files_are_opened_or_read_again_at_a_signal_which_never_ends_the_process(handlers) -> None:
    def start() -> None:
        handlers[signal.SIGUSR1](signal.SIGUSR1, None)
        handlers[signal.SIGHUP](signal.SIGHUP, None)

    events: list[str] = []
    calls = [partial(events.append, name) for name in ("reopen", "reload")]
    process.run(Reactor(), start, int, int, *calls)
    assert events == ["reopen", "reload"]
    assert handlers[signal.SIGUSR1] is handlers[signal.SIGHUP] is signal.SIG_IGN


@pytest.mark.usefixtures("loop")
def test_where_there_is_no_such_signal_nothing_is_opened_again(handlers, monkeypatch) -> None:
    monkeypatch.setattr(process, "_REOPEN_SIGNAL", None)
    monkeypatch.setattr(process, "_RELOAD_SIGNAL", None)
    process.run(Reactor(), int, int, int, int, int)
    assert handlers.keys().isdisjoint({signal.SIGUSR1, signal.SIGHUP})


@pytest.mark.parametrize(
    ("before", "number", "events"),
    [
        (signal.SIG_DFL, signal.SIGHUP, ["reload"]),
        (signal.SIG_IGN, signal.SIGHUP, []),
        (int, signal.SIGHUP, []),
        (signal.SIG_DFL, None, []),
    ],
)
def test_in_a_process_of_others_only_a_hangup_that_would_end_it_is_taken(
    handlers, monkeypatch, before, number, events
) -> None:
    told: list[str] = []
    handlers[signal.SIGHUP] = before
    monkeypatch.setattr(process.signal, "getsignal", handlers.__getitem__)
    monkeypatch.setattr(process, "_RELOAD_SIGNAL", number)
    process.on_hangup(Reactor(), partial(told.append, "reload"))
    if events:
        handlers[signal.SIGHUP](signal.SIGHUP, None)
    assert told == events
    assert events or handlers == {signal.SIGHUP: before}


def test_nor_is_it_in_another_thread_than_the_main_one(handlers, monkeypatch) -> None:
    monkeypatch.setattr(process.threading, "current_thread", lambda: None)
    process.on_hangup(Reactor(), int)
    assert handlers == {}


@pytest.mark.parametrize(
    ("before", "number", "told"),
    [
        (signal.SIG_DFL, signal.SIGUSR1, ["reopen"]),
        (signal.SIG_IGN, signal.SIGUSR1, ["reopen"]),
        ("twistd's", signal.SIGUSR1, ["rotate", "reopen"]),
        ("twistd's", None, ["rotate"]),
    ],
)
def test_in_a_process_of_others_files_are_opened_again_after_theirs(
    handlers, monkeypatch, before, number, told
) -> None:
    events: list[str] = []
    rotate = lambda *_: events.append("rotate")  # noqa: E731
    handlers[signal.SIGUSR1] = rotate if before == "twistd's" else before
    monkeypatch.setattr(process.signal, "getsignal", handlers.__getitem__)
    monkeypatch.setattr(process, "_REOPEN_SIGNAL", number)
    process.on_reopen(Reactor(), partial(events.append, "reopen"))
    handlers[signal.SIGUSR1](signal.SIGUSR1, None)
    assert events == told


def test_but_not_in_another_thread_than_the_main_one(handlers, monkeypatch) -> None:
    monkeypatch.setattr(process.threading, "current_thread", lambda: None)
    process.on_reopen(Reactor(), int)
    assert handlers == {}


def ended_with(loop: TimelessLoop, left: Any) -> float:
    """The seconds that the end of a process takes in which `left` was left running."""
    loop.create_task(left)
    loop.run_until_complete(asyncio.sleep(0))
    began = loop.time()
    process.run(Reactor(), int, int, int, int, int)
    return loop.time() - began


def test_what_is_left_running_is_cancelled_and_may_clean_up(loop) -> None:
    events: list[str] = []

    async def numbers() -> Any:
        try:
            yield 1
        finally:
            events.append("generator closed")

    async def left() -> None:
        kept.append(numbers())
        await anext(kept[0])
        try:
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(0.5)
            events.append("task ended")

    kept: list[Any] = []
    assert ended_with(loop, left()) == 0.5
    assert events == ["task ended", "generator closed"]


def test_what_does_not_end_is_waited_for_a_second_and_left_without_a_word(loop, caplog) -> None:
    async def stubborn() -> None:
        while True:
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                continue

    assert ended_with(loop, stubborn()) == 1
    gc.collect()
    assert caplog.records == []


@pytest.mark.parametrize("fails", [False, True])
def test_something_is_run_once_on_the_loop_of_the_reactor(loop, handlers, fails) -> None:
    async def main() -> None:
        assert asyncio.get_running_loop() is loop
        assert set(handlers.values()) == {signal.SIG_DFL}
        left.append(loop.create_task(asyncio.sleep(1000)))
        await asyncio.sleep(0)
        if fails:
            raise LookupError

    left: list[asyncio.Task[None]] = []
    with pytest.raises(LookupError) if fails else nullcontext():
        process.run_once(main())
    assert left[0].cancelled()


# --- The exit status --------------------------------------------------------------------------


def test_a_status_is_kept_for_the_exit_and_nothing_printed_is_lost(monkeypatch) -> None:
    exits: list[int] = []
    at_exit: list[Any] = []
    monkeypatch.setattr(process.os, "_exit", exits.append)
    monkeypatch.setattr(process.atexit, "register", lambda *call: at_exit.append(call))
    process.exit_with(3)
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written))
    sys.stdout.write("last words")
    assert exits == []
    [(call, *arguments)] = at_exit
    call(*arguments)
    assert exits == [3]
    assert written.getvalue() == b"last words"


def test_an_error_that_ends_the_process_is_told_without_a_traceback_if_it_is_ours(
    monkeypatch,
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(sys, "excepthook", lambda *given: told.append(given))
    monkeypatch.setattr(process, "exit_with", told.append)

    def complain(error: Exception) -> int:
        told.append(str(error))
        return 7

    process.end_by(ConfigError, complain)
    sys.excepthook(ConfigError, ConfigError("ours"), None)
    sys.excepthook(OSError, theirs := OSError("theirs"), None)
    assert told == ["ours", 7, (OSError, theirs, None)]


def test_a_process_that_does_not_end_in_time_is_left(monkeypatch, caplog) -> None:
    exits: list[int] = []
    started: list[threading.Timer] = []
    monkeypatch.setattr(process.os, "_exit", exits.append)
    monkeypatch.setattr(threading.Timer, "start", lambda *timer: started.extend(timer))
    process.leave(3, 10)
    [timer] = started
    assert timer.interval == 10
    assert timer.daemon, "one that ends in time does not wait for it"
    assert exits == []
    timer.function(*timer.args)
    assert exits == [3]
    assert [record.levelname for record in caplog.records] == ["WARNING"]


# --- Somebody else's reactor ------------------------------------------------------------------


def test_the_loop_of_a_reactor_is_known_before_it_runs() -> None:
    loop = asyncio.new_event_loop()
    assert process.loop_of(AsyncioSelectorReactor(loop)) is loop
    loop.close()


# --- Beside somebody else's signals -----------------------------------------------------------


def test_in_a_thread_it_runs_from_the_start_until_it_is_told_to_stop() -> None:
    happened: list[str] = []
    loop = asyncio.new_event_loop()
    before = signal.getsignal(signal.SIGTERM)

    def begin() -> None:
        happened.append("start")
        for _ in range(2):
            process.stop_from_thread(reactor)

    async def left_behind() -> None:
        try:
            await asyncio.sleep(math.inf)
        finally:
            happened.append("cancelled")

    def start() -> None:
        loop.call_soon(begin)
        tasks.add(loop.create_task(left_behind()))

    tasks: set[asyncio.Task[None]] = set()
    reactor = AsyncioSelectorReactor(loop)
    stop = partial(happened.append, "stop")
    thread = threading.Thread(target=process.run_beside, args=(reactor, start, stop))
    thread.start()
    thread.join(10)
    assert happened == ["start", "stop", "cancelled"]
    assert loop.is_closed()
    assert signal.getsignal(signal.SIGTERM) == before


# --- Loaded before there are workers ----------------------------------------------------------


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is done to the garbage collector; there is no reactor, whoever has run before."""
    done: list[str] = []
    monkeypatch.setattr(gc, "freeze", lambda: done.append("frozen"))
    monkeypatch.delitem(sys.modules, REACTOR, raising=False)
    return done


def test_a_supervisor_loads_the_server_and_installs_nothing(frozen: list[str]) -> None:
    process.preload(configure({"demo": True, "workers": 2}))
    assert frozen == ["frozen"]
    assert REACTOR not in sys.modules
    assert {"daphne_like.server", "daphne_like.wire.http2"} <= sys.modules.keys()


def test_the_application_is_loaded_too_where_that_is_asked_for(
    frozen: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "preloaded.py").write_text("async def app(scope, receive, send): ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    named = {"application": "preloaded:app", "app_dir": str(tmp_path), "workers": 2}
    process.preload(configure(named))
    assert "preloaded" not in sys.modules
    process.preload(configure({**named, "preload_app": True}))
    assert sys.modules.pop("preloaded")


def test_an_application_that_installs_a_reactor_cannot_be_shared(
    frozen: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, REACTOR, types.ModuleType("reactor"))
    with pytest.raises(ConfigError, match="leave out --preload-app"):
        process.preload(configure({"demo": True, "workers": 2}))
    assert frozen == []
