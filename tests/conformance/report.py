"""What the suite reported, read and told: an outcome for each case, and whether it will do.

It knows the suite's files and words, and must not know how the suite is run.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.tables import table
from tests.conformance.groups import GROUPS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

INDEX = "index.json"
"""The suite's file with all outcomes; it is written at the end of a run."""

MISSING = "MISSING"
"""Our word for a case that should have been run, and is not in the report."""

_WILL_DO = {"OK", "INFORMATIONAL"}

_PAGE = """\
# Conformance

<!-- Written by tests/conformance/; change that, and run `make conformance`. -->

The [Autobahn testsuite](https://autobahn-testsuite.readthedocs.io) is the public test of WebSocket
servers and clients against RFC 6455 and RFC 7692. Its fuzzing client, version {suite}, talked to
daphne_like {version} on Python {python}, which served an application that sends back what it
receives. Run on {date} by

```shell
{command}
```

{summary}

*Closing* is how the connection ended: by whom, with which close code, and whether cleanly.
*INFORMATIONAL* is what the suite notes without a verdict, since the specifications leave it open.

{shortfalls}
"""


@dataclass(frozen=True)
class Outcome:
    """What became of one case.

    Attributes:
        behavior: the suite's word on what the server did, such as ``OK`` or ``NON-STRICT``.
        closing: its word on how the connection ended, such as ``OK`` or ``UNCLEAN``.
        detail: the report on this case, with every frame.
    """

    case: str
    behavior: str
    closing: str
    detail: Path

    @property
    def will_do(self) -> bool:
        return {self.behavior, self.closing} <= _WILL_DO

    def __str__(self) -> str:
        return f"{self.case}: {self.behavior}, closing {self.closing}"


def read(folder: Path, cases: Iterable[str]) -> list[Outcome]:
    """Read the report in a folder: an outcome for each of the cases that were to be run."""
    by_agent = json.loads((folder / INDEX).read_text())
    entries = {case: entry for found in by_agent.values() for case, entry in found.items()}
    missing = {"behavior": MISSING, "behaviorClose": MISSING, "reportfile": ""}
    return [_outcome(folder, case, entries.get(case, missing)) for case in cases]


def _outcome(folder: Path, case: str, entry: dict[str, str]) -> Outcome:
    detail = folder / entry["reportfile"]
    return Outcome(case, entry["behavior"], entry["behaviorClose"], detail)


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """Return 0 if there are outcomes, and all of them will do."""
    return 0 if outcomes and not shortfalls(outcomes) else 1


def summary(outcomes: Sequence[Outcome]) -> str:
    """Return a Markdown table: for each group how many cases had which outcome."""
    rows = [
        _row(f"{group.number}. {group.title}", [one for one in outcomes if group.has(one.case)])
        for group in GROUPS
    ]
    tried = [row for row in rows if row[1] != "0"]
    return table(["Cases", "Number", "Behaviour", "Closing"], [*tried, _row("All", outcomes)])


def _row(title: str, outcomes: Sequence[Outcome]) -> list[str]:
    behavior = _tally(outcome.behavior for outcome in outcomes)
    closing = _tally(outcome.closing for outcome in outcomes)
    return [title, str(len(outcomes)), behavior, closing]


def _tally(words: Iterable[str]) -> str:
    return ", ".join(f"{count} {word}" for word, count in Counter(words).most_common())


def shortfalls(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Return the outcomes that will not do."""
    return [outcome for outcome in outcomes if not outcome.will_do]


def page(outcomes: Sequence[Outcome], **facts: str) -> str:
    """Return the reference page, in Markdown; `facts` are the words that it has blanks for."""
    items = "\n".join(f"* {outcome}" for outcome in shortfalls(outcomes))
    told = f"Other outcomes:\n\n{items}" if items else "No case had another outcome."
    return _PAGE.format(summary=summary(outcomes), shortfalls=told, **facts)
