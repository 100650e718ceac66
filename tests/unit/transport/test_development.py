"""The certificate for development: where it is kept, for whom, and how long."""

from __future__ import annotations

import atexit
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from daphne_like.transport import x509
from daphne_like.transport.development import LOCAL, certificate_for, names_for

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("host", [None, "", "0.0.0.0", "::", "[::1]", "127.0.0.1", "LOCALHOST"])
def test_this_machine_has_names_of_its_own(host: str | None) -> None:
    assert names_for(host) == list(LOCAL)


@pytest.mark.parametrize(("host", "name"), [("192.0.2.1", "192.0.2.1"), ("[fe80::1]", "fe80::1")])
def test_and_the_one_that_is_listened_on(host: str, name: str) -> None:
    assert names_for(host) == [*LOCAL, name]


@pytest.mark.parametrize(
    ("variables", "place"),
    [
        ({"XDG_CACHE_HOME": "{}/x", "HOME": "{}/h"}, "x"),
        ({"HOME": "{}/h"}, "h/.cache"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "{}/h"}, "h/.cache"),
    ],
)
def test_it_is_in_the_users_cache_and_nobody_elses(
    tmp_path: Path, variables: dict[str, str], place: str
) -> None:
    given = {name: text.format(tmp_path) for name, text in variables.items()}
    made = certificate_for(LOCAL, given, NOW)
    assert made == tmp_path / place / "daphne-like/development.pem"
    assert made.stat().st_mode & 0o777 == 0o600
    assert made.parent.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in made.parent.iterdir()] == ["development.pem"]
    assert x509.names_of(made.read_bytes()) == list(LOCAL)


def test_it_stays_while_it_fits(tmp_path: Path) -> None:
    def at(days: int, *more: str) -> bytes:
        now = NOW + timedelta(days=days)
        return certificate_for([*LOCAL, *more], {"HOME": str(tmp_path)}, now).read_bytes()

    first = at(0)
    assert at(380) == first
    second = at(384)
    assert second != first, "it would have ended in 13 days"
    assert at(384) == second
    third = at(384, "192.0.2.1")
    assert third != second
    assert at(384) == third, "which has those names, too"
    fourth = at(384, "192.0.2.2")
    assert x509.names_of(fourth) == [*LOCAL, "192.0.2.2", "192.0.2.1"]
    assert at(384, "192.0.2.1") == fourth, "servers that take turns do not take names away"


def test_what_is_broken_is_made_anew(tmp_path: Path) -> None:
    made = certificate_for(LOCAL, {"HOME": str(tmp_path)})
    made.write_bytes(b"broken")
    assert certificate_for(LOCAL, {"HOME": str(tmp_path)}) == made
    assert x509.names_of(made.read_bytes()) == list(LOCAL)


@pytest.mark.parametrize("how", ["open", "linked", "piped", "another's"])
def test_what_others_have_made_or_may_read_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    made = certificate_for(LOCAL, {"HOME": str(tmp_path)})
    before = made.read_bytes()
    if how == "open":
        made.chmod(0o640)
    elif how == "linked":
        made.rename(made.with_name("elsewhere"))
        made.symlink_to("elsewhere")
    elif how == "piped":
        made.unlink()
        os.mkfifo(made, 0o600)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert certificate_for(LOCAL, {"HOME": str(tmp_path)}) == made
    assert made.read_bytes() != before
    assert made.is_file()
    assert made.lstat().st_mode & 0o777777 == 0o100600


@pytest.mark.parametrize(
    "variables", [{}, {"HOME": ""}, {"HOME": "."}, {"HOME": "", "XDG_CACHE_HOME": ""}]
)
def test_without_a_place_it_goes_with_the_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variables: dict[str, str]
) -> None:
    monkeypatch.chdir(tmp_path)
    ends: list[Any] = []
    monkeypatch.setattr(atexit, "register", lambda *given, **more: ends.append((given, more)))
    made = certificate_for(LOCAL, variables)
    assert list(tmp_path.iterdir()) == []
    assert x509.names_of(made.read_bytes()) == list(LOCAL)
    [((end, *given), more)] = ends
    end(*given, **more)
    assert not made.parent.exists()


@pytest.mark.parametrize(
    ("host", "name"), [("Ünï.example", "xn--n-nga1b.example"), ("a..b", "a..b"), ("é..b", "?..b")]
)
def test_a_name_is_spelt_in_ascii(host: str, name: str) -> None:
    assert names_for(host) == [*LOCAL, name]
