"""What a supervisor tells a worker: given and taken once, through the environment."""

from __future__ import annotations

from daphne_like.orders import VARIABLE, Orders, taken

ORDERS = Orders(3, 4, {"127.0.0.1:80": 7, "unix:/ä": 8}, 9, "/run/x", 0.5)


def test_what_is_given_is_taken_once() -> None:
    environ = {"HOME": "/"}
    ORDERS.give(environ)
    assert environ[VARIABLE].isascii()
    assert taken(environ) == ORDERS
    assert environ == {"HOME": "/"}
    assert taken(environ) is None
