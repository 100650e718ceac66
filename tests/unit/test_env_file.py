"""Files of environment variables: their grammar, and what is refused with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daphne_like.env_file import read, variables
from daphne_like.errors import ConfigError


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as refused:
        variables(text, ".env")
    return str(refused.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("A=b", "b"),
        ("A=", ""),
        ("  export\tA = b c \t", "b c"),
        ("A=b # c", "b"),
        ("A= # c", ""),
        ("A=b#c", "b#c"),
        ("A=#b", "#b"),
        ("A=b=c", "b=c"),
        ("A=b'c", "b'c"),
        ("A=$B ${B} $(B)", "$B ${B} $(B)"),
        ("A=\\n", "\\n"),
        ("A='b # \\n \" $B'", 'b # \\n " $B'),
        ("A=''", ""),
        ("A= 'b' # c", "b"),
        ("A='b\nc=d'", "b\nc=d"),
        ('A="b # \' $B"\t', "b # ' $B"),
        ('A="\\n\\r\\t\\"\\\\\\$\\d"', '\n\r\t"\\$\\d'),
        ('A="b\nc"', "b\nc"),
        ("A=b\nA=c", "c"),
        ("\n \t\n# B=c\n  # D=e\nA=b\n\n", "b"),
        ("A=\u00e4\u20ac", "\u00e4\u20ac"),
    ],
)
def test_a_line_sets_a_variable(text: str, value: str) -> None:
    assert variables(text, ".env") == {"A": value}


def test_a_name_may_be_export() -> None:
    assert variables("export=a\nexport export=b\nexported=c", ".env") == {
        "export": "b",
        "exported": "c",
    }


@pytest.mark.parametrize(
    "text", ["", "\n", "# A=b", " ", "\t# A=b\n \n"], ids=repr
)  # fmt: skip
def test_nothing_sets_nothing(text: str) -> None:
    assert variables(text, ".env") == {}


@pytest.mark.parametrize(
    "line", ["A", "=b", "1A=b", "A-B=c", "\u00c4=b", "A='b", 'A="b', 'A="b\\"', "A='b'c", 'A="b"#c',
             "export A", "A=b\0c"], ids=repr
)  # fmt: skip
def test_what_is_no_assignment_is_refused_with_its_line(line: str) -> None:
    assert refusal(f"# one\nB='two\nthree'\n{line}\n").startswith(".env, line 4: write NAME=value")


NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]*", fullmatch=True)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@given(st.dictionaries(NAMES, TEXT))
def test_any_text_can_be_said_in_double_quotes(wanted: dict[str, str]) -> None:
    text = "".join(f"{name}={quoted(value)}\n" for name, value in wanted.items())
    assert variables(text, ".env") == wanted


@given(TEXT.filter(lambda text: "'" not in text))
def test_any_text_without_a_single_quote_can_be_said_in_single_quotes(wanted: str) -> None:
    assert variables(f"A='{wanted}'", ".env") == {"A": wanted}


@given(st.text("A='\"\\# \n\texport$", max_size=30))
def test_any_file_is_read_or_refused(text: str) -> None:
    try:
        found = variables(text, ".env")
    except ConfigError:
        return
    assert len(found) <= text.count("=")


# --- Files ------------------------------------------------------------------------------------


def test_a_file_may_be_from_windows(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_bytes(b"\xef\xbb\xbfA=b\r\nC='d'\r\n")
    assert read(str(file)) == {"A": "b", "C": "d"}


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    with pytest.raises(ConfigError, match=r"^Cannot read --env-file .*\.env: No such file"):
        read(str(file))
    file.write_bytes(b"A=\xe4")
    with pytest.raises(ConfigError, match=r"^--env-file .*\.env is not UTF-8, at byte 2\.$"):
        read(str(file))
