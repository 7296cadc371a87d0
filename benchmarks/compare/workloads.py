"""What is trained: data, spec and configs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.common import DIGITS
from benchmarks.compare import inputs

if TYPE_CHECKING:
    from benchmarks.compare.inputs import Write

_SPECS = Path(__file__).resolve().parent / "specs"


@dataclass(frozen=True)
class Workload:
    """One kind of work; ``bound`` is what most of its time goes into in a plain loop."""

    name: str
    bound: str
    spec: Path
    write: Write
    train_rows: int
    validation_rows: int
    configs: int
    epochs: int
    batch_size: int
    lr: float
    knobs: dict[str, Any]
    images: bool = False
    misc: bool = False

    def data(self) -> Path:
        return inputs.prepared(self.write.__name__, self.write, self.train_rows, self.validation_rows)

    def group(self) -> list[dict[str, Any]]:
        """Configs that differ in their learning rates, so that all of them cost the same."""
        return [
            {
                "train": {
                    "epochs": self.epochs,
                    "batch_size": self.batch_size,
                    "optimizer": {"name": "AdamW", "args": {"lr": round(self.lr * 1.02**number, 9)}},
                },
                "user_knobs": self.knobs,
                "named_metrics": ["top1_accuracy"],
            }
            for number in range(self.configs)
        ]

    def resized(self, rows: float, configs: int | None, epochs: int | None) -> Workload:
        """Change the size: a share of the rows, other numbers of configs and epochs."""
        return replace(
            self,
            train_rows=max(self.batch_size, int(self.train_rows * rows)),
            validation_rows=max(1, int(self.validation_rows * rows)),
            configs=configs or self.configs,
            epochs=epochs or self.epochs,
        )


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload(
            name="digits",
            bound="compute",
            spec=DIGITS / "digits_spec.py",
            write=inputs.digits,
            train_rows=1_500,
            validation_rows=297,
            configs=8,
            epochs=3,
            batch_size=32,
            lr=0.001,
            knobs={"model": "cnn", "width": 64, "dropout": 0.1},
            images=True,
        ),
        Workload(
            name="text",
            bound="preparation",
            spec=_SPECS / "text.py",
            write=inputs.text,
            train_rows=6_919,
            validation_rows=871,
            configs=8,
            epochs=3,
            batch_size=64,
            lr=0.005,
            knobs={"width": 8, "longest": 64},
            misc=True,
        ),
        Workload(
            name="images",
            bound="preparation",
            spec=_SPECS / "images.py",
            write=inputs.images,
            train_rows=600,
            validation_rows=120,
            configs=8,
            epochs=3,
            batch_size=32,
            lr=0.003,
            knobs={"width": 8},
            images=True,
        ),
        Workload(
            name="tiny",
            bound="overhead",
            spec=_SPECS / "table.py",
            write=inputs.table,
            train_rows=320,
            validation_rows=80,
            configs=64,
            epochs=3,
            batch_size=16,
            lr=0.005,
            knobs={"width": 16, "depth": 1},
        ),
        Workload(
            name="large",
            bound="memory",
            spec=_SPECS / "table.py",
            write=inputs.table,
            train_rows=512,
            validation_rows=64,
            configs=4,
            epochs=2,
            batch_size=64,
            lr=0.00002,
            knobs={"width": 4_096, "depth": 4},
        ),
    )
}

WARM_UP = Workload(
    name="warm-up",
    bound="",
    spec=_SPECS / "table.py",
    write=inputs.table,
    train_rows=64,
    validation_rows=16,
    configs=1,
    epochs=1,
    batch_size=16,
    lr=0.005,
    knobs={"width": 8, "depth": 1},
)
"""What an engine trains before it counts as warm."""
