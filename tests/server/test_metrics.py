"""``metrics`` and ``series``: few points that show every peak of many."""

from __future__ import annotations

import json
import math
import random

import pytest

from rapidfire_lab.journal import MetricPoint
from tests.server.conftest import BEGIN, add_points, add_run

pytest_plugins = ("pytest_jupyter.jupyter_server",)

SERIES = "experiments/digits/series"


def add_long(journal, steps, *, run=None, value=None, name="minibatch_loss"):
    """A run with a value per minibatch; gives the values by step."""
    rng = random.Random(steps)
    with journal.transaction():
        key = run or add_run(journal, 2, status="running", step=steps)
        points = [
            MetricPoint(
                name=name,
                per="step",
                step=step,
                epoch=1,
                value=rng.gauss(0, 1) if value is None else value(step),
                time=BEGIN + step / 10,
            )
            for step in range(1, steps + 1)
        ]
        journal.add_points(key, points)
        run_id = journal.run_by_key(key).run_id
    return run_id, {point.step: point.value for point in points}


@pytest.fixture
def series(ask):
    async def one(run, **query):
        answer = await ask(SERIES, metric="minibatch_loss", run=run, **query)
        [found] = answer["series"]
        assert found["run_id"] == run
        assert len(found["x"]) == len(found["y"]) <= int(query.get("max_points", 500))
        assert found["x"] == sorted(found["x"])
        return found

    return one


async def test_metrics(ask, filled):
    assert await ask("experiments/digits/metrics") == {
        "metrics": [
            {"name": "minibatch_loss", "per": "step"},
            {"name": "train_loss", "per": "epoch"},
            {"name": "learning_rate", "per": "epoch"},
            {"name": "val_loss", "per": "epoch"},
            {"name": "top1_accuracy", "per": "epoch"},
        ]
    }
    assert await ask("experiments/old/metrics") == {"metrics": []}


async def test_few_points_are_given_as_they_are(ask, filled):
    answer = await ask(SERIES, metric="val_loss", per="epoch")
    assert {name: answer[name] for name in ("metric", "per", "x")} == {
        "metric": "val_loss",
        "per": "epoch",
        "x": "step",
    }
    assert answer["series"] == [
        {"run_id": 1, "x": [100, 200, 300, 400], "y": [0.01, 0.005, 0.00333333, 0.0025], "points": 4},
        {"run_id": 2, "x": [100, 200], "y": [0.01, 0.005], "points": 2},
        {"run_id": 3, "x": [], "y": [], "points": 0},
        {"run_id": 4, "x": [100], "y": [0.01], "points": 1},
        {"run_id": 5, "x": [], "y": [], "points": 0},
    ]


@pytest.mark.parametrize("most", [10, 1_000])
async def test_a_clone_that_goes_on_begins_where_its_parent_stood(journal, series, most):
    with journal.transaction():
        place = {"parent": 1, "warm_start": True, "continue_position": True, "parent_step": 30_000}
        key = add_run(journal, 2, status="running", step=32_000, **place)
        add_points(journal, key, 32_000, from_step=30_001)
        run_id = journal.run_by_key(key).run_id
    found = await series(run_id, max_points=most)
    assert (found["x"][0], found["x"][-1], found["points"]) == (30_001, 32_000, 2_000)
    assert None not in found["y"]


async def test_time_is_counted_from_the_experiment(ask, filled):
    answer = await ask(SERIES, metric="val_loss", per="epoch", x="time")
    assert answer["series"][1]["x"] == [10.0, 20.0]


async def test_chosen_runs(ask, filled):
    answer = await ask(f"{SERIES}", metric="val_loss", per="epoch", run=[4, 2, 4])
    assert [found["run_id"] for found in answer["series"]] == [4, 2]


async def test_a_value_that_is_no_number_is_a_gap(ask, filled):
    answer = await ask(SERIES, metric="top1_accuracy", per="epoch", run=1)
    assert answer["series"][0]["y"] == [None, 0.5, 0.5, 0.5]


@pytest.mark.parametrize("steps", [499, 501, 5_000, 16_000, 40_000])
@pytest.mark.parametrize("most", [10, 100, 500])
async def test_every_stretch_shows_its_extremes(journal, series, steps, most):
    run, values = add_long(journal, steps)
    found = await series(run, max_points=most)
    assert found["points"] == steps
    assert found["x"][-1] == steps
    shown = dict(zip(found["x"], found["y"], strict=True))
    assert all(value == pytest.approx(values[step], rel=1e-5) for step, value in shown.items())
    for extreme in (min, max):
        assert extreme(values, key=values.get) in shown
    if steps > most:
        assert len(shown) > most / 9


async def test_a_series_grows_without_moving(journal, series):
    run, _ = add_long(journal, 30_000)
    before = await series(run)
    add_long(journal, 30_010, run=journal.run(2, run).id)
    after = await series(run)
    assert after["x"][-1] == 30_010
    assert len(set(before["x"]) - set(after["x"])) < len(before["x"])


@pytest.mark.parametrize("steps", [3_000, 60_000])
async def test_a_stretch_of_nan_is_a_gap(journal, series, steps):
    run, _ = add_long(journal, steps, value=lambda step: math.nan if steps / 3 < step < steps / 2 else 1.0)
    found = await series(run, max_points=100)
    gap = [x for x, y in zip(found["x"], found["y"], strict=True) if y is None]
    assert gap
    assert all(steps / 3 <= x <= steps / 2 for x in gap)


async def test_infinity_is_no_extreme(journal, series):
    run, _ = add_long(journal, 20_000, value=lambda step: math.inf if step % 2 else 1.0)
    found = await series(run)
    assert set(found["y"]) == {1.0}
    run, _ = add_long(journal, 20, value=lambda step: -math.inf if step % 2 else 1.0)
    assert (await series(run))["y"] == [None, 1.0] * 10


async def test_the_live_end_may_be_a_gap(journal, series):
    run, _ = add_long(journal, 20_001, value=lambda step: math.nan if step == 20_001 else 1.0)
    found = await series(run)
    assert (found["x"][-1], found["y"][-1]) == (20_001, None)


async def test_many_runs_share_the_points(ask, journal):
    for _ in range(95):
        add_long(journal, 200)
    answer = await ask(SERIES, metric="minibatch_loss")
    assert len(answer["series"]) == 100
    assert max(len(found["x"]) for found in answer["series"]) <= 80
    assert len(json.dumps(answer, separators=(",", ":"))) < 200_000


@pytest.mark.parametrize("most", [10, 100, 500])
async def test_a_run_that_ends_in_nan_has_no_point_beyond_its_end(journal, series, most):
    run, _ = add_long(journal, 20_001, value=lambda step: math.nan if step > 78 * 256 else 1.0)
    for x, end in (("step", 20_001), ("time", 2_000.1)):
        found = await series(run, max_points=most, x=x)
        assert (found["x"][-1], found["y"][-1]) == (end, None)


async def test_deleted_runs_have_no_series(ask, refused, filled):
    gone = "Run 6 of experiment 'digits' was deleted."
    assert await refused(SERIES, metric="minibatch_loss", run=[1, 6]) == (404, gone)
    assert 6 not in [found["run_id"] for found in (await ask(SERIES, metric="minibatch_loss"))["series"]]


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ({}, 400, "missing required field `metric`"),
        ({"metric": "val_loss"}, 404, "Experiment 'digits' has no metric 'val_loss' per step."),
        ({"metric": "nothing", "per": "epoch"}, 404, "no metric 'nothing' per epoch"),
        ({"metric": "val_loss", "per": "epoch", "run": 77}, 404, "has no run 77"),
        ({"metric": "val_loss", "per": "epoch", "run": ["1", "x"]}, 400, "at 'run[1]'"),
        ({"metric": "val_loss", "per": "epoch", "run": 0}, 400, "at 'run[0]'"),
        ({"metric": "val_loss", "per": "year"}, 400, "at 'per': invalid enum value 'year'"),
        ({"metric": "val_loss", "x": "y"}, 400, "at 'x'"),
        ({"metric": "val_loss", "max_points": 9}, 400, "at 'max_points': expected `int` >= 10"),
        ({"metric": "val_loss", "max_points": 10_001}, 400, "at 'max_points': expected `int` <= 10000"),
    ],
)
async def test_queries_that_do_not_fit(refused, filled, query, status, words):
    code, message = await refused(SERIES, **query)
    assert code == status
    assert words in message
