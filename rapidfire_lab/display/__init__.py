"""How runs are shown: a live table with progress bars in a terminal, a display of several MIME types in a notebook."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rapidfire_lab.display.table import RunTable
from rapidfire_lab.display.terminal import TerminalView

if TYPE_CHECKING:
    from rapidfire_lab.display.notebook import NotebookView
    from rapidfire_lab.engine.home import EngineHome
    from rapidfire_lab.journal import JournalReader

    RunView = TerminalView | NotebookView

__all__ = ["RunTable", "TerminalView", "show_runs"]


def show_runs(home: EngineHome, journal: JournalReader, experiment: str, run_ids: list[int] | None) -> RunView:
    """Show runs and their clones (all runs for None) where the code runs: in the notebook's output or the terminal.

    The terminal's view reads the caller's journal; a notebook's outlives the cell and opens its own.
    """
    if _in_notebook():
        from rapidfire_lab.display.notebook import NotebookView

        return NotebookView(home, experiment, run_ids)
    return TerminalView(RunTable(journal, experiment, run_ids))


def _in_notebook() -> bool:
    if "IPython" not in sys.modules:  # loading it to learn that it is not in use takes longer than all else here
        return False
    from IPython import get_ipython

    shell = get_ipython()
    return shell is not None and hasattr(shell, "kernel")
