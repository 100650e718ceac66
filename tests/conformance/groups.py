"""The suite's groups of cases, one row each: what they are about, and what the server needs."""

from __future__ import annotations

from dataclasses import dataclass

_WITHOUT_LIMITS = ("--websocket-max-message-size", "0", "--websocket-max-frame-size", "0")
_WITH_COMPRESSION = (*_WITHOUT_LIMITS, "--ws-compression", "on")


@dataclass(frozen=True)
class Group:
    """All cases whose names begin with one number.

    Attributes:
        options: what our server is started with.
        quick: the cases to run where minutes matter; all, if there are none.
    """

    number: str
    title: str
    options: tuple[str, ...] = _WITHOUT_LIMITS
    quick: tuple[str, ...] = ()

    @property
    def all_cases(self) -> tuple[str, ...]:
        return (f"{self.number}.*",)

    @property
    def quick_cases(self) -> tuple[str, ...]:
        return self.quick or self.all_cases

    def has(self, case: str) -> bool:
        return case.startswith(f"{self.number}.")


GROUPS = (
    Group("1", "Framing"),
    Group("2", "Pings and pongs"),
    Group("3", "Reserved bits"),
    Group("4", "Opcodes"),
    Group("5", "Fragmentation"),
    Group("6", "UTF-8"),
    Group("7", "Closing"),
    # Every size; the smallest fragments and pieces; a thousand messages of either kind.
    Group(
        "9",
        "Large messages, many messages",
        quick=("9.1.*", "9.2.*", "9.3.1", "9.4.1", "9.5.1", "9.6.1", "9.7.1", "9.8.1"),
    ),
    Group("10", "Messages fragmented by the sender"),
    # A case is a thousand messages: the smallest of each kind of data, and one in fragments.
    Group(
        "12",
        "Compression of different data",
        _WITH_COMPRESSION,
        ("12.1.1", "12.2.1", "12.3.1", "12.4.1", "12.5.1", "12.1.11"),
    ),
    # The smallest for each way to negotiate.
    Group(
        "13",
        "Compression with different parameters",
        _WITH_COMPRESSION,
        ("13.1.1", "13.2.1", "13.3.1", "13.4.1", "13.5.1", "13.6.1", "13.7.1"),
    ),
)
"""In the suite's order; it has no cases with other numbers."""
