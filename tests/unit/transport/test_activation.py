"""Socket activation: what the environment says, for whom, and which sockets are chosen."""

from __future__ import annotations

import os
import resource
import socket
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from daphne_like.errors import StartupError
from daphne_like.transport import activation
from daphne_like.transport.activation import Passed, chosen, passed, read


@pytest.fixture(autouse=True)
def marked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The descriptors that are kept from children; 4 is not open."""
    numbers: list[int] = []

    def set_inheritable(number: int, inheritable: bool) -> None:
        assert not inheritable
        if number == 4:
            raise OSError("bad file descriptor")
        numbers.append(number)

    monkeypatch.setattr(activation.os, "set_inheritable", set_inheritable)
    return numbers


# --- The environment --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "names", "found"),
    [
        ("1", None, [(3, "unknown")]),
        ("2", "http:admin", [(3, "http"), (4, "admin")]),
        ("2", "http:http", [(3, "http"), (4, "http")]),
        ("3", "http", [(3, "http"), (4, "unknown"), (5, "unknown")]),
        ("2", ":b", [(3, "unknown"), (4, "b")]),
        ("1", "a:b", [(3, "a")]),
        ("0", "", []),
    ],
)
def test_descriptors_are_numbered_from_3_on_and_named_as_far_as_names_go(
    count: str, names: str | None, found: list[Any], marked: list[int]
) -> None:
    environ = {"LISTEN_PID": "7", "LISTEN_FDS": count, "OTHER": "stays"}
    if names is not None:
        environ["LISTEN_FDNAMES"] = names
    assert read(environ, 7) == tuple(found)
    assert environ == {"OTHER": "stays"}
    assert marked == [number for number, _ in found if number != 4]


@pytest.mark.parametrize("environ", [{}, {"LISTEN_FDS": "2"}, {"LISTEN_PID": "7"}])
def test_who_says_no_pid_or_no_number_passes_nothing(environ: dict[str, str]) -> None:
    assert read(environ, 7) == ()


def test_what_is_for_another_process_is_left_to_it() -> None:
    environ = {"LISTEN_PID": "8", "LISTEN_FDS": "2"}
    with pytest.raises(StartupError, match=r"are for process 8, and this one is 7: start .* exec"):
        read(environ, 7)
    assert environ == {"LISTEN_PID": "8", "LISTEN_FDS": "2"}


@pytest.mark.parametrize("count", ["two", "-1", ""])
def test_what_is_no_number_is_refused(count: str) -> None:
    with pytest.raises(StartupError, match=f"LISTEN_FDS='{count}' is not a number of sockets"):
        read({"LISTEN_PID": "7", "LISTEN_FDS": count}, 7)


@pytest.mark.parametrize("count", ["65537", "30000000", "9" * 5000])
@pytest.mark.parametrize(
    ("platform", "files", "most"),
    [
        ("linux", 100, 100),
        ("linux", 2**30, 65536),
        ("darwin", resource.RLIM_INFINITY, 65536),
        ("win32", 100, 65536),
    ],
)
def test_more_than_a_process_can_have_open_are_refused(
    count: str,
    platform: str,
    files: int,
    most: int,
    monkeypatch: pytest.MonkeyPatch,
    marked: list[int],
) -> None:
    monkeypatch.setattr(activation.sys, "platform", platform)
    monkeypatch.setattr(resource, "getrlimit", lambda limit: (files, files))
    with pytest.raises(StartupError, match=f"LISTEN_FDS={count[:20]} is more than the {most} open"):
        read({"LISTEN_PID": "7", "LISTEN_FDS": count}, 7)
    assert marked == []


@pytest.mark.parametrize(
    ("twisted", "names", "found"),
    [(True, "a:b", [(3, "a"), (4, "b")]), (True, "", []), (False, "a:b", [])],
)
def test_what_twisted_has_taken_is_known_by_the_names_that_it_leaves(
    twisted: bool, names: str, found: list[Any]
) -> None:
    assert read({"LISTEN_FDNAMES": names}, 7, twisted=twisted) == tuple(found)


@pytest.fixture
def forgetful() -> Iterator[None]:
    """What other tests have read, or this one reads, is not remembered."""
    known = [*activation._known]
    activation._known.clear()
    yield
    activation._known[:] = known


@pytest.mark.usefixtures("forgetful")
def test_it_is_read_once_for_the_whole_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "twisted.internet.endpoints", raising=False)
    ours = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "http"}
    monkeypatch.setattr(activation.os, "environ", dict(ours))
    assert passed() == ((3, "http"),)
    monkeypatch.setattr(activation.os, "environ", dict(ours, LISTEN_FDS="2"))
    assert passed() == ((3, "http"),)


@pytest.mark.usefixtures("forgetful")
def test_that_twisted_was_there_before_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "twisted.internet.endpoints", socket)
    monkeypatch.setattr(activation.os, "environ", {"LISTEN_FDNAMES": "http"})
    assert passed() == ((3, "http"),)


# --- The choice -------------------------------------------------------------------------------

THREE = (Passed(3, "http"), Passed(4, "admin"), Passed(5, "http"))


@pytest.mark.parametrize(
    ("name", "index", "numbers"),
    [
        (None, None, [3, 4, 5]),
        ("http", None, [3, 5]),
        ("admin", None, [4]),
        (None, 0, [3]),
        (None, 2, [5]),
    ],
)
def test_sockets_are_chosen_by_name_or_index_or_all(
    name: str | None, index: int | None, numbers: list[int]
) -> None:
    assert chosen(name, index, lambda: THREE) == numbers


@pytest.mark.parametrize(
    ("name", "index", "there", "said"),
    [
        (None, None, (), r"No sockets were passed \(LISTEN_FDS is not set\): start the .socket"),
        ("https", None, THREE, "No socket is named 'https': FileDescriptorName= says admin, http."),
        (None, 3, THREE, "There is no socket 3: 3 were passed, from 0 on."),
    ],
)
def test_a_choice_of_nothing_is_refused(
    name: str | None, index: int | None, there: tuple[Passed, ...], said: str
) -> None:
    with pytest.raises(StartupError, match=said):
        chosen(name, index, lambda: there)


# --- For others -------------------------------------------------------------------------------


@pytest.mark.usefixtures("forgetful")
def test_a_supervisor_knows_for_its_workers_what_it_was_passed() -> None:
    assert activation.known() == []
    activation.know([(3, "http")])
    assert passed() == ((3, "http"),)
    assert activation.known() == [(3, "http")]


@pytest.mark.usefixtures("forgetful")
def test_what_was_kept_for_us_is_none_of_the_units() -> None:
    activation.know([(3, "http"), (4, "daphne-like.0a"), (5, "http")])
    assert activation.kept() == [(4, "daphne-like.0a")]
    assert chosen() == [3, 5]


@pytest.mark.usefixtures("forgetful")
def test_what_is_for_another_process_was_not_kept_for_us(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activation.os, "environ", {"LISTEN_PID": "1", "LISTEN_FDS": "1"})
    assert activation.kept() == []
