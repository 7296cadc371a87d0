"""The runs in a terminal: a live table with a progress bar per run, or plain lines where output is no terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from rapidfire_lab.display.table import (
    STATUS_ICONS,
    RunTable,
    TableSnapshot,
    format_seconds,
    format_value,
    knob_text,
)

if TYPE_CHECKING:
    from rich.console import RenderableType

    from rapidfire_lab.rows import RunRow

_STYLES = {"completed": "green", "failed": "red", "stopped": "yellow", "running": "cyan"}
_PLAIN_WIDTH = 140


class TerminalView:
    """Shows a run table until closed."""

    def __init__(self, table: RunTable, console: Console | None = None) -> None:
        self._table = table
        self._console = console or Console()
        if not self._console.is_terminal and console is None:
            self._console = Console(width=_PLAIN_WIDTH)
        self._live: Live | None = None
        self._told: dict[int, tuple[str, str]] = {}
        if self._console.is_terminal:
            self._live = Live(console=self._console, refresh_per_second=4, transient=False)
            self._live.start()

    def update(self) -> None:
        snapshot = self._table.snapshot()
        if self._live is not None:
            self._live.update(render(snapshot))
        else:
            self._tell_changes(snapshot)

    def _tell_changes(self, snapshot: TableSnapshot) -> None:
        """A line for each run whose status or epoch has changed."""
        for row in snapshot.rows:
            state = (row.status, row.epoch)
            if self._told.get(row.run_id, ("queued", "")) != state and row.status != "queued":
                self._console.print(run_line(row), highlight=False, markup=False)
            self._told[row.run_id] = state

    def follow(self) -> None:
        """Show the present state and leave the rest of the script to run; the last state is shown by ``close``."""
        if self._live is not None:
            self.update()
            self._live.stop()
        else:
            self._console.print(render(self._table.snapshot()))

    def close(self) -> None:
        """Show the last state and stop."""
        self.update()
        if self._live is not None:
            self._live.stop()
        else:
            self._console.print(render(self._table.snapshot()))


def run_line(row: RunRow) -> str:
    """One run in a line of plain text."""
    metrics = "  ".join(f"{name} {format_value(value)}" for name, value in row.metrics.items())
    note = f"  {row.error or row.note}" if row.error or row.note else ""
    return f"run {row.run_id}  {row.status}  epoch {row.epoch}  {row.progress:4.0%}  {metrics}{note}"


def render(snapshot: TableSnapshot) -> Group:
    """The table as rich draws it, and under it what went wrong in which run, at full width."""
    errors = [Text(f"Run {row.run_id} failed: {row.error}", style="red") for row in snapshot.rows if row.error]
    notices = [Text(f"Engine: {notice}", style="yellow") for notice in snapshot.notices]
    return Group(_table(snapshot), *errors, *notices)


def _table(snapshot: TableSnapshot) -> Table:
    table = Table(title=Text(snapshot.summary()), title_justify="left", expand=False)
    for head in ("Run", "Status", "Progress", "", "Epoch", "Left"):
        table.add_column(head, no_wrap=True)
    table.add_column("Config", overflow="fold", max_width=48)
    for head in snapshot.metric_names:
        table.add_column(Text(head), justify="right")
    table.add_column("Note")
    for row in snapshot.rows:
        table.add_row(*_cells(row, snapshot), style=_STYLES.get(row.status, ""))
    return table


def _cells(row: RunRow, snapshot: TableSnapshot) -> list[RenderableType]:
    return [
        str(row.run_id),
        f"{STATUS_ICONS[row.status]} {row.status}",
        ProgressBar(total=1.0, completed=row.progress, width=16),
        f"{row.progress:4.0%}",
        row.epoch,
        format_seconds(row.seconds_left),
        Text(knob_text(row)),
        *(format_value(row.metrics.get(name)) for name in snapshot.metric_names),
        row.note,
    ]
