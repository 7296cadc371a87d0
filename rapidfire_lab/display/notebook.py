"""The runs in a notebook's output: one display, live where our JupyterLab extension is, readable everywhere."""

from __future__ import annotations

import sqlite3
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any

from IPython import get_ipython

from rapidfire_lab.display.bundle import (
    RUNS_MIME_TYPE,
    WIDGET_MIME_TYPE,
    html_table,
    runs_reference,
    static_bundle,
    widget_reference,
)
from rapidfire_lab.display.controls import RunControls
from rapidfire_lab.display.table import RunTable
from rapidfire_lab.errors import RapidfireLabError
from rapidfire_lab.journal import JournalReader

if TYPE_CHECKING:
    from rapidfire_lab.display.table import TableSnapshot
    from rapidfire_lab.engine.home import EngineHome

_REFRESH_SECONDS = 0.5
_BYTES_PER_SECOND = 100_000
"""A tenth of what Jupyter servers let an output send: large tables are sent less often."""
_PUBLISH_SECONDS = 10.0

_views: dict[str, list[tuple[str, NotebookView]]] = {}
"""By cell, the views that its last execution made, and that execution."""


class NotebookView:
    """Shows runs until closed, or until they have ended.

    The widget moves with the runs; the display itself is renewed now and then and in the end, so that the saved
    notebook holds a recent table for viewers without code. The journal is the view's own, as a cell, a thread
    beside other cells, or a button's callback drives it.
    """

    def __init__(self, home: EngineHome, experiment: str, run_ids: list[int] | None) -> None:
        self._home = home
        self._experiment = experiment
        self._run_ids = run_ids
        self._lock = threading.Lock()
        self._journal: JournalReader | None = None
        self._table: RunTable | None = None
        self._resting = False
        self._discarded = threading.Event()
        self._due = 0.0
        self._publish_due = 0.0
        self._published: str | None = None
        self._display_id = uuid.uuid4().hex
        # Taken now: a later cell that captures its own output must not capture this one's.
        shell = get_ipython()
        self._publisher = shell.display_pub if shell is not None else None
        self.controls = RunControls(home, experiment, self._wake)
        with self._lock:
            self._show()
        _replace_views(shell, self)

    def update(self) -> None:
        """Show the present state, unless that was done just now."""
        with self._lock:
            if time.monotonic() >= self._due:
                self._show()

    def follow(self) -> None:
        """Go on updating beside the notebook's other cells."""
        threading.Thread(target=self._follow, name="rapidfire-lab-view", daemon=True).start()

    def close(self) -> None:
        """Show the last state. The buttons stay."""
        with self._lock:
            try:
                self._show(last=True)
            finally:
                self._rest()

    def discard(self) -> None:
        """Leave: the cell was executed again."""
        self._discarded.set()
        self.controls.close()

    def _wake(self) -> None:
        """Show what a button did, if nobody else does."""
        with self._lock:
            if not self._resting or self._discarded.is_set():
                return
            self._resting = False
        self.follow()

    def _follow(self) -> None:
        finished = False
        while not finished:
            with self._lock:
                try:
                    finished = self._discarded.is_set() or self._show().finished
                except (RapidfireLabError, sqlite3.Error):
                    # The journal is gone, and with it what there was to show.
                    finished = True
                if finished:
                    self._rest()
                pause = self._due - time.monotonic()
            self._discarded.wait(max(0.0, pause))

    def _rest(self) -> None:
        self._resting = True
        self._table = None
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def _show(self, *, last: bool = False) -> TableSnapshot:
        snapshot = self._snapshot()
        table = html_table(snapshot)
        self.controls.show(table, [row.run_id for row in snapshot.rows])
        now = time.monotonic()
        self._due = now + max(_REFRESH_SECONDS, len(table) / _BYTES_PER_SECOND)
        if table != self._published and (last or snapshot.finished or now >= self._publish_due):
            self._publish(snapshot)
            self._published = table
            self._publish_due = now + _PUBLISH_SECONDS
        return snapshot

    def _snapshot(self) -> TableSnapshot:
        if self._table is None:
            self._journal = JournalReader(self._home.journal)
            self._table = RunTable(self._journal, self._experiment, self._run_ids)
        return self._table.snapshot()

    def _publish(self, snapshot: TableSnapshot) -> None:
        """Make the display, or replace what it holds."""
        if self._publisher is None:
            return
        bundle: dict[str, Any] = {
            RUNS_MIME_TYPE: runs_reference(self._experiment, self._run_ids, self._home.key),
            WIDGET_MIME_TYPE: widget_reference(self.controls.model_id),
            **static_bundle(snapshot),
        }
        transient = {"display_id": self._display_id}
        self._publisher.publish(bundle, {}, transient=transient, update=self._published is not None)


def _replace_views(shell: Any, view: NotebookView) -> None:
    """Discard the views of the cell's earlier execution: its output is gone, their widgets would stay for ever."""
    parent = shell.get_parent() if hasattr(shell, "get_parent") else {}
    cell = parent.get("metadata", {}).get("cellId")
    if cell is None:
        return
    execution = parent["header"]["msg_id"]
    views = _views.setdefault(cell, [])
    for earlier, other in views:
        if earlier != execution:
            other.discard()
    _views[cell] = [(execution, view), *(entry for entry in views if entry[0] == execution)]
