"""What a service manager is told, in the words of sd_notify(3)."""

from __future__ import annotations

import errno
import logging
import os
import select
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import Clock

from daphne_like import notify
from daphne_like.health import Stage
from daphne_like.limits import Limits
from daphne_like.notify import Notifier, notifier

LIMITS = Limits(
    startup_timeout=1.5,
    drain_delay=10,
    graceful_timeout=20,
    application_close_timeout=2,
    shutdown_timeout=3,
)


class Manager:
    """A notifier, and the words that its manager has heard, line by line."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.heard: list[list[str]] = []
        self.clock = Clock()
        self.notifier = Notifier(self.hear, seconds, lambda: 123456)

    def hear(self, words: bytes) -> None:
        self.heard.append(words.decode().split("\n"))


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        (Stage.STARTING, ["EXTEND_TIMEOUT_USEC=6500000", "STATUS=Starting the application"]),
        (Stage.READY, ["READY=1", "STATUS=Serving"]),
        (Stage.DRAINING, ["STOPPING=1", "EXTEND_TIMEOUT_USEC=37000000", "STATUS=Stopping"]),
        (
            Stage.STOPPED,
            ["EXTEND_TIMEOUT_USEC=12000000", "STATUS=Shutting the application down"],
        ),
        (Stage.FAILED, ["STATUS=Failed"]),
    ],
)
def test_every_stage_is_told_with_the_time_that_it_may_take(stage: Stage, words: list[str]) -> None:
    at = Manager()
    at.notifier.entered(stage, LIMITS)
    assert at.heard == [words]


def test_every_stage_has_its_words() -> None:
    assert set(notify._SAID) == set(Stage)


def test_what_it_has_failed_with_is_one_line_and_shown_to_the_end() -> None:
    at = Manager()
    at.notifier.entered(Stage.FAILED, LIMITS, "no such module:\nREADY=1\r\nSTATUS=fine")
    at.notifier.entered(Stage.DRAINING, LIMITS)
    assert at.heard == [
        ["STATUS=Failed: no such module: READY=1 STATUS=fine"],
        ["STOPPING=1", "EXTEND_TIMEOUT_USEC=37000000"],
    ]


def test_what_a_stop_waits_for_is_shown() -> None:
    at = Manager()
    at.notifier.waits("waiting up to 20 s for 1 request")
    assert at.heard == [["STATUS=waiting up to 20 s for 1 request"]]


def test_that_files_are_read_again_is_told_with_the_time() -> None:
    at = Manager()
    at.notifier.reloads()
    assert at.heard == [["RELOADING=1", "MONOTONIC_USEC=123456", "STATUS=Reading files again"]]


def test_the_time_is_the_machines_in_microseconds() -> None:
    heard: list[bytes] = []
    Notifier(heard.append).reloads()
    [told] = [line for line in heard[0].split(b"\n") if line.startswith(b"MONOTONIC_USEC=")]
    assert 0 < int(told.partition(b"=")[2]) <= Notifier()._now()


# --- The loop's pulse -------------------------------------------------------------------------


def test_that_the_loop_runs_is_told_by_its_own_clock_until_the_end() -> None:
    at = Manager(seconds=15.0)
    at.notifier.stop()  # It may never have begun.
    at.notifier.start(at.clock)
    assert at.heard == [["WATCHDOG=1"]]
    at.clock.pump([14, 1, 14, 1])
    assert at.heard == [["WATCHDOG=1"]] * 3
    at.notifier.stop()
    at.notifier.stop()
    assert at.clock.getDelayedCalls() == []


def test_who_does_not_want_to_hear_it_does_not() -> None:
    at = Manager()
    at.notifier.start(at.clock)
    assert (at.heard, at.clock.getDelayedCalls()) == ([], [])


# --- Failures ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ECONNREFUSED, "Connection refused"), "Connection refused"),
        (TimeoutError("timed out"), "timed out"),
    ],
)
def test_a_manager_that_cannot_be_told_is_complained_of_once(
    error: OSError, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(words: bytes) -> None:
        tried.append(words)
        raise error

    tried: list[bytes] = []
    at = Notifier(fail)
    at.waits("one")
    at.waits("two")
    assert tried == [b"STATUS=one", b"STATUS=two"]
    assert caplog.messages == [f"Cannot tell the service manager: {said}"]


def test_what_cannot_be_encoded_is_told_all_the_same() -> None:
    at = Manager()
    at.notifier.waits("\udcff")
    assert at.heard == [["STATUS=?"]]


def test_without_a_manager_nothing_is_said() -> None:
    clock, at = Clock(), Notifier(seconds=1.0)
    at.start(clock)
    at.entered(Stage.READY, LIMITS)
    at.stop()


# --- The environment --------------------------------------------------------------------------

Listening = Callable[[str], socket.socket]


@pytest.fixture
def listening(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listening]:
    """Listens as a manager does; whatever socket is made is closed in the end."""
    made: list[socket.socket] = []

    class Kept(socket.socket):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            made.append(self)

    def listen(name: str) -> socket.socket:
        at = Kept(socket.AF_UNIX, socket.SOCK_DGRAM)
        at.bind(name)
        at.setblocking(False)
        return at

    monkeypatch.setattr(socket, "socket", Kept)
    yield listen
    for each in made:
        each.close()


@pytest.mark.parametrize("abstract", [False, True])
def test_a_manager_is_told_by_a_datagram_to_its_socket(
    listening: Listening, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abstract: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    name = f"@{tmp_path}/notify" if abstract else f"{tmp_path}/notify"
    at = listening(name.replace("@", "\0") if abstract else name)
    environ = {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "3000000", "OTHER": "stays"}
    told = notifier(environ, 7)
    assert environ == {"OTHER": "stays"}
    assert told is not None
    clock = Clock()
    told.start(clock)
    assert at.recv(100) == b"WATCHDOG=1"
    assert [call.getTime() for call in clock.getDelayedCalls()] == [1.5]
    told.entered(Stage.READY, LIMITS)
    assert at.recv(100) == b"READY=1\nSTATUS=Serving"


def test_a_manager_that_makes_its_socket_anew_is_told_there(
    listening: Listening, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    name = f"{tmp_path}/n"
    told = notifier({"NOTIFY_SOCKET": name}, 7)
    assert told is not None
    told.waits("unheard")
    at = listening(name)
    told.waits("heard")
    assert at.recv(100) == b"STATUS=heard"
    assert caplog.messages == ["Cannot tell the service manager: No such file or directory"]


@pytest.mark.parametrize(
    ("period", "pid", "beats"),
    [("2000000", "7", 1), ("2000000", None, 1), ("2000000", "8", 0), ("soon", None, 0),
     ("0", None, 0), (None, "7", 0)],
)  # fmt: skip
def test_the_pulse_is_told_where_it_is_asked_of_this_process(
    listening: Listening, tmp_path: Path, period: str | None, pid: str | None, beats: int
) -> None:
    listening(f"{tmp_path}/n")
    said = {"NOTIFY_SOCKET": f"{tmp_path}/n", "WATCHDOG_USEC": period, "WATCHDOG_PID": pid}
    environ = {name: value for name, value in said.items() if value is not None}
    told, clock = notifier(environ, 7), Clock()
    assert (told is not None, environ) == (True, {})
    told.start(clock)  # type: ignore[union-attr]
    assert len(clock.getDelayedCalls()) == beats


@pytest.mark.parametrize("period", ["1", "19999", "9" * 15, "9" * 400, "9" * 5000])
def test_a_pulse_that_nobody_can_have_is_complained_of(
    period: str, caplog: pytest.LogCaptureFixture
) -> None:
    told, clock = notifier({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": period}, 7), Clock()
    assert told is not None
    told.start(clock)
    assert clock.getDelayedCalls() == []
    assert caplog.messages == [
        f"WATCHDOG_USEC={period[:20]} is not from 20 ms to a year: "
        "nobody is told that the loop runs"
    ]


def test_nobody_is_told_where_nobody_listens(caplog: pytest.LogCaptureFixture) -> None:
    environ = {"WATCHDOG_USEC": "1000"}
    assert notifier(environ, os.getpid()) is None
    assert environ == {}
    assert caplog.messages == []


@pytest.mark.parametrize("place", ["vsock:2:1234", "relative"])
def test_a_place_that_is_no_unix_socket_is_complained_of(
    place: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert notifier({"NOTIFY_SOCKET": place}, 7) is None
    assert caplog.messages == [
        f"NOTIFY_SOCKET={place} is no Unix socket: nobody is told of readiness"
    ]


def test_where_there_are_no_unix_sockets_nobody_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    monkeypatch.delattr(socket, "AF_UNIX")
    assert notifier({"NOTIFY_SOCKET": "/run/notify"}, 7) is None
    assert len(caplog.messages) == 1


def test_a_supervisor_is_told_that_a_process_has_served_enough() -> None:
    at = Manager()
    at.notifier.retires()
    assert at.heard == [["X_RETIRE=1", "STATUS=Has served enough"]]


def test_a_manager_is_told_who_has_taken_over() -> None:
    at = Manager()
    at.notifier.is_main(17)
    assert at.heard == [["MAINPID=17"]]


def test_a_manager_keeps_a_descriptor(listening: Listening, tmp_path: Path) -> None:
    at = listening(f"{tmp_path}/notify")
    told = notifier({"NOTIFY_SOCKET": f"{tmp_path}/notify"}, 7)
    assert told is not None
    with (tmp_path / "kept").open("w") as file:
        told.keeps("name", file.fileno())
    words, [descriptor], _, _ = socket.recv_fds(at, 100, 1)
    assert words == b"FDSTORE=1\nFDNAME=name"
    assert os.fstat(descriptor).st_ino == (tmp_path / "kept").stat().st_ino
    os.close(descriptor)


# --- A manager that does not listen -----------------------------------------------------------


@pytest.fixture
def full(
    listening: Listening, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Notifier, list[float | None]]:
    """Who tells a manager whose queue is full, and the time-outs of what was sent to it.

    A socket that the kernel took for writable would spin until its time-out is over.
    """
    waited: list[float | None] = []

    class Seen(socket.socket):
        def sendmsg(self, *arguments: Any) -> int:
            assert select.select([], [self], [], 0)[1] == []
            waited.append(self.gettimeout())
            self.settimeout(0.001 if waited[-1] else 0)
            return super().sendmsg(*arguments)

    listening(f"{tmp_path}/n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as filling:
        filling.setblocking(False)
        filling.connect(f"{tmp_path}/n")
        with suppress(BlockingIOError):
            while True:
                filling.send(b"x")
    monkeypatch.setattr(socket, "socket", Seen)
    told = notifier({"NOTIFY_SOCKET": f"{tmp_path}/n", "WATCHDOG_USEC": "2000000"}, 7)
    assert told is not None
    return told, waited


def test_a_manager_whose_queue_is_full_is_waited_for_once(full: Any, caplog: Any) -> None:
    told, waited = full
    told.entered(Stage.READY, LIMITS)
    told.entered(Stage.DRAINING, LIMITS)
    assert waited == [notify._PATIENCE, 0.0]
    assert caplog.messages == ["Cannot tell the service manager: timed out"]


def test_neither_the_pulse_nor_a_mere_status_is_waited_with(full: Any) -> None:
    told, waited = full
    told.start(Clock())
    told.waits("for requests")
    told.reloads()
    assert waited == [0.0, 0.0, notify._PATIENCE]
