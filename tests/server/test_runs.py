"""``runs``, ``experiments`` and one run."""

from __future__ import annotations

import json

import pytest

from rapidfire_lab.journal import MetricPoint
from tests.server.conftest import BEGIN, add_experiment, add_points, add_run, config

pytest_plugins = ("pytest_jupyter.jupyter_server",)


@pytest.fixture
def follow(ask):
    """Poll as the page does: with the cursor of the last answer."""
    cursor = {}

    async def poll(**query):
        answer = await ask("runs", **{**cursor, **query})
        cursor.update(epoch=answer["epoch"], since=answer["rev"])
        return answer

    return poll


def ids(answer):
    return [run["run_id"] for run in answer["runs"]]


# The whole table


async def test_no_journal(ask, home):
    assert await ask("runs") == {
        "epoch": "",
        "rev": 0,
        "full": True,
        "engine": {"state": "not running"},
        "experiment": None,
        "experiments": [],
        "runs": [],
        "knob_names": [],
        "metric_names": [],
        "metric": None,
        "notices": [],
        "races": [],
    }
    assert await ask("experiments") == {"experiments": []}


async def test_everything(ask, filled):
    answer = await ask("runs")
    assert answer["full"]
    assert answer["epoch"].startswith("controller-1")
    assert (answer["experiment"], answer["metric"]) == ("digits", "val_loss")
    assert ids(answer) == [1, 2, 3, 4, 5]
    assert answer["knob_names"] == ["user_knobs.width", "user_knobs.hf_token"]
    assert answer["metric_names"] == ["train_loss", "val_loss", "top1_accuracy", "learning_rate"]
    assert answer["notices"] == ["Slot 1 died"]
    assert [experiment["name"] for experiment in answer["experiments"]] == ["digits", "old"]


async def test_one_row(ask, filled):
    run = (await ask("runs"))["runs"][1]
    # 150 minibatches of its own and as many of run 5, which waits, at 0.1 s each.
    assert run.pop("seconds_left") == pytest.approx(30.0)
    assert run.pop("created") > BEGIN
    assert run.pop("trend") == [0.01, 0.005]
    assert run == {
        "run_id": 2,
        "status": "running",
        "wanted": None,
        "ended_by": None,
        "source": "initial",
        "parent": None,
        "search": None,
        "warm_start": False,
        "epochs": 4,
        "completed_epochs": 2,
        "steps_per_epoch": 100,
        "step": 250,
        "total_steps": 400,
        "progress": 0.625,
        "epoch_progress": 0.5,
        "seconds": 0.0,
        "started": BEGIN,
        "ended": None,
        "slot": 0,
        "device": None,
        "error": None,
        "loss": None,
        "metrics": {"train_loss": 0.01, "learning_rate": 0.01, "val_loss": 0.005, "top1_accuracy": 0.5},
        "knobs": {"user_knobs.width": 16, "user_knobs.hf_token": "***"},
    }


async def test_how_runs_ended(ask, filled):
    first, _, third, fourth, fifth = (await ask("runs"))["runs"]
    assert (first["progress"], first["epoch_progress"], first["seconds_left"]) == (1.0, 1.0, None)
    assert third["error"] == "ValueError: no"
    assert (fourth["source"], fourth["parent"], fourth["ended_by"]) == ("clone", 1, "user")
    assert (fifth["progress"], fifth["trend"], fifth["metrics"], fifth["started"]) == (0.0, [], {}, None)


async def test_an_experiment_by_name(ask, filled, refused):
    answer = await ask("runs", experiment="old")
    assert (answer["experiment"], ids(answer)) == ("old", [1])
    assert (answer["metric_names"], answer["metric"], answer["knob_names"]) == ([], None, [])
    code, message = await refused("runs", experiment="new")
    assert (code, message) == (404, "There is no experiment 'new'; known: old, digits.")


async def test_without_a_live_experiment_the_newest_is_shown(ask, journal):
    with journal.transaction():
        journal.end_experiment(journal.live_experiment().id)
    assert (await ask("runs"))["experiment"] == "digits"


async def test_experiments(ask, filled):
    live, old = (await ask("experiments"))["experiments"]
    assert live == {
        "name": "digits",
        "status": "live",
        "created": BEGIN,
        "ended": None,
        "path": str(filled.experiments / "digits"),
        "runs": 5,
        "mlflow_url": None,
    }
    assert (old["status"], old["runs"], old["ended"] > BEGIN) == ("ended", 1, True)
    assert old["mlflow_url"] is None


async def test_experiments_that_mlflow_knows_have_a_link(ask, follow, journal, filled):
    await follow()
    with journal.transaction():
        for experiment in journal.experiments():
            for run in journal.runs(experiment.id):
                journal.update_run(run.id, mlflow_run_id=f"m{run.id}")
    live, old = (await follow())["experiments"]
    assert live["mlflow_url"] == "rapidfire-lab/mlflow/"
    assert old["mlflow_url"] == "https://mlflow.example/base/"  # without the password


# What has changed


async def test_nothing_new_is_little(ask, follow, journal):
    await follow()
    answer = await follow()
    assert set(answer) == {"epoch", "rev", "full", "engine", "experiment", "runs"}
    assert not answer["full"]
    assert len(json.dumps(answer)) < 200


async def test_nothing_new_reads_no_config(follow, journal):
    await follow()
    journal._db.execute("UPDATE runs SET config = 'not JSON'")
    assert (await follow())["runs"] == []


async def test_a_run_that_moved(follow, journal):
    await follow()
    with journal.transaction():
        journal.update_run(3, live_step=260, live_loss=0.125)
        add_points(journal, 3, 260, from_step=251)
    answer = await follow()
    assert ids(answer) == [2]
    assert (answer["runs"][0]["step"], answer["runs"][0]["loss"]) == (260, 0.125)
    assert answer["metric"] == "val_loss"
    assert answer["knob_names"] == ["user_knobs.width", "user_knobs.hf_token"]
    assert "experiments" not in answer


async def test_a_deleted_run_comes_once_more(follow, journal):
    await follow()
    with journal.transaction():
        journal.update_run(5, status="deleted")
    answer = await follow()
    assert [(run["run_id"], run["status"]) for run in answer["runs"]] == [(4, "deleted")]
    assert [experiment["runs"] for experiment in answer["experiments"]] == [4, 1]
    assert (await follow())["runs"] == []


async def test_a_clone_is_news_with_its_knobs(follow, journal):
    await follow()
    with journal.transaction():
        add_run(journal, 2, leaf=config(8, dropout=0.5), parent=1)
    answer = await follow()
    assert ids(answer) == [7]
    assert "user_knobs.dropout" in answer["knob_names"]
    assert answer["runs"][0]["knobs"]["user_knobs.dropout"] == 0.5
    assert [experiment["runs"] for experiment in answer["experiments"]] == [6, 1]


async def test_a_new_experiment_takes_the_place_of_the_old(follow, journal, filled):
    await follow()
    with journal.transaction():
        journal.end_experiment(2)
        experiment = add_experiment(journal, filled.experiments, "next")
        add_run(journal, experiment)
    answer = await follow()
    assert (answer["experiment"], answer["full"], ids(answer)) == ("next", True, [1])
    answer = await follow(experiment="digits")
    assert (answer["experiment"], answer["metric"]) == ("digits", "val_loss")


async def test_runs_of_other_experiments_are_not_news(follow, journal):
    await follow(experiment="digits")
    with journal.transaction():
        journal.update_run(1, device="cpu")
    answer = await follow(experiment="digits")
    assert answer["runs"] == []


@pytest.mark.parametrize(
    "cursor", [{"epoch": "controller-0"}, {"since": 10**6}, {"epoch": ""}, {"epoch": "controller-1", "since": 10**15}]
)
async def test_a_cursor_that_means_nothing_gets_everything(ask, filled, cursor):
    answer = await ask("runs", **{"epoch": "controller-1", **cursor})
    assert answer["full"]
    assert ids(answer) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"since": "x"}, "at 'since': expected `int"),
        ({"since": "-1"}, "at 'since': expected `int` >= 0"),
        ({"since": str(1 << 70)}, "at 'since'"),
        ({"since": "1.5"}, "at 'since'"),
        ({"experiment": "x" * 501}, "at 'experiment': expected `str` of length <= 500"),
    ],
)
async def test_queries_that_do_not_fit(refused, filled, query, words):
    code, message = await refused("runs", **query)
    assert code == 400
    assert words in message


# Metrics


async def test_the_key_metric_can_be_chosen(ask, filled):
    answer = await ask("runs", metric="top1_accuracy")
    assert answer["metric"] == "top1_accuracy"
    assert answer["runs"][0]["trend"] == [None, 0.5, 0.5, 0.5]
    # A name that a page remembers from another experiment must not cost the table.
    assert (await ask("runs", metric="of another experiment"))["metric"] == "val_loss"


async def test_trends_before_the_first_epoch_are_of_minibatches(ask, filled):
    trend = (await ask("runs"))["runs"][2]["trend"]
    assert len(trend) == 24
    assert (trend[0], trend[-1]) == (1.0, 1 / 50)


async def test_trends_of_many_epochs_are_short(ask, journal):
    with journal.transaction():
        key = add_run(journal, 2, status="running", step=100 * 100)
        journal.update_run(key, epochs=100)
        points = [
            MetricPoint(name="val_loss", per="epoch", step=100 * epoch, epoch=epoch, value=float(epoch), time=BEGIN)
            for epoch in range(1, 101)
        ]
        journal.add_points(key, points)
    trend = (await ask("runs"))["runs"][-1]["trend"]
    assert len(trend) == 24
    assert (trend[0], trend[-1]) == (1.0, 100.0)
    assert trend == sorted(trend)


async def test_the_trend_of_a_clone_that_goes_on_begins_with_its_own_points(ask, journal):
    with journal.transaction():
        place = {"parent": 1, "warm_start": True, "continue_position": True, "parent_step": 1_050}
        key = add_run(journal, 2, status="running", step=1_150, **place)
        add_points(journal, key, 1_099, from_step=1_051)
    trend = (await ask("runs"))["runs"][-1]["trend"]
    # Of minibatches 1051 to 1150, those that have a point yet.
    assert (len(trend), trend[0]) == (12, pytest.approx(1 / 1_051, rel=1e-5))
    with journal.transaction():
        journal.update_run(key, epochs=50, step=4_000, live_step=4_000)
        add_points(journal, key, 4_000, from_step=1_100)
    trend = (await ask("runs"))["runs"][-1]["trend"]
    assert (len(trend), trend[0], trend[-1]) == (24, pytest.approx(1 / 1_100, rel=1e-5), 1 / 4_000)


async def test_what_is_no_number_is_null(ask, journal):
    with journal.transaction():
        for name, value in (("val_loss", float("nan")), ("train_loss", float("inf"))):
            journal.add_points(3, [MetricPoint(name=name, per="epoch", step=300, epoch=3, value=value, time=BEGIN)])
        journal.update_run(3, live_loss=float("inf"))
    run = (await ask("runs"))["runs"][1]
    assert run["metrics"] == {"train_loss": None, "learning_rate": 0.01, "val_loss": None, "top1_accuracy": 0.5}
    assert run["loss"] is None
    assert run["trend"] == [0.01, 0.005, None]


async def test_trends_before_any_epoch_are_of_minibatches(ask, journal, filled):
    with journal.transaction():
        journal.end_experiment(2)
        experiment = add_experiment(journal, filled.experiments, "next")
        add_points(journal, add_run(journal, experiment, status="running", step=50), 50)
    answer = await ask("runs")
    assert (answer["metric"], answer["metric_names"]) == (None, [])
    assert len(answer["runs"][0]["trend"]) == 24
    assert (await ask("experiments/next/runs/1"))["trend"] == answer["runs"][0]["trend"]


async def test_another_key_metric_is_news_of_every_run(follow, journal, filled):
    def finish_epoch(key, name, value):
        journal.add_points(key, [MetricPoint(name=name, per="epoch", step=100, epoch=1, value=value, time=BEGIN)])
        journal.update_run(key, live_step=100)

    with journal.transaction():
        experiment = add_experiment(journal, filled.experiments, "next")
        keys = [add_run(journal, experiment, status="running", step=100) for _ in range(3)]
        for key in keys[:2]:
            finish_epoch(key, "train_loss", 0.25)
            finish_epoch(key, "f1", 0.75)
    answer = await follow(experiment="next")
    assert (answer["metric"], answer["runs"][0]["trend"]) == ("train_loss", [0.25])
    with journal.transaction():
        finish_epoch(keys[1], "train_loss", 0.25)
    assert ids(await follow(experiment="next")) == [2]
    with journal.transaction():
        finish_epoch(keys[1], "val_loss", 0.5)
    answer = await follow(experiment="next")
    assert (answer["full"], answer["metric"]) == (True, "val_loss")
    assert [run["trend"] for run in answer["runs"]] == [[], [0.5], []]
    answer = await follow(experiment="next", metric="f1")
    assert (answer["full"], [run["trend"] for run in answer["runs"]]) == (True, [[0.75], [0.75], []])
    assert (await follow(experiment="next", metric="f1"))["runs"] == []


# Notices


async def test_a_warning_of_an_idle_engine_is_news(follow, journal):
    await follow()
    with journal.transaction():
        journal.add_event("The disk is nearly full", level="warning")
        journal.add_event("A mere word")
        journal.add_event("Of the experiment", experiment_id=2, level="warning")
    answer = await follow()
    assert (answer["runs"], answer["notices"]) == ([], ["Slot 1 died", "The disk is nearly full"])
    with journal.transaction():
        journal.add_event("Another mere word")
    answer = await follow()
    assert "notices" not in answer
    assert len(json.dumps(answer)) < 200


# Rows that are not as they should be


@pytest.mark.parametrize("broken", ["not JSON", "[1, 2]", "null", "[" * 100_000])
async def test_a_broken_row_does_not_fail_the_list(ask, journal, broken):
    journal._db.execute("UPDATE runs SET config = ? WHERE id = 3", (broken,))
    answer = await ask("runs")
    assert ids(answer) == [1, 2, 3, 4, 5]
    assert answer["runs"][1]["error"] == "The config of this run cannot be read."
    assert answer["runs"][1]["knobs"] == {}
    assert answer["runs"][0]["knobs"] == {"user_knobs.width": 8}
    assert (await ask("experiments/digits/runs/2"))["config"]["train"] == {}


async def test_a_heavy_config_is_shortened(ask, journal):
    with journal.transaction():
        add_run(journal, 2, leaf=config(8, words=["word"] * 10_000, text="x" * 10_000))
    knobs = (await ask("runs"))["runs"][-1]["knobs"]
    assert len(json.dumps(knobs)) < 1_000
    assert knobs["user_knobs.text"].startswith("xxx")
    assert len((await ask("experiments/digits/runs/7"))["config"]["user_knobs"]["words"]) == 10_000


async def test_a_run_of_no_steps(ask, journal):
    journal._db.execute("UPDATE runs SET steps_per_epoch = 0 WHERE id = 3")
    assert (await ask("runs"))["runs"][1]["progress"] == 0.0


# One run


async def test_one_run(ask, filled):
    run = await ask("experiments/digits/runs/3")
    row = (await ask("runs"))["runs"][2]
    assert {name: run[name] for name in row} == row
    assert {name: value for name, value in run.items() if name not in row} == {
        "experiment": "digits",
        "config": config(32),
        "traceback": "Traceback ...\nValueError: no",
        "committed_step": 50,
        "parent_step": None,
        "continue_position": False,
        "carried": None,
        "clones": [],
        "seed": 7,
        "num_chunks": None,
        "fusion": None,
        "mlflow_run_id": None,
    }
    assert (await ask("experiments/digits/runs/1"))["clones"] == [4]
    assert (await ask("experiments/digits/runs/2"))["config"]["user_knobs"]["hf_token"] == "***"


async def test_what_a_warm_start_carried(ask, journal):
    with journal.transaction():
        journal.update_run(5, warm_start=True, parent_step=400, carried=json.dumps({"weights": "all"}))
    run = await ask("experiments/digits/runs/4")
    assert (run["warm_start"], run["parent_step"], run["carried"]) == (True, 400, {"weights": "all"})


@pytest.mark.parametrize("run_id", ["77", "0", "-1", "x", "1.0", "9" * 40, "٣"])
async def test_runs_that_do_not_exist(refused, filled, run_id):
    code, message = await refused(f"experiments/digits/runs/{run_id}")
    assert (code, message) == (404, f"Experiment 'digits' has no run {run_id}.")


def add_race(journal, costs, mode="min"):
    """A race over runs 1, 2 and 3 as trials 0, 1 and 2, with these costs after each chunk."""
    live = journal.live_experiment()
    fit = journal.fits(live.id)[0].id
    algorithm = {"kind": "race", "trials": 3, "confidence": 0.95, "grace": 0.0}
    policy = journal.add_search(live.id, "racing", {"metrics": [["chunk_loss", mode]], "algorithm": algorithm}, fit)
    series = {str(trial): [[(at + 1) / 4, cost] for at, cost in enumerate(own)] for trial, own in enumerate(costs)}
    state = {"algorithm": {"series": series, "racing": [0, 1]}}
    journal.update_policy(policy, state=json.dumps(state), commits=1)
    for trial in range(3):
        columns = (trial, live.id, trial + 1)
        journal._db.execute(
            "UPDATE runs SET search = 'racing', trial = ? WHERE experiment_id = ? AND run_id = ?", columns
        )
    return policy


async def test_races_are_shown_as_intervals_to_the_best_run(ask, journal):
    first = await ask("runs")
    assert first["races"] == []
    with journal.transaction():
        policy = add_race(journal, [[0.5] * 30, [0.4, 0.41] * 15, [0.9]])
    answer = await ask("runs", epoch=first["epoch"], since=first["rev"])
    [race] = answer["races"]
    assert (race["search"], race["metric"], race["mode"], race["confidence"]) == ("racing", "chunk_loss", "min", 0.95)
    assert race["best"] == 2
    worse, unknown = race["intervals"]
    assert (worse["run_id"], worse["places"], worse["difference"]) == (1, 30, pytest.approx(0.095))
    assert 0 < worse["low"] < 0.095 < worse["high"]
    assert unknown == {"run_id": 3, "places": 1, "difference": pytest.approx(0.5), "low": None, "high": None}
    assert "races" not in await ask("runs", epoch=answer["epoch"], since=answer["rev"])
    with journal.transaction():
        journal.update_policy(policy, state="{}", commits=2)
    [race] = (await ask("runs", epoch=answer["epoch"], since=answer["rev"]))["races"]
    assert (race["best"], race["intervals"]) == (None, [])


async def test_differences_are_in_the_units_of_the_metric(ask, journal):
    """Accuracies are negative costs: worse runs have less."""
    with journal.transaction():
        add_race(journal, [[-0.5] * 30, [-0.9, -0.91] * 15, []], mode="max")
    [race] = (await ask("runs"))["races"]
    [worse] = race["intervals"]
    assert (race["best"], worse["run_id"], worse["difference"]) == (2, 1, pytest.approx(-0.405))
    assert worse["low"] < -0.405 < worse["high"] < 0
