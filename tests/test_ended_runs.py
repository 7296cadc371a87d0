"""However a run ends, it leaves what it came to; and nothing goes until somebody deletes it."""

from __future__ import annotations

import json

import pytest

from rapidfire_lab import Experiment
from rapidfire_lab.engine.client import EngineClient
from rapidfire_lab.journal import JournalReader
from tests.conftest import SPECS, engine_home, paced_config, wait_until

CONVERGES = """

    def has_converged(self, val_metrics, epoch, cfg):
        return epoch >= cfg.get("patience", 99)


def misbehave"""

ENDS = {
    "completed": (1, "completed", "epochs"),
    "converged": (2, "completed", "converged"),
    "raised in a later lease": (3, "failed", "error"),
    "raised in its first lease": (4, "failed", "error"),
    "died in its first lease": (5, "failed", "error"),
    "died in later leases": (6, "failed", "error"),
    "stopped as it waited": (7, "stopped", "user"),
    "stopped on a slot": (8, "stopped", "user"),
    "stopped before it ever trained": (10, "stopped", "user"),
    "cancelled": (9, "stopped", "user"),
}
TABLES = ("runs", "fits", "leases", "metrics", "operations")


def run(experiment, run_id):
    return next(found for found in experiment.runs() if found.run_id == run_id)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    settings = {"slots": 1, "tracking": False, "device": "cpu", "max_attempts": 2}
    with engine_home(tmp_path_factory.mktemp("home"), **settings) as made:
        yield made


@pytest.fixture(scope="module")
def ended(home, points, tmp_path_factory):
    """One run for each way to end, on a single slot."""
    folder = tmp_path_factory.mktemp("spec")
    spec = folder / "ends.py"
    spec.write_text((SPECS / "paced.py").read_text().replace("\n\ndef misbehave", CONVERGES))
    experiment = Experiment(spec, "ends")
    knobs = [{}, {"patience": 1}, {"fault": "raise later"}, {"fault": "raise"}, {"fault": "exit"}]
    experiment.run_fit(points, [paced_config(width=4 + n, **given) for n, given in enumerate(knobs)], num_chunks=2)

    crash = folder / "crash"
    knobs = [{"fault": f"exit at {crash}"}, {}, {}]
    configs = [paced_config(width=10 + n, pause=0.05, epochs=90, **given) for n, given in enumerate(knobs)]
    experiment.run_fit(points, configs, num_chunks=2, wait=False)
    wait_until(lambda: all(run(experiment, n).base_lease for n in (6, 7, 8)), "commits")
    crash.touch()
    wait_until(lambda: run(experiment, 6).status == "failed", "the crash")
    wait_until(lambda: run(experiment, 7).slot is None and run(experiment, 8).slot is not None, "run 7 to wait")
    experiment.stop(7)
    wait_until(lambda: run(experiment, 7).status == "stopped", "run 7 to be stopped")
    experiment.stop(8)
    wait_until(lambda: run(experiment, 8).status == "stopped", "run 8 to be stopped")

    configs = [paced_config(width=20 + n, pause=0.2, epochs=90) for n in range(2)]
    experiment.run_fit(points, configs, num_chunks=1, wait=False)
    experiment.stop(10)
    wait_until(lambda: run(experiment, 9).live_step >= 2, "run 9 to train")
    experiment.cancel_current()
    return experiment


def final_files(experiment, run_id):
    """Metadata and bytes of the weights, where there are any."""
    folder = experiment.path / "runs" / str(run_id) / "checkpoints"
    weights = folder / "final.safetensors"
    return json.loads((folder / "final.json").read_text()), weights.read_bytes() if weights.exists() else None


def check_final(experiment, found):
    """The final checkpoint is that of the last commit, and the metadata say so."""
    metadata, weights = final_files(experiment, found.run_id)
    for name in ("run_id", "status", "ended_by", "step", "error"):
        assert metadata[name] == getattr(found, name), name
    assert metadata["epoch"] == found.completed_epochs
    assert metadata["config"] == found.leaf
    if not found.base_lease:
        assert (metadata["step"], metadata["weights"], weights, metadata["metrics"]) == (0, None, None, {})
        return
    assert metadata["weights"] == "final.safetensors"
    state = experiment.path / "runs" / str(found.run_id) / "state"
    assert weights == (state / f"lease-{found.base_lease}.safetensors").read_bytes()
    results = experiment.get_results(found.run_id)
    last = results[results["epoch"] == found.completed_epochs].to_dict("records")
    for name, value in metadata["metrics"].items():
        assert value == last[0][name]
    assert bool(metadata["metrics"]) == bool(found.completed_epochs)


@pytest.mark.parametrize("way", ENDS)
def test_an_ended_run_has_its_final_checkpoint_and_metrics(ended, way):
    run_id, status, by = ENDS[way]
    found = run(ended, run_id)
    assert (found.status, found.ended_by) == (status, by)
    check_final(ended, found)


def test_the_ways_to_end_were_those(ended):
    steps = {way: run(ended, run_id).step for way, (run_id, *_) in ENDS.items()}
    assert (steps["completed"], steps["converged"]) == (20, 10)
    for way in ("raised in its first lease", "died in its first lease", "stopped before it ever trained"):
        assert steps[way] == 0
    for way in (
        "raised in a later lease",
        "died in later leases",
        "stopped as it waited",
        "stopped on a slot",
        "cancelled",
    ):
        assert steps[way] > 0
    assert steps["raised in a later lease"] < 20
    assert run(ended, 6).deaths == 2
    assert run(ended, 10).started is None


def test_a_failed_run_tells_why_beside_its_weights(ended):
    for run_id, words in ((3, "a mistake that shows late"), (4, "the user's own mistake"), (6, "exited with code 1")):
        assert words in final_files(ended, run_id)[0]["error"]


def everything(experiment, home):
    """All files of an experiment, and all rows about its runs."""
    files = {path: path.read_bytes() for path in sorted(experiment.path.rglob("*")) if path.is_file()}
    reader = JournalReader(home.journal)
    rows = {table: [tuple(row) for row in reader._all(f"SELECT * FROM {table}")] for table in TABLES}
    reader.close()
    return files, rows


def test_ending_the_experiment_and_restarting_the_engine_take_nothing(ended, home):
    before = everything(ended, home)
    assert all(before[1].values())
    ended.end()
    assert everything(ended, home) == before
    EngineClient(home).stop()
    assert everything(ended, home) == before
    EngineClient(home).status()
    assert everything(ended, home) == before


def test_an_experiment_that_another_takes_the_place_of_keeps_what_its_runs_came_to(ended, home, points):
    taken = Experiment(SPECS / "paced.py", "taken")
    configs = [paced_config(width=width, pause=0.1, epochs=90) for width in (4, 5, 6)]
    taken.run_fit(points, configs, num_chunks=2, wait=False)
    wait_until(lambda: run(taken, 2).live_step > run(taken, 2).step > 0, "run 2 to be on the slot again")
    with pytest.warns(UserWarning, match="Experiment 'taken' was still live; it has been ended"):
        Experiment(SPECS / "paced.py", "taker").end()
    wait_until(lambda: {found.status for found in taken.runs()} == {"stopped"}, "the runs to be stopped")
    for found in taken.runs():
        assert found.step > 0
        check_final(taken, found)


def test_a_deleted_run_leaves_the_views_and_the_disk_and_stays_in_the_log_of_operations(home, points):
    experiment = Experiment(SPECS / "paced.py", "deletes")
    experiment.run_fit(points, [paced_config(width=width, epochs=1) for width in (4, 5)])
    experiment.delete(2)
    assert [found.run_id for found in experiment.runs()] == [1]
    assert list(experiment.get_runs_info()["run_id"]) == [1]
    assert set(experiment.get_results()["run_id"]) == {1}
    assert [path.name for path in (experiment.path / "runs" / "2").iterdir()] == ["run.log"]
    with experiment.reader() as reader:
        [operation] = reader.operation_page(reader.experiment(experiment.name).id).items
    assert (operation.operation, operation.run_id, operation.result) == ("delete", 2, "run 2")
    experiment.end()


def test_the_id_of_the_newest_run_is_not_used_again_when_it_is_deleted(home, points):
    experiment = Experiment(SPECS / "paced.py", "ids")
    experiment.run_fit(points, [paced_config(width=width, epochs=1) for width in (4, 5)])
    experiment.delete(2)
    assert experiment.clone(1, {"width": 7}) == 3
    experiment.wait()
    experiment.delete([1, 3])
    experiment.run_fit(points, paced_config(width=8, epochs=1))
    assert [found.run_id for found in experiment.runs()] == [4]
    experiment.end()
