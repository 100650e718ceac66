"""What is given in which place, and which place wins."""

from __future__ import annotations

from typing import Any

import pytest

from daphne_like.config import Config
from daphne_like.errors import ConfigError
from daphne_like.sources import (
    COMMAND_LINE,
    Given,
    Place,
    by_name,
    configuration,
    given,
    merged,
    place,
    suggestion,
)
from tests.unit.options import ALL, BY_NAME


def one(name: str, *texts: str, origin: str = "a file") -> Given:
    option = BY_NAME[name]
    return given(option, option.names[0], texts, origin)


def a_place(*givens: tuple[str, str], origin: str = "a file") -> Place:
    return place(one(name, text, origin=origin) for name, text in givens)


def values(chosen: Place) -> dict[str, Any]:
    return {name: each.value for name, each in chosen.items()}


# --- Given ------------------------------------------------------------------------------------


def test_a_text_becomes_a_value_and_what_a_file_would_say_for_it() -> None:
    assert one("port", "1", "2")[2:] == (2, 2, "a file")
    assert one("demo", "ON")[2:4] == (True, True)
    assert one("endpoints", "a", "b")[2:4] == (("a", "b"), ["a", "b"])
    assert one("verbosity", "debug")[2:4] == (2, "debug")
    assert one("headers", "A:b", "c: d")[2:4] == (((b"a", b"b"), (b"c", b"d")), ["A:b", "c: d"])
    assert one("headers")[2:4] == ((), [])


@pytest.mark.parametrize(
    ("origin", "said"),
    [
        (COMMAND_LINE, "--port 'x' is not a whole number."),
        ("environment DAPHNE_LIKE_PORT", "environment DAPHNE_LIKE_PORT: --port 'x' is not"),
    ],
)
def test_a_bad_text_is_refused_with_the_place_it_is_in(origin: str, said: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        one("port", "x", origin=origin)
    assert str(refusal.value).startswith(said)


def test_two_names_of_one_option_in_one_place_are_a_mistake() -> None:
    assert values(a_place(("host", "a"), ("port", "1"))) == {"host": "a", "port": 1}
    host = BY_NAME["host"]
    both = [given(host, name, ["a"], "mysite.toml") for name in host.names[:2]]
    with pytest.raises(ConfigError) as refusal:
        place(both)
    said = "mysite.toml: bind and host are the same option: give one of the two."
    assert str(refusal.value) == said


# --- Merged -----------------------------------------------------------------------------------


def test_the_stronger_place_wins_option_by_option() -> None:
    strong = a_place(("port", "1"), ("endpoints", "a:1"))
    weak = a_place(("port", "2"), ("endpoints", "b:2"), ("host", "b"))
    weakest = a_place(("host", "c"), ("root_path", "/c"))
    chosen = merged([strong, weak, weakest])
    assert values(chosen) == {"port": 1, "endpoints": ("a:1",), "host": "b", "root_path": "/c"}
    assert chosen["port"] is strong["port"]


@pytest.mark.parametrize(
    ("strong", "weak", "left"),
    [
        (("demo", "on"), ("application", "a:b"), {"demo": True}),
        (("application", "a:b"), ("demo", "on"), {"application": "a:b"}),
        (("demo", "off"), ("application", "a:b"), {"demo": False, "application": "a:b"}),
        (("access_log", "-"), ("no_access_log", "on"), {"access_log": "-"}),
        (("no_server_name", "on"), ("server_name", "x"), {"no_server_name": True}),
    ],
)
def test_who_says_one_thing_takes_its_rival_back_from_weaker_places(strong, weak, left) -> None:
    assert values(merged([a_place(strong), a_place(weak)])) == left


def test_in_one_place_rivals_stay_for_the_check_to_judge() -> None:
    both = a_place(("demo", "on"), ("application", "a:b"))
    with pytest.raises(ConfigError, match="An application and --demo"):
        configuration(merged([both]))


# --- The configuration ------------------------------------------------------------------------


def test_what_nobody_gives_has_its_default() -> None:
    assert configuration(a_place(("demo", "on"))) == Config(demo=True)


def test_a_refusal_says_where_the_value_is_from_unless_it_is_plain_to_see() -> None:
    bad = ("demo", "on"), ("port", "70000")
    with pytest.raises(ConfigError) as refusal:
        configuration(a_place(*bad, origin="mysite.toml"))
    refused = "--port 70000 is not between 0 and 65535."
    assert str(refusal.value) == f"{refused} --port is from mysite.toml."
    with pytest.raises(ConfigError) as refusal:
        configuration(a_place(*bad, origin=COMMAND_LINE))
    assert str(refusal.value) == refused


# --- Names ------------------------------------------------------------------------------------


def test_every_option_has_a_name_and_no_name_means_two_things() -> None:
    names = [name for option in ALL for name in option.names]
    assert by_name().keys() == set(names)
    assert len(names) == len(set(names))
    assert by_name(str.upper)["PORT"] is BY_NAME["port"]


def test_what_is_near_is_suggested() -> None:
    assert suggestion("prot", by_name()) == "; did you mean port?"
    assert suggestion("zzzzz", by_name()) == ""
    assert suggestion("--prot", ["--port", "-p"], "--") == "; did you mean --port?"
    assert suggestion("LONG_PREFIX_A", ["LONG_PREFIX_B"], "LONG_PREFIX_") == ""
