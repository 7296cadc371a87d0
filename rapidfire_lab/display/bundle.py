"""What a notebook keeps of runs, for every viewer: ids for ours, a widget, a table without code, plain text.

Each front end takes the richest MIME type that it knows. Ours carries ids alone, so a shared notebook tells no more
than its table does, and its reader gets the runs from the server, whatever the kernel is doing.
"""

from __future__ import annotations

import html
import time
from typing import TYPE_CHECKING, Any

from rapidfire_lab.display.table import STATUS_ICONS, format_seconds, format_value, knob_text
from rapidfire_lab.display.terminal import run_line
from rapidfire_lab.rows import API_LEVEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rapidfire_lab.display.table import TableSnapshot
    from rapidfire_lab.rows import RunRow

RUNS_MIME_TYPE = "application/vnd.rapidfire.runs+json"
WIDGET_MIME_TYPE = "application/vnd.jupyter.widget-view+json"


def runs_reference(experiment: str, run_ids: Sequence[int] | None, home_key: str) -> dict[str, Any]:
    """What our renderer looks runs up by: these and their clones, or all for None."""
    return {
        "experiment": experiment,
        "run_ids": None if run_ids is None else list(run_ids),
        "home_key": home_key,
        "api_level": API_LEVEL,
    }


def widget_reference(model_id: str) -> dict[str, Any]:
    return {"version_major": 2, "version_minor": 0, "model_id": model_id}


def static_bundle(snapshot: TableSnapshot) -> dict[str, str]:
    """The part that needs no code to be shown; it says of when it is."""
    made = time.strftime("%Y-%m-%d %H:%M:%S %Z").strip()
    return {
        "text/html": html_table(snapshot, f"as of {made}"),
        "text/plain": "\n".join([f"{snapshot.summary()} (as of {made})", *map(run_line, snapshot.rows)]),
    }


def html_table(snapshot: TableSnapshot, note: str = "") -> str:
    """The table as HTML that looks right without a style sheet; everything that comes from users is escaped."""
    heads = ["Run", "Status", "Progress", "Epoch", "Left", "Config", *snapshot.metric_names, "Note"]
    head = "".join(f'<th scope="col">{html.escape(text)}</th>' for text in heads)
    body = "".join(_row(row, snapshot) for row in snapshot.rows)
    notices = "".join(f"<div>Engine: {html.escape(notice)}</div>" for notice in snapshot.notices)
    told = f"{snapshot.summary()} ({note})" if note else snapshot.summary()
    caption = f'<caption style="text-align:left">{html.escape(told)}</caption>'
    return (
        f'<div style="overflow-x:auto"><table aria-label="Runs" style="white-space:nowrap">{caption}'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{notices}"
    )


def _row(row: RunRow, snapshot: TableSnapshot) -> str:
    # Viewers that strip the bar, as GitHub does, are left with the number.
    progress = (
        f'<progress max="1" value="{row.progress:.3f}" style="width:6em" '
        f'aria-label="Progress of run {row.run_id}"></progress> '
        f"{row.progress:.0%}"
    )
    texts = [
        knob_text(row),
        *(format_value(row.metrics.get(name)) for name in snapshot.metric_names),
        row.error or row.note,
    ]
    cells = [
        f"{STATUS_ICONS[row.status]} {row.status}",
        progress,
        row.epoch,
        format_seconds(row.seconds_left),
    ]
    cells += [html.escape(text) for text in texts]
    return f'<tr><th scope="row">{row.run_id}</th>' + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
