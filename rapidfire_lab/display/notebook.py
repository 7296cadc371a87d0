"""The runs in a notebook's output: an HTML table in an ipywidget, updated while the kernel lives."""

from __future__ import annotations

import contextlib
import html
import threading
from typing import TYPE_CHECKING

import ipywidgets
from IPython.display import display

from rapidfire_lab.display.table import STATUS_ICONS, format_seconds, format_value, knob_text
from rapidfire_lab.errors import RapidfireLabError

if TYPE_CHECKING:
    from rapidfire_lab.display.table import RunTable, TableSnapshot
    from rapidfire_lab.rows import RunRow

_REFRESH_SECONDS = 0.5


class NotebookView:
    """Shows a run table until closed, or until its runs have ended."""

    def __init__(self, table: RunTable) -> None:
        self._table = table
        self._widget = ipywidgets.HTML()
        self.update()
        display(self._widget)  # type: ignore[no-untyped-call]

    def update(self) -> TableSnapshot:
        snapshot = self._table.snapshot()
        content = render(snapshot)
        if content != self._widget.value:
            self._widget.value = content
        return snapshot

    def follow(self) -> None:
        """Go on updating beside the notebook's other cells."""
        threading.Thread(target=self._follow, name="rapidfire-lab-view", daemon=True).start()

    def _follow(self) -> None:
        waiting = threading.Event()
        with contextlib.suppress(RapidfireLabError):
            while not self.update().finished:
                waiting.wait(_REFRESH_SECONDS)

    def close(self) -> None:
        """Show the last state."""
        self.update()


def render(snapshot: TableSnapshot) -> str:
    """The table as HTML; everything in it that comes from users is escaped."""
    heads = ["Run", "Status", "Progress", "Epoch", "Left", "Config", *snapshot.metric_names, "Note"]
    head = "".join(f'<th scope="col">{html.escape(text)}</th>' for text in heads)
    body = "".join(_row(row, snapshot) for row in snapshot.rows)
    notices = "".join(f"<div>Engine: {html.escape(notice)}</div>" for notice in snapshot.notices)
    caption = f'<caption style="text-align:left">{html.escape(snapshot.summary())}</caption>'
    return (
        f'<div style="overflow-x:auto"><table aria-label="Runs" style="white-space:nowrap">{caption}'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{notices}"
    )


def _row(row: RunRow, snapshot: TableSnapshot) -> str:
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
