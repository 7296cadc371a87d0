"""What a side is asked to do, what it answers, and the conversation between it and the benchmark.

Nothing here needs more than the standard library: one of the sides lives in an environment of its own.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

READY = "ready"


@dataclass(frozen=True)
class Job:
    """Configs to train on a folder of data, by a spec.

    ``data`` has ``train.csv`` and ``validation.csv``; ``images`` says that their column ``image`` names files of its
    folder ``images``, ``misc`` that it has a folder ``misc``. ``output`` is an empty folder for weights.
    """

    spec: str
    data: str
    configs: list[dict[str, Any]]
    cores: int
    output: str
    rows: str = "series"
    images: bool = False
    misc: bool = False

    @property
    def train_rows(self) -> int:
        """Rows of the train partition: lines but for the header; no value has a line break in it."""
        with (Path(self.data) / "train.csv").open() as file:
            return sum(1 for _ in file) - 1

    def first_chunk(self, config: dict[str, Any]) -> int:
        """Minibatches of the first quarter of an epoch."""
        steps: int = -(-self.train_rows // config["train"]["batch_size"])
        return -(-steps // min(4, steps))

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_arguments(cls) -> Job:
        return cls(**json.loads(Path(sys.argv[1]).read_text()))


def serve(work: Callable[[], dict[str, Any]], leave: Callable[[], None] = lambda: None) -> None:
    """Say that everything is imported, work when told to, and answer; what is printed meanwhile goes to stderr.

    The process leaves only when told to, so that everything that it started can be measured.
    """
    with os.fdopen(os.dup(1), "w") as channel:
        os.dup2(2, 1)
        print(READY, file=channel, flush=True)
        sys.stdin.readline()
        print(json.dumps(work()), file=channel, flush=True)
        sys.stdin.readline()
        leave()
