"""What goes wrong in one run stays in that run, and is told in words a user can act on."""

from __future__ import annotations

import pytest

from rapidfire_lab import ConfigError, Experiment
from tests.conftest import SPECS, engine_home, paced_config, wait_until
from tests.contract import minibatch_losses

FAULTS = ["raise", "nan", "exit", "segfault", "sys.exit"]


@pytest.fixture(scope="module")
def failed(home, points):
    """Five configs that go wrong, each beside one that does not."""
    experiment = Experiment(SPECS / "paced.py", "faults")
    configs = [paced_config(width=4 + index, fault=fault) for index, fault in enumerate(FAULTS)]
    experiment.run_fit(points, [configs, paced_config(width=20), paced_config(width=21)], num_chunks=2)
    experiment.end()
    return experiment


def test_the_faulty_fail_and_their_neighbours_finish(failed):
    info = failed.get_runs_info()
    assert list(info["status"]) == ["failed"] * len(FAULTS) + ["completed"] * 2
    assert list(info["ended_by"]) == ["error"] * len(FAULTS) + ["epochs"] * 2
    assert len(failed.get_results(6)) == 2


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("raise", "ValueError: the user's own mistake"),
        ("nan", "The training loss became nan in epoch 1, minibatch 1 (step 1). Try a lower learning rate"),
        ("exit", "exited with code 1"),
        ("segfault", "SIGSEGV"),
        ("sys.exit", "SystemExit: 3"),
    ],
)
def test_the_reason_is_told(failed, fault, words):
    error = failed.get_runs_info()["error"][FAULTS.index(fault)]
    assert words in error


def test_the_traceback_starts_in_the_users_file(failed):
    run = failed.runs()[FAULTS.index("raise")]
    lines = run.traceback.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert f'File "{SPECS / "paced.py"}"' in lines[1]
    assert "compute_forward" in lines[1]
    assert "rapidfire_lab/worker" not in run.traceback


def test_a_crash_shows_where_the_code_was(failed):
    run = failed.runs()[FAULTS.index("segfault")]
    assert "Segmentation fault" in run.traceback
    assert "misbehave" in run.traceback


def test_what_a_failed_run_did_before_it_failed_is_kept(home, points):
    experiment = Experiment(SPECS / "paced.py", "late")
    experiment.run_fit(points, paced_config(fault="raise later"), num_chunks=1)
    experiment.end()
    assert experiment.runs()[0].step == 0
    assert len(minibatch_losses(experiment, 1)) == 7


def test_prints_go_to_the_log_of_the_run(home, points):
    experiment = Experiment(SPECS / "paced.py", "prints")
    experiment.run_fit(points, [paced_config(fault="print"), paced_config(width=9)])
    logs = [(experiment.path / "runs" / str(number) / "run.log").read_text() for number in (1, 2)]
    assert logs[0].count("printed by the user\n") == 20
    assert logs[1] == ""
    experiment.end()


def test_a_bad_config_is_refused_before_anything_is_queued(home, points):
    experiment = Experiment(SPECS / "paced.py", "refusals")
    bad = paced_config()
    bad["train"]["optimizer"] = {"name": "AdamX", "args": {}}
    with pytest.raises(ConfigError, match=r"train\.optimizer\.name"):
        experiment.run_fit(points, [paced_config(), bad])
    assert experiment.runs() == []
    experiment.end()


def test_hung_user_code_is_killed_after_a_stop(points, tmp_path):
    with engine_home(tmp_path, slots=2, tracking=False, device="cpu", stop_grace_seconds=1):
        experiment = Experiment(SPECS / "paced.py", "hangs")
        experiment.run_fit(points, [paced_config(fault="hang"), paced_config(width=9)], wait=False)
        wait_until(lambda: experiment.runs()[1].status == "completed", "the neighbour to finish")
        experiment.stop(1)
        wait_until(lambda: experiment.runs()[0].status == "stopped", "the hung run to be stopped")
        log = (experiment.path / "runs" / "1" / "run.log").read_text()
        assert "went on for 1 s after a stop or delete (the engine setting stop_grace_seconds)" in log
        assert "in misbehave" in log
        experiment.end()


def test_a_run_without_room_beside_others_is_tried_again_alone(points, tmp_path):
    knobs = {"epochs": 1, "batch_size": 32, "optimizer": {"name": "SGD", "args": {"lr": 0.1}}}
    with engine_home(tmp_path / "home", slots=1, tracking=False, device="cpu"):
        experiment = Experiment(SPECS / "crowded.py", "crowded")
        experiment.run_fit(points, [{**knobs, "large": large} for large in (False, True)], num_chunks=2)
        assert list(experiment.get_runs_info()["error"].fillna("")) == ["", ""]
        assert set(experiment.get_runs_info()["status"]) == {"completed"}
        experiment.end()
