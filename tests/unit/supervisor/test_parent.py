"""The loop around the crew: with workers that are doubles, and signals that nobody sends."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from daphne_like import orders
from daphne_like.config import Config
from daphne_like.errors import ConfigError
from daphne_like.health import Stage
from daphne_like.options import configure
from daphne_like.orders import Orders
from daphne_like.supervisor import parent as module
from daphne_like.supervisor.bound import VARIABLE
from daphne_like.supervisor.parent import SIGNALS, Parent, preloads, supervise, terms_of


def config(**options: Any) -> Config:
    return configure({"demo": True, "workers": 2, **options})


class Started:
    """A worker that does what a test says, whether it is a program or a copy."""

    made: list[Started]
    deaf = False

    def __init__(self, environ: dict[str, str]) -> None:
        self.pid = 100 + len(self.made)
        self.environ = environ
        self.orders = orders.taken(dict(environ))
        self.told: list[int] = []
        self.status: int | None = None
        self.made.append(self)

    def poll(self) -> int | None:
        return self.status

    def tell(self, number: int) -> None:
        self.told.append(number)
        if number == signal.SIGTERM and not self.deaf:
            self.status = 0

    def say(self, words: bytes) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sending:
            sending.sendto(words, self.environ["NOTIFY_SOCKET"])


class Sockets:
    """What is bound, without a socket."""

    def __init__(self) -> None:
        self.released: list[bool] = []
        self.done: list[object] = []

    def close(self) -> None:
        self.done.append("closed")

    def detach(self) -> None:
        self.done.append("detached")

    def drop(self, number: int) -> None:
        self.done.append(number)

    def sockets(self, number: int) -> dict[str, int]:
        return {"a": 70 + number}

    def keep(self, manager: Any) -> None:
        manager.heard.append("keeps")

    def give(self, environ: dict[str, str]) -> list[int]:
        environ[VARIABLE] = "{}"
        return [7]

    def release(self, *, keep_paths: bool) -> None:
        self.released.append(keep_paths)


class Manager:
    """A service manager that hears."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def start(self, clock: Any) -> None:
        clock.callLater(0, self.heard.append, "beat")

    def entered(self, stage: Stage, limits: Any, detail: str = "") -> None:
        self.heard.append((stage, detail))

    def reloads(self) -> None:
        self.heard.append("reloads")

    def stop(self) -> None:
        self.heard.append("no more beats")

    def is_main(self, pid: int) -> None:
        self.heard.append(pid)


class House:
    """A parent in a directory, whose turns a test makes: each does one thing more."""

    def __init__(self, place: Path, options: dict[str, Any]) -> None:
        self.manager, self.sockets = Manager(), Sockets()
        self.things: list[Callable[[], object]] = []
        manager: Any = self.manager
        sockets: Any = self.sockets
        environ = {"HOME": "/", "WATCHDOG_PID": "1"}
        given = config(**options), ["--demo"], int, sockets, place, manager, environ
        self.parent = Parent(*given)

    @property
    def workers(self) -> list[Started]:
        return Started.made

    def ready(self) -> None:
        for worker in self.workers:
            if worker.status is None:
                worker.say(b"READY=1")

    def gets(self, number: int) -> None:
        """A signal comes."""
        os.kill(os.getpid(), number)

    def run(self, *things: Callable[[], object], predecessor: int = 0, stop: bool = True) -> int:
        """Do the things one after the other, a turn for each, and `stop`."""
        todo = [*things, *([lambda: self.gets(signal.SIGTERM)] if stop else [])]
        turn = self.parent._turn

        def turned() -> None:
            turn()
            if todo:
                todo.pop(0)()

        self.parent._turn = turned  # type: ignore[method-assign]
        return self.parent.run(predecessor)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., House]]:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    monkeypatch.setattr(Started, "made", [], raising=False)
    monkeypatch.setattr(module, "Program", lambda arguments, environ, fds: Started(environ))
    monkeypatch.setattr(module, "Copy", lambda main, environ, let_go: Started(environ))
    monkeypatch.setattr(module, "_LOOK", 0.001)
    yield lambda **options: House(tmp_path, options)
    for number, action in before.items():
        signal.signal(number, action)


# --- Its whole life ---------------------------------------------------------------------------


@pytest.mark.parametrize("preload", ["on", "off"])
def test_workers_are_started_heard_and_sent_away(
    house: Callable[..., House], preload: str, tmp_path: Path
) -> None:
    at = house(preload=preload)
    assert at.run(at.ready, int, int) == 0
    assert [worker.told for worker in at.workers] == [[signal.SIGTERM]] * 2
    stages = [stage for stage, _ in filter(lambda one: isinstance(one, tuple), at.manager.heard)]
    assert stages == [Stage.STARTING, Stage.READY, Stage.DRAINING]
    assert {"beat", "keeps"} <= {*filter(lambda one: isinstance(one, str), at.manager.heard)}
    assert [path.name for path in tmp_path.iterdir()] == ["shares"]


def test_a_worker_is_told_who_it_is(house: Callable[..., House], tmp_path: Path) -> None:
    at = house(worker_timeout=2.5)
    at.run(at.ready)
    first, second = at.workers
    lifeline = at.parent._lifeline[0]
    assert first.orders == Orders(1, 1, {"a": 71}, lifeline, str(tmp_path), None, [])
    assert second.orders == Orders(2, 2, {"a": 72}, lifeline, str(tmp_path), None, [])
    assert first.environ["WATCHDOG_USEC"] == "2500000"


def test_a_worker_that_may_be_silent_is_not_asked_for_a_pulse(house: Callable[..., House]) -> None:
    at = house(worker_timeout=0.0)
    at.run(at.ready)
    assert "WATCHDOG_USEC" not in at.workers[0].environ


def test_where_none_can_start_its_status_is_that_of_all(house: Callable[..., House]) -> None:
    at = house()

    def fail() -> None:
        at.workers[0].status = 3

    assert at.run(fail, int) == 3


# --- Signals ----------------------------------------------------------------------------------


def test_a_second_signal_waits_for_nothing(house: Callable[..., House]) -> None:
    at = house()

    def hang() -> None:
        for worker in at.workers:
            worker.deaf = True

    def end() -> None:
        for worker in at.workers:
            worker.status = 0

    again = [lambda: at.gets(signal.SIGTERM)] * 2
    assert at.run(at.ready, hang, *again, int, end) == 0
    assert at.workers[0].told == [signal.SIGTERM, signal.SIGTERM]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_an_interrupt_waits_for_nothing(house: Callable[..., House], number: int) -> None:
    at = house()
    assert at.run(at.ready, int, lambda: at.gets(number), int) == 0
    assert at.workers[0].told == [signal.SIGTERM] * 2


def test_a_hangup_replaces_all_and_the_manager_hears_of_both_ends(
    house: Callable[..., House],
) -> None:
    at = house()
    reload = [lambda: at.gets(signal.SIGHUP), int, at.ready, int, at.ready, int, int]
    at.run(at.ready, int, *reload)
    assert len(at.workers) == 4
    heard = at.manager.heard
    assert heard.index("reloads") > heard.index((Stage.READY, "2 workers"))
    assert heard.count((Stage.READY, "2 workers")) == 2


def test_there_can_be_more_and_fewer(house: Callable[..., House]) -> None:
    at = house()
    more, fewer = (lambda: at.gets(signal.SIGTTIN)), (lambda: at.gets(signal.SIGTTOU))
    at.run(at.ready, more, int, at.ready, fewer, int, int)
    assert len(at.workers) == 3
    assert at.workers[2].told == [signal.SIGTERM]
    assert 3 in at.sockets.done, "nobody listens there any more"


def test_logs_are_reopened_by_the_workers(house: Callable[..., House]) -> None:
    at = house()
    at.run(at.ready, lambda: at.gets(signal.SIGUSR1), int)
    assert at.workers[0].told == [signal.SIGUSR1, signal.SIGTERM]


# --- Upgrades ---------------------------------------------------------------------------------


class Heir:
    """Another supervisor, that lives as long as a test wants."""

    pid = 4711
    alive = True
    given: list[Any]
    told: list[int]

    def __init__(self, *given: Any) -> None:
        type(self).given = [*given]

    def lives(self) -> bool:
        return self.alive

    def tell(self, number: int) -> None:
        type(self).told.append(number)


def test_an_upgrade_starts_one_heir_with_the_sockets(
    house: Callable[..., House], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "Heir", Heir)
    monkeypatch.setattr(Heir, "told", [], raising=False)
    at = house()
    upgrade = [lambda: at.gets(signal.SIGUSR2), int] * 2
    at.run(at.ready, *upgrade)
    assert Heir.told == [signal.SIGTERM], "who stops us before it serves stops it as well"
    arguments, environ, descriptors = Heir.given
    assert arguments == ["--demo"]
    assert environ == {"HOME": "/", "_DAPHNE_LIKE_PREDECESSOR": str(os.getpid()), VARIABLE: "{}"}
    assert descriptors == [7]
    assert "No upgrade: another is on its way, or the server stops" in caplog.text
    assert at.parent.is_succeeded


def test_when_the_heir_serves_we_leave_and_it_stays(
    house: Callable[..., House], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "Heir", Heir)
    monkeypatch.setattr(Heir, "told", [], raising=False)
    at = house()
    stray = [lambda: at.gets(signal.SIGURG), int]
    hand_over = [lambda: at.gets(signal.SIGUSR2), int, lambda: at.gets(signal.SIGURG)]
    at.run(at.ready, *stray, *hand_over, stop=False)
    assert at.workers[0].told == [signal.SIGTERM]
    assert not at.parent.owns_paths
    stages = [one[0] for one in at.manager.heard if isinstance(one, tuple)]
    assert stages == [Stage.STARTING, Stage.READY], "the service does not stop"
    assert at.manager.heard[-1] == "no more beats"


def test_an_upgrade_that_fails_is_told_of_and_may_be_tried_again(
    house: Callable[..., House], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "Heir", Heir)
    monkeypatch.setattr(Heir, "alive", False)
    at = house()
    at.run(at.ready, lambda: at.gets(signal.SIGUSR2), int)
    assert "The upgrade is given up: this server goes on" in caplog.text
    assert at.parent.owns_paths


def test_a_program_that_is_not_there_any_more_is_no_heir(
    house: Callable[..., House], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*given: Any) -> Any:
        raise FileNotFoundError(2, "No such file")

    monkeypatch.setattr(module, "Heir", refuse)
    at = house()
    at.run(at.ready, lambda: at.gets(signal.SIGUSR2), int)
    assert "The upgrade is given up: [Errno 2] No such file" in caplog.text


def test_an_heir_that_never_served_leaves_the_paths_to_who_has_started_it(
    house: Callable[..., House],
) -> None:
    at = house()
    at.run(int, int, predecessor=5)
    assert not at.parent.owns_paths


def test_a_directory_that_was_cleaned_away_is_made_anew_and_what_is_left_in_it_goes(
    house: Callable[..., House], tmp_path: Path
) -> None:
    at = house()

    def die() -> None:
        (tmp_path / "admin.1.100").touch()
        (tmp_path / "admin.2.101").touch()
        at.workers[0].status = -9

    at.run(at.ready, die, int, int)
    assert len(at.workers) >= 3
    assert not (tmp_path / "admin.1.100").exists()


@pytest.mark.parametrize(("place", "expected"), [("/tmp/x", "/tmp/x"), ("/" + 60 * "x", "/tmp")])
def test_sockets_have_a_place_with_a_short_name(
    monkeypatch: pytest.MonkeyPatch, place: str, expected: str
) -> None:
    monkeypatch.setattr(module, "gettempdir", lambda: place)
    assert module._place_for_sockets() == expected


def test_a_directory_that_is_to_be_watched_has_to_be_there() -> None:
    with pytest.raises(ConfigError, match="--reload-dir nowhere is no directory"):
        supervise(config(reload=True, reload_dirs=("nowhere",)), [], int)


@pytest.mark.parametrize("ours", [True, False], ids=["alive", "gone"])
def test_who_has_started_us_is_sent_away_when_our_workers_serve(
    house: Callable[..., House], monkeypatch: pytest.MonkeyPatch, ours: bool
) -> None:
    killed: list[tuple[int, int]] = []
    at = house()
    real = os.kill
    monkeypatch.setattr(
        module.os,
        "kill",
        lambda pid, number: killed.append((pid, number)) if pid == 5 else real(pid, number),
    )
    monkeypatch.setattr(module.os, "getppid", lambda: 5 if ours else 1)
    at.run(at.ready, int, int, predecessor=5)
    assert killed == ([(5, signal.SIGURG)] if ours else [])
    assert (os.getpid() in at.manager.heard) is ours


# --- Development ------------------------------------------------------------------------------


def test_changed_files_let_the_code_be_read_anew(
    house: Callable[..., House],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    told: list[Callable[[set[Path]], object]] = []
    ended: list[bool] = []

    def watched(wanted: Any, delay: float, tell: Any) -> Callable[[], None]:
        assert wanted.directories == (str(tmp_path),)
        told.append(tell)
        return lambda: ended.append(True)

    caplog.set_level("INFO")
    monkeypatch.setattr(module, "watched", watched)
    at = house(reload=True, reload_dirs=(str(tmp_path),), reload_grace=0.25)
    files = {Path(f"/{name}.py") for name in "abcd"}
    at.run(at.ready, lambda: told[0](files), int, int, lambda: told[0]({Path("/e.py")}), int, int)
    assert len(at.workers) == 3
    assert at.workers[0].orders is not None
    assert at.workers[0].orders.grace == 0.25
    assert "Reloading: /a.py, /b.py, /c.py and 1 more" in caplog.text
    assert "Reloading: /e.py" in caplog.text
    assert ended == [True]


# --- What a configuration means ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("platform", "options", "expected"),
    [
        ("linux", {}, True),
        ("linux", {"preload": "off"}, False),
        ("linux", {"reload": True}, False),
        ("darwin", {}, False),
        ("darwin", {"preload": "on"}, True),
        ("darwin", {"preload_app": True}, True),
    ],
)
def test_workers_are_copies_where_that_is_safe_or_asked_for(
    monkeypatch: pytest.MonkeyPatch, platform: str, options: dict[str, Any], expected: bool
) -> None:
    monkeypatch.setattr(module.sys, "platform", platform)
    assert preloads(config(**options)) is expected


def test_a_worker_may_take_as_long_as_all_it_does_together() -> None:
    limits = {"startup_timeout": 1.0, "worker_start_timeout": 2.0, "drain_delay": 4.0}
    more = {"graceful_timeout": 8.0, "application_close_timeout": 16.0, "shutdown_timeout": 32.0}
    terms = terms_of(config(**limits, **more, worker_timeout=7.0, max_worker_rss=9))
    assert terms.starting == 3
    assert terms.leaving == 65
    assert (terms.silence, terms.resident, terms.developing) == (7, 9, False)
    hurried = terms_of(config(reload=True, shutdown_timeout=1.0, reload_grace=0.5))
    assert (hurried.leaving, hurried.developing) == (6.5, True)


def test_a_supervisor_gives_its_sockets_back_unless_it_has_an_heir(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Made:
        owns_paths = False

        def __init__(self, *given: Any) -> None:
            """Nothing is kept."""

        def run(self, predecessor: int) -> int:
            assert predecessor == 17
            return 4

    sockets = Sockets()
    monkeypatch.setenv("_DAPHNE_LIKE_PREDECESSOR", "17")
    monkeypatch.setattr(module, "Bound", lambda config, handed: sockets)
    monkeypatch.setattr(module, "Parent", Made)
    assert supervise(config(), [], int) == 4
    assert sockets.released == [True]
    assert "_DAPHNE_LIKE_PREDECESSOR" not in os.environ


def test_a_copy_goes_on_with_nothing_of_the_supervisors(house: Callable[..., House]) -> None:
    at = house()
    at.parent._hear_signals()
    at.parent._become_a_worker()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(at.parent._lifeline[1])
    os.close(at.parent._lifeline[0])
