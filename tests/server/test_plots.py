"""``plots``: what trials have defined, and series that are drawn by another metric or by the time of the run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rapidfire_lab.journal import MetricPoint
from tests.server.conftest import BEGIN, add_run

pytest_plugins = ("pytest_jupyter.jupyter_server",)

PLOTS = "experiments/digits/plots"
SERIES = "experiments/digits/series"
LOSSES = {"title": "Losses", "metrics": ["loss", "level"], "x_axis": "epoch"}
LEAF = {"train": {}, "user_knobs": {"level": 1}, "named_metrics": [], "fsdp_layer_cls": []}
TEMPLATE = {
    "main": "model.py", "hash": "abc", "original": "/m/model.py", "model_class": "M", "task": "OTHER", "knobs": "{}",
    "train": "/t", "validation": "/v", "test": None, "train_args": {},
}  # fmt: skip


@pytest.fixture
def trial(journal):
    """Adds a trial with the text of its ``plots.json``; gives its run id."""
    experiment = journal.experiment("digits")
    with journal.transaction():
        fit = journal.add_fit(
            experiment_id=experiment.id, data=json.dumps({"template": TEMPLATE}), seed=1, num_chunks=None
        )

    def add(text, **columns):
        with journal.transaction():
            key = add_run(journal, experiment.id, leaf=LEAF, status="running", **columns)
            journal.update_run(key, fit_id=fit)
        run_id = journal.run_by_key(key).run_id
        folder = Path(experiment.path) / "runs" / str(run_id)
        folder.mkdir(exist_ok=True, parents=True)
        if text is not None:
            (folder / "plots.json").write_text(text if isinstance(text, str) else json.dumps(text))
        return run_id

    return add


def add_lines(journal, run_id, **metrics):
    """Points of metrics by line; None where a line has no value."""
    key = journal.run(2, run_id).id
    with journal.transaction():
        journal.add_points(
            key,
            [
                MetricPoint(name=name, per="step", step=step, epoch=1, value=value, time=BEGIN + step / 4)
                for name, values in metrics.items()
                for step, value in enumerate(values, start=1)
                if value is not None
            ],
        )


async def test_plots_of_the_same_title_and_axis_are_one(ask, trial):
    first = trial([LOSSES, {"title": "Time", "metrics": ["loss"], "x_axis": None}])
    second = trial([{**LOSSES, "metrics": ["loss", "accuracy"]}, LOSSES])
    third = trial([{**LOSSES, "x_axis": None}])
    assert await ask(PLOTS) == {
        "plots": [
            {**LOSSES, "metrics": ["loss", "level", "accuracy"], "run_ids": [first, second]},
            {"title": "Time", "metrics": ["loss"], "x_axis": None, "run_ids": [first]},
            {**LOSSES, "x_axis": None, "run_ids": [third]},
        ]
    }
    assert await ask("experiments/old/plots") == {"plots": []}


@pytest.mark.parametrize(
    "text", [None, "", "{", "7", '{"title": 1}', "[[]]", '[{"title": 1, "metrics": []}]', "[" * 9999]
)
async def test_what_cannot_be_drawn_is_passed_over(ask, trial, text):
    trial(text)
    known = trial([LOSSES])
    assert await ask(PLOTS) == {"plots": [{**LOSSES, "run_ids": [known]}]}


async def test_plots_of_other_runs_are_nobodys_business(ask, refused, trial, journal, filled, tmp_path):
    gone = trial([LOSSES])
    with journal.transaction():
        journal.update_run(journal.run(2, gone).id, status="deleted")
    runs = filled.experiments / "digits" / "runs"
    (runs / "1" / "plots.json").write_text(json.dumps([LOSSES]))
    secret = tmp_path / "plots.json"
    secret.write_text(json.dumps([LOSSES]))
    linked = trial(None)
    (runs / str(linked) / "plots.json").symlink_to(secret)
    assert await ask(PLOTS) == {"plots": []}
    assert (await refused("experiments/none/plots"))[0] == 404


async def test_a_series_by_another_metric_has_points_with_both(ask, refused, trial, journal):
    run_id = trial(None)
    add_lines(journal, run_id, loss=[4, 3, None, 2, 1], epoch=[1, 2, 3, float("nan"), 5], other=[7])
    answer = await ask(SERIES, metric="loss", by="epoch", run=run_id)
    assert answer["series"] == [{"run_id": run_id, "x": [1, 2, 5], "y": [4, 3, 1], "points": 3}]
    answer = await ask(SERIES, metric="epoch", by="loss", run=run_id)
    assert answer["series"] == [{"run_id": run_id, "x": [4, 3, 2, 1], "y": [1, 2, None, 5], "points": 4}]
    assert (await refused(SERIES, metric="loss", by="nothing"))[0] == 404


async def test_a_long_series_by_another_metric_is_thinned_out(ask, trial, journal):
    run_id = trial(None)
    values = [step % 7 for step in range(1, 3_001)]
    add_lines(journal, run_id, loss=values, rate=[step / 2 for step in range(1, 3_001)])
    [found] = (await ask(SERIES, metric="loss", by="rate", run=run_id, max_points=100))["series"]
    assert found["points"] == 3_000
    assert 20 < len(found["x"]) <= 100
    assert found["x"][-1] == 1_500
    assert {0, 6} <= set(found["y"])
    assert all(values[int(2 * x) - 1] == y for x, y in zip(found["x"], found["y"], strict=True))


async def test_time_may_be_counted_from_the_start_of_the_run(ask, trial, journal):
    run_id = trial(None)
    add_lines(journal, run_id, loss=[3, 2])
    with journal.transaction():
        journal.update_run(journal.run(2, run_id).id, started=BEGIN + 0.125)
    answer = await ask(SERIES, metric="loss", x="run_time", run=run_id)
    assert (answer["x"], answer["series"][0]["x"]) == ("run_time", [0.125, 0.375])
