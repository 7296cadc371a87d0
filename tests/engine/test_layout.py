from __future__ import annotations

import json
import math
import os
import shutil
import stat

import pytest

from rapidfire_lab.engine.layout import ExperimentLayout, SpecInfo


@pytest.fixture
def layout(tmp_path):
    made = ExperimentLayout(tmp_path / "digits")
    made.make_run(1)
    return made


def commit(layout, *leases, run=1):
    for lease in leases:
        layout.weights(run, lease).write_bytes(b"weights %d" % lease)
        layout.state(run, lease).write_bytes(b"state %d" % lease)


def kept(layout, run=1):
    """Leases whose checkpoints are there, in both files."""
    files = {path.name for path in (layout.run(run) / "state").iterdir()}
    leases = [lease for lease in range(200) if layout.weights(run, lease).name in files]
    assert files == {path(run, lease).name for lease in leases for path in (layout.weights, layout.state)}
    return leases


def final(layout, run=1):
    folder = layout.checkpoints(run)
    assert sorted(path.name for path in folder.iterdir()) in ([], ["final.json"], ["final.json", "final.safetensors"])
    return layout.final_weights(run).read_bytes() if layout.final_weights(run).exists() else None


# Places


def test_everything_of_a_run_lies_in_its_folder(layout):
    root = layout.root / "runs" / "7"
    assert layout.run(7) == root
    assert layout.log(7) == root / "run.log"
    assert layout.weights(7, 30) == root / "state" / "lease-30.safetensors"
    assert layout.state(7, 30) == root / "state" / "lease-30.state.pt"
    assert layout.final_weights(7) == root / "checkpoints" / "final.safetensors"
    assert layout.epoch_weights(7, 12) == root / "checkpoints" / "epoch-12.safetensors"


def test_folders_of_a_run_are_made_once_and_for_the_owner_alone(layout):
    layout.make_run(1)
    for folder in (layout.run(1) / "state", layout.checkpoints(1)):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_spec_is_kept_with_its_modules(layout):
    info = SpecInfo(main="spec.py", hash="abc", original="/home/me/work/spec.py")
    layout.write_spec({"spec.py": "import nets", "nets/__init__.py": "x = 'ü'"}, info)
    assert (layout.spec / "spec.py").read_text(encoding="utf-8") == "import nets"
    assert (layout.spec / "nets" / "__init__.py").read_text(encoding="utf-8") == "x = 'ü'"
    assert layout.spec_info() == info
    assert str(layout.spec_folder_of_user()) == "/home/me/work"
    assert stat.S_IMODE((layout.spec / "spec.py").stat().st_mode) == 0o600


# Checkpoints to go on from


def test_the_last_two_checkpoints_are_kept(layout):
    base = 0
    for lease in (1, 2, 9, 10, 100):
        commit(layout, lease)
        layout.keep_checkpoints(1, {base, lease})
        assert kept(layout) == [found for found in (base, lease) if found]
        base = lease


def test_checkpoints_of_leases_that_were_lost_go(layout):
    commit(layout, 1, 2, 3, 12, 13)
    layout.keep_checkpoints(1, {1, 13})
    assert kept(layout) == [1, 13]


def test_a_checkpoint_is_kept_once(layout):
    commit(layout, 7)
    layout.keep_checkpoints(1, {7})
    layout.keep_checkpoints(1, {0, 7})
    assert kept(layout) == [7]


def test_other_runs_keep_theirs(layout):
    layout.make_run(2)
    commit(layout, 1, 2, 3)
    commit(layout, 1, 2, 3, run=2)
    layout.keep_checkpoints(1, {2, 3})
    assert (kept(layout), kept(layout, run=2)) == ([2, 3], [1, 2, 3])


def test_what_a_killed_slot_had_half_written_goes_too(layout):
    commit(layout, 10)
    for name in (".lease-7.safetensors.tmp", ".lease-8.state.pt.tmp"):
        (layout.run(1) / "state" / name).write_bytes(b"half")
    layout.weights(1, 9).write_bytes(b"without its state")
    layout.keep_checkpoints(1, {6, 10})
    assert kept(layout) == [10]


def test_a_run_without_a_folder_keeps_nothing(layout):
    layout.keep_checkpoints(99, {1, 2})
    assert not layout.run(99).exists()


# The final one


@pytest.fixture(params=["links", "copies"])
def _linking(request, monkeypatch):
    if request.param == "copies":

        def refuse(*_):
            raise OSError("no hard links here")

        monkeypatch.setattr(os, "link", refuse)


@pytest.mark.usefixtures("_linking")
def test_the_final_checkpoint_is_that_of_the_lease(layout):
    commit(layout, 10, 20)
    layout.keep_final(1, 10, {"step": 10, "loss": math.nan})
    assert final(layout) == b"weights 10"
    assert json.loads((layout.checkpoints(1) / "final.json").read_text()) == {
        "step": 10,
        "loss": None,
        "weights": "final.safetensors",
    }
    layout.keep_final(1, 20, {"step": 20})
    assert final(layout) == b"weights 20"
    metadata = json.loads((layout.checkpoints(1) / "final.json").read_text())
    assert metadata == {"step": 20, "weights": "final.safetensors"}
    assert kept(layout) == [10, 20]


@pytest.mark.usefixtures("_linking")
def test_the_final_checkpoint_outlives_those_to_go_on_from(layout):
    commit(layout, 10)
    layout.keep_final(1, 10, {})
    commit(layout, 20, 30)
    layout.keep_checkpoints(1, {20, 30})
    assert final(layout) == b"weights 10"


@pytest.mark.usefixtures("_linking")
def test_the_final_checkpoint_may_be_kept_again(layout):
    """As when a run is stopped, resumed and stopped before it made a step."""
    commit(layout, 10)
    for number in range(3):
        layout.keep_final(1, 10, {"time": number})
        assert final(layout) == b"weights 10"


def test_what_a_crash_left_of_an_earlier_final_checkpoint_does_not_matter(layout):
    commit(layout, 10, 20)
    (layout.checkpoints(1) / ".final.safetensors.tmp").hardlink_to(layout.weights(1, 10))
    layout.keep_final(1, 20, {})
    assert final(layout) == b"weights 20"
    assert layout.weights(1, 10).read_bytes() == b"weights 10"


def test_a_run_that_never_committed_has_metadata_alone(layout):
    layout.keep_final(99, 0, {"step": 0})
    assert final(layout, 99) is None
    assert json.loads((layout.checkpoints(99) / "final.json").read_text()) == {"step": 0, "weights": None}


def test_a_final_checkpoint_stays_where_the_later_one_is_gone(layout):
    commit(layout, 10)
    layout.keep_final(1, 10, {"step": 10})
    for lost in (0, 77):
        layout.keep_final(1, lost, {"step": 77})
    assert final(layout) == b"weights 10"
    assert json.loads((layout.checkpoints(1) / "final.json").read_text())["step"] == 10


def test_the_old_final_checkpoint_is_there_until_the_new_one_is(layout, monkeypatch):
    commit(layout, 10, 20)
    layout.keep_final(1, 10, {})

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "link", fail)
    monkeypatch.setattr(shutil, "copyfile", fail)
    with pytest.raises(OSError, match="disk full"):
        layout.keep_final(1, 20, {})
    assert final(layout) == b"weights 10"


def test_metadata_lie_beside_the_weights(layout):
    layout.write_metadata(layout.epoch_weights(1, 3), {"epoch": 3, "config": {"lr": 0.1}})
    assert json.loads((layout.checkpoints(1) / "epoch-3.json").read_text()) == {"epoch": 3, "config": {"lr": 0.1}}


# What a warm start begins with


@pytest.mark.usefixtures("_linking")
def test_a_run_may_begin_with_the_checkpoint_of_another(layout):
    commit(layout, 10)
    for _ in range(2):  # what a crash left of an earlier try does not matter
        layout.begin_with(5, 1, 10)
    layout.drop_run(1)
    assert kept(layout, 5) == [0]
    assert [path.read_bytes() for path in layout.checkpoint(5, 0)] == [b"weights 10", b"state 10"]


def test_what_it_begins_with_stays_until_there_are_two_commits(layout):
    """The first may still be undone: it is in the journal only after the files were looked after."""
    layout.make_run(5)
    commit(layout, 10)
    layout.begin_with(5, 1, 10)
    commit(layout, 20, run=5)
    layout.keep_checkpoints(5, {0, 20})
    assert kept(layout, 5) == [0, 20]
    commit(layout, 30, run=5)
    layout.keep_checkpoints(5, {20, 30})
    assert kept(layout, 5) == [20, 30]


def test_what_a_run_begins_with_is_no_final_checkpoint_of_its_own(layout):
    commit(layout, 10)
    layout.begin_with(5, 1, 10)
    layout.keep_final(5, 0, {})
    assert final(layout, 5) is None


def test_a_checkpoint_that_is_not_there_cannot_be_begun_with(layout):
    with pytest.raises(OSError, match="lease-10"):
        layout.begin_with(5, 1, 10)
    assert kept(layout, 5) == []


# Deleting


def test_a_deleted_run_keeps_its_log_alone(layout):
    commit(layout, 10)
    layout.keep_final(1, 10, {})
    layout.log(1).write_text("what user code printed")
    layout.drop_run(1)
    assert [path.name for path in layout.run(1).iterdir()] == ["run.log"]
    layout.drop_run(1)


def test_a_run_that_never_started_can_be_deleted(layout):
    layout.drop_run(99)
    assert not layout.run(99).exists()
