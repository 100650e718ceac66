"""What a supervisor tells a worker when it starts it: by one variable of the environment.

Both ends are here. This module must not know what either does with it.
"""

from __future__ import annotations

import json
from collections.abc import MutableMapping
from typing import NamedTuple

VARIABLE = "_DAPHNE_LIKE_ORDERS"

ADMIN = "--admin-bind"
"""What the place of the admin listener is called among the sockets; all others have names."""

SHARES = "shares"
"""The file in the workers' directory in which each says how many connections it has."""


class Orders(NamedTuple):
    """Who a worker is, and what it does not make by itself.

    ``place`` is as the number, but for no other worker while it lives. ``sockets`` has the
    descriptors of listening sockets by the names of their places;
    ``lifeline`` is a descriptor that ends when the supervisor does; ``directory`` is one that all
    workers share, for sockets of their own; ``grace`` is how many seconds requests have at a stop,
    where that is not as the configuration says; ``passed`` are the descriptors and the names of
    what a service manager has passed to the supervisor.
    """

    number: int
    place: int
    sockets: dict[str, int]
    lifeline: int
    directory: str
    grace: float | None = None
    passed: list[tuple[int, str]] = []  # noqa: RUF012 - nobody changes it

    def give(self, environ: MutableMapping[str, str]) -> None:
        """Put it into the environment of a process that will be a worker."""
        environ[VARIABLE] = json.dumps(self)


def taken(environ: MutableMapping[str, str]) -> Orders | None:
    """Take the orders out of the environment; ``None`` for who is no worker."""
    text = environ.pop(VARIABLE, None)
    return None if text is None else Orders(*json.loads(text))
