"""Masking: two ways, one result."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daphne_like.asgi import masks
from daphne_like.asgi.masks import apply_mask, masked_by_integers
from tests.support.websocket import masked

both = pytest.mark.parametrize("apply", [apply_mask, masked_by_integers])
mask = st.binary(min_size=4, max_size=4)


@both
def test_the_example_of_the_rfc(apply) -> None:
    assert apply(b"\x7f\x9f\x4d\x51\x58", b"\x37\xfa\x21\x3d") == b"Hello"


@both
@given(data=st.binary(max_size=300), mask=mask)
def test_each_byte_meets_one_of_the_mask_in_turn(apply, data: bytes, mask: bytes) -> None:
    result = apply(data, mask)
    assert type(result) is bytes
    assert result == masked(data, mask)
    assert apply(result, mask) == data


@both
@pytest.mark.parametrize("size", [65535, 65536, 65537, 1 << 20])
def test_large_payloads_too(apply, size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    assert apply(data[:size], b"\x01\x02\x04\x08") == masked(data[:size], b"\x01\x02\x04\x08")


def test_websockets_does_it_where_it_is_compiled() -> None:
    speedups = pytest.importorskip("websockets.speedups")
    assert apply_mask is speedups.apply_mask


@pytest.fixture
def without_speedups(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "websockets.speedups", None)
        importlib.reload(masks)
        yield
    importlib.reload(masks)


@pytest.mark.usefixtures("without_speedups")
def test_integers_do_it_where_it_is_not() -> None:
    assert masks.apply_mask is masks.masked_by_integers
    assert masks.apply_mask(b"\x7f\x9f", b"\x37\xfa\x21\x3d") == b"He"
