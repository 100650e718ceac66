"""The reference pages that are written by hand, against the code that they describe."""

from __future__ import annotations

import re

from daphne_like.asgi import websocket, websocket_send
from daphne_like.asgi.frames import CODES, NO_CODE, may_be_sent
from daphne_like.asgi.scope import http_scope, lifespan_scope, websocket_scope
from daphne_like.config import Config
from daphne_like.exchange import Request
from daphne_like.options import OPTIONS
from daphne_like.places import OWN_KINDS
from daphne_like.wire.http1_response import WITHOUT_FILES
from tests.examples.pages import DOCS, rows, section
from tests.examples.serving import CHECKOUT

ASGI = DOCS / "reference/asgi.md"
REQUEST = Request("GET", b"/", b"", [], "1.1", "http", b"", None, None)


def test_the_scope_has_the_keys_that_the_page_lists() -> None:
    scope = http_scope(REQUEST, "", WITHOUT_FILES.http_1_0, {})
    listed = [row[0].strip("`") for row in rows(section(ASGI, "The HTTP scope"))]
    assert listed == list(scope)


def test_the_page_shows_the_versions_and_extensions_that_there_are() -> None:
    scope = http_scope(REQUEST, "", WITHOUT_FILES.http_1_0, {})
    shown = dict(rows(section(ASGI, "The HTTP scope")))
    asgi = repr(scope["asgi"]).replace("'", '"')
    assert shown["`asgi`"] == f"`{asgi}`"
    assert shown["`extensions`"].startswith(f"`{scope['extensions']!r}`")
    assert repr(lifespan_scope({})).replace("'", '"') in section(ASGI, "Lifespan")


def test_the_scope_of_a_websocket_has_the_keys_and_values_that_the_page_lists() -> None:
    scope = websocket_scope(REQUEST, "", {})
    shown = dict(rows(section(ASGI, "The WebSocket scope")))
    assert [key.strip("`") for key in shown] == list(scope)
    for key in ("asgi", "type", "extensions"):
        said = repr(scope[key]).replace("'", '"')
        assert shown[f"`{key}`"] == f"`{said}`"
    assert f'"{scope["scheme"]}"' in shown["`scheme`"]


def test_the_page_lists_every_message_that_an_open_or_closed_door_takes() -> None:
    listed = [
        row[0].strip("`") for row in rows(section(ASGI, "WebSocket messages from the application"))
    ]
    taken = {kind for steps in websocket_send._STEPS.values() for kind in steps}
    assert set(filter(lambda name: "." in name, listed)) == taken.union(
        *websocket_send._DENIAL.values()
    )


def test_the_page_lists_the_codes_that_the_server_sends_and_tells() -> None:
    codes = {int(row[0]) for row in rows(section(ASGI, "Close codes"))}
    ours = {websocket.NORMAL, websocket.GOING_AWAY, websocket.ABNORMAL, websocket.FAILED}
    assert codes >= ours | {NO_CODE, Config().ws_close_code}
    assert codes - CODES == {NO_CODE, websocket.ABNORMAL}
    assert {code for code in range(1000, 5000) if may_be_sent(code)} == {
        *range(1000, 1004),
        *range(1007, 1014),
        *range(3000, 5000),
    }


def test_every_status_of_a_refusal_is_on_the_page_and_no_other() -> None:
    refused = {
        status
        for module in CHECKOUT.glob("daphne_like/**/*.py")
        for status in re.findall(r"RemoteFault\((\d{3})", module.read_text())
    }
    assert {row[0] for row in rows(section(ASGI, "What is refused"))} == refused


def test_the_house_has_the_rooms_that_its_page_shows() -> None:
    page = (DOCS / "explanation/architecture.md").read_text()
    shown = set(re.findall(r"^\| `(\w+/\w+\.py)` \|", page, re.MULTILINE))
    package = CHECKOUT / "daphne_like"
    assert shown == {
        f"{room}/{module.name}"
        for room in ("transport", "wire", "asgi")
        for module in (package / room).glob("*.py")
        if module.name != "__init__.py"
    }


def test_configure_takes_every_option_by_the_name_that_the_page_says() -> None:
    page = (DOCS / "reference/api.md").read_text()
    said = dict(re.findall(r"`(\w+)`\s+for\s+`(--[\w-]+)`", page))
    for option in OPTIONS:
        spelled = {flag.removeprefix("--").replace("-", "_") for flag in option.flags}
        assert option.name in spelled or said[option.name] in option.flags


def test_the_strings_with_fast_transports_are_those_of_the_page() -> None:
    page = (DOCS / "reference/command-line.md").read_text()
    table = page.partition("| String | Arguments")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+):", table, re.MULTILINE)) == OWN_KINDS
