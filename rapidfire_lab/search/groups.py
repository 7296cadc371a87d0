"""Searches as users write them: what stands in ``ml_config`` of ``run_fit`` beside configs, grids and lists."""

from __future__ import annotations

import random
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rapidfire_lab.configs import json_knobs
from rapidfire_lab.configs.groups import ConfigGroup, Finish, walk
from rapidfire_lab.configs.knobs import List, Range
from rapidfire_lab.configs.leaf import normalise
from rapidfire_lab.configs.scalars import checked_int, describe, is_number
from rapidfire_lab.configs.space import has_knobs
from rapidfire_lab.configs.spelling import did_you_mean
from rapidfire_lab.errors import ConfigError
from rapidfire_lab.search.choices import check_suits, checked_pruner, checked_sampler
from rapidfire_lab.search.halving import rung_epochs
from rapidfire_lab.search.space import knobs_of
from rapidfire_lab.search.supplies import Drawn

CHUNK_LOSS = "chunk_loss"
"""The objective that there is after each chunk: the mean training loss over it."""

_BUDGETS = ("epochs", "chunks", "seconds")
_MOST_RUNS = 10_000
_FIXED_IN_A_COPY = ("batch_size", "gradient_accumulation_steps", "epochs", "named_metrics")


class Search(ConfigGroup):
    """Looks for good configs while runs train; base of all searches.

    Parameters
    ----------
    configs
        A config with `List` and `Range` in it, or a list of such, from which configs are drawn. A knob inside the value
        of a `List` exists only where that value is taken. Or a `GridSearch`, a `RandomSearch`, or a list of configs
        without knobs: then these are the configs.
    num_runs
        How many configs are tried at most; needed where configs are drawn.
    metric
        What is compared: a metric of epochs as in ``get_results``, or ``"chunk_loss"``, the mean training loss of each
        chunk.
    mode
        ``"min"`` or ``"max"``.
    seed
        Of all that is drawn. The same seed and the same results give the same search.
    concurrency
        Runs that compete at once; by default two per slot, 8 at least. More than slots keep these busy.
    budget
        ``{"epochs": 100}``, ``{"chunks": 400}`` or ``{"seconds": 3600}``, or several: hard limits, over all runs.
    defaults
        Configs that are tried first.
    constraint
        Function of a canonical config that says whether it may be tried.
    sampler
        ``"random"``; ``"tpe"``, ``"gp"``, ``"nsga2"`` or ``"cmaes"`` of Optuna learn from the results so far; of runs
        that were dropped, ``"tpe"`` alone. CMA-ES is for two `Range`s or more, without a `List`, and needs the package
        of that name.
    in_order
        False takes results in as they come, whatever that does to repeatability.
    name
        Name in the logs.
    """

    is_search = True
    default_name = "search"
    default_metric = "val_loss"

    def __init__(
        self,
        configs: object,
        num_runs: int | None = None,
        *,
        metric: str | Sequence[str] | None = None,
        mode: str | Sequence[str] = "min",
        seed: int = 42,
        concurrency: int | None = None,
        budget: Mapping[str, float] | None = None,
        defaults: Sequence[Mapping[str, Any]] = (),
        constraint: Callable[[Mapping[str, Any]], object] | None = None,
        sampler: str = "random",
        in_order: bool = True,
        name: str | None = None,
        pruner: object = None,
    ) -> None:
        super().__init__(configs)
        kind = type(self).__name__
        if pruner is not None:
            raise ConfigError(f"{kind} says itself which runs train on: pruner= is for BayesianSearch")
        self.num_runs = None if num_runs is None else checked_int(f"{kind} num_runs", num_runs, 1)
        self.metrics = _metrics(kind, self.default_metric if metric is None else metric, mode)
        self.seed = checked_int(f"{kind} seed", seed)
        self.concurrency = None if concurrency is None else checked_int(f"{kind} concurrency", concurrency, 1)
        self.budget = _budget(kind, budget or {})
        self.defaults = [normalise(config) for config in defaults]
        self.constraint = constraint
        self.sampler = checked_sampler(kind, sampler)
        self.in_order = in_order
        self.name = name or self.default_name
        self._check()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.configs!r}, num_runs={self.num_runs})"

    def make(self, finish: Finish) -> list[dict[str, Any]]:  # noqa: ARG002
        """Refuse: the configs of a search are not known from the start."""
        raise ConfigError(
            f"a {type(self).__name__} cannot stand here: give it to run_fit as ml_config, alone or in a list beside "
            "configs and grids",
        )

    @property
    def is_drawn(self) -> bool:
        """Whether configs are drawn from a template, and not all there from the start."""
        return any(not isinstance(node, ConfigGroup) and has_knobs(node) for _, node in self._nodes)

    @property
    def template(self) -> object:
        """What configs are drawn from."""
        nodes = [node for _, node in self._nodes]
        return nodes[0] if len(nodes) == 1 else List(nodes)

    def definition(self, constraint_source: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Give the search as plain JSON.

        Raises
        ------
        ConfigError
            When a config is not valid, or there are fewer than ``num_runs``.
        """
        configs = self._configs()
        return {
            "name": self.name,
            "algorithm": self.algorithm(configs),
            "configs": configs,
            "metrics": [list(metric) for metric in self.metrics],
            "seed": self.seed,
            "concurrency": self.workers(configs),
            "budget": self.budget,
            "in_order": self.in_order,
            "constraint": constraint_source if "template" in configs else None,
        }

    def check_metrics(self, definition: Mapping[str, Any], *, validates: bool) -> None:
        """Refuse metrics that runs of a spec without metrics of its own do not have.

        Raises
        ------
        ConfigError
            With the names that there are.
        """
        leaves = definition["configs"].get("leaves") or self._draws(1)
        named = [name for name in leaves[0]["named_metrics"] if all(name in leaf["named_metrics"] for leaf in leaves)]
        found = [*(["val_loss", *named] if validates else []), "train_loss", *(f"train_{name}" for name in named)]
        for name, _ in self.metrics:
            if name not in (*found, "learning_rate", CHUNK_LOSS):
                raise ConfigError(
                    f"{type(self).__name__} compares runs by {name!r}, which they will not have; "
                    f"known: {', '.join((*found, 'learning_rate', CHUNK_LOSS))}",
                )

    @abstractmethod
    def algorithm(self, configs: Mapping[str, Any]) -> dict[str, Any]:
        """Give the ``kind`` of the algorithm, and its arguments."""

    def workers(self, configs: Mapping[str, Any]) -> int | None:  # noqa: ARG002 - for those who need them
        """Give the number of runs that compete at once; None for the engine's choice."""
        return self.concurrency

    def _check(self) -> None:
        kind = type(self).__name__
        if self.is_drawn and self.num_runs is None:
            raise ConfigError(f"{kind} draws configs from knobs: say how many, as in num_runs=27")
        if (self.num_runs or 0) > _MOST_RUNS:
            raise ConfigError(f"{kind} num_runs={self.num_runs} is over {_MOST_RUNS}: take fewer")
        if len(self.metrics) > 1:
            raise ConfigError(f"{kind} compares runs by one metric: use BayesianSearch for several")
        if self.sampler != "random" and not self.is_drawn:
            raise ConfigError(f'{kind} sampler="{self.sampler}" needs knobs to choose from: write List or Range')
        check_suits(kind, self.sampler, self.template, self.metrics)

    def _configs(self) -> dict[str, Any]:
        if not self.is_drawn:
            return {"leaves": self._listed()}
        if self.sampler == "random":
            return {"leaves": self._draws(self.num_runs or 0)}
        return self._space(self.sampler)

    def _listed(self) -> list[dict[str, Any]]:
        leaves = [leaf for _, node in self._templates(normalise) for leaf in [normalise(node)]]
        random.Random(self.seed).shuffle(leaves)
        allowed = [leaf for leaf in leaves if self.constraint is None or self.constraint(leaf)]
        if not allowed:
            raise ConfigError(f"the constraint of {type(self).__name__} leaves none of {len(leaves)} configs")
        return [*self.defaults, *allowed][: self.num_runs]

    def _draws(self, wanted: int) -> list[dict[str, Any]]:
        supply = Drawn(self.template, wanted, self.seed, defaults=self.defaults, constraint=self.constraint)
        leaves = [supply.config(trial) for trial in iter(supply.take, None)]
        if len(leaves) < wanted:
            raise ConfigError(
                f"num_runs={wanted}, but the knobs (and the constraint) give only about {len(leaves)} configs: "
                "lower num_runs or widen a List or Range",
            )
        return leaves

    def _space(self, sampler: str) -> dict[str, Any]:
        self._draws(1)  # says what is wrong with the template or the constraint
        return {
            "template": json_knobs.encode(self.template),
            "defaults": self.defaults,
            "num_runs": self.num_runs,
            "sampler": sampler,
        }

    def _most_epochs(self, configs: Mapping[str, Any]) -> int:
        if "leaves" in configs:
            return max(_largest(leaf["train"]["epochs"]) for leaf in configs["leaves"])
        nodes = [node for _, node in self._nodes if isinstance(node, Mapping)]
        return max(_largest(node.get("train", node)["epochs"]) for node in nodes)


class _Rungs(Search):
    """Compares runs after ``min_epochs``, and then whenever they have ``reduction`` times as many.

    A budget of epochs or chunks is spent, where the configs come to an end before it does (see `ASHA`).
    """

    waits = False

    def __init__(
        self, configs: object, num_runs: int | None = None, *, min_epochs: int = 1, reduction: int = 3, **options: Any
    ) -> None:
        kind = type(self).__name__
        self.min_epochs = checked_int(f"{kind} min_epochs", min_epochs, 1)
        self.reduction = checked_int(f"{kind} reduction", reduction, 2)
        super().__init__(configs, num_runs, **options)

    def _check(self) -> None:
        super()._check()
        if self.sampler == "cmaes":
            raise ConfigError(
                f'{type(self).__name__} sampler="cmaes" would learn from the few runs alone that come to their end: '
                'use "tpe", which learns from all, or a BayesianSearch'
            )

    def algorithm(self, configs: Mapping[str, Any]) -> dict[str, Any]:
        most = self._most_epochs(configs)
        if self.min_epochs >= most:
            raise ConfigError(
                f"{type(self).__name__} min_epochs={self.min_epochs} leaves nothing to drop of runs of {most} epochs: "
                "lower it, or give the configs more epochs",
            )
        rungs = rung_epochs(self.min_epochs, self.reduction, most)
        brackets = self.brackets(len(rungs))
        return {
            "kind": "halving",
            "rungs": rungs,
            "reduction": self.reduction,
            "brackets": brackets,
            "waits": self.waits,
        }

    def brackets(self, rungs: int) -> list[int]:  # noqa: ARG002
        """Rungs at which brackets begin."""
        return [0]


class ASHA(_Rungs):
    """Asynchronous successive halving (Li et al. 2020): a run goes on as soon as it is among the best on its rung.

    Of the runs that have trained ``min_epochs``, one in ``reduction`` goes on to ``min_epochs * reduction``, and so on
    up to the epochs of the config. All other parameters are those of `Search`.

    A budget of epochs or chunks is spent: what is left of it when all configs have been tried goes to the runs that
    come next, as though ``reduction`` were smaller, as long as it can bring one to its end. A budget of seconds is a
    limit and nothing more.
    """

    default_name = "asha"


class SuccessiveHalving(_Rungs):
    """Successive halving: as `ASHA`, but the best of a rung go on once all of its runs are there."""

    default_name = "sha"
    waits = True


class Hyperband(_Rungs):
    """Hyperband (Li et al. 2018): `ASHA` side by side with cautious variants that first compare runs later.

    For metrics that say little at first. All parameters are those of `ASHA`.
    """

    default_name = "hyperband"

    def brackets(self, rungs: int) -> list[int]:
        return list(range(rungs))


class BayesianSearch(Search):
    """Trains all runs to their end; a sampler of Optuna proposes each config from the results so far.

    With several metrics (``metric=["val_loss", "seconds_per_row"], mode=["min", "min"]``) it looks for configs that are
    best in one without being worse in another. To drop runs as well, give `ASHA` a ``sampler``, or this one a
    ``pruner``. Other parameters are those of `Search`; ``sampler`` is ``"tpe"`` by default.

    Parameters
    ----------
    pruner
        Has runs dropped on the way, by one of Optuna's rules: ``"median"``, ``"percentile"``, ``"patient"`` (no
        improvement for some time) or ``"threshold"``, also with arguments, as in
        ``{"name": "median", "args": {"n_startup_trials": 3}}``. It is asked after each epoch, or chunk with
        ``"chunk_loss"``.
    """

    default_name = "bayes"

    def __init__(
        self,
        configs: object,
        num_runs: int | None = None,
        *,
        sampler: str = "tpe",
        pruner: str | Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        self.pruner = checked_pruner("BayesianSearch", pruner)
        super().__init__(configs, num_runs, sampler=sampler, **options)

    def algorithm(self, configs: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        return {"kind": "whole"} if self.pruner is None else {"kind": "pruned", "pruner": self.pruner}

    def _check(self) -> None:
        metrics, self.metrics = self.metrics, self.metrics[:1]
        super()._check()
        self.metrics = metrics
        check_suits("BayesianSearch", self.sampler, self.template, metrics)
        if self.pruner is not None and len(metrics) > 1:
            raise ConfigError("BayesianSearch pruner compares runs by one metric: leave it out, or the other metrics")


class PairedRacing(Search):
    """Drops a run once it is credibly worse than another one on the same parts of the data.

    Runs are compared by the differences of their metric at the same places: by default of the training loss of each
    chunk. A run is dropped when the confidence interval of its mean difference to another one leaves out 0. The
    intervals hold at all times together and for all pairs (anytime-valid, Bonferroni), however often one looks.

    Parameters
    ----------
    confidence
        Chance that every run that is dropped deserves it.
    grace_epochs
        Epochs at the beginning that are not compared.
    """

    default_name = "racing"
    default_metric = CHUNK_LOSS

    def __init__(
        self,
        configs: object,
        num_runs: int | None = None,
        *,
        confidence: float = 0.95,
        grace_epochs: float = 1.0,
        **options: Any,
    ) -> None:
        if not is_number(confidence) or not 0 < confidence < 1:
            raise ConfigError(f"PairedRacing confidence must lie between 0 and 1, not be {describe(confidence)}")
        if not is_number(grace_epochs) or grace_epochs < 0:
            raise ConfigError(f"PairedRacing grace_epochs must be 0 or more, not {describe(grace_epochs)}")
        self.confidence, self.grace_epochs = float(confidence), float(grace_epochs)
        super().__init__(configs, num_runs, **options)

    def algorithm(self, configs: Mapping[str, Any]) -> dict[str, Any]:
        trials = len(configs["leaves"]) if "leaves" in configs else configs["num_runs"]
        return {"kind": "race", "trials": trials, "confidence": self.confidence, "grace": self.grace_epochs}


class PBT(Search):
    """Population based training: the worst runs are replaced by copies of the best with other knobs.

    ``num_runs`` train side by side (Jaderberg et al. 2017). Each is judged after every ``interval_epochs`` of its own,
    by the latest results of all: when it is among the worst ``share`` it is stopped, and one of the best is cloned in
    its place, with weights and position, and with knobs moved. Other parameters are those of `Search`.

    Parameters
    ----------
    synchronous
        Judge all runs at once when the last of a generation is there. Nobody is compared with runs that have come
        further or less far then, but slots wait.
    """

    default_name = "pbt"

    def __init__(
        self,
        configs: object,
        num_runs: int | None = None,
        *,
        interval_epochs: int = 1,
        share: float = 0.25,
        synchronous: bool = False,
        **options: Any,
    ) -> None:
        self.synchronous = bool(synchronous)
        self.interval_epochs = checked_int("PBT interval_epochs", interval_epochs, 1)
        if not is_number(share) or not 0 < share <= 0.5:  # noqa: PLR2004 - half of them
            raise ConfigError(f"PBT share must be above 0 and at most 0.5, not {describe(share)}")
        self.share = float(share)
        super().__init__(configs, num_runs, **options)

    def algorithm(self, configs: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "kind": "generations" if self.synchronous else "population",
            "size": configs["num_runs"],
            "interval": self.interval_epochs,
            "share": self.share,
            "seed": self.seed,
        }

    def workers(self, configs: Mapping[str, Any]) -> int:
        workers: int = configs["num_runs"]
        return workers

    def _configs(self) -> dict[str, Any]:
        return self._space("random")

    def _check(self) -> None:
        super()._check()
        if self.sampler != "random" or self.concurrency is not None:
            raise ConfigError(
                "PBT trains all of its runs at once and moves their knobs itself: leave sampler and concurrency out"
            )
        if not self.is_drawn:
            raise ConfigError("PBT needs knobs to move: write List or Range")
        for path, _ in knobs_of(self.template):
            if any(path.split("[")[0].split(".")[-1] == name for name in _FIXED_IN_A_COPY):
                raise ConfigError(
                    f"PBT cannot move {path!r}: a copy stands where its parent does, which needs the "
                    "same value; write one value"
                )


def _metrics(kind: str, metric: str | Sequence[str], mode: str | Sequence[str]) -> list[tuple[str, str]]:
    names = [metric] if isinstance(metric, str) else list(metric)
    modes = [mode] * len(names) if isinstance(mode, str) else list(mode)
    if not names or not all(names):
        raise ConfigError(f"{kind} metric must be the name of a metric, not {describe(metric)}")
    if len(modes) != len(names) or any(one not in ("min", "max") for one in modes):
        raise ConfigError(f'{kind} mode must be "min" or "max" for each metric, not {describe(mode)}')
    return [(name.replace("-", "_"), one) for name, one in zip(names, modes, strict=True)]


def _budget(kind: str, budget: Mapping[str, float]) -> dict[str, float]:
    for name, amount in budget.items():
        if name not in _BUDGETS:
            raise ConfigError(
                f"{kind} budget has no {name!r} ({did_you_mean(name, _BUDGETS)}); num_runs limits the runs"
            )
        if not is_number(amount) or amount <= 0:
            raise ConfigError(f"{kind} budget {name} must be above 0, not {describe(amount)}")
    return dict(budget)


def _largest(epochs: object) -> int:
    if isinstance(epochs, List):
        return max(map(_largest, epochs.values))
    if isinstance(epochs, Range):
        return int(epochs.end)
    return checked_int("epochs", epochs, 1)


def searches_in(ml_config: object) -> list[Search]:
    """Searches among what a user gives as ``ml_config``, in the order written."""
    return [node for _, node in walk(ml_config, "ml_config") if isinstance(node, Search)]
