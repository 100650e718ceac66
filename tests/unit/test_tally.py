"""Counting what happens too often: what is told at once, what later, and nothing twice."""

from __future__ import annotations

from twisted.internet.task import Clock

from daphne_like.tally import Bucket, Flood, Tally, and_others


def test_a_tally_tells_of_the_first_at_once_and_of_the_others_now_and_then() -> None:
    clock = Clock()
    tally = Tally(clock.seconds, 10)
    assert [tally.count() for _ in range(3)] == [1, 0, 0]
    clock.advance(9)
    assert tally.count() == 0
    clock.advance(1)
    assert [tally.count() for _ in range(2)] == [4, 0]


def test_a_tally_may_tell_of_the_first_few_each_time() -> None:
    clock = Clock()
    tally = Tally(clock.seconds, 10, most=2)
    assert [tally.count() for _ in range(4)] == [1, 1, 0, 0]
    clock.advance(10)
    assert [tally.count() for _ in range(3)] == [3, 1, 0]


def test_a_tally_can_be_asked_for_what_it_has_kept_and_for_how_long_it_will() -> None:
    clock = Clock()
    tally = Tally(clock.seconds, 10)
    assert [tally.count() for _ in range(3)] == [1, 0, 0]
    clock.advance(4)
    assert (tally.left(), tally.rest(), tally.rest()) == (6, 2, 0)
    clock.advance(7)
    assert tally.left() == 0


def test_a_flood_tells_what_it_has_kept_when_its_time_is_over() -> None:
    clock, told = Clock(), list[int]()
    flood = Flood(clock, told.append)
    assert flood.count() == 1
    assert clock.getDelayedCalls() == []
    clock.advance(4)
    assert [flood.count() for _ in range(3)] == [0, 0, 0]
    clock.advance(5)
    assert told == []
    clock.advance(1)
    assert told == [3]
    assert clock.getDelayedCalls() == []
    assert flood.count() == 1


def test_a_flood_that_ends_tells_it_at_once() -> None:
    clock, told = Clock(), list[int]()
    flood = Flood(clock, told.append, most=2)
    flood.end()
    assert [flood.count() for _ in range(3)] == [1, 1, 0]
    flood.end()
    flood.end()
    assert (told, clock.getDelayedCalls()) == ([1], [])


def test_a_flood_tells_nothing_twice() -> None:
    clock, told = Clock(), list[int]()
    flood = Flood(clock, told.append)
    assert [flood.count() for _ in range(2)] == [1, 0]
    clock.rightNow += 10  # The next comes before the timer does.
    assert flood.count() == 2
    clock.advance(0)
    assert (told, clock.getDelayedCalls()) == ([], [])


def test_a_line_says_how_many_others_it_tells_of() -> None:
    assert [and_others(told) for told in (1, 2, 11)] == [
        "",
        ", and 1 others before",
        ", and 10 others before",
    ]


def test_a_bucket_lets_so_many_through_in_a_row_and_then_some_each_second() -> None:
    clock = Clock()
    bucket = Bucket(clock.seconds, 3, 2)
    assert [bucket.take() for _ in range(5)] == [True, True, True, False, False]
    clock.advance(0.5)
    assert [bucket.take() for _ in range(2)] == [True, False]
    clock.advance(1)
    assert [bucket.take() for _ in range(3)] == [True, True, False]


def test_a_bucket_never_has_more_than_it_began_with() -> None:
    clock = Clock()
    bucket = Bucket(clock.seconds, 3, 2)
    clock.advance(1000)
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]


def test_a_bucket_that_is_empty_loses_nothing_of_what_drips_in() -> None:
    clock = Clock()
    bucket = Bucket(clock.seconds, 1, 1)
    assert bucket.take()
    for _ in range(3):
        clock.advance(0.25)
        assert not bucket.take()
    clock.advance(0.25)
    assert bucket.take()
