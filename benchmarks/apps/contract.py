"""What the applications answer, known to them and to the scenarios that check the answers.

It must know neither ASGI nor a framework: the benchmark imports it without either.
"""

import hashlib
import hmac
from typing import TypedDict

GREETING = b"Hello from the server!"
"""The small body: 22 bytes."""

DOWNLOAD = bytes(range(32, 118)) * 5_000
"""The large body: 430,000 bytes."""

USERS = 50
"""Owners in the table of items; each owns ``ITEMS_PER_USER`` rows."""

ITEMS_PER_USER = 10

_SECRET = b"a secret for the benchmark only"


class Item(TypedDict):
    """One row of the table that the API queries, and one object of its JSON answer."""

    id: int
    owner: int
    name: str
    price_cents: int
    in_stock: bool


def items_of(owner: int) -> list[Item]:
    """Return the rows that belong to ``owner``, by id."""
    first = owner * ITEMS_PER_USER
    return [
        Item(
            id=number,
            owner=owner,
            name=f"item {number}",
            price_cents=100 + number * 7 % 900,
            in_stock=number % 3 != 0,
        )
        for number in range(first, first + ITEMS_PER_USER)
    ]


def bearer_token(user: int) -> str:
    """Return the token of ``user``: its number, a dot, and an HMAC-SHA256 over the number."""
    return f"{user}.{_signature(str(user))}"


def user_of_token(token: str) -> int | None:
    """Return the user whose token this is, or ``None`` if the signature is not ours."""
    user, _, signature = token.partition(".")
    return int(user) if hmac.compare_digest(signature, _signature(user)) else None


def _signature(user: str) -> str:
    return hmac.new(_SECRET, user.encode(), hashlib.sha256).hexdigest()
