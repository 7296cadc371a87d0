"""A report as HTML: for a notebook's output, which may drop style sheets, and as a file of its own.

Everything that comes from users is escaped; there is no script, and nothing is loaded from anywhere.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from rapidfire_lab.display.table import STATUS_ICONS, format_seconds, format_value, knob_text
from rapidfire_lab.report.drawing import MOST_AXES, MOST_LINES, importance_bars, parallel_coordinates
from rapidfire_lab.report.words import importance_text, saved_text, summary

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rapidfire_lab.races import Race
    from rapidfire_lab.report.findings import Cost, Findings
    from rapidfire_lab.report.trade_offs import TradeOff
    from rapidfire_lab.rows import RunRow

MOST_METRICS = 5
MOST_UNBEATEN = 50
_STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;"
    "color:CanvasText;background:Canvas}"
    "table{border-collapse:collapse}td{white-space:nowrap}"
    "th,td{padding:.2rem .7rem;text-align:left;border-bottom:1px solid GrayText}"
)


def page(findings: Findings, top: int, made: str) -> str:
    """The whole document."""
    title = f"Report on {findings.experiment}"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><main><h1>{html.escape(title)}</h1>{body(findings, top, made)}</main></body></html>\n"
    )


def body(findings: Findings, top: int, made: str) -> str:
    """What stands in a notebook."""
    return "".join(
        (
            f"<p>{html.escape(summary(findings, made))}</p>",
            _section("Best runs", _best(findings, top)),
            *(
                _section(f"Trade-offs of {html.escape(found.search)}", _trade_off(found))
                for found in findings.trade_offs
            ),
            _section("What pruning saved", _costs(findings)),
            *(_section(f"Race {html.escape(race.search)}", _race(race)) for race in findings.races),
            _section("Importance of knobs", _importance(findings)),
            _section("Parallel coordinates", _coordinates(findings)),
        )
    )


def _section(title: str, content: str) -> str:
    return f"<section><h2>{title}</h2>{content}</section>"


def _best(findings: Findings, top: int) -> str:
    metrics = findings.metrics[:MOST_METRICS]
    heads = ["Rank", "Run", *metrics, "Epoch", "Status", "Search", "Config"]
    rows = [_best_row(rank, row, metrics) for rank, row in enumerate(findings.ranked[:top], start=1)]
    return _table(f"Best {len(rows)} of {len(findings.ranked)} runs by {findings.metric}", heads, rows)


def _best_row(rank: int, row: RunRow, metrics: Sequence[str]) -> list[str]:
    ended = f" ({row.ended_by})" if row.ended_by else ""
    numbers = [format_value(row.metrics.get(name)) for name in metrics]
    status = f"{STATUS_ICONS[row.status]} {row.status}{ended}"
    return [str(rank), str(row.run_id), *numbers, row.epoch, status, row.search or "-", knob_text(row)]


def _trade_off(found: TradeOff) -> str:
    told = " and ".join(
        f"{name} ({'smaller' if mode == 'min' else 'larger'} is better)" for name, mode in found.objectives
    )
    rows = [
        [str(row.run_id), *(format_value(row.metrics[name]) for name, _ in found.objectives), row.epoch, knob_text(row)]
        for row in found.unbeaten[:MOST_UNBEATEN]
    ]
    heads = ["Run", *(name for name, _ in found.objectives), "Epoch", "Config"]
    shown = f"; the first {MOST_UNBEATEN} of {len(found.unbeaten)}" if len(found.unbeaten) > MOST_UNBEATEN else ""
    return f"<p>{html.escape(told)}</p>" + _table(
        f"No other run is better in one without being worse in another{shown}", heads, rows
    )


def _costs(findings: Findings) -> str:
    heads = ["Runs of", "Runs", "Epochs trained", "Epochs of all to the end", "Saved", "Time on slots", "Time saved"]
    rows = [_cost_row(cost) for cost in findings.costs]
    note = "Time saved is an estimate from each run's own pace."
    return f"<p>{html.escape(saved_text(findings))} {note}</p>{_table('Epochs and time', heads, rows)}"


def _cost_row(cost: Cost) -> list[str]:
    saved = f"{cost.saved:.4g} ({cost.share:.0%})"
    times = [format_seconds(cost.seconds), format_seconds(cost.seconds_saved)]
    return [cost.name, str(cost.runs), f"{cost.trained:.4g}", f"{cost.whole:.4g}", saved, *times]


def _race(race: Race) -> str:
    told = (
        f"Mean difference of {race.metric} to run {race.best} at the same places of the data. At a confidence of "
        f"{race.confidence:g}, all differences lie in their intervals, however often one looks."
    )
    rows = [
        [str(found.run_id), *map(format_value, (found.difference, found.low, found.high)), str(found.places)]
        for found in race.intervals
    ]
    return f"<p>{html.escape(told)}</p>" + _table(
        "Intervals of differences", ["Run", "Difference", "From", "To", "Places"], rows
    )


def _importance(findings: Findings) -> str:
    told = f"<p>{html.escape(importance_text(findings))}</p>"
    shares = findings.importance.shares
    if not shares:
        return told
    rows = [[name, f"{share:.0%}"] for name, share in shares.items()]
    return told + importance_bars(shares) + _table("Importance of knobs", ["Knob", "Share"], rows)


def _coordinates(findings: Findings) -> str:
    if not findings.knobs or not findings.ranked:
        return "<p>No knob differs between the runs.</p>"
    left_out = []
    if len(findings.ranked) > MOST_LINES:
        left_out.append(f"the best {MOST_LINES} of {len(findings.ranked)} runs")
    if len(findings.knobs) > MOST_AXES:
        left_out.append(f"{MOST_AXES} of {len(findings.knobs)} knobs, the most important ones")
    shown = f" Shown are {' and '.join(left_out)}." if left_out else ""
    told = f"A line is a run; the wider and bluer, the better its {findings.metric}.{shown}"
    return f"<p>{html.escape(told)}</p>{parallel_coordinates(findings)}"


def _table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    name = html.escape(caption)
    head = "".join(f'<th scope="col">{html.escape(text)}</th>' for text in heads)
    lines = "".join(_table_row(row) for row in rows)
    return (
        f'<div style="overflow-x:auto" tabindex="0" role="group" aria-label="{name}">'
        f'<table><caption style="text-align:left">{name}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>"
    )


def _table_row(row: Sequence[str]) -> str:
    first, *others = map(html.escape, row)
    return f'<tr><th scope="row">{first}</th>' + "".join(f"<td>{cell}</td>" for cell in others) + "</tr>"
