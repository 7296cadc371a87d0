"""A pool with one process per core and one thread in each."""

from __future__ import annotations

import multiprocessing

import torch

from benchmarks.compare.job import Job, serve
from benchmarks.compare.loop import Loop, summary

_loops: list[Loop] = []
"""The loop of a process of the pool."""


def begin(job: Job) -> None:
    torch.set_num_threads(1)
    _loops.append(Loop(job))


def train(number: int) -> dict[str, float]:
    return _loops[0].train(number)


def main() -> None:
    job = Job.from_arguments()

    def work() -> dict[str, object]:
        # Forked processes have torch imported, which is the best that a pool can have.
        with multiprocessing.get_context("fork").Pool(job.cores, begin, (job,)) as pool:
            return summary(pool.map(train, range(len(job.configs)), chunksize=1))

    serve(work)


if __name__ == "__main__":
    main()
