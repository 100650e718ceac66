"""How an option is written down: a field of the configuration, with what every front end needs.

This module must not know which options there are.
"""

from __future__ import annotations

from dataclasses import field
from typing import Any


def option(default: Any, *flags: str, group: str, **more: Any) -> Any:
    """A field of the configuration that is an option.

    ``help`` says what it sets; ``type`` parses its text (``str`` unless given); a ``bool``
    default makes it a switch, a tuple makes it repeatable; ``empty`` allows an empty text;
    a ``secret`` is not printed.
    """
    metadata = {"flags": flags, "group": group, **more}
    return field(default=default, metadata=metadata)
