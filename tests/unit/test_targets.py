"""Targets: what may stand in one, and how the rest is spelled."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daphne_like.targets import BadTarget, ascii_target, target_of, unescaped

ESCAPED = b'"#<>\\'


def test_what_clients_send_is_left_as_it_is() -> None:
    plain = bytes(byte for byte in range(33, 127) if byte not in ESCAPED)
    assert ascii_target(plain) == plain


def test_what_would_end_a_target_or_is_not_ascii_is_escaped() -> None:
    assert ascii_target(b"/ \xff\xc3\xa9" + ESCAPED) == b"/%20%FF%C3%A9%22%23%3C%3E%5C"


@given(st.binary())
def test_no_byte_is_lost_and_none_can_break_a_line(raw: bytes) -> None:
    spelled = ascii_target(raw)
    assert all(33 <= byte < 127 for byte in spelled)
    assert unquote_to_bytes(spelled) == unquote_to_bytes(raw)
    assert ascii_target(spelled) == spelled


PIECES = [b"%", b"=", b"%41", b"%3d", b"%25", b"%0d%0A", b"=0A", b"_", b" ", b"\n", b"\xff", b"a0"]


@given(st.lists(st.sampled_from(PIECES)).map(b"".join))
def test_escapes_are_what_the_library_takes_them_for(raw: bytes) -> None:
    assert unescaped(raw) == unquote_to_bytes(raw)


def test_many_of_them_are_not_taken_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("daphne_like.targets.unquote_to_bytes")
    assert unescaped(b"/" + b"%41" * 1000) == b"/" + b"A" * 1000


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/", b"/"),
        ("/a.css?v=1", b"/a.css?v=1"),
        ("/a%20b", b"/a%20b"),
        ("/a b", b"/a%20b"),
        ("/caf\xe9", b"/caf%C3%A9"),
        ("//a", b"//a"),
    ],
)
def test_an_application_means_a_target_by_a_path(path: str, target: bytes) -> None:
    assert target_of(path) == target


@pytest.mark.parametrize("path", [None, b"/a", 1, "", "a", "*", "https://a/", " /"])
def test_a_path_begins_with_a_slash(path: Any) -> None:
    with pytest.raises(BadTarget, match="no text that begins with a slash"):
        target_of(path)


@pytest.mark.parametrize("character", ["\r", "\n", "\0", "\x1f", "\x7f", "#", "\ud800"])
def test_what_nobody_means_is_refused(character: str) -> None:
    with pytest.raises(BadTarget, match=r"has '.*' in it"):
        target_of(f"/a{character}b")
