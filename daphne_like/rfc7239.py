"""The elements of ``Forwarded``: what each proxy on the way has said (RFC 7239).

They are read from the right, because only the right end is known to be a proxy's: what a
client has sent, an open quote for example, stands to the left and changes nothing there.
This module must not know whom to believe.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_TEXT = r"[\t !#-\[\]-~\x80-\xff]"
_PAIR = re.compile(rf'({_TOKEN})=(?:({_TOKEN})|"((?:{_TEXT}|\\[\t -~\x80-\xff])*)")')

# The same grammar for the text read backwards, where an escaped character stands before its
# backslash. White space around the semicolon is common, though the grammar has none.
_STRING_RIAP = rf'"(?:[\t -~\x80-\xff]\\|{_TEXT})*"'
_RIAP = rf"(?:{_STRING_RIAP}|{_TOKEN})={_TOKEN}"
_BACKWARDS = re.compile(rf"[ \t,]*+((?:{_RIAP})?(?:[ \t]*;[ \t]*(?:{_RIAP})?)*+)[ \t]*(?:,|\Z)")

_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class Element(NamedTuple):
    """One element, as it was sent, and its parameters, names in lower case, unquoted."""

    text: str
    said: dict[str, str]


def elements(value: str) -> Iterator[Element]:
    """The elements of `value`, the last first; empty ones are left out.

    At a malformed one, or one that says a thing twice, it ends: nobody knows whose words
    stand to the left of it.
    """
    backwards, at = value[::-1], 0
    while at < len(backwards):
        found = _BACKWARDS.match(backwards, at)
        if found is None:
            return
        at = found.end()
        text = found[1][::-1]
        pairs = _PAIR.findall(text)
        said = {name.lower(): plain or _ESCAPED.sub(r"\1", quoted) for name, plain, quoted in pairs}
        if len(said) < len(pairs):
            return
        if said:
            yield Element(text, said)
