"""The runs as core ipywidgets: a table and buttons, for front ends that do not have our extension."""

from __future__ import annotations

import html
import threading
from typing import TYPE_CHECKING

import ipywidgets

from rapidfire_lab.engine.client import EngineClient, new_request_id
from rapidfire_lab.engine.protocol import RunOperation
from rapidfire_lab.errors import RapidfireLabError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

    from rapidfire_lab.engine.home import EngineHome

    Operation = Literal["stop", "resume", "delete"]

_DOING = {"stop": "Stopping", "resume": "Resuming", "delete": "Deleting"}
_DONE = {
    "stop": "Run {} stops after its present minibatch.",
    "resume": "Run {} goes on.",
    "delete": "Run {} is deleted.",
}


class RunControls:
    """Table, run selector and buttons.

    Kernels call buttons back in the main thread once the cell has ended, or in a thread of their own while it is
    busy: what a button does must not touch anything that the cell uses.
    """

    def __init__(self, home: EngineHome, experiment: str, on_operation: Callable[[], None]) -> None:
        self._home = home
        self._experiment = experiment
        self._on_operation = on_operation
        self._choice = threading.Lock()
        self._to_delete: int | None = None
        self.table = ipywidgets.HTML()
        self.selector = ipywidgets.Dropdown(description="Run", layout={"width": "12em"})
        self.stop_button = self._button("Stop", "Stop the run after its present minibatch", self._stop)
        self.resume_button = self._button("Resume", "Go on with the run where it stopped", self._resume)
        self.delete_button = self._button("Delete", "Delete the run; asks once more", self._delete)
        self.message = ipywidgets.HTML()
        self.selector.observe(self._on_selection, names="value")
        buttons = [self.stop_button, self.resume_button, self.delete_button]
        self.box = ipywidgets.VBox([self.table, ipywidgets.HBox([self.selector, *buttons]), self.message])

    @property
    def model_id(self) -> str:
        model_id: str = self.box.model_id
        return model_id

    def show(self, table: str, run_ids: list[int]) -> None:
        """Show the runs; what did not change is not sent."""
        self.table.value = table
        if list(self.selector.options) == run_ids:
            return
        # New options move the selection: no click may take that for the user's choice.
        with self._choice, self.selector.hold_sync():
            chosen = self.selector.value
            self.selector.options = run_ids
            self.selector.value = chosen if chosen in run_ids else next(iter(run_ids), None)

    def close(self) -> None:
        for widget in (self.box, *self.box.children, *self.box.children[1].children):
            widget.close()

    def _button(self, name: str, tooltip: str, on_click: Callable[[int], None]) -> ipywidgets.Button:
        def clicked(_: object) -> None:
            with self._choice:
                run_id = self.selector.value
            if run_id is not None:
                on_click(run_id)

        button = ipywidgets.Button(description=name, tooltip=tooltip, layout={"width": "auto"})
        button.on_click(clicked)
        return button

    def _stop(self, run_id: int) -> None:
        self._operate("stop", run_id)

    def _resume(self, run_id: int) -> None:
        self._operate("resume", run_id)

    def _delete(self, run_id: int) -> None:
        """Delete at the second click: what is deleted is gone."""
        if self._to_delete != run_id:
            self._ask_to_delete(run_id)
        else:
            self._operate("delete", run_id)

    def _on_selection(self, _: object) -> None:
        self._ask_to_delete(None)

    def _ask_to_delete(self, run_id: int | None) -> None:
        self._to_delete = run_id
        self.delete_button.description = "Delete" if run_id is None else f"Delete run {run_id} for good"

    def _operate(self, operation: Operation, run_id: int) -> None:
        self._ask_to_delete(None)
        self._say(f"{_DOING[operation]} run {run_id} ...")
        try:
            self._say(self._ask_engine(operation, run_id))
        except RapidfireLabError as error:
            self._say(str(error))
        self._on_operation()

    def _ask_engine(self, operation: Operation, run_id: int) -> str:
        # A client of its own: a cell that waits for an answer holds its client's lock.
        client = EngineClient(self._home)
        if not client.is_alive():
            # Starting it would set all other runs going, which nobody asked for.
            return "The engine is not running. It starts with wait()."
        client.request(
            RunOperation(
                request_id=new_request_id(), experiment=self._experiment, run_ids=[run_id], operation=operation
            ),
            start=False,
        )
        return _DONE[operation].format(run_id)

    def _say(self, text: str) -> None:
        self.message.value = f'<span role="status">{html.escape(text)}</span>'
