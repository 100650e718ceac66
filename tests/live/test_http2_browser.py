"""HTTP/2 as a browser speaks it: a page, what it fetches, and its sockets, on one connection."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.live.browsers import browsing, settled
from tests.live.conversations import LEFT_BY_PAGES, SEEN_BY_PAGES
from tests.live.http2_ways import encrypted
from tests.live.serving import Serving
from tests.support.certificates import localhost

MIB = 1024 * 1024
QUIET = ("--no-access-log", "--watchdog", "0")
MORE = {
    "page": "h2",
    "counted": "3000000",
    "many": ["hello", "done"],
    "large": 8 * MIB,
    "streamed": "15",
    "events": ["0", "1", "2"],
    "socket": {"version": "2", "scheme": "wss", "same": True},
    "past a refusal": "still here",
    "trailers": [],
    "protocols": ["h2"],
    "given up": "AbortError",
}


class Habits(NamedTuple):
    """What a browser does in its own way: what it opens and sees there, and how it leaves."""

    page: str
    seen: dict[str, Any]
    left: str


HABITS = {
    # Just started, it takes a hint at times only. Leaving, it resets the streams of its sockets.
    "chromium": Habits("/page", {}, "1006 the client has reset the stream"),
    # Its bodies are no streams. It shows a page the one trailer that is for pages.
    "firefox-esr": Habits("/hinted", {"streamed": None, "trailers": [["all", 42]]}, "1001"),
}


@pytest.mark.parametrize(
    ("browser", "loop", "compression"),
    [
        ("chromium", "uvloop", "off"),
        ("chromium", "asyncio", "on"),
        ("firefox-esr", "uvloop", "on"),
    ],
)
def test_a_page_with_all_it_does_on_one_connection(
    browser: str, loop: str, compression: str, tool: Callable[[str], str], tmp_path: Path
) -> None:
    habits = HABITS[browser]

    def visit() -> tuple[dict[str, Any], list[str]]:
        return visited(loop, compression, tool(browser), habits.page, tmp_path)

    seen, ends = settled(visit, lambda found: found[0]["multiplexed"]["socket"]["same"])
    more = MORE | habits.seen
    assert seen == SEEN_BY_PAGES | {"compressed": compression == "on", "multiplexed": more}
    assert ends == [*LEFT_BY_PAGES, habits.left]


def visited(
    loop: str, compression: str, program: str, path: str, place: Path
) -> tuple[dict[str, Any], list[str]]:
    """What a page has seen that a new browser opens on a new server, and how its sockets ended."""
    way = encrypted(place)
    sockets = ("--ws-compression", compression, "--ping-interval", "0.2", "--ws-origins", "same")
    with Serving("multiplexed:app", "--loop", loop, *QUIET, *way.server, *sockets) as server:
        page = f"{way.base(server)}{path}?name=page&also=multiplexed"
        with browsing(program, page, localhost().own):
            [line] = server.stdout.wait_for("report ")
            server.stdout.wait_for("the client left")
            server.stdout.wait_for("the listener left")
            server.stdout.wait_for("page left: ", len(LEFT_BY_PAGES) + 1)
        assert server.stop() == 0
    prefix = "page left: "
    lines = server.stdout.lines
    ends = [line.removeprefix(prefix) for line in lines if line.startswith(prefix)]
    return json.loads(line.removeprefix("report ")), ends
