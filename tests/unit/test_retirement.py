"""After so many requests it is time to go, and nobody is turned away."""

from __future__ import annotations

from daphne_like.exchange import Request
from daphne_like.retirement import retiring
from daphne_like.testing import FakeStream, RecordingOpen


def test_it_is_time_with_the_last_request_which_is_served_as_the_later_ones_are() -> None:
    served = RecordingOpen()
    told: list[int] = []
    open = retiring(served, 3, lambda: told.append(len(served.exchanges)))
    for number in range(5):
        request = Request("GET", b"/%d" % number, b"", [], "1.1", "http", b"", None, None)
        assert open(request, FakeStream()) is served.last
        assert served.last.request is request
    assert told == [2]
