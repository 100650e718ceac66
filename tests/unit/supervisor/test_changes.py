"""Which files count, and which of them have changed."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from daphne_like.supervisor import changes as module
from daphne_like.supervisor.changes import Wanted, changes, differing, times, watched


@pytest.fixture
def wanted(tmp_path: Path) -> Wanted:
    for name in ("a.py", "b.txt", "package/c.py", ".git/d.py", "package/node_modules/e.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")
    return Wanted((str(tmp_path),), ("*.py", "*.html"), (".*", "node_modules"))


def test_files_count_by_their_names_and_by_those_of_their_directories(
    wanted: Wanted, tmp_path: Path
) -> None:
    assert set(times(wanted)) == {tmp_path / "a.py", tmp_path / "package/c.py"}
    assert wanted.has(tmp_path / "new.html")
    assert not wanted.has(tmp_path / ".git/new.py")


def test_the_names_above_a_directory_that_was_named_do_not_matter() -> None:
    assert Wanted(("/home/.hidden/site",), ("*.py",), (".*",)).has(Path("/home/.hidden/site/a.py"))
    assert Wanted(("/site",), ("*.py",), (".*",)).has(Path("/elsewhere/a.py"))


def test_what_is_changed_made_or_removed_differs() -> None:
    before = {Path("same"): (1, 1), Path("touched"): (1, 1), Path("gone"): (1, 1)}
    after = {Path("same"): (1, 1), Path("touched"): (2, 1), Path("new"): (1, 1)}
    assert differing(before, after) == {Path("touched"), Path("gone"), Path("new")}


class Ended:
    """An event that is waited for in no time: each wait does the next thing, the last ends."""

    def __init__(self, *things: Any) -> None:
        self._things = list(things)

    def wait(self, seconds: float) -> bool:
        if not self._things:
            return True
        self._things.pop(0)()
        return False


def nothing() -> None:
    """In this wait nothing happens."""


def test_without_a_watcher_files_are_looked_at_until_no_more_change(
    wanted: Wanted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def change(name: str, text: str) -> Any:
        return lambda: (tmp_path / name).write_text(text)

    monkeypatch.setitem(sys.modules, "watchfiles", None)
    things = nothing, change("a.py", "22"), change("package/c.py", "22"), nothing
    more = change("b.txt", "22"), (tmp_path / "a.py").unlink, nothing
    ended: Any = Ended(*things, *more)
    assert list(changes(wanted, 0.1, ended)) == [
        {tmp_path / "a.py", tmp_path / "package/c.py"},
        {tmp_path / "a.py"},
    ]


def test_a_watcher_is_asked_for_the_same_files(
    wanted: Wanted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def watch(*directories: str, watch_filter: Any, step: int, stop_event: Any, **more: Any) -> Any:
        assert directories == (str(tmp_path),)
        assert step == 100
        assert watch_filter(1, str(tmp_path / "a.py"))
        assert not watch_filter(1, str(tmp_path / "b.txt"))
        yield {(1, str(tmp_path / "a.py")), (2, str(tmp_path / "a.py"))}

    monkeypatch.setitem(sys.modules, "watchfiles", SimpleNamespace(watch=watch))
    assert list(changes(wanted, 0.1, threading.Event())) == [{tmp_path / "a.py"}]


def test_a_thread_tells_of_changes_until_it_is_ended(
    wanted: Wanted, monkeypatch: pytest.MonkeyPatch
) -> None:
    def once(wanted: Wanted, delay: float, ended: threading.Event) -> Any:
        yield {Path("a.py")}
        ended.wait(10)
        over.set()

    told: list[set[Path]] = []
    heard, over = threading.Event(), threading.Event()
    monkeypatch.setattr(module, "changes", once)
    end = watched(wanted, 0.1, lambda files: (told.append(files), heard.set()))
    assert heard.wait(10)
    end()
    assert over.wait(10)
    assert told == [{Path("a.py")}]


def test_a_file_that_goes_away_while_we_look_is_gone(
    wanted: Wanted, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "_files", lambda wanted: [tmp_path / "gone.py"])
    assert times(wanted) == {}
