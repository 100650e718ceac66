"""The lines of the log that a developer watches."""

from __future__ import annotations

import logging

import pytest
from django.core.management.color import make_style

from daphne_like.management.lines import log

STYLE = make_style(
    "http_info=blue;http_success=green;http_not_modified=cyan;http_redirect=magenta;"
    "http_not_found=yellow;http_bad_request=red;http_server_error=white"
)
DETAILS = {"path": "/a?b=1", "client": "10.0.0.7:4711"}


def of_http(caplog, style, status: int) -> logging.LogRecord:
    more = {"status": status, "method": "GET", "time_taken": 0.126, "size": 22}
    with caplog.at_level("INFO", "django.channels.server"):
        log(style, "http", "complete", DETAILS | more)
    [record] = caplog.records
    assert record.name == "django.channels.server"
    assert record.args == DETAILS | more
    return record


@pytest.mark.parametrize(
    ("status", "level", "colour"),
    [
        (101, "INFO", 34),
        (200, "INFO", 32),
        (299, "INFO", 32),
        (301, "INFO", 35),
        (304, "INFO", 36),
        (400, "WARNING", 31),
        (404, "WARNING", 33),
        (500, "ERROR", 37),
        (600, "ERROR", 37),
    ],
)
def test_a_status_has_a_level_and_a_colour(caplog, status, level, colour) -> None:
    record = of_http(caplog, STYLE, status)
    said = f"HTTP GET /a?b=1 {status} [0.13, 10.0.0.7:4711]"
    assert record.getMessage() == f"\x1b[{colour}m{said}\x1b[0m"
    assert record.levelname == level


def test_without_colours_there_are_none(caplog) -> None:
    record = of_http(caplog, make_style("nocolor"), 200)
    assert record.getMessage() == "HTTP GET /a?b=1 200 [0.13, 10.0.0.7:4711]"


@pytest.mark.parametrize(
    ("action", "word"),
    [
        ("connecting", "HANDSHAKING"),
        ("connected", "CONNECT"),
        ("disconnected", "DISCONNECT"),
        ("rejected", "REJECT"),
    ],
)
def test_each_step_of_a_websocket_has_its_word(caplog, action, word) -> None:
    with caplog.at_level("INFO", "django.channels.server"):
        log(STYLE, "websocket", action, DETAILS)
    [record] = caplog.records
    assert record.getMessage() == f"WebSocket {word} /a?b=1 [10.0.0.7:4711]"
    assert (record.levelname, record.args) == ("INFO", DETAILS)


def test_of_an_action_that_has_no_line_nothing_is_said(caplog) -> None:
    with caplog.at_level("INFO", "django.channels.server"):
        log(STYLE, "websocket", "anything", DETAILS)
    assert caplog.records == []
