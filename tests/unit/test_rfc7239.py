"""The elements of Forwarded: read from the right, whatever stands to the left."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from daphne_like.rfc7239 import Element, elements


def said(value: str) -> list[dict[str, str]]:
    return [element.said for element in elements(value)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", []),
        ("for=192.0.2.60", [{"for": "192.0.2.60"}]),
        (
            "for=192.0.2.60;proto=http;by=203.0.113.43",
            [{"for": "192.0.2.60", "proto": "http", "by": "203.0.113.43"}],
        ),
        ('For="[2001:db8:cafe::17]:4711"', [{"for": "[2001:db8:cafe::17]:4711"}]),
        ("for=_gazonk, for=unknown", [{"for": "unknown"}, {"for": "_gazonk"}]),
        ("for=a; proto=b ;host=c", [{"for": "a", "proto": "b", "host": "c"}]),
        (" \tfor=a\t,for=b ", [{"for": "b"}, {"for": "a"}]),
        (", ,for=a,,", [{"for": "a"}]),
        (";;for=a;", [{"for": "a"}]),
        (";", []),
        ('for="";x=y', [{"for": "", "x": "y"}]),
        ('x="a, for=b";for=c, for=d', [{"for": "d"}, {"x": "a, for=b", "for": "c"}]),
        (r'x="\"a\\b\,"', [{"x": '"a\\b,'}]),
        (r'x="a\\", y="\\\""', [{"y": r"\""}, {"x": "a\\"}]),
        ('x="caf\xe9"', [{"x": "caf\xe9"}]),
    ],
)
def test_every_element_says_what_it_says(value: str, expected: list[dict[str, str]]) -> None:
    assert said(value) == expected


def test_an_element_is_kept_as_it_was_sent() -> None:
    assert list(elements('for="a" ; Proto=b, x=y')) == [
        Element("x=y", {"x": "y"}),
        Element('for="a" ; Proto=b', {"for": "a", "proto": "b"}),
    ]


@pytest.mark.parametrize(
    "bad",
    [
        "for",
        "for=",
        "=a",
        "for=a b",
        "for =a",
        "for= a",
        "for=a:1",
        "for=[::1]",
        "for=a;for=b",
        "for=a;FOR=a",
        'for="a',
        'for=a"',
        'for="a"b',
        'for="a" b',
        'for="a\\"',
        "for=\\a",
        "for=caf\xe9",
        'for="\x00"',
        'for="\r\n"',
        "for=a;proto",
        '"for"=a',
    ],
)
def test_a_malformed_element_ends_the_list(bad: str) -> None:
    assert said(bad) == []
    assert said(f"for=left, {bad}") == []
    assert said(f"for=left, {bad}, for=right") == [{"for": "right"}]


text = st.text(st.characters(max_codepoint=255))
grammatical = st.text(st.sampled_from('abc="\\;,: \t'))
values = st.one_of(
    st.text(st.sampled_from("abc[]:.1"), max_size=5).map(lambda plain: f'"{plain}"'),
    st.text(st.sampled_from("abc-1"), min_size=1, max_size=5),
    st.text(st.sampled_from('a,;"\\= '), max_size=8).map(
        lambda plain: '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'
    ),
)
good = st.lists(values, min_size=1, max_size=3).map(
    lambda given: ";".join(f"{name}={value}" for name, value in zip("xyz", given, strict=False))
)


@given(st.one_of(text, grammatical), good)
@example('for="evil', 'for="192.0.2.1"')
@example('for="evil, x="', "for=192.0.2.1")
@example("x=\\", "for=192.0.2.1")
def test_nothing_to_the_left_changes_what_the_proxy_has_said(left: str, right: str) -> None:
    [whole] = elements(right)
    assert whole.text == right
    assert next(elements(f"{left},{right}")) == whole
    assert next(elements(f"{left}, {right}")) == whole


@given(st.one_of(text, grammatical))
def test_no_text_is_too_bad_to_read(value: str) -> None:
    for element in elements(value):
        assert element.text in value
        assert element.said


@given(st.lists(good, max_size=4))
def test_a_list_is_read_whole(given: list[str]) -> None:
    assert [element.text for element in elements(", ".join(given))] == given[::-1]


@pytest.mark.parametrize(
    "piece", ['"', ",", "\\", ";", " ", "=", "a", "a=b;", 'a="\\\\', ' ,a="', '"a', "=a", ", "]
)
def test_reading_takes_no_more_time_than_the_text_is_long(piece: str) -> None:
    """The test would stand still for minutes if it grew with the square."""
    list(elements(piece * (65536 // len(piece))))
    list(elements('x="' + piece * (65536 // len(piece))))
