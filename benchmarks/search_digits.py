"""A search on real data: 27 random configs on the digits, by ASHA and all to their end.

``python -m benchmarks.search_digits`` trains the same configs twice, for each seed in an experiment of its own: once by
`ASHA`, with as many epochs to spend as it may have at most (the bar), and once as a plain list. It prints the best
validation loss and accuracy after the last epoch on both sides, and the epochs and seconds that each took. Then the
search is played again while the engine is killed in the middle, and what it has decided is compared:
``same_after_kill``.
"""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.common import DIGITS, digits_handle, engine_home, one_json_line, tell, write_digits
from rapidfire_lab import ASHA, Experiment, List, Range
from rapidfire_lab.engine.client import EngineClient

if TYPE_CHECKING:
    from collections.abc import Callable

    from rapidfire_lab import DataHandle
    from rapidfire_lab.engine.home import EngineHome

TARGET_SHARE = 0.4
SLOTS = 2
_METRICS = {"val_loss": min, "top1_accuracy": max}


def space(epochs: int) -> dict[str, Any]:
    optimizer = {"name": "AdamW", "args": {"lr": Range(1e-4, 1e-1, log=True)}}
    return {
        "train": {"epochs": epochs, "batch_size": 32, "optimizer": optimizer},
        "user_knobs": {"model": "mlp", "width": List([8, 16, 32, 64]), "dropout": Range(0.0, 0.5)},
        "named_metrics": ["top1_accuracy"],
    }


def trained(name: str, data: DataHandle, configs: object, epochs: int, during: Callable[[Experiment], None]) -> Any:
    """Train in an experiment of its own; gives its figures, and what became of each config."""
    experiment = Experiment(DIGITS / "digits_spec.py", name)
    began = time.monotonic()
    experiment.run_fit(data, configs, wait=False)
    during(experiment)
    experiment.wait()
    seconds = time.monotonic() - began
    runs = experiment.runs()
    results = experiment.get_results()
    last = results[results["epoch"] == epochs]
    figures = {
        **{metric: float(best(last[metric])) for metric, best in _METRICS.items()},
        "epochs": sum(run.completed_epochs for run in runs),
        "seconds": round(seconds, 1),
    }
    decided = [(run.trial, run.config, run.step, run.status, run.ended_by) for run in runs]
    experiment.end()
    return figures, decided


def kill_the_engine(home: EngineHome) -> Callable[[Experiment], None]:
    """Kill the agent, with which everything dies at once, when a third of the runs are there."""

    def kill(experiment: Experiment) -> None:
        while len(experiment.runs()) < 9:
            time.sleep(0.05)
        os.kill(EngineClient(home).status()["processes"]["agent"], signal.SIGKILL)

    return kill


def measure(home: EngineHome, data: DataHandle, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    runs, epochs = options.runs, options.epochs
    budget = {} if options.without_budget else {"epochs": int(TARGET_SHARE * runs * epochs)}
    search = ASHA(space(epochs), num_runs=runs, reduction=options.reduction, seed=seed, budget=budget)
    configs = search.definition()["configs"]["leaves"]
    tell(f"seed {seed}: ASHA")
    asha, decided = trained(f"asha-{seed}", data, search, epochs, lambda _: None)
    tell(f"seed {seed}: all {runs} to the end")
    whole, _ = trained(f"all-{seed}", data, configs, epochs, lambda _: None)
    tell(f"seed {seed}: ASHA, and the engine killed")
    _, again = trained(f"killed-{seed}", data, search, epochs, kill_the_engine(home))
    return {
        "seed": seed,
        "asha": asha,
        "all": whole,
        "epochs_share": round(asha["epochs"] / whole["epochs"], 3),
        "equal_best": {metric: asha[metric] == whole[metric] for metric in _METRICS},
        "same_after_kill": again == decided,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--runs", type=int, default=27)
    parser.add_argument("--epochs", type=int, default=9)
    parser.add_argument("--reduction", type=int, default=3, help="of ASHA: one run in so many goes on")
    parser.add_argument("--without-budget", action="store_true", help="let ASHA end when its best have gone on")
    options = parser.parse_args()
    with (
        one_json_line("search_digits") as figures,
        tempfile.TemporaryDirectory() as folder,
        engine_home(slots=SLOTS) as home,
    ):
        write_digits(Path(folder))
        data = digits_handle(Path(folder), "train", "validation")
        EngineClient(home).start()
        figures["seeds"] = [measure(home, data, seed, options) for seed in range(options.seeds)]
        figures["target_epochs_share"] = TARGET_SHARE


if __name__ == "__main__":
    main()
