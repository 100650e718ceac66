"""The text in which Prometheus reads metrics: the exposition format, version 0.0.4.

This module must not know what is measured.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import NamedTuple

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"

COUNTER, GAUGE, HISTOGRAM = "counter", "gauge", "histogram"


class Histogram:
    """How many values were how large, and their sum.

    ``counts`` has one number for each of the ascending `bounds`, of the values up to it and
    above the one before, and a last one for those above all.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def add(self, counts: Iterable[int], total: float) -> None:
        """Count many values, as another histogram of the same bounds has them."""
        self.counts = [ours + theirs for ours, theirs in zip(self.counts, counts, strict=True)]
        self.total += total


Sample = tuple[tuple[str, ...], float | Histogram]
"""The values of a metric's labels, and what was measured for them."""


class Metric(NamedTuple):
    """What is measured: its name, its kind, one sentence, and the names of its labels."""

    name: str
    kind: str
    help: str
    labels: tuple[str, ...] = ()


def exposition(measured: Iterable[tuple[Metric, Iterable[Sample]]]) -> bytes:
    """The text for all that was `measured`; a metric without samples is left out."""
    lines: list[str] = []
    for metric, samples in measured:
        written = [line for sample in samples for line in _lines(metric, *sample)]
        if written:
            lines.append(f"# HELP {metric.name} {_escaped(metric.help)}")
            lines.append(f"# TYPE {metric.name} {metric.kind}")
            lines += written
    return "".join(f"{line}\n" for line in lines).encode()


def _lines(metric: Metric, values: tuple[str, ...], measured: float | Histogram) -> Iterator[str]:
    labels = list(zip(metric.labels, values, strict=True))
    if not isinstance(measured, Histogram):
        yield _line(metric.name, labels, measured)
        return
    so_far = list(accumulate(measured.counts))
    for bound, count in zip((*measured.bounds, math.inf), so_far, strict=True):
        yield _line(f"{metric.name}_bucket", [*labels, ("le", _number(bound))], count)
    yield _line(f"{metric.name}_sum", labels, measured.total)
    yield _line(f"{metric.name}_count", labels, so_far[-1])


def _line(name: str, labels: list[tuple[str, str]], value: float) -> str:
    inside = ",".join(f'{label}="{_escaped(text, quotes=True)}"' for label, text in labels)
    return f"{name}{{{inside}}} {_number(value)}" if inside else f"{name} {_number(value)}"


def _number(value: float) -> str:
    return "+Inf" if value == math.inf else repr(value)


def _escaped(text: str, *, quotes: bool = False) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quotes else text
