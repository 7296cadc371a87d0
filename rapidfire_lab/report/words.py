"""A report in plain words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rapidfire_lab.display.table import format_value, knob_text, short_knob

if TYPE_CHECKING:
    from rapidfire_lab.report.findings import Findings


def summary(findings: Findings, made: str) -> str:
    number = len(findings.ranked) + findings.others
    others = f"; {findings.others} without a value" if findings.others else ""
    better = "smaller" if findings.mode == "min" else "larger"
    return f"{findings.experiment}: {number} runs by {findings.metric}, {better} is better{others} (as of {made})."


def saved_text(findings: Findings) -> str:
    cost = findings.costs[-1]
    trained = f"{cost.trained:.4g} of {cost.whole:.4g} epochs were trained"
    if not cost.saved:
        return f"No run was dropped by a search or policy: {trained}."
    return f"Dropping runs saved {cost.share:.0%} of the epochs: {trained}."


def importance_text(findings: Findings) -> str:
    importance = findings.importance
    if importance.reason:
        return f"Cannot be told: {importance.reason}."
    return (
        f"How much each knob tells the best from the rest, by PED-ANOVA over {importance.runs} runs after epoch "
        f"{importance.epoch}."
    )


def plain_text(findings: Findings, top: int, made: str) -> str:
    """The report for terminals and screen readers."""
    shares = ", ".join(f"{short_knob(name)} {share:.0%}" for name, share in findings.importance.shares.items())
    best = [
        f"{rank:3}. run {row.run_id}  {findings.metric} {format_value(row.metrics[findings.metric])}"
        f"  epoch {row.epoch}  {row.status}  {knob_text(row)}"
        for rank, row in enumerate(findings.ranked[:top], start=1)
    ]
    unbeaten = [
        f"Best trade-offs of {' and '.join(name for name, _ in found.objectives)}: "
        f"runs {', '.join(str(row.run_id) for row in found.unbeaten)}"
        for found in findings.trade_offs
    ]
    told = [summary(findings, made), *best, *unbeaten, saved_text(findings)]
    return "\n".join([*told, f"Importance of knobs: {shares or importance_text(findings)}"])
