"""What can be said to ``runserver``, and what settings and the documentation say of it."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

from daphne_like.management.commands.runserver import Command
from daphne_like.management.options import add_options
from tests.unit.django_site import set_up

set_up()
PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "django.md"
MIB = 1024 * 1024


def parsed(*arguments: str) -> dict[str, Any]:
    parser = argparse.ArgumentParser()
    add_options(parser)
    return vars(parser.parse_args(arguments))


def test_without_a_word_they_are_daphnes() -> None:
    assert parsed() == {
        "use_asgi": True,
        "http_timeout": None,
        "websocket_handshake_timeout": 5,
        "websocket_max_message_size": MIB,
        "websocket_max_frame_size": None,
        "ssl_dev": False,
        "no_http2": False,
        "lifespan": "auto",
    }


def test_each_can_be_said() -> None:
    said = parsed(
        *("--noasgi", "--ssl-dev", "--no-http2", "--lifespan", "off", "--http_timeout", "1"),
        *("--websocket_handshake_timeout", "2", "--websocket-max-message-size", "3"),
        *("--websocket-max-frame-size", "4"),
    )
    assert said == {
        "use_asgi": False,
        "http_timeout": 1,
        "websocket_handshake_timeout": 2,
        "websocket_max_message_size": 3,
        "websocket_max_frame_size": 4,
        "ssl_dev": True,
        "no_http2": True,
        "lifespan": "off",
    }


@pytest.mark.parametrize(
    ("found", "message", "frame"),
    [
        ({"DAPHNE_WEBSOCKET_MAX_MESSAGE_SIZE": 1}, 1, None),
        ({"DAPHNE_WEBSOCKET_MAX_FRAME_SIZE": 0}, MIB, 0),
        (
            {
                "DAPHNE_WEBSOCKET_MAX_MESSAGE_SIZE": 1,
                "DAPHNE_LIKE_WEBSOCKET_MAX_MESSAGE_SIZE": 2,
                "DAPHNE_LIKE_WEBSOCKET_MAX_FRAME_SIZE": 3,
            },
            2,
            3,
        ),
    ],
)
def test_sizes_are_settings_too_and_our_names_go_first(found, message, frame) -> None:
    with override_settings(**found):
        options = parsed()
    assert options["websocket_max_message_size"] == message
    assert options["websocket_max_frame_size"] == frame


def test_the_documentation_has_each_option() -> None:
    ours = {text for action in _parser()._actions for text in action.option_strings}
    djangos = "--help --version --settings --pythonpath --no-color --force-color --skip-checks"
    cores = "--ipv6 --nothreading --noreload --verbosity --traceback"
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `--")]
    told = set(re.findall(r"`(--[\w-]+)`", " ".join(row.split("|")[1] for row in rows)))
    assert told == {text for text in ours if text.startswith("--")} - {
        *djangos.split(),
        *cores.split(),
    }


def _parser() -> argparse.ArgumentParser:
    return Command().create_parser("manage.py", "runserver")
