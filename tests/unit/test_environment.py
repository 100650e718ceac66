"""Options from environment variables."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daphne_like.environment import options_in, variable
from daphne_like.errors import ConfigError
from daphne_like.options import APPLICATION, Option
from tests.unit.options import ALL, texts


def values(**environ: str) -> dict[str, Any]:
    return {name: each.value for name, each in options_in(environ, {})[0].items()}


@given(st.data())
def test_every_option_has_a_variable(data: st.DataObject) -> None:
    option: Option = data.draw(st.sampled_from([each for each in ALL if not each.repeatable]))
    text = data.draw(texts(option))
    for name in option.names:
        place, warnings = options_in({variable(name): text}, {})
        assert place[option.name].value == option.parse(text)
        assert warnings == []


def test_a_variable_is_called_as_the_long_flag_in_capitals() -> None:
    assert values(DAPHNE_LIKE_PORT="1", DAPHNE_LIKE_WEBSOCKET_TIMEOUT="2") == {
        "port": 1,
        "websocket_timeout": 2.0,
    }
    assert values(DAPHNE_LIKE_APPLICATION="a:b") == {APPLICATION.name: "a:b"}
    assert values(DAPHNE_LIKE_LIMIT_CONCURRENCY="3") == {"concurrency": 3}
    assert values(DAPHNE_LIKE_HOST="a") == values(DAPHNE_LIKE_BIND="a") == {"host": "a"}


def test_what_may_be_given_several_times_has_a_line_for_each() -> None:
    assert values(DAPHNE_LIKE_HEADER="a: b, c\n\n d: e\r\n") == {
        "headers": ((b"a", b"b, c"), (b"d", b"e"))
    }


def test_other_variables_are_not_ours() -> None:
    environ = {"PORT": "1", "daphne_like_port": "3", "DAPHNE_PORT": "4"}
    assert options_in(environ, {}) == ({}, [])


def test_an_option_knows_its_variable_and_the_file_that_set_it() -> None:
    environ = {"DAPHNE_LIKE_PORT": "1", "DAPHNE_LIKE_HOST": "a"}
    place, _ = options_in(environ, {"DAPHNE_LIKE_HOST": ".env"})
    assert place["port"].origin == "environment DAPHNE_LIKE_PORT"
    assert place["host"].origin == ".env DAPHNE_LIKE_HOST"


def test_a_variable_that_is_no_option_is_warned_of_because_it_may_be_somebody_elses() -> None:
    environ = {
        "DAPHNE_LIKE_KEEPALIVE": "1",
        "DAPHNE_LIKE_ZZZ": "",
        "DAPHNE_LIKE_CONFIG": "c",
        "DAPHNE_LIKE_ENV_FILE": "e",
    }
    assert options_in(environ, {"DAPHNE_LIKE_KEEPALIVE": "mysite.env"}) == (
        {},
        [
            "DAPHNE_LIKE_KEEPALIVE in mysite.env is no option; "
            "did you mean DAPHNE_LIKE_KEEP_ALIVE?",
            "DAPHNE_LIKE_ZZZ in the environment is no option.",
        ],
    )


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"DAPHNE_LIKE_PORT": "x"}, "environment DAPHNE_LIKE_PORT: --port 'x' is not a whole"),
        ({"DAPHNE_LIKE_PORT": ""}, "environment DAPHNE_LIKE_PORT: --port is empty"),
        ({"DAPHNE_LIKE_HEADER": "\n"}, "environment DAPHNE_LIKE_HEADER: --header is empty"),
        (
            {"DAPHNE_LIKE_DEMO": "maybe"},
            "environment DAPHNE_LIKE_DEMO: --demo 'maybe' is not one of 1, true, yes, on, 0, ",
        ),
        (
            {"DAPHNE_LIKE_HOST": "a", "DAPHNE_LIKE_BIND": "a"},
            "environment DAPHNE_LIKE_HOST: DAPHNE_LIKE_BIND and DAPHNE_LIKE_HOST are the same",
        ),
    ],
)
def test_a_bad_variable_is_refused_by_its_name(environ: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        options_in(environ, {})
    assert str(refusal.value).startswith(said)


def test_what_a_platform_says_of_workers_counts_unless_we_are_told_otherwise() -> None:
    assert values(WEB_CONCURRENCY="2") == {"workers": 2}
    assert values(WEB_CONCURRENCY="2", DAPHNE_LIKE_WORKERS="3") == {"workers": 3}
    assert values(WEB_CONCURRENCY="") == {}
    with pytest.raises(ConfigError, match="environment WEB_CONCURRENCY: --workers 'many'"):
        values(WEB_CONCURRENCY="many")
