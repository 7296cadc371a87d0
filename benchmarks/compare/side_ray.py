"""Ray Tune with one trial per core. It runs in an environment of its own (``ray_environment.py``)."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import ray
from ray import tune

from benchmarks.compare.job import Job, serve
from benchmarks.compare.loop import Loop, summary


def trial(config: dict[str, Any], job: Job) -> None:
    Loop(job).train(config["number"], lambda values: tune.report(dict(values)))


def work(job: Job) -> dict[str, Any]:
    begin = time.time()
    ray.init(num_cpus=job.cores, include_dashboard=False, _temp_dir=f"{job.output}/ray")
    ready = time.time()
    tuner = tune.Tuner(
        tune.with_resources(partial(trial, job=job), {"cpu": 1}),
        param_space={"number": tune.grid_search(list(range(len(job.configs))))},
        run_config=tune.RunConfig(storage_path=f"{job.output}/results", name="compare"),
    )
    results = tuner.fit()
    if results.errors:
        raise RuntimeError(results.errors[0])
    figures = summary([result.metrics for result in results])
    return {**figures, "init_s": ready - begin, "version": ray.__version__}


def main() -> None:
    job = Job.from_arguments()
    serve(lambda: work(job), ray.shutdown)


if __name__ == "__main__":
    main()
