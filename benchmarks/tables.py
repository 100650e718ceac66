"""A record of measurements as text: the tables for a terminal and the reference page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.record import best_peer, ranked, ratio, spread

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from benchmarks.model import Wire
    from benchmarks.record import Record, ScenarioRecord, ServerRecord

_PAGE = """\
# Benchmarks

<!-- Written by benchmarks/; change that, and run `make benchmark`. -->

![Medians of every server in every scenario; less is better](benchmarks.svg)

CPU time is the user and system time of a server's whole process tree, divided by the answers it
gave. It says what a request costs, and is the figure to go by: requests per second also depend on
what else the machine did meanwhile, and are given only for scale.

Each server runs one worker process, bound to one core, without an access log; `wrk` sends the
requests from another core where there is one, over 64 connections unless a title says otherwise.
Every answer is checked before and after the load, and any error under load counts as failure.
Servers take turns, and each load comes after a warm-up of one second.

HTTP/2 is asked for by `h2load`, over 8 connections with 16 requests under way on each; in cleartext
it begins with HTTP/2, without an upgrade. As many requests are sent as take about as long as the
other loads, and the server's time is taken when the last is answered. Over TLS the version is 1.3,
the certificate is self-signed with a key on P-256, and `h2load` offers one cipher, AES-128-GCM,
for all.

A TLS handshake is a full one, without resumption, on a new connection that carries one request
and then ends; 8 of them are under way at a time. The client is Python's `ssl`, and where it was
busy all the time, a server could have made more handshakes per second than are shown.

A server that does not speak what a scenario needs is left out of it. So is Uvicorn where HTTP/2 is
needed: what it has is experimental, and takes these loads for a flood.

Over WebSockets a compiled client, picows on uvloop, sends one message on each connection, awaits
its echo and sends the next; every echo is compared with what was sent, and nothing is compressed.
How busy both ends were tells which was the bottleneck; the client's waits for its core count too.
A server that was busy for much less than 90 % of the time looks worse than it is, for it wakes up
for every single message. Idle WebSockets have had one message echoed; their figure is what they
add to the memory of a server that has had one WebSocket before.

The tables give medians. *Lowest to highest* is how far the rounds lay apart: servers whose ranges
overlap are not to be told apart by this run. *Times best peer* compares the first figure with the
best of the servers that are not ours: below 1 is better than all of them.

Peers have the settings that cost least when we tried their choices; ours has its defaults. It is
measured twice: as pip installs it, and [compiled](../how-to/compile.md).
Gunicorn is what pip installs with its extra `fast`, which may not be the newest Gunicorn.

{runs}

The medians, and every sample they were taken from, are in `docs/benchmarks.json`.
"""

_RUN = """\
Measured on {date} with Python {python} on {cores} cores of {processor}, in {rounds} rounds with
loads of {seconds} seconds, by

```shell
{command}
```

{tables}

## What was run

{servers}"""

_WIRES: dict[Wire, str] = {
    "http": "HTTP/1.1",
    "websocket": "WebSocket",
    "https": "HTTP/1.1 over TLS",
    "h2c": "HTTP/2",
    "h2": "HTTP/2 over TLS",
}


def page(records: Iterable[Record]) -> str:
    """Return the reference page, in Markdown, with one run after the other."""
    return _PAGE.format(runs="\n\n".join(map(_run, records)))


def _run(record: Record) -> str:
    return _RUN.format_map({**record, "tables": tables(record), "servers": _servers(record)})


def summary(records: Sequence[Record]) -> str:
    """Return one Markdown table with the first figures to sum it up, the best of each in bold."""
    servers = list(dict.fromkeys(name for record in records for name in record["servers"]))
    rows = (row for record in records for row in record["scenarios"].values() if row["summarised"])
    return table(["", *servers], [[_short(row), *_cells(row, servers)] for row in rows])


def _short(scenario: ScenarioRecord) -> str:
    return f"{scenario['title']}: {scenario['figures'][0]['label']}"


def _cells(scenario: ScenarioRecord, servers: Sequence[str]) -> list[str]:
    digits = scenario["figures"][0]["digits"]
    shown = {server: f"{value:,.{digits}f}" for server, value in ranked(scenario)}
    for best in list(shown)[:1]:
        shown[best] = f"**{shown[best]}**"
    shown |= dict.fromkeys(scenario["failed"], "failed")
    return [shown.get(server, "") for server in servers]


def tables(record: Record) -> str:
    """Return one Markdown table for each scenario, under a heading."""
    return "\n\n".join(
        f"## {scenario['title']}\n\n{_scenario(record, scenario)}"
        for scenario in record["scenarios"].values()
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table whose first column is to the left, and the others to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join("| " + " | ".join(_aligned(row, widths)) + " |" for row in (head, rule, *rows))


def _aligned(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    first, *others = zip(row, widths, strict=True)
    return [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]


def _scenario(record: Record, scenario: ScenarioRecord) -> str:
    figures = scenario["figures"]
    best = best_peer(record, scenario)
    rows = []
    for name, value in ranked(scenario):
        medians = scenario["medians"][name]
        cells = [f"{medians[figure['key']]:,.{figure['digits']}f}" for figure in figures]
        times = ratio(value, best)
        low, high = (f"{end:,.{figures[0]['digits']}f}" for end in spread(scenario, name))
        cells.insert(1, f"{low} to {high}")
        rows.append([_name(record, name), *cells, "" if times is None else f"{times:.2f}"])
    first, *others = (figure["label"] for figure in figures)
    head = ["Server", first, "lowest to highest", *others, "times best peer"]
    failures = [f"{_name(record, name)} failed: {why}." for name, why in scenario["failed"].items()]
    return "\n\n".join([table(head, rows), *failures])


def _name(record: Record, server: str) -> str:
    version = next(iter(record["servers"][server]["versions"].values()), "")
    shown = f"{server} {version}".strip()
    return f"**{shown}**" if record["servers"][server]["ours"] else shown


def _servers(record: Record) -> str:
    rows = [row for name, about in record["servers"].items() for row in _commands(name, about)]
    return table(["Server", "Versions", "Command"], rows).replace("-:", "--")


def _commands(server: str, about: ServerRecord) -> Iterator[list[str]]:
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    wires: dict[str, list[str]] = {}
    for wire, command in about["commands"].items():
        wires.setdefault(command, []).append(_WIRES[wire])
    (first, _), *others = wires.items()
    yield [server, versions, f"`{first}`"]
    for command, spoken in others:
        yield [", ".join([server, *spoken]), "", f"`{command}`"]
