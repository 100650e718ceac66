"""HTTP/2 as a browser speaks it: a page, what it fetches, and its sockets, on one connection."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.live.browsers import browsing, settled, trusting
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
    "protocols": ["h2"],
    "given up": "AbortError",
}


@pytest.mark.parametrize(("loop", "compression"), [("uvloop", "off"), ("asyncio", "on")])
def test_a_page_with_all_it_does_on_one_connection(
    loop: str, compression: str, tool: Callable[[str], str], tmp_path: Path
) -> None:
    def visit() -> tuple[dict[str, Any], list[str]]:
        return visited(loop, compression, tool("chromium"), tmp_path)

    seen, ends = settled(visit, lambda found: found[0]["multiplexed"]["socket"]["same"])
    assert seen == SEEN_BY_PAGES | {"compressed": compression == "on", "multiplexed": MORE}
    assert ends == list(LEFT_BY_PAGES)


def visited(
    loop: str, compression: str, chromium: str, place: Path
) -> tuple[dict[str, Any], list[str]]:
    """What a page has seen that a new Chromium opens on a new server, and how its sockets ended."""
    way = encrypted(place)
    sockets = ("--ws-compression", compression, "--ping-interval", "0.2", "--ws-origins", "same")
    with Serving("multiplexed:app", "--loop", loop, *QUIET, *way.server, *sockets) as server:
        page = f"{way.base(server)}/page?also=multiplexed"
        with browsing(chromium, page, trusting(localhost().own)):
            [line] = server.stdout.wait_for("report ")
            server.stdout.wait_for("the client left")
            server.stdout.wait_for("the listener left")
        assert server.stop() == 0
    prefix = "chromium left: "
    lines = server.stdout.lines
    ends = [line.removeprefix(prefix) for line in lines if line.startswith(prefix)]
    return json.loads(line.removeprefix("report ")), ends
