"""Budgets: how long and how often to train."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from rapidfire_lab.configs.scalars import describe, from_numpy, is_int, is_number
from rapidfire_lab.configs.spelling import did_you_mean
from rapidfire_lab.errors import ConfigError
from rapidfire_lab.model.constants import BudgetOption

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rapidfire_lab.model.constants import Budget

OPTIONS: dict[str, type] = {
    BudgetOption.TIME_HOURS: float,
    BudgetOption.GPU_COUNT: int,
    BudgetOption.MODEL_TRIAL_COUNT: int,
    BudgetOption.DIST_WORKERS: int,
}
"""What a budget may have, and of which type."""


def checked(budget: Mapping[Any, Any]) -> Budget:
    """Give a budget of plain numbers.

    Raises
    ------
    ConfigError
        When it has an unknown option, or a value that is no such number.
    """
    return {name: _checked(name, from_numpy(value)) for name, value in budget.items()}


def _checked(name: object, value: object) -> float:
    if name not in OPTIONS:
        raise ConfigError(f"a budget has no option {name!r}; {did_you_mean(str(name), OPTIONS)}")
    if name == BudgetOption.TIME_HOURS:
        if is_number(value) and not math.isnan(value) and value >= 0:
            return float(value)
        raise ConfigError(f"TIME_HOURS must be a number of hours from 0, not {describe(value)}")
    if is_int(value):
        return value
    raise ConfigError(f"{name} must be a whole number, not {describe(value)}")
