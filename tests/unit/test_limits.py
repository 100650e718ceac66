"""The limits: each with its unit and its reason."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from daphne_like.limits import LIMITS, Limits, longest_stop

each = pytest.mark.parametrize("item", dataclasses.fields(Limits), ids=lambda item: item.name)


UNITS = {
    "frames",
    "frames a second",
    "resets",
    "resets a second",
    "streams",
    "bytes",
    "bytes a second",
    "fields",
    "seconds",
    "connections",
    "requests",
    "sockets",
    "handshakes",
    "threads",
}


@each
def test_a_limit_says_its_unit_and_its_reason(item: dataclasses.Field[Any]) -> None:
    assert item.metadata["unit"] in UNITS
    assert item.metadata["reason"].endswith((".", ";", "after", "for"))
    assert all(flag.startswith("-") for flag in item.metadata["flags"])


@each
def test_a_limit_is_positive_or_there_is_none(item: dataclasses.Field[Any]) -> None:
    nothing = None if item.default is None else 0
    assert item.default == nothing or item.default > 0
    if item.default == 0:
        assert "0 for" in item.metadata["reason"]


def test_the_names_are_listed_in_their_order() -> None:
    assert LIMITS[-1] == "websocket_drain_time"
    assert len(LIMITS) == len(set(LIMITS)) == len(dataclasses.fields(Limits))


def test_limits_do_not_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Limits().head_size = 1  # type: ignore[misc]


def test_some_limits_only_work_together() -> None:
    limits = Limits()
    assert limits.keep_alive > 60, "load balancers keep idle connections for 60 s"
    assert limits.graceful_timeout < 30, "Kubernetes waits 30 s"
    assert limits.send_grace < limits.application_close_timeout
    assert limits.websocket_max_frame_size <= limits.websocket_max_message_size


def test_the_longest_stop_is_all_that_may_be_waited_for() -> None:
    limits = Limits(
        drain_delay=1, graceful_timeout=2, application_close_timeout=4, shutdown_timeout=8
    )
    assert longest_stop(limits) == 15
