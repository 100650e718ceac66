"""Values for any option, whatever comes into the table."""

from __future__ import annotations

from hypothesis import strategies as st

from daphne_like.errors import ConfigError
from daphne_like.options import APPLICATION, OPTIONS, SWITCH, Option
from daphne_like.values import LEVELS

ALL = (APPLICATION, *OPTIONS)
BY_NAME = {option.name: option for option in ALL}

_PLAIN = {
    int: st.integers().map(str),
    float: st.floats(allow_nan=False).map(repr),
    str: st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
}
_WORDS = (
    "1",
    "a",
    "x: y",
    "X-Frame-Options: \u00e4 \"b\" \\ 'c' # d",
    *LEVELS,
    "127.0.0.1",
    "/a",
    "127.0.0.1:80",
    "unix:/a",
)


def texts(option: Option) -> st.SearchStrategy[str]:
    """Texts that `option` takes; of a type unknown here, those of some words that it does."""
    if option.choices:
        return st.sampled_from(option.choices)
    if option.switch:
        return st.sampled_from(list(SWITCH))
    if option.type in _PLAIN:
        return _PLAIN[option.type]
    return st.sampled_from([word for word in _WORDS if _takes(option, word)])


def _takes(option: Option, text: str) -> bool:
    try:
        option.parse(text)
    except ConfigError:
        return False
    return True


def sample(option: Option) -> str:
    """One text that `option` takes."""
    if option.choices:
        return option.choices[-1]
    return next(word for word in (*_WORDS, "on") if _takes(option, word))
