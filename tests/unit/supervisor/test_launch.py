"""How a worker is started: processes for real, but with nothing to serve."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from daphne_like.supervisor import launch
from daphne_like.supervisor.launch import Copy, Heir, Program, Seat
from daphne_like.supervisor.notices import Notices


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An environment in which the package is a few lines that say how they were started."""
    place = tmp_path / "daphne_like"
    place.mkdir()
    (place / "__init__.py").touch()
    (place / "__main__.py").write_text(
        "import os, sys\n"
        "os.write(int(sys.argv[1]), f'{os.getpid() == os.getpgrp()}'.encode())\n"
        "sys.exit(int(os.environ['STATUS']))\n"
    )
    monkeypatch.chdir(tmp_path)
    return {"PYTHONPATH": str(tmp_path), "STATUS": "3", "PATH": os.environ["PATH"]}


def ended(process: Any) -> int:
    while process.poll() is None:
        os.sched_yield()
    status: int = process.poll()
    return status


def test_a_program_is_the_same_command_in_a_group_of_its_own(package: dict[str, str]) -> None:
    read, write = os.pipe()
    process = Program([str(write)], package, [write])
    os.close(write)
    assert os.read(read, 100) == b"True"
    os.close(read)
    assert ended(process) == 3
    process.tell(signal.SIGTERM)


def test_a_copy_lets_go_and_lives_by_its_own_environment() -> None:
    read, write = os.pipe()
    said: list[str] = []

    def main() -> int:
        facts = [*said, os.environ["WHO"], str(os.getpid() == os.getpgrp()), str(len(os.environ))]
        os.write(write, " ".join(facts).encode())
        return 5

    process = Copy(main, {"WHO": "worker"}, lambda: said.append("free"))
    os.close(write)
    assert os.read(read, 100) == b"free worker True 1"
    os.close(read)
    assert ended(process) == 5
    process.tell(signal.SIGTERM)
    assert "WHO" not in os.environ


def test_a_copy_hears_signals() -> None:
    process = Copy(lambda: signal.pause() or 0, {}, lambda: None)
    process.tell(signal.SIGKILL)
    assert ended(process) == -signal.SIGKILL


def test_an_heir_inherits_sockets_and_is_known_to_live(
    package: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    read, write = os.pipe()
    heir = Heir([str(write)], package, [write])
    assert not os.get_inheritable(write)
    os.close(write)
    assert os.read(read, 100) == b"False"
    os.close(read)
    while heir.lives():
        os.sched_yield()
    assert not heir.lives()


def test_what_cannot_be_started_leaves_descriptors_as_they_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere")
    read, write = os.pipe()
    with pytest.raises(FileNotFoundError):
        Heir([], {}, [write])
    assert not os.get_inheritable(write)
    os.close(read)
    os.close(write)


class Nobody:
    """A process that does nothing."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def poll(self) -> int | None:
        return None

    def tell(self, number: int) -> None:
        """Hear nothing."""


def test_a_seat_knows_how_large_its_process_is_and_lets_go(tmp_path: Path) -> None:
    notices = Notices(tmp_path / "n")
    left: list[Notices] = []
    process: Any = Nobody(os.getpid())
    seat = Seat(process, notices, left.append)
    assert seat.resident() > 1_000_000
    seat.pid = 0
    assert seat.resident() == 0
    seat.forget()
    assert left == [notices]
    assert not notices.path.exists()


def test_the_life_of_a_copy_begins_by_letting_go(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[object] = []
    monkeypatch.setattr(launch.os, "setpgid", lambda *given: done.append(given))
    monkeypatch.setattr(launch.os, "environ", {"OLD": "gone"})

    def main() -> int:
        done.append(dict(os.environ))
        return 5

    with pytest.raises(SystemExit) as left:
        launch._live(main, {"NEW": "1"}, lambda: done.append("let go"))
    assert left.value.code == 5
    assert done == [(0, 0), "let go", {"NEW": "1"}]
