"""One page from those of several workers: what each says, with its number.

This module must not know how the pages are asked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from daphne_like.health import Stage

Pages = Mapping[str, bytes]
"""The pages of workers by their numbers."""


def merged_metrics(pages: Pages) -> bytes:
    """An exposition of all samples, each with the label ``worker``."""
    families: dict[str, list[str]] = {}
    heads: dict[str, list[str]] = {}
    for worker, page in pages.items():
        name = ""
        for line in page.decode().splitlines():
            if line.startswith("#"):
                name = line.split(" ", 3)[2]
                known = heads.setdefault(name, [])
                known += [line] if line not in known else []
            else:
                families.setdefault(name, []).append(_labelled(line, worker))
    lines = [line for name, head in heads.items() for line in (*head, *families.get(name, ()))]
    return "".join(f"{line}\n" for line in lines).encode()


def _labelled(sample: str, worker: str) -> str:
    """A line of a sample with one label more, in the first place."""
    end = min(found for found in (sample.find("{"), sample.find(" ")) if found >= 0)
    name, rest = sample[:end], sample[end:]
    label = f'worker="{worker}"'
    return f"{name}{{{label},{rest[1:]}" if rest.startswith("{") else f"{name}{{{label}}}{rest}"


def merged_connections(pages: Pages) -> bytes:
    """One JSON object of all connections, each with its worker; the totals are sums."""
    found = {worker: json.loads(page) for worker, page in pages.items()}
    totals: dict[str, int] = {}
    for page in found.values():
        for name, count in page["totals"].items():
            totals[name] = totals.get(name, 0) + count
    connections = [
        {"worker": int(worker), **one}
        for worker, page in found.items()
        for one in page["connections"]
    ]
    workers = [{"worker": int(worker), "stage": page["stage"]} for worker, page in found.items()]
    stage = best(page["stage"] for page in found.values())
    whole: dict[str, Any] = {"stage": stage, "workers": workers, "totals": totals}
    return json.dumps({**whole, "connections": connections}).encode() + b"\n"


_BY_MERIT = (Stage.READY, Stage.STARTING, Stage.DRAINING, Stage.STOPPED, Stage.FAILED)


def best(stages: Iterable[str]) -> str:
    """How far the whole server is: as far as the best of its workers."""
    return min(stages, key=lambda stage: _BY_MERIT.index(Stage(stage)), default=Stage.STARTING)
