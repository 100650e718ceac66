"""Lines of the log ``django.channels.server``: one for each request and each step of a WebSocket.

Projects set up that logger, and read its lines: name, words, levels and colours are Daphne's. This
module must not know who serves.
"""

from __future__ import annotations

import logging
from typing import Any

_logger = logging.getLogger("django.channels.server")

_HTTP = "HTTP %(method)s %(path)s %(status)s [%(time_taken).2f, %(client)s]"
_WEBSOCKET = {
    "connecting": "WebSocket HANDSHAKING %(path)s [%(client)s]",
    "connected": "WebSocket CONNECT %(path)s [%(client)s]",
    "disconnected": "WebSocket DISCONNECT %(path)s [%(client)s]",
    "rejected": "WebSocket REJECT %(path)s [%(client)s]",
}

_OF_STATUS = {
    304: ("HTTP_NOT_MODIFIED", logging.INFO),
    404: ("HTTP_NOT_FOUND", logging.WARNING),
}
_OF_CLASS = {
    1: ("HTTP_INFO", logging.INFO),
    2: ("HTTP_SUCCESS", logging.INFO),
    3: ("HTTP_REDIRECT", logging.INFO),
    4: ("HTTP_BAD_REQUEST", logging.WARNING),
}
_OF_ALL_OTHERS = ("HTTP_SERVER_ERROR", logging.ERROR)


def log(style: Any, protocol: str, action: str, details: dict[str, Any]) -> None:
    """Write the line of an action; `style` paints it, and `details` are its record's arguments."""
    if protocol == "http":
        status = details["status"]
        role, level = _OF_STATUS.get(status) or _OF_CLASS.get(status // 100, _OF_ALL_OTHERS)
        _logger.log(level, getattr(style, role)(_HTTP), details)
    elif action in _WEBSOCKET:
        _logger.info(_WEBSOCKET[action], details)
