"""Records of measurements as a picture: one panel of bars for each scenario, in plain SVG."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from benchmarks.record import ranked

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.record import Record, ScenarioRecord

_COLUMNS = 2
_PANEL_WIDTH = 505
_GAP = 40
_MARGIN = 28
_TOP = 84
_HEAD = 46
_ROW = 24
_BAR = 15
_NAMES = 172
_VALUES = 62
_LONGEST = 16
"""How many times as long as the shortest a bar may be; a longer one is cut."""

_STYLE = """\
text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: #33404d }
.page { fill: #ffffff; stroke: #dfe4ea }
.title { font-size: 19px; font-weight: 600; fill: #16202b }
.panel { font-size: 14px; font-weight: 600; fill: #16202b }
.note { font-size: 12px; fill: #6b7885 }
.axis { stroke: #c9d1d9 }
.peer { fill: #b3bfcb }
.ours { fill: #d9480f }
.cut { stroke: #ffffff; stroke-width: 3 }
.name { text-anchor: end }
.best { font-weight: 700; fill: #b93a08 }
"""


def plot(records: Iterable[Record]) -> str:
    """Return an SVG image of the first figure of every scenario; shorter bars are better."""
    shown = [(record, row) for record in records for row in record["scenarios"].values()]
    panel_height = _HEAD + _ROW * max(len(record["servers"]) for record, _row in shown)
    rows = -(-len(shown) // _COLUMNS)
    width = 2 * _MARGIN + _COLUMNS * _PANEL_WIDTH + (_COLUMNS - 1) * _GAP
    height = _TOP + rows * (panel_height + _GAP)
    panels = [
        _moved(
            _MARGIN + number % _COLUMNS * (_PANEL_WIDTH + _GAP),
            _TOP + number // _COLUMNS * (panel_height + _GAP),
            _panel(record, scenario),
        )
        for number, (record, scenario) in enumerate(shown)
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width}"'
            f' height="{height}" viewBox="0 0 {width} {height}">',
            f"<title>{_TITLE}</title>",
            f"<style>\n{_STYLE}</style>",
            f'<rect class="page" x="0.5" y="0.5" width="{width - 1}"'
            f' height="{height - 1}" rx="8"/>',
            _text(_MARGIN, 38, _TITLE, "title"),
            _text(_MARGIN, 60, _NOTE, "note"),
            *panels,
            "</svg>\n",
        ]
    )


_TITLE = "What a server costs"
_NOTE = "Shorter is better: medians, one worker process on one core; bars with a gap are cut short"


def _panel(record: Record, scenario: ScenarioRecord) -> Iterable[str]:
    """Yield a panel's elements, its upper left corner at 0, 0."""
    figure = scenario["figures"][0]
    servers = ranked(scenario)
    longest = min(servers[-1][1], servers[0][1] * _LONGEST) if servers else 1.0
    yield _text(0, 14, scenario["title"], "panel")
    yield _text(0, 32, figure["label"], "note")
    for row, (name, value) in enumerate(servers):
        ours = record["servers"][name]["ours"]
        shown = f"{value:,.{figure['digits']}f}"
        yield from _bar(_HEAD + row * _ROW, name, value / longest, shown, ours=ours)
    for row, name in enumerate(scenario["failed"], start=len(servers)):
        middle = _HEAD + row * _ROW + _BAR - 3
        yield _text(_NAMES - 8, middle, name, "name")
        yield _text(_NAMES + 6, middle, "failed", "note")
    bottom = _HEAD + _ROW * (len(servers) + len(scenario["failed"])) - (_ROW - _BAR) + 3
    yield f'<path class="axis" d="M{_NAMES - 0.5} {_HEAD - 3}V{bottom}"/>'


def _bar(top: int, name: str, share: float, shown: str, *, ours: bool) -> Iterable[str]:
    length = min(share, 1.0) * (_PANEL_WIDTH - _NAMES - _VALUES)
    emphasis = " best" if ours else ""
    yield _text(_NAMES - 8, top + _BAR - 3, name, f"name{emphasis}")
    yield (
        f'<rect class="{"ours" if ours else "peer"}" x="{_NAMES}" y="{top}"'
        f' width="{length:.1f}" height="{_BAR}" rx="2"/>'
    )
    if share > 1.0:
        yield f'<path class="cut" d="M{_NAMES + length - 16:.1f} {top + _BAR + 1}l6 -{_BAR + 2}"/>'
    yield _text(_NAMES + length + 6, top + _BAR - 3, shown, emphasis.strip())


def _text(x: float, y: float, words: str, style: str) -> str:
    style_of = f' class="{style}"' if style else ""
    return f'<text{style_of} x="{x:.1f}" y="{y}">{escape(words)}</text>'


def _moved(x: int, y: int, elements: Iterable[str]) -> str:
    return f'<g transform="translate({x} {y})">\n' + "\n".join(elements) + "\n</g>"
