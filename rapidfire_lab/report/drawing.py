"""The drawings of a report, as SVG that needs no script, style sheet or network, on light and on dark ground."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from rapidfire_lab.display.table import format_value, knob_text, short_knob
from rapidfire_lab.report.axes import axis_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rapidfire_lab.report.axes import Axis
    from rapidfire_lab.report.findings import Findings
    from rapidfire_lab.rows import RunRow

MOST_LINES = 200
MOST_AXES = 8
_WIDTH = 760
_BAR = 22
_NAMES = 190
_TOP, _BOTTOM, _HEIGHT = 38, 244, 264
_SIDE = 40
_LONGEST_NAME = 22
_LETTER = 7
"""Width of a letter of a name, about."""
_GOOD, _POOR = (21, 101, 192), (138, 148, 160)
"""Blue and grey, which can be told apart on white, on black, and by who does not see colours; good lines are wider."""


def importance_bars(shares: Mapping[str, float]) -> str:
    """A bar for each knob."""
    height = _BAR * len(shares) + 4
    bars = "".join(_bar(number, name, share) for number, (name, share) in enumerate(shares.items()))
    return _svg("Importance of knobs", height, bars)


def _bar(number: int, name: str, share: float) -> str:
    middle = _BAR * number + _BAR / 2 + 2
    length = (_WIDTH - _NAMES - 70) * share
    return (
        f"<g><title>{html.escape(name)}: {share:.0%}</title>"
        f"{_text(_NAMES - 8, middle + 4, _shortened(short_knob(name)), 'end')}"
        f'<rect x="{_NAMES}" y="{middle - 7:.1f}" width="{max(1.0, length):.1f}" height="14" fill="{_colour(1.0)}"/>'
        f"{_text(_NAMES + length + 6, middle + 4, f'{share:.0%}', 'start')}</g>"
    )


def parallel_coordinates(findings: Findings) -> str:
    """A line for each run through its knobs to its metric; the best are on top."""
    rows = findings.ranked[:MOST_LINES]
    names = findings.knobs[:MOST_AXES]
    axes = [axis_of(name, [row.knobs.get(name) for row in rows]) for name in names]
    axes.append(axis_of(findings.metric, [row.metrics[findings.metric] for row in rows]))
    across = (_WIDTH - 2 * _SIDE - 40) / max(1, len(axes) - 1)
    places = [_SIDE + across * number for number in range(len(axes))]
    lines = [_line(rank, rows, axes, places, findings.metric) for rank in range(len(rows))]
    longest = min(_LONGEST_NAME, int(across / _LETTER))
    drawn = "".join(reversed(lines)) + "".join(_axis(axis, x, longest) for axis, x in zip(axes, places, strict=True))
    return _svg(f"Knobs and {findings.metric} of {len(rows)} runs, as parallel coordinates", _HEIGHT, drawn)


def _line(rank: int, rows: Sequence[RunRow], axes: Sequence[Axis], places: Sequence[float], metric: str) -> str:
    goodness = 1 - rank / max(1, len(rows) - 1)
    row = rows[rank]
    told = f"Run {row.run_id}: {metric} {format_value(row.metrics[metric])}; {knob_text(row)}"
    return (
        f'<path d="{_path([(x, axis.places[rank]) for x, axis in zip(places, axes, strict=True)])}" fill="none" '
        f'stroke="{_colour(goodness)}" stroke-width="{1 + 2 * goodness**4:.1f}" stroke-linecap="round" '
        f'stroke-opacity="{0.45 + 0.55 * goodness:.2f}"><title>{html.escape(told)}</title></path>'
    )


def _path(points: Sequence[tuple[float, float | None]]) -> str:
    """A line that is interrupted where the run does not have the knob."""
    parts = []
    is_down = False
    for x, at in points:
        if at is not None:
            parts.append(f"{'L' if is_down else 'M'}{x:.1f} {_height(at):.1f}{'' if is_down else 'h0.1'}")
        is_down = at is not None
    return "".join(parts)


def _axis(axis: Axis, x: float, longest: int) -> str:
    name = _shortened(short_knob(axis.name), longest)
    ticks = "".join(_tick(x, at, _shortened(label, longest)) for at, label in axis.ticks)
    return (
        f"<g><title>{html.escape(axis.name)}</title>"
        f'<path d="M{x:.1f} {_TOP}V{_BOTTOM}" stroke="currentColor"/>{ticks}'
        f"{_text(_within(x, name), 14, name, 'middle')}</g>"
    )


def _tick(x: float, at: float, label: str) -> str:
    """A mark with its value: those at the ends of an axis stand beyond it, where no lines are."""
    y = _height(at)
    mark = f'<path d="M{x - 3:.1f} {y:.1f}h6" stroke="currentColor"/>'
    if 0 < at < 1:
        return mark + _text(x + 6, y + 4, label, "start", 10)
    return mark + _text(_within(x, label), y - 6 if at else y + 14, label, "middle", 10)


def _within(x: float, text: str) -> float:
    """Where the middle of a text is to be, so that it does not leave the drawing."""
    half = _LETTER * len(text) / 2
    return min(max(x, half), _WIDTH - half)


def _height(at: float) -> float:
    return _BOTTOM - (_BOTTOM - _TOP) * at


def _svg(title: str, height: float, content: str) -> str:
    told = html.escape(title)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{told}" viewBox="0 0 {_WIDTH} {height:.0f}" '
        f'style="width:100%;max-width:{_WIDTH}px;height:auto;color:inherit"><title>{told}</title>{content}</svg>'
    )


def _text(x: float, y: float, text: str, anchor: str, size: int = 12) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="currentColor" '
        f'font-family="sans-serif">{html.escape(text)}</text>'
    )


def _shortened(text: str, longest: int = _LONGEST_NAME) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _colour(goodness: float) -> str:
    mixed = (round(poor + (good - poor) * goodness) for good, poor in zip(_GOOD, _POOR, strict=True))
    return "#" + "".join(f"{part:02x}" for part in mixed)
