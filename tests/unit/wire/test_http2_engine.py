"""The engine, as this server has it: what it announces, and its own GOAWAY."""

from __future__ import annotations

from typing import Any

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, RemoteSettingsChanged, WindowUpdated
from h2.settings import SettingCodes
from hypothesis import given
from hypothesis import strategies as st

from daphne_like.limits import Limits
from daphne_like.wire.http2_engine import (
    DenialOfServiceError,
    NGH2Error,
    greeting,
    last_words,
    made_engine,
    named,
    pushes_at_once,
)
from tests.support.frames import PREFACE, settings

MIB = 1024 * 1024


def said(raw: bytes) -> list[Any]:
    """What a client understands."""
    client = H2Connection(H2Configuration(client_side=True))
    client.initiate_connection()
    return client.receive_data(raw)


def announced(**limits: Any) -> tuple[dict[int, int], int]:
    """The settings that an engine announces, and how far it opens the connection's window."""
    events = said(greeting(made_engine(Limits(**limits)), Limits(**limits)))
    (settings,) = (event for event in events if isinstance(event, RemoteSettingsChanged))
    changed = {code: change.new_value for code, change in settings.changed_settings.items()}
    return changed, sum(event.delta for event in events if isinstance(event, WindowUpdated))


@given(st.integers(1, 1000), st.integers(1, 2**31 - 1), st.integers(1, 2**31 - 1))
def test_nothing_else_is_announced_than_what_the_engine_is_set_to(
    streams: int, window: int, head: int
) -> None:
    limits = Limits(http2_streams=streams, read_budget=window, head_size=head)
    first, second = made_engine(limits), made_engine(limits)
    ours, the_engines = greeting(first, limits), second.data_to_send()
    pairs = enumerate(zip(ours, the_engines, strict=True))
    differing = [at for at, (one, other) in pairs if one != other]
    assert differing
    assert differing[-1] - differing[0] < 4


def test_it_announces_the_limits() -> None:
    values, _ = announced(http2_streams=7, read_budget=70_000, head_size=5000)
    assert values == {
        SettingCodes.MAX_CONCURRENT_STREAMS: 7,
        SettingCodes.INITIAL_WINDOW_SIZE: 70_000,
        SettingCodes.MAX_HEADER_LIST_SIZE: 5000,
        SettingCodes.ENABLE_CONNECT_PROTOCOL: 1,
        9: 1,  # NO_RFC7540_PRIORITIES
    }


@pytest.mark.parametrize(
    ("limits", "window"),
    [
        ({"read_budget": 70_000, "http2_streams": 7}, 980_000),
        ({"read_budget": 100, "http2_streams": 7}, 65535),
        ({"read_budget": 100 * MIB, "http2_streams": 100}, 2**31 - 1),
        ({"read_budget": 2**40}, 2**31 - 1),
    ],
)
def test_the_connections_window_has_room_for_twice_all_streams(limits: Any, window: int) -> None:
    values, more = announced(**limits)
    assert 65535 + more == window
    assert values[SettingCodes.INITIAL_WINDOW_SIZE] <= 2**31 - 1


@pytest.mark.parametrize(
    ("said", "most"),
    [
        ([[]], 2**32 - 1),
        ([[(2, 1)]], 2**32 - 1),
        ([[(2, 0)]], 0),
        ([[(3, 100)]], 100),
        ([[(3, 0)]], 0),
        ([[(2, 0)], [(3, 100)]], 0),
        ([[(3, 100)], [(4, 10)]], 100),
    ],
)
def test_a_client_says_how_many_pushes_it_takes(said: Any, most: int) -> None:
    engine = made_engine(Limits())
    engine.receive_data(PREFACE + b"".join(settings(*pairs) for pairs in said))
    assert pushes_at_once(engine) == most


@pytest.mark.parametrize(
    ("error", "code"), [(DenialOfServiceError("flood"), 0x0B), (NGH2Error("bad"), 0x01)]
)
def test_our_own_goaway_says_what_was_wrong(error: NGH2Error, code: int) -> None:
    (event,) = said(last_words(error, 5))
    assert isinstance(event, ConnectionTerminated)
    assert (event.last_stream_id, event.error_code) == (5, code)


@pytest.mark.parametrize(("code", "name"), [(0x01, "PROTOCOL_ERROR"), (0xFA, "an unknown error")])
def test_an_error_has_a_name_for_the_log(code: int, name: str) -> None:
    assert named(code) == name
