"""An experiment's results and runs as tables, from the journal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rapidfire_lab.engine.protocol import PolicyAction
    from rapidfire_lab.journal import JournalReader, OperationRecord, RunRecord

RUNS_INFO_COLUMNS = (
    "run_id",
    "data_handle_id",
    "status",
    "source",
    "ended_by",
    "completed_epochs",
    "mlflow_run_id",
    "config",
    "parent",
    "warm_start",
    "step",
    "total_steps",
    "seconds",
    "device",
    "fusion",
    "error",
)
"""Columns of ``runs_info``; ``config`` is the full config dictionary, ``seconds`` is time on a slot, ``fusion`` how
the run was trained last where ``run_fit`` had ``fuse="auto"``."""

OPERATIONS_COLUMNS = ("operation_id", "time", "operation", "run_id", "step", "origin", "arguments", "result")
"""Columns of ``operations``; ``arguments`` is a dictionary, ``result`` the run id that was steered or made."""

_LEADING = ("run_id", "epoch", "step", "train_loss", "val_loss")


def epoch_results(journal: JournalReader, runs: Iterable[RunRecord]) -> pd.DataFrame:
    """One row per run and completed epoch, one column per metric."""
    rows = [row for run in runs for row in _epoch_rows(journal, run)]
    others = dict.fromkeys(name for row in rows for name in row if name not in _LEADING)
    has_validation = any("val_loss" in row for row in rows)
    leading = [name for name in _LEADING if name != "val_loss" or has_validation]
    return pd.DataFrame(rows, columns=[*leading, *others])


def _epoch_rows(journal: JournalReader, run: RunRecord) -> list[dict[str, Any]]:
    rows: dict[int, dict[str, Any]] = {}
    for point in journal.points(run.id, per="epoch"):
        row = rows.setdefault(point.epoch, {"run_id": run.run_id, "epoch": point.epoch, "step": point.step})
        row[point.name] = point.value
    return [rows[epoch] for epoch in sorted(rows)]


def runs_info(journal: JournalReader, experiment_id: int, runs: Iterable[RunRecord]) -> pd.DataFrame:
    """One row per run with the columns ``RUNS_INFO_COLUMNS``."""
    handles = {fit.id: json.loads(fit.data)["handle_id"] for fit in journal.fits(experiment_id)}
    rows = [_info_row(run, handles[run.fit_id]) for run in runs]
    return pd.DataFrame(rows, columns=list(RUNS_INFO_COLUMNS)).astype({"parent": "Int64"})


def operations(journal: JournalReader, experiment_id: int) -> pd.DataFrame:
    """One row per operation on a run with the columns ``OPERATIONS_COLUMNS``, in the order in which they were done."""
    rows = [_operation_row(operation) for operation in journal.operations(experiment_id)]
    frame = pd.DataFrame(rows, columns=list(OPERATIONS_COLUMNS))
    return frame.astype({"run_id": "Int64", "step": "Int64", "result": "Int64"})


def policies(journal: JournalReader, experiment_id: int) -> pd.DataFrame:
    """One row per policy, in the order in which they were added."""
    columns = ["name", "status", "state", "error"]
    rows = [
        {**msgspec.structs.asdict(policy), "state": json.loads(policy.state)}
        for policy in journal.policies(experiment_id)
    ]
    return pd.DataFrame(rows, columns=columns)


def policy_actions(actions: Iterable[PolicyAction]) -> pd.DataFrame:
    """One row per action that a policy wants."""
    columns = ["operation", "run_ids", "changes", "warm_start", "continue_position"]
    return pd.DataFrame([msgspec.structs.asdict(action) for action in actions], columns=columns)


def _operation_row(operation: OperationRecord) -> dict[str, Any]:
    plain = {name: getattr(operation, name, None) for name in OPERATIONS_COLUMNS}
    return {
        **plain,
        "operation_id": operation.id,
        "time": pd.Timestamp(operation.time, unit="s", tz="UTC"),
        "arguments": json.loads(operation.arguments),
        "result": int(operation.result.removeprefix("run ")),
    }


def _info_row(run: RunRecord, handle_id: str) -> dict[str, Any]:
    plain = {name: getattr(run, name, None) for name in RUNS_INFO_COLUMNS}
    told = str(run.last_fusion) if run.last_fusion else None
    return {**plain, "data_handle_id": handle_id, "config": run.leaf, "fusion": told}
