"""What requests say again and again, made once: names of fields, and request lines.

Each memory is bounded. This module must not know what becomes of what is remembered.
"""

from __future__ import annotations

import re
from typing import Final

from daphne_like.wire.shared import METHODS

# Possessive: what does not match at once never will, and a client decides how long it is.
_PLAIN_LINE = re.compile(rb"([A-Z]++) (/[!\"$->@-~]*+)\??([!\"$-~]*+) HTTP/1\.1")


class _Names(dict[bytes, bytes]):
    """Field names in lower case, each one object for all requests: short ones are remembered.

    A name seen before costs no new object, and its hash is known to whoever looks it up.
    """

    def __missing__(self, name: bytes) -> bytes:
        lower = name.lower()
        if len(self) < 512 and len(name) < 40:
            self[name] = lower = self.setdefault(lower, lower)
        return lower


NAMES: Final = _Names()


class _PlainLines(dict[bytes, tuple[str, bytes, bytes] | None]):
    """Request lines, with method, path and query, where they are plain.

    Some are asked for all the time: a number of short ones are remembered, then forgotten.
    """

    def __missing__(self, line: bytes) -> tuple[str, bytes, bytes] | None:
        found = _PLAIN_LINE.fullmatch(line)
        name = None if found is None else METHODS.get(found[1])
        if found is None or name is None:
            return None
        plain = name, found[2], found[3]
        if len(line) < 256:
            if len(self) >= 1024:
                self.clear()
            self[line] = plain
        return plain


PLAIN_LINES: Final = _PlainLines()
