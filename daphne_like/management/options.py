"""The options of ``runserver`` that Django's own has not: Daphne's, and a few of ours.

This module must not know what they do.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings

from daphne_like.limits import MIB

_SETTINGS = ("DAPHNE_LIKE_WEBSOCKET_MAX_{}_SIZE", "DAPHNE_WEBSOCKET_MAX_{}_SIZE")
"""Where a project keeps its sizes: under our name for them, or under Daphne's."""


def add_options(parser: Any) -> None:
    """Add them to an argparse `parser`."""
    add = parser.add_argument
    add("--noasgi", dest="use_asgi", **_OFF, help="Run Django's own server, for WSGI.")
    add("--ssl-dev", **_ON, help="Serve https, with a certificate that is made and kept.")
    add("--no-http2", **_ON, help="Speak HTTP/1 only.")
    add(
        "--lifespan",
        choices=("auto", "on", "off"),
        default="auto",
        help="Run the application's startup and shutdown: where it can (auto), always, or never.",
    )
    for flags, default, what in _NUMBERS:
        add(*flags, type=int, default=default, help=what)
    add(
        "--websocket-max-message-size",
        type=int,
        default=_size("MESSAGE", MIB),
        help=f"Bytes of a WebSocket message; 0 for no limit ({MIB}).",
    )
    add(
        "--websocket-max-frame-size",
        type=int,
        default=_size("FRAME", None),
        help="Bytes of a WebSocket frame; 0 for no limit (that of a message).",
    )


_ON: dict[str, Any] = {"action": "store_true"}
_OFF: dict[str, Any] = {"action": "store_false"}

_NUMBERS = (
    (
        ("--http_timeout", "--http-timeout"),
        None,
        "Seconds that a request may take, to the end of its response (no limit).",
    ),
    (
        ("--websocket_handshake_timeout", "--websocket-handshake-timeout"),
        5,
        "Seconds in which a WebSocket has to be accepted or refused (5).",
    ),
)


def _size(kind: str, default: int | None) -> int | None:
    names = [name.format(kind) for name in _SETTINGS]
    return next((getattr(settings, name) for name in names if hasattr(settings, name)), default)
