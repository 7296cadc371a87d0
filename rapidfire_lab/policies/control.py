"""What a policy steers runs with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from rapidfire_lab.configs.changes import expand_changes
from rapidfire_lab.configs.plain import plain
from rapidfire_lab.engine.protocol import PolicyAction
from rapidfire_lab.policies.view import PolicyRun

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rapidfire_lab.configs import ConfigGroup
    from rapidfire_lab.engine.protocol import OperationName

    Runs = PolicyRun | int | Iterable[PolicyRun | int]


class PolicyControl:
    """The second argument of a policy. What it asks for is done when the policy returns, all of it or nothing.

    What is not legal by then, as for a run that has ended meanwhile, is left out; the experiment's log says so.

    Attributes
    ----------
    state
        A dictionary of the policy's own, kept with what it decided: it is as it was left at the next call, also after
        a crash. It holds numbers, strings, booleans, None, and lists and dictionaries of these.
    """

    def __init__(self, state: Mapping[str, Any]) -> None:
        self.state: dict[str, Any] = dict(state)
        self.actions: list[PolicyAction] = []
        self.done = False

    def stop(self, runs: Runs) -> None:
        """Stop runs after their present minibatch; takes runs or run ids, one or several."""
        self._add("stop", runs)

    def resume(self, runs: Runs) -> None:
        """Go on with stopped or failed runs."""
        self._add("resume", runs)

    def delete(self, runs: Runs) -> None:
        """Delete runs."""
        self._add("delete", runs)

    def clone(
        self,
        run: PolicyRun | int,
        changes: Mapping[str, Any] | ConfigGroup | Sequence[Any],
        *,
        warm_start: bool = False,
        continue_position: bool = False,
        num_runs: int | None = None,
        seed: int = 42,
    ) -> None:
        """Train a new run with some knobs changed; arguments as of ``Experiment.clone``."""
        self.actions.append(
            PolicyAction(
                operation="clone",
                run_ids=_run_ids(run),
                changes=expand_changes(changes, num_runs, seed),
                warm_start=warm_start,
                continue_position=continue_position,
            )
        )

    def _add(self, operation: OperationName, runs: Runs) -> None:
        if run_ids := _run_ids(runs):
            self.actions.append(PolicyAction(operation=operation, run_ids=run_ids))

    def checked_state(self) -> dict[str, Any]:
        """The state as plain data.

        Raises
        ------
        ConfigError
            When it holds something else; the message names its place.
        """
        state: dict[str, Any] = plain(self.state, "control.state")
        return state


def _run_ids(runs: Runs) -> list[int]:
    chosen = runs if isinstance(runs, Iterable) else [runs]
    return list(dict.fromkeys(run.run_id if isinstance(run, PolicyRun) else int(run) for run in chosen))
