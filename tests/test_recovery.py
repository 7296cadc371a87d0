"""A run that survives anything: damaged checkpoints, a disk that takes no more, a lost journal, a clock that jumps."""

from __future__ import annotations

import contextlib
import re
import shutil
from pathlib import Path

import pytest
import torch

import rapidfire_lab
from rapidfire_lab import EngineError, Experiment
from rapidfire_lab.display.table import RunTable
from rapidfire_lab.engine.client import EngineClient
from rapidfire_lab.engine.layout import ExperimentLayout
from rapidfire_lab.journal import JournalReader, JournalWriter, schema
from rapidfire_lab.journal.witness import read_witness, witness_of
from rapidfire_lab.worker.checkpoint import (
    DamagedCheckpointError,
    UnsavedError,
    load_checkpoint,
    save_checkpoint,
    save_state,
    save_weights,
)
from tests.conftest import SPECS, engine_home, paced_config, wait_until
from tests.contract import fingerprint

WIDTHS = range(5, 15)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home whose slots keep nothing in memory: every lease begins with what is on the disk."""
    with engine_home(
        tmp_path_factory.mktemp("home"), slots=2, tracking=False, device="cpu", memory_fraction=0.0
    ) as made:
        yield made


@pytest.fixture(scope="module")
def undisturbed(home, points):
    experiment = Experiment(SPECS / "paced.py", "undisturbed")
    experiment.run_fit(points, [paced_config(width=width, epochs=3) for width in WIDTHS])
    expected = fingerprint(experiment)
    experiment.end()
    return expected


@pytest.fixture
def experiment(home, request):
    made = Experiment(SPECS / "paced.py", re.sub(r"[^a-z0-9]+", "-", request.node.name))
    yield made
    made.cancel_current()
    made.end()


def stop_some_way(experiment, points):
    """Train runs and stop them after some commits, so that each has two checkpoints."""
    configs = [paced_config(width=width, epochs=3, pause=0.02) for width in WIDTHS]
    experiment.run_fit(points, configs, num_chunks=5, wait=False)
    wait_until(lambda: all(run.step >= 6 for run in experiment.runs()), "three commits of each run")
    experiment.cancel_current()
    experiment.wait()
    assert all(6 <= run.step < 30 for run in experiment.runs())


def state_files(experiment, run_id):
    return sorted(path.name for path in (experiment.path / "runs" / str(run_id) / "state").iterdir())


def checkpoints(experiment, run):
    """The files of a run's last commit, and of the one before."""
    layout = ExperimentLayout(experiment.path)
    leases = sorted({int(re.findall(r"\d+", name)[0]) for name in state_files(experiment, run.run_id)})
    assert leases[-1] == run.base_lease
    return [layout.checkpoint(run.run_id, lease) for lease in reversed(leases)]


def flip(path, place=0.5):
    content = bytearray(path.read_bytes())
    content[int(len(content) * place)] ^= 0x40
    path.write_bytes(content)


def cut(path, place=0.5):
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * place)])


def warnings(experiment):
    with experiment.reader() as reader:
        return [event for event in reader.events(experiment_id(experiment)) if event.level == "warning"]


def experiment_id(experiment):
    return experiment.runs()[0].experiment_id


def unseal(state):
    """Make a state as it was written before there were checksums."""
    state.write_bytes(state.read_bytes()[:-72])


# Damaged checkpoints

DAMAGES = [
    lambda weights, state: flip(weights),
    lambda weights, state: flip(weights, 0.999),
    lambda weights, state: cut(weights),
    lambda weights, state: weights.unlink(),
    lambda weights, state: flip(state),
    lambda weights, state: cut(state),
    lambda weights, state: state.unlink(),
    lambda weights, state: (weights.write_bytes(b""), state.write_bytes(b"")),
    lambda weights, state: (unseal(state), cut(state)),
    lambda weights, state: (unseal(state), cut(weights)),
]
"""One for each of ``WIDTHS``."""


def test_a_damaged_checkpoint_costs_no_more_than_a_lease(experiment, points, undisturbed):
    stop_some_way(experiment, points)
    before = {run.run_id: run for run in experiment.runs()}
    for run, damage in zip(before.values(), DAMAGES, strict=True):
        newest, older = checkpoints(experiment, run)
        damage(*newest)
        assert all(path.exists() for path in older)
    for run_id in before:
        experiment.resume(run_id)
    experiment.wait()
    assert [run.error for run in experiment.runs()] == [None] * len(DAMAGES)
    assert fingerprint(experiment) == undisturbed
    told = warnings(experiment)
    assert sorted(event.run_id for event in told) == list(before)
    for event in told:
        run = before[event.run_id]
        words = rf"run {run.run_id} at step {run.step} \(lease {run.base_lease}\) cannot be used, and it goes back"
        assert re.search(words, event.message)
        [(step, lease)] = re.findall(r"the one before, at step (\d+) \(lease (\d+)\)", event.message)
        assert int(step) < run.step
        assert int(lease) < run.base_lease
        assert f"lease-{run.base_lease}." in event.message


def test_where_both_are_damaged_the_run_fails_alone(experiment, points, undisturbed):
    stop_some_way(experiment, points)
    before = experiment.runs()[0]
    files = [path for pair in checkpoints(experiment, before) for path in pair]
    kept = {path: path.read_bytes() for path in files}
    final = (experiment.path / "runs" / "1" / "checkpoints" / "final.safetensors").read_bytes()
    for path in files:
        path.unlink()
        path.write_bytes(kept[path][:-100])
    for run in experiment.runs():
        experiment.resume(run.run_id)
    experiment.wait()
    failed = experiment.runs()[0]
    assert (failed.status, failed.step, failed.base_lease) == ("failed", before.step, before.base_lease)
    assert {run.status for run in experiment.runs()[1:]} == {"completed"}
    assert all(
        f"lease-{lease}." in failed.error for lease in (before.base_lease, int(files[2].name.split("-")[1][:-12]))
    )
    assert "Put the files back from a backup and resume the run, or clone it" in failed.error
    assert (experiment.path / "runs" / "1" / "checkpoints" / "final.safetensors").read_bytes() == final
    for path, content in kept.items():
        path.write_bytes(content)
    experiment.resume(1)
    experiment.wait()
    assert fingerprint(experiment) == undisturbed


def test_checkpoints_of_earlier_versions_are_gone_on_from(experiment, points, undisturbed):
    stop_some_way(experiment, points)
    for run in experiment.runs():
        for _, state in checkpoints(experiment, run):
            unseal(state)
        experiment.resume(run.run_id)
    experiment.wait()
    assert warnings(experiment) == []
    assert fingerprint(experiment) == undisturbed


def test_a_damaged_file_to_begin_with_fails_the_clone_alone(experiment, points, undisturbed):
    stop_some_way(experiment, points)
    flip(checkpoints(experiment, experiment.runs()[0])[0][0])
    experiment.clone(1, {"pause": 0.0}, warm_start=True)
    experiment.wait()
    clone = experiment.runs()[-1]
    assert clone.status == "failed"
    assert "that run 11 begins with cannot be used" in clone.error
    assert "lease-0.safetensors" in clone.error
    assert "clone run 1 again" in clone.error
    for run_id in range(1, 11):
        experiment.resume(run_id)
    experiment.wait()
    assert [run.status for run in experiment.runs()] == ["completed"] * 10 + ["failed"]
    experiment.delete(11)
    assert {run: found for run, found in fingerprint(experiment).items() if run < 11} == undisturbed


@pytest.fixture
def files(tmp_path):
    return tmp_path / "lease-3.safetensors", tmp_path / "lease-3.state.pt"


TENSORS = {"w": torch.arange(6.0)}


def test_every_bit_is_seen(files):
    save_checkpoint(*files, TENSORS, {"step": 3})
    for path in files:
        whole = path.read_bytes()
        for place in range(len(whole) - (8 if path is files[1] else 0)):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
            with pytest.raises(DamagedCheckpointError, match=re.escape(str(path))):
                load_checkpoint(*files)
        path.write_bytes(whole)
    tensors, state = load_checkpoint(*files)
    assert torch.equal(tensors["w"], TENSORS["w"])
    assert state == {"step": 3}


def test_weights_and_state_of_two_commits_do_not_go_together(files, tmp_path):
    save_checkpoint(*files, TENSORS, {"step": 3})
    save_weights(files[0], {"w": torch.zeros(6)})
    with pytest.raises(DamagedCheckpointError, match="safetensors is not what was written"):
        load_checkpoint(*files)


def test_files_without_a_checksum_are_read(files):
    save_weights(files[0], TENSORS)
    torch.save({"step": 3}, files[1])
    assert load_checkpoint(*files)[1] == {"step": 3}
    save_state(files[1], {"step": 4})
    assert load_checkpoint(*files)[1] == {"step": 4}


def test_what_is_whole_and_cannot_be_loaded_is_not_called_damaged(files):
    save_checkpoint(*files, TENSORS, {"step": object})
    with pytest.raises(Exception, match="Weights only load failed"):
        load_checkpoint(*files)


# A disk that takes no more


@contextlib.contextmanager
def small_files(size):
    """Let no file of this process grow beyond a size. The tests' own output is one: keep what is inside short."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("large", ["weights", "state"])
def test_a_checkpoint_that_does_not_fit_leaves_nothing(files, large):
    tensors = {"w": torch.zeros(10_000 if large == "weights" else 10)}
    told = pytest.raises(UnsavedError, match=r"lease-3.*File too large; .* GB are free there.*resume the run")
    with told, small_files(20_000):
        save_checkpoint(*files, tensors, {"moments": torch.zeros(10_000)})
    assert list(files[0].parent.iterdir()) == []


def test_a_run_that_cannot_be_saved_fails_in_the_end_and_goes_on_when_it_can(points, tmp_path, undisturbed):
    flag = tmp_path / "full"
    experiment = Experiment(SPECS / "full_disk.py", "full")
    configs = [paced_config(width=width, epochs=3, pause=0.02) for width in WIDTHS]
    configs[0]["user_knobs"] |= {"full_while": str(flag), "pause": 0.1}
    # Alone, since what the spec forbids it forbids the whole process, which saves other runs as well.
    experiment.run_fit(points, configs[0], num_chunks=5, wait=False)
    wait_until(lambda: experiment.runs()[0].step >= 4, "two commits")
    flag.touch()
    wait_until(lambda: experiment.runs()[0].status == "failed", "the run to fail")
    failed = experiment.runs()[0]
    assert 4 <= failed.step < 30
    assert failed.live_step == failed.step
    assert re.search(
        r"No attempt could be saved: .*/runs/1/state/lease-\d+.*File too large.*resume the run", failed.error
    )
    assert len(warnings(experiment)) == 3
    # What could be committed is there, as whole as it was, and nothing else.
    assert len(state_files(experiment, 1)) == 4
    for pair in checkpoints(experiment, failed):
        load_checkpoint(*pair)
    flag.unlink()
    experiment.resume(1)
    experiment.run_fit(points, configs[1:], num_chunks=5)
    assert fingerprint(experiment) == undisturbed
    experiment.end()


# A journal that is not all there


@pytest.fixture
def journal(tmp_path):
    """A journal of a writer that was killed: what it wrote last is in the WAL alone."""
    path = tmp_path / "copied" / "journal.sqlite"
    path.parent.mkdir()
    with JournalWriter(tmp_path / "journal.sqlite", "first") as writer:
        for number in range(100):
            with writer.transaction(durable=True):
                writer.add_event(f"event {number} " + "x" * 500)
        for name in ("", "-wal", "-seen"):
            shutil.copy(tmp_path / f"journal.sqlite{name}", path.with_name(f"{path.name}{name}"))
    return path


@pytest.fixture
def shut(tmp_path, journal):
    """The same after an orderly end."""
    shutil.rmtree(journal.parent)
    return tmp_path / "journal.sqlite"


def assert_refused(path, match):
    """The journal is refused by name, with what is known and what can be done, and left as it is, again and again."""
    before = {file.name: file.read_bytes() for file in path.parent.iterdir() if not file.name.endswith("-shm")}
    for _ in range(2):
        with pytest.raises(EngineError, match=match) as refused:
            JournalWriter(path, "second")
        assert str(path) in str(refused.value)
        assert "Restore it from a backup" in str(refused.value)
        if witness_of(path).exists():
            assert re.search(r"it had come to change 10[0-9], written \d{4}-", str(refused.value))
    after = {file.name: file.read_bytes() for file in path.parent.iterdir() if not file.name.endswith("-shm")}
    assert {name: content for name, content in after.items() if content} == {
        name: content for name, content in before.items() if content
    }


def test_a_journal_whose_writer_was_killed_is_whole(journal):
    seen = read_witness(journal)
    assert not seen.shut
    with JournalWriter(journal, "second") as writer:
        assert writer.rev >= seen.rev
        assert len(writer.events(None)) == 100
    assert read_witness(journal).shut


@pytest.mark.parametrize("kept", [0, 0.3, 0.9])
def test_a_wal_that_was_cut_off_is_no_smaller_history(journal, kept):
    cut(journal.with_name("journal.sqlite-wal"), kept)
    assert_refused(journal, r"goes no further than change \d+|cannot be read|is damaged|was cut off")


def test_a_wal_that_was_damaged_is_no_smaller_history(journal):
    flip(journal.with_name("journal.sqlite-wal"), 0.7)
    assert_refused(journal, "its end was in journal.sqlite-wal, which was lost or damaged")


def test_a_wal_that_was_deleted_is_no_smaller_history(journal):
    journal.with_name("journal.sqlite-wal").unlink()
    assert_refused(journal, "its end was in journal.sqlite-wal, which was lost or damaged")


@pytest.mark.parametrize("kept", [0.999, 0.5, 0.01])
@pytest.mark.parametrize("witness", [True, False])
def test_a_journal_that_was_cut_off_is_refused(shut, kept, witness):
    cut(shut, kept)
    if not witness:
        witness_of(shut).unlink()
    assert_refused(shut, r"was cut off: it has [\d,]+ of [\d,]+ bytes")


@pytest.mark.parametrize("empty", [True, False])
def test_an_empty_journal_that_once_was_more_is_refused(shut, empty):
    shut.write_bytes(b"")
    if not empty:
        shut.unlink()
    assert_refused(shut, "is empty" if empty else "is gone")


def test_a_damaged_page_is_found_before_anything_is_written(shut):
    content = bytearray(shut.read_bytes())
    for page in range(5 * 4096, len(content), 4096):
        content[page : page + 64] = b"\xff" * 64
    shut.write_bytes(content)
    assert_refused(shut, "is damaged|cannot be read")


def test_a_large_journal_is_read_through_unless_it_was_shut_in_good_order(shut, monkeypatch):
    content = bytearray(shut.read_bytes())
    content[-4096:-4032] = b"\xff" * 64
    shut.write_bytes(content)
    monkeypatch.setattr(schema, "_CHECKED_ANYWAY", 0)
    schema._refuse_loss(shut)
    witness_of(shut).write_bytes(witness_of(shut).read_bytes().replace(b"shut", b"open"))
    assert_refused(shut, "is damaged|cannot be read")


def test_an_older_state_is_accepted_when_it_is_asked_for(shut, tmp_path_factory):
    older = tmp_path_factory.mktemp("older")
    JournalWriter(older / "journal.sqlite", "first").close()
    shut.write_bytes((older / "journal.sqlite").read_bytes())
    assert_refused(shut, "goes no further than change")
    witness_of(shut).unlink()
    with JournalWriter(shut, "second") as writer:
        assert writer.events(None) == []


def test_a_journal_of_an_earlier_version_has_no_witness(shut):
    witness_of(shut).unlink()
    with JournalWriter(shut, "second") as writer:
        assert len(writer.events(None)) == 100
        assert read_witness(shut).rev == writer.rev


def test_an_engine_does_not_begin_anew_beside_its_experiments(points, tmp_path):
    with engine_home(tmp_path / "home", slots=1, tracking=False, device="cpu") as home:
        experiment = Experiment(SPECS / "paced.py", "precious")
        experiment.run_fit(points, paced_config(epochs=1))
        experiment.end()
        EngineClient().stop()
        content = home.journal.read_bytes()
        for witness in (True, False):
            home.journal.write_bytes(b"")
            if not witness:
                witness_of(home.journal).unlink()
            with pytest.raises(EngineError, match=r"journal\.sqlite is empty.*Restore it from a backup"):
                EngineClient().start()
            wait_until(lambda: not EngineClient().is_alive(), "the engine to give up")
            assert home.journal.read_bytes() == b""
        home.journal.write_bytes(content)
        EngineClient().start()
        with JournalReader(home.journal) as reader:
            assert [found.name for found in reader.experiments()] == ["precious"]


# A clock that jumps


def test_replies_are_remembered_over_a_jump_of_the_clock(tmp_path, monkeypatch):
    now = [1_000_000_000.0]
    monkeypatch.setattr("rapidfire_lab.journal.writer.time.time", lambda: now[0])
    with JournalWriter(tmp_path / "journal.sqlite", "first") as writer:
        for jump in (0, 86_400 * 2, -86_400 * 4):
            now[0] += jump
            with writer.transaction():
                writer.remember_reply(str(jump), b"reply")
                writer.forget_replies(now[0] - 86_400, keep=2)
            assert writer.recall_reply(str(jump)) == b"reply"
        assert writer.recall_reply("172800") == b"reply"
        now[0] += 86_400 * 30
        with writer.transaction():
            writer.forget_replies(now[0] - 86_400, keep=2)
        assert writer.recall_reply("0") is None


def test_warnings_are_told_after_the_clock_went_back(tmp_path, monkeypatch):
    now = [1_000_000_000.0]
    monkeypatch.setattr("rapidfire_lab.journal.writer.time.time", lambda: now[0])
    with JournalWriter(tmp_path / "journal.sqlite", "first") as writer:
        with writer.transaction():
            writer.add_event("before", level="warning")
            writer.add_experiment(
                name="one", asked_name="one", path="", spec_path=None, spec_hash=None, epoch_checkpoints=False,
                tracking_uri=None,
            )  # fmt: skip
        table = RunTable(writer, "one")
        now[0] -= 86_400
        with writer.transaction():
            writer.add_event("slot died", level="warning")
        assert table.snapshot().notices == ["slot died"]


def test_no_duration_is_told_from_the_time_of_day():
    """What asks for the time of day puts it in the journal or shows it: all else uses a clock that cannot jump."""
    package = Path(rapidfire_lab.__file__).parent
    found = {
        str(path.relative_to(package))
        for folder in ("engine", "journal", "worker", "display")
        for path in (package / folder).glob("*.py")
        if "time.time()" in path.read_text()
    }
    stamps = {"engine/main.py", "engine/ledger.py", "worker/training.py", "journal/writer.py", "journal/witness.py"}
    # Of a job its beginning and its end, and of a search the time of day by which it is to be over.
    stamps |= {"engine/job_ledger.py", "engine/requests.py", "engine/tuning.py"}
    # Points of trials, and what MLflow is told of the end of a run that has none in the journal.
    stamps |= {"worker/trial.py", "worker/trial_log.py", "engine/tracker.py"}
    assert found == stamps | {"engine/controller.py"}
