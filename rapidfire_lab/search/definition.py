"""A search as plain JSON, and the machine that it stands for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

from rapidfire_lab.configs import json_knobs
from rapidfire_lab.search.conductor import Budget, Conductor
from rapidfire_lab.search.generations import Generations
from rapidfire_lab.search.halving import Halving
from rapidfire_lab.search.optuna_supply import OptunaSupply
from rapidfire_lab.search.population import Population
from rapidfire_lab.search.pruned import Pruned
from rapidfire_lab.search.supplies import Drawn, Listed
from rapidfire_lab.search.whole import Whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rapidfire_lab.search.racing import PairedRace
    from rapidfire_lab.search.searcher import Algorithm, State, Supply
    from rapidfire_lab.search.supplies import Constraint

FEWEST_WORKERS = 8
"""Trials that compete at once where the user does not say: two per slot, and so many at least."""


def settled(definition: Mapping[str, Any], *, slots: int, chunks: int, now: float) -> dict[str, Any]:
    """Put into the definition what was left to the engine when the search began.

    Parameters
    ----------
    slots
        Slots of the engine: of them depends how many trials compete at once.
    chunks
        Chunks of an epoch.
    now
        Time in seconds, from which the budget of seconds counts.
    """
    budget = definition["budget"]
    epochs = [budget[name] / parts for name, parts in (("epochs", 1), ("chunks", chunks)) if name in budget]
    limits = {"epochs": min(epochs)} if epochs else {}
    if "seconds" in budget:
        limits["deadline"] = now + budget["seconds"]
    return {
        **definition,
        "concurrency": definition["concurrency"] or max(FEWEST_WORKERS, 2 * slots),
        "budget": limits,
    }


def make_conductor(definition: Mapping[str, Any], state: State, *, constraint: Constraint | None = None) -> Conductor:
    """Make the machine of a search as it was left with ``state``, which becomes its own.

    Parameters
    ----------
    definition
        What ``settled`` gave.
    state
        What it has come to; empty at the start.
    """
    budget = definition["budget"]
    return Conductor(
        _algorithm(definition, state.setdefault("algorithm", {})),
        _supply(definition, state.setdefault("supply", {}), constraint),
        workers=definition["concurrency"],
        signs=[1 if mode == "min" else -1 for _, mode in definition["metrics"]],
        budget=Budget(budget.get("epochs", math.inf), budget.get("deadline", math.inf)),
        in_order=definition["in_order"],
        state=state,
    )


def _algorithm(definition: Mapping[str, Any], state: State) -> Algorithm:
    from rapidfire_lab.search.racing import PairedRace  # numpy is not for all who import searches

    arguments = dict(definition["algorithm"])
    kinds: dict[str, type[Halving | Generations | PairedRace | Population | Pruned | Whole]] = {
        "halving": Halving,
        "race": PairedRace,
        "population": Population,
        "generations": Generations,
        "pruned": Pruned,
        "whole": Whole,
    }
    kind = kinds[arguments.pop("kind")]
    return kind(**arguments, state=state)


def _supply(definition: Mapping[str, Any], state: State, constraint: Constraint | None) -> Supply:
    configs = definition["configs"]
    if "leaves" in configs:
        return Listed(configs["leaves"], state)
    template = json_knobs.decode(configs["template"], "configs")
    common = {"defaults": configs["defaults"], "constraint": constraint, "state": state}
    if configs["sampler"] == "random":
        return Drawn(template, configs["num_runs"], definition["seed"], **common)
    directions: list[Literal["minimize", "maximize"]] = [
        "minimize" if mode == "min" else "maximize" for _, mode in definition["metrics"]
    ]
    return OptunaSupply(
        template,
        configs["num_runs"],
        definition["seed"],
        sampler=configs["sampler"],
        directions=directions,
        **common,
    )
