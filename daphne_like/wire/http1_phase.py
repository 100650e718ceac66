"""What the next byte from an HTTP/1 client belongs to."""

from __future__ import annotations

from enum import IntEnum


class Phase(IntEnum):
    """What the next byte from the client belongs to."""

    HEAD = 0
    COUNTED = 1
    """A body whose Content-Length is known."""
    CHUNKED = 2
    AHEAD = 3
    """The request is whole, its response is not: what comes now waits."""
    DROPPED = 4
    """The connection is ending: what comes now is thrown away."""
    TUNNEL = 5
    """An upgrade was granted: what comes now belongs to it, to the end."""


BODY = frozenset((Phase.COUNTED, Phase.CHUNKED))

DOING = {phase: "idle" if phase in (Phase.HEAD, Phase.AHEAD) else "ending" for phase in Phase}
"""What a connection without an exchange does, by its phase."""
