"""From the text of an option to its value, for those that are more than text or a number.

This module must not know which options there are.
"""

from __future__ import annotations

from daphne_like.errors import ConfigError
from daphne_like.exchange import Field
from daphne_like.headers_sent import BadField, response_head


def requirement(text: str) -> str:
    """What is asked of clients, from its word or from the number that uvicorn has for it."""
    return {"0": "none", "1": "optional", "2": "required"}.get(text, text)


def header(text: str) -> Field:
    """A response header from ``name: value``.

    Raises :class:`ConfigError` for one that may not go into a response, or that only the
    server can know.
    """
    name, colon, value = text.partition(":")
    if not colon:
        raise ConfigError(f"--header {text!r}: write it as 'name: value'.")
    field = sendable(f"--header {text!r}", name.strip().lower(), value.strip())
    head = response_head(200, [field], "GET")
    if field not in head.fields or head.length is not None:
        raise ConfigError(f"--header {text!r}: the server writes this one by itself.")
    return field


AUTO = 0
"""As many workers as make sense on this machine."""


def workers(text: str) -> int:
    """A number of workers, :data:`AUTO` for ``auto``; raises :class:`ConfigError`."""
    if text == "auto":
        return AUTO
    if not text.isdecimal() or int(text) < 1:
        raise ConfigError(f"--workers {text!r}: give a number from 1 up, or auto.")
    return int(text)


LEVELS = {"critical": -2, "error": -1, "warning": 0, "info": 1, "debug": 2, "trace": 3}
"""The names of the verbosities."""


def level(text: str) -> int:
    """A verbosity from its name or number; raises :class:`ValueError` for what is neither."""
    named = LEVELS.get(text.lower())
    return int(text) if named is None else named


def sendable(what: str, name: str, value: str) -> Field:
    """A judged field; raises :class:`ConfigError`, which says `what` is wrong."""
    try:
        field = name.encode("ascii"), value.encode("latin-1")
        response_head(200, [field], "GET")
    except UnicodeEncodeError as error:
        wrong = error.object[error.start : error.end]
        raise ConfigError(f"{what}: {wrong!r} cannot be sent in a header.") from None
    except BadField as error:
        raise ConfigError(f"{what}: {error}.") from None
    return field
