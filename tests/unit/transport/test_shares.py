"""Whose turn it is to accept: numbers that all workers see."""

from __future__ import annotations

from pathlib import Path

from daphne_like.transport.shares import Shares


def test_who_has_more_than_another_lets_that_one_go_first(tmp_path: Path) -> None:
    one, two = Shares(tmp_path / "shares", 1), Shares(tmp_path / "shares", 2)
    assert not one.is_ahead(7), "nobody else is there"
    assert not two.is_ahead(0)
    assert one.is_ahead(2)
    assert not one.is_ahead(1)
    assert not two.is_ahead(1)
    assert not two.is_ahead(2)
    assert two.is_ahead(3)


def test_who_has_left_is_waited_for_no_more(tmp_path: Path) -> None:
    shares = [Shares(tmp_path / "shares", place) for place in range(4)]
    for one in shares[1:]:
        one.is_ahead(0)
    assert shares[1].is_ahead(9)
    shares[2].leave()
    assert shares[1].is_ahead(9)
    shares[0].leave(3)
    assert not shares[1].is_ahead(9)


def test_places_are_used_again(tmp_path: Path) -> None:
    one, other = Shares(tmp_path / "shares", 0), Shares(tmp_path / "shares", 257)
    other.is_ahead(0)
    assert one.is_ahead(5)
    one.leave(1)
    assert not one.is_ahead(5)
