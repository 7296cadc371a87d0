"""Searches in the engine: runs are added, stopped and resumed at commits, without the notebook."""

from __future__ import annotations

import json

import pytest

from rapidfire_lab import (
    ASHA,
    PBT,
    BayesianSearch,
    ConfigError,
    Experiment,
    GridSearch,
    List,
    OperationError,
    PairedRacing,
    Range,
)
from tests import plain_loop
from tests.conftest import SPECS, engine_home, kill, wait_until
from tests.contract import final_weights
from tests.test_warm_start import PACED, run, tables, three_classes

EPOCHS = 9


def space(pause=0.0, epochs=EPOCHS, **knobs):
    config = three_classes(width=knobs.pop("width", 8), pause=pause, epochs=epochs, **knobs)
    config["train"]["optimizer"] = {"name": "AdamW", "args": {"lr": Range(1e-5, 1e-1, log=True)}}
    return config


def search_of(experiment, name="asha"):
    [found] = [row for row in experiment.get_policies().to_dict("records") if row["name"] == name]
    return found


def events(experiment):
    with experiment.reader() as reader:
        return [event.message for event in reader.events(reader.experiment(experiment.name).id)]


def wait_for_runs(experiment, number):
    wait_until(lambda: len(experiment.runs()) >= number, f"{number} runs")


def best_loss(experiment, epochs=EPOCHS):
    results = experiment.get_results()
    return results[results["epoch"] == epochs]["val_loss"].min()


def decided(experiment):
    """What a search has decided: the trials with their configs, and how far each was trained."""
    return [(found.trial, found.config, found.step, found.status, found.ended_by) for found in experiment.runs()]


def test_asha_finds_the_grids_best_for_less_whoever_dies(points, tmp_path):
    budget = 43  # 0.4 of all: more than ASHA needs of itself
    search = ASHA(space(), num_runs=12, concurrency=4, seed=5, budget={"epochs": budget})
    logs = []
    for name, deaths in (("undisturbed", ()), ("disturbed", ("controller", "policies", "agent"))):
        with engine_home(tmp_path / name, slots=2, tracking=False, device="cpu", max_attempts=9):
            experiment = Experiment(PACED, name)
            experiment.run_fit(points, search, wait=False)
            for number, role in enumerate(deaths):
                wait_for_runs(experiment, 4 + 4 * number)
                kill(role)
            experiment.wait(timeout=240)
            assert search_of(experiment)["status"] == "done"
            logs.append(decided(experiment))
            trained = sum(found.step for found in experiment.runs()) / 10
            assert budget - (EPOCHS - 1) < trained <= budget
            statuses = [found.status for found in experiment.runs()]
            assert set(statuses) == {"completed", "stopped"}
            assert {found.ended_by for found in experiment.runs() if found.status == "stopped"} == {"search"}
            best = best_loss(experiment)
            operations = experiment.get_operations()
            assert set(operations["origin"]) == {"search asha"}
            assert list(operations["operation"]).count("add") == 12
            if not deaths:
                grid = [json.loads(config) for _, config, *_ in logs[0]]
                experiment.run_fit(points, grid, num_chunks=1)
                whole = experiment.get_results()
                last = whole[(whole["epoch"] == EPOCHS) & (whole["run_id"] > 12)]
                assert best == last["val_loss"].min(), "the best of the grid is found, and its numbers are the same"
            experiment.end()
    assert logs[0] == logs[1]


@pytest.fixture
def experiment(home, request):
    made = Experiment(SPECS / "paced.py", f"search-{abs(hash(request.node.name))}")
    yield made
    made.cancel_current()
    made.end()


def test_a_search_stands_beside_grids_and_configs(experiment, points):
    grid = GridSearch(three_classes(width=List([5, 6]), pause=0.0, epochs=2))
    experiment.run_fit(points, [grid, ASHA(space(epochs=3), num_runs=3), [three_classes(width=7, pause=0.0)]])
    runs = experiment.runs()
    assert [found.source for found in runs] == ["initial"] * 3 + ["search"] * 3
    assert [found.search for found in runs] == [None] * 3 + ["asha"] * 3
    assert sorted(found.completed_epochs for found in runs[3:]) == [1, 1, 3]
    assert experiment.get_runs_info()["ended_by"].tolist()[:3] == ["epochs"] * 3


def test_what_the_user_resumes_is_left_alone(experiment, points):
    experiment.run_fit(points, ASHA(space(pause=0.02), num_runs=6, concurrency=2), num_chunks=1, wait=False)
    wait_until(lambda: any(found.status == "stopped" for found in experiment.runs()), "a run to stop at its rung")
    resumed = next(found for found in experiment.runs() if found.status == "stopped").run_id
    experiment.resume(resumed)
    experiment.wait(timeout=240)
    found = run(experiment, resumed)
    assert (found.status, found.ended_by, found.completed_epochs) == ("completed", "epochs", EPOCHS)
    assert search_of(experiment)["state"]["trials"][str(found.trial)]["lost"]
    assert len(experiment.runs()) == 6
    operations = experiment.get_operations()
    after = operations[(operations["run_id"] == resumed) & (operations["origin"] == "user")].index[-1]
    assert not (operations.loc[after + 1 :, "run_id"] == resumed).any()


def test_a_stopped_or_deleted_run_makes_room_and_cancel_gives_the_search_up(experiment, points):
    experiment.run_fit(points, ASHA(space(pause=0.05), num_runs=8, concurrency=2), num_chunks=1, wait=False)
    wait_until(lambda: len(experiment.runs()) >= 2, "two trials")
    experiment.stop(1)
    experiment.delete(2)
    wait_until(lambda: len(experiment.runs()) >= 3, "others in their place")
    with pytest.raises(OperationError, match="still"):
        experiment.end()
    experiment.cancel_current()
    assert search_of(experiment)["status"] == "removed"
    assert not experiment._active(None)
    number = len(experiment.runs())
    experiment.resume(1)
    experiment.stop(1)
    experiment.wait()
    assert len(experiment.runs()) == number < 8


def test_another_experiment_ends_a_search_with_the_one_it_is_of(home, points):
    experiment = Experiment(PACED, "replaced")
    experiment.run_fit(points, ASHA(space(pause=0.05), num_runs=8, concurrency=2), wait=False)
    wait_for_runs(experiment, 2)
    with pytest.warns(UserWarning, match="was still live"):
        other = Experiment(PACED, "in its place")
    experiment.wait(timeout=120)
    assert search_of(experiment)["status"] == "removed"
    other.end()


def test_population_based_training_copies_weights(experiment, points, tmp_path):
    experiment.run_fit(points, PBT(space(epochs=4), num_runs=5, seed=1))
    assert search_of(experiment, "pbt")["status"] == "done"
    copies = {found.run_id: found for found in experiment.runs() if found.parent is not None}
    copy = next(found for found in copies.values() if found.parent not in copies and found.status == "completed")
    assert (copy.warm_start, copy.continue_position, copy.parent_step % 10) == (True, True, 0)
    assert 0 < copy.parent_step < 40
    data = tables(points, tmp_path)
    change = (copy.parent_step, copy.leaf)
    expected = plain_loop.train(PACED, run(experiment, copy.parent).leaf, data, 42, change=change)
    assert all((final_weights(experiment, copy.run_id)[name] == one).all() for name, one in expected["weights"].items())
    whole = [found for found in experiment.runs() if found.status == "completed"]
    assert [found.completed_epochs for found in whole] == [4] * 5
    replaced = [found for found in experiment.runs() if found not in whole]
    assert len(replaced) == len(copies)
    assert {(found.status, found.ended_by) for found in replaced} == {("stopped", "search")}


def test_optunas_samplers_propose_and_racing_drops(experiment, points):
    def is_small(config):
        return config["user_knobs"]["width"] < 12

    median = {"name": "median", "args": {"n_startup_trials": 2}}
    widths = space(epochs=1, width=List([4, 8, 16]))
    searches = [
        BayesianSearch(widths, 6, sampler="tpe", concurrency=2, constraint=is_small),
        PairedRacing(space(epochs=4), 4, confidence=0.5, grace_epochs=0.25),
        BayesianSearch(space(epochs=4, pause=0.01), 6, sampler="random", pruner=median, name="pruned"),
    ]
    experiment.run_fit(points, searches)
    assert {search_of(experiment, name)["status"] for name in ("bayes", "racing", "pruned")} == {"done"}
    proposed = [found for found in experiment.runs() if found.search == "bayes"]
    assert [found.status for found in proposed] == ["completed"] * 6
    assert {found.leaf["user_knobs"]["width"] for found in proposed} <= {4, 8}
    raced = [found for found in experiment.runs() if found.search == "racing"]
    [race] = experiment.report().findings.races
    assert {race.best, *(found.run_id for found in race.intervals)} <= {found.run_id for found in raced}
    known = [found for found in race.intervals if found.low is not None]
    assert known
    assert all(found.low <= found.difference <= found.high for found in known)
    assert "Race racing" in experiment.report()._repr_mimebundle_()["text/html"]
    assert any(found.status == "completed" for found in raced)
    pruned = [found for found in experiment.runs() if found.search == "pruned"]
    assert sum(found.status == "completed" for found in pruned) >= 2
    assert {found.ended_by for found in [*raced, *pruned] if found.status == "stopped"} <= {"search"}


def test_a_deadline_ends_a_search_though_nothing_is_committed(experiment, points):
    search = ASHA(space(pause=0.5), num_runs=4, min_epochs=3, concurrency=2, budget={"seconds": 2})
    experiment.run_fit(points, search, num_chunks=1)
    assert search_of(experiment)["status"] == "done"
    assert search_of(experiment)["state"]["over"] == "seconds"
    assert all(found.status == "stopped" for found in experiment.runs())


def test_metrics_that_are_not_there_are_told(experiment, points):
    with pytest.raises(ConfigError, match="'val_los', which they will not have; known: val_loss, top1_accuracy"):
        experiment.run_fit(points, ASHA(space(), num_runs=3, metric="val_los"))
    assert experiment.runs() == []


def test_a_metric_of_a_specs_own_is_looked_for_in_the_first_epoch(home, points):
    experiment = Experiment(SPECS / "metered.py", "metered")
    with pytest.raises(OperationError, match=r"Search asha failed: .*no metric 'recal'; they have: .*chunk_loss"):
        experiment.run_fit(points, ASHA(space(epochs=3), num_runs=3, metric="recal"))
    experiment.cancel_current()
    experiment.end()


def test_configs_that_cannot_be_are_told_and_do_not_hold_the_search_up(experiment, points):
    optimizers = [{"name": "AdamW", "args": {"lr": 0.01}}, {"name": "AdamW", "args": {"lr": -1.0}}]
    config = space(epochs=1, width=List([4, 5, 6]))
    config["train"]["optimizer"] = List(optimizers)
    experiment.run_fit(points, BayesianSearch(config, 5, concurrency=2))
    assert search_of(experiment, "bayes")["status"] == "done"
    refused = [message for message in events(experiment) if "wanted to add trial" in message]
    assert len(refused) + len(experiment.runs()) == 5
    assert all("'train.optimizer.args' do not suit AdamW" in message for message in refused)
