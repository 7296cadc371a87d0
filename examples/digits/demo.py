"""Train eight configs on the handwritten digits at once, and compare them. Run it with ``make demo``."""

import os
import sys
from pathlib import Path

from rapidfire_lab import DataHandle, Experiment, GridSearch, List

FOLDER = Path(__file__).resolve().parent


def main() -> None:
    sys.path.insert(0, str(FOLDER))
    from digits_data import write_digits

    data = FOLDER / "data"
    write_digits(data)
    os.chdir(FOLDER)
    handle = DataHandle(
        {
            "train": "data/train.csv",
            "train_objects": "data/images",
            "validation": "data/validation.csv",
            "validation_objects": "data/images",
        }
    )
    knobs = {"width": 32, "dropout": 0.2}
    train = {"epochs": 4, "batch_size": 32}
    optimizers = List(
        [
            {"name": "SGD", "args": {"lr": List([0.03, 0.1]), "momentum": 0.9}},
            {"name": "AdamW", "args": {"lr": List([0.001, 0.003])}},
        ]
    )
    group = GridSearch(
        {
            "train": {**train, "optimizer": optimizers},
            "user_knobs": {**knobs, "model": List(["mlp", "cnn"])},
            "named_metrics": ["top1_accuracy", "top3_accuracy"],
        }
    )
    experiment = Experiment("digits_spec.py", experiment_name="digits-demo")
    experiment.run_fit(handle, group, seed=42)

    results = experiment.get_results()
    last = results[results["epoch"] == train["epochs"]]
    print("\nBest first, by validation accuracy after the last epoch:")
    print(last.sort_values("top1_accuracy", ascending=False).to_string(index=False))
    experiment.end()


if __name__ == "__main__":
    main()
