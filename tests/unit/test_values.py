"""Values of options that are more than text or a number."""

import pytest

from daphne_like.errors import ConfigError
from daphne_like.values import AUTO, LEVELS, header, level, requirement, workers


def test_a_header_is_a_name_and_a_value() -> None:
    assert header("X-Frame-Options: DENY") == (b"x-frame-options", b"DENY")
    assert header("x:") == (b"x", b"")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("nothing", "write it as 'name: value'"),
        (": value", "is not a token"),
        (" :x", "is not a token"),
        ("a b: c", "is not a token"),
        ("a: b\nc: d", "control character in its value"),
        ("a: \u20ac", "'\u20ac' cannot be sent in a header"),
        ("\u20ac: a", "'\u20ac' cannot be sent in a header"),
        ("Content-Length: 3", "the server writes this one by itself"),
        ("Transfer-Encoding: chunked", "the server writes this one by itself"),
    ],
)
def test_a_header_that_no_response_may_have_is_refused(text, reason) -> None:
    with pytest.raises(ConfigError, match="--header") as refusal:
        header(text)
    assert reason in str(refusal.value)


def test_a_verbosity_is_a_level_by_name_or_by_number() -> None:
    assert [level(name) for name in LEVELS] == [-2, -1, 0, 1, 2, 3]
    assert level("INFO") == level("1") == 1
    with pytest.raises(ValueError, match="loud"):
        level("loud")


@pytest.mark.parametrize(
    ("text", "word"),
    [("0", "none"), ("1", "optional"), ("2", "required"), ("required", "required"), ("3", "3")],
)
def test_what_is_asked_of_clients_is_a_word_or_uvicorns_number(text, word) -> None:
    assert requirement(text) == word


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("12", 12), ("auto", AUTO)])
def test_workers_are_a_number_or_as_many_as_make_sense(text: str, number: int) -> None:
    assert workers(text) == number


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", ""])
def test_any_other_number_of_workers_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="give a number from 1 up, or auto"):
        workers(text)
