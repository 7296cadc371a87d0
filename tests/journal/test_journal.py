from __future__ import annotations

import contextlib
import math
import sqlite3
import stat
import threading
from types import SimpleNamespace

import psutil
import pytest

from rapidfire_lab.errors import EngineError
from rapidfire_lab.journal import JournalReader, JournalWriter, MetricPoint, schema

EXPERIMENT = {
    "asked_name": "digits",
    "path": "/somewhere/digits",
    "spec_path": None,
    "spec_hash": None,
    "epoch_checkpoints": False,
    "tracking_uri": None,
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.sqlite"


@pytest.fixture
def journal(path):
    with JournalWriter(path, "first") as writer:
        yield writer


@pytest.fixture
def reader(journal, path):
    with JournalReader(path) as opened:
        yield opened


def add_experiment(journal, name="digits"):
    return journal.add_experiment(name=name, **EXPERIMENT)


def add_run(journal, experiment, **columns):
    fits = journal.fits(experiment)
    fit = fits[0].id if fits else journal.add_fit(experiment_id=experiment, data="{}", seed=42, num_chunks=None)
    filled = {"fit_id": fit, "source": "initial", "parent": None, "epochs": 2, "steps_per_epoch": 10, **columns}
    return journal.add_run(experiment, config={"train": {"epochs": 2}}, **filled)


@pytest.fixture
def run(journal):
    """Key of a run."""
    with journal.transaction():
        return add_run(journal, add_experiment(journal))


def point(name="loss", step=1, value=0.5, per="step"):
    return MetricPoint(name=name, per=per, step=step, epoch=1, value=value, time=1_700_000_000.5)


def stored(journal, run, **wanted):
    return [(found.name, found.step, found.value) for found in journal.points(run, **{"per": "step", **wanted})]


class BrokenOffError(Exception):
    pass


@contextlib.contextmanager
def failing_transaction(journal):
    with contextlib.suppress(BrokenOffError), journal.transaction():
        yield
        raise BrokenOffError


def mount(monkeypatch, **kinds):
    """Have folders be mounts of file systems."""
    found = [SimpleNamespace(mountpoint=folder, fstype=kind) for folder, kind in kinds.items()]
    monkeypatch.setattr(psutil, "disk_partitions", lambda **_: found)


# Revisions


def test_every_transaction_is_one_revision(journal):
    before = journal.rev
    with journal.transaction():
        experiment = add_experiment(journal)
        run = add_run(journal, experiment)
        journal.add_event("one")
        journal.add_event("two")
        journal.update_run(run, live_step=3)
    assert journal.rev == before + 1
    with journal.transaction(durable=True):
        journal.update_run(run, live_step=4)
    assert journal.rev == before + 2


def test_a_transaction_that_fails_leaves_nothing_behind(journal, run, reader):
    before = journal.rev
    with failing_transaction(journal):
        journal.update_run(run, status="running")
        journal.add_points(run, [point("never seen before")])
        journal.add_event("gone")
        journal.add_outbox(run, "status", {})
        journal.remember_reply("request", b"reply")
    assert journal.rev == reader.rev == before
    assert reader.run_by_key(run).status == "queued"
    assert reader.points(run, per="step") == []
    assert reader.events(None) == []
    assert reader.outbox_size() == 0
    assert journal.recall_reply("request") is None


def test_a_metric_name_that_was_rolled_back_can_be_used_again(journal, run):
    with failing_transaction(journal):
        journal.add_points(run, [point("a"), point("b")])
    with journal.transaction():
        journal.add_points(run, [point("b", value=2.0), point("a", value=1.0)])
    assert sorted(stored(journal, run)) == [("a", 1, 1.0), ("b", 1, 2.0)]


def test_a_transaction_inside_another_undoes_both(journal, run):
    def nested():
        with journal.transaction():
            journal.update_run(run, status="running")
            with journal.transaction():
                pass

    with pytest.raises(sqlite3.OperationalError):
        nested()
    assert journal.run_by_key(run).status == "queued"
    with journal.transaction():
        journal.update_run(run, status="running")


def test_readers_see_what_changed_since_the_revision_they_saw_last(journal, reader):
    with journal.transaction():
        experiment = add_experiment(journal)
        keys = [add_run(journal, experiment) for _ in range(3)]
        journal.add_event("made", experiment_id=experiment)
    seen = reader.rev
    [made] = reader.events(experiment)
    assert [run.run_id for run in reader.runs(experiment)] == [1, 2, 3]
    assert reader.runs(experiment, since=seen) == []
    with journal.transaction():
        journal.update_run(keys[1], live_step=1)
        journal.add_event("moved", experiment_id=experiment, run_id=2)
    with journal.transaction():
        journal.update_run(keys[2], live_step=2)
    assert [run.run_id for run in reader.runs(experiment, since=seen)] == [2, 3]
    assert [run.run_id for run in reader.runs(experiment, since=seen + 1)] == [3]
    assert [event.message for event in reader.events(experiment, after=made.id)] == ["moved"]
    assert reader.runs(experiment, since=reader.rev) == []


def test_readers_see_nothing_before_it_is_committed(journal, reader, run):
    with journal.transaction():
        journal.update_run(run, status="running")
        before = reader.rev
        assert reader.run_by_key(run).status == "queued"
    assert reader.run_by_key(run).status == "running"
    assert reader.rev == before + 1


def test_every_controller_has_its_own_epoch(path):
    for epoch in ("first", "second"):
        with JournalWriter(path, epoch), JournalReader(path) as reader:
            assert reader.epoch == epoch


def test_a_reader_may_read_while_the_journal_is_written(journal, run, path):
    revisions = []
    done = threading.Event()

    def read():
        with JournalReader(path) as reader:
            while not done.is_set():
                revisions.append(reader.rev)
                points = reader.points(run, per="step")
                assert len(points) % 10 == 0  # whole transactions alone
                assert [found.step for found in points] == list(range(1, len(points) + 1))

    thread = threading.Thread(target=read)
    thread.start()
    try:
        for first in range(1, 501, 10):
            with journal.transaction():
                journal.add_points(run, [point(step=step) for step in range(first, first + 10)])
    finally:
        done.set()
        thread.join()
    assert revisions == sorted(revisions)
    assert len(journal.points(run, per="step")) == 500


# Experiments and runs


def test_experiments_are_found_by_name_and_by_life(journal):
    with journal.transaction():
        one = add_experiment(journal, "one")
    with journal.transaction():
        two = add_experiment(journal, "two")
    assert journal.live_experiment().name == "two"
    with journal.transaction():
        journal.end_experiment(two)
    assert journal.live_experiment().name == "one"
    assert [(record.name, record.status) for record in journal.experiments()] == [("one", "live"), ("two", "ended")]
    assert journal.experiment("two").ended >= journal.experiment("two").created
    assert journal.experiment("three") is None
    assert journal.experiment_by_id(one).epoch_checkpoints is False


def test_names_of_experiments_are_taken_once(journal):
    with journal.transaction():
        add_experiment(journal)
    with pytest.raises(sqlite3.IntegrityError), journal.transaction():
        add_experiment(journal)


def test_run_ids_count_up_in_each_experiment(journal):
    with journal.transaction():
        one, two = add_experiment(journal, "one"), add_experiment(journal, "two")
        keys = [add_run(journal, experiment) for experiment in (one, two, one, one, two)]
    assert [journal.run_by_key(key).run_id for key in keys] == [1, 1, 2, 3, 2]
    assert len(set(keys)) == 5
    assert journal.run(two, 2).id == keys[-1]
    assert journal.run(two, 3) is None


def test_the_run_id_of_a_deleted_run_is_never_used_again(journal, path):
    with journal.transaction():
        experiment = add_experiment(journal)
        add_run(journal, experiment)
        last = add_run(journal, experiment)
    with journal.transaction():
        journal.update_run(last, status="deleted")
    with journal.transaction():
        assert journal.run_by_key(add_run(journal, experiment)).run_id == 3
    with JournalReader(path) as reader:
        assert [run.run_id for run in reader.runs(experiment)] == [1, 2, 3]


def test_a_run_starts_out_queued_and_keeps_its_config(journal, run):
    record = journal.run_by_key(run)
    assert (record.status, record.step, record.base_lease, record.handicap) == ("queued", 0, 0, 0.0)
    assert record.leaf == {"train": {"epochs": 2}}
    assert record.total_steps == 20


def test_active_runs_are_those_that_wait_or_train(journal):
    statuses = ["queued", "running", "stopped", "completed", "failed", "deleted"]
    with journal.transaction():
        experiment = add_experiment(journal)
        for status in statuses:
            journal.update_run(add_run(journal, experiment), status=status)
    assert [run.status for run in journal.active_runs()] == ["queued", "running"]


def test_rows_must_belong_to_something(journal):
    with pytest.raises(sqlite3.IntegrityError), journal.transaction():
        journal.add_fit(experiment_id=99, data="{}", seed=1, num_chunks=None)


# Leases


def test_open_leases_of_a_dead_controller_are_lost(journal, run):
    assert journal.last_lease() == 0
    with journal.transaction():
        for lease in (4, 7, 9):
            journal.open_lease(lease=lease, run=run, slot=0, from_step=0, to_step=5)
        journal.close_lease(7, "committed")
    assert journal.last_lease() == 9
    with journal.transaction():
        assert journal.lose_open_leases() == [run, run]
    with journal.transaction():
        assert journal.lose_open_leases() == []


# Metrics


def test_a_point_that_comes_again_replaces_the_old_one(journal, run):
    with journal.transaction():
        journal.add_points(run, [point(value=1.0), point(step=2, value=2.0)])
    with journal.transaction():
        journal.add_points(run, [point(value=3.0), point(value=4.0)])
    assert stored(journal, run) == [("loss", 1, 4.0), ("loss", 2, 2.0)]


def test_points_of_steps_and_of_epochs_are_kept_apart(journal, run):
    with journal.transaction():
        journal.add_points(run, [point(value=1.0), point(value=2.0, per="epoch"), point("other", value=3.0)])
    assert stored(journal, run) == [("loss", 1, 1.0), ("other", 1, 3.0)]
    assert stored(journal, run, per="epoch") == [("loss", 1, 2.0)]


def test_points_can_be_asked_for_by_step(journal, run):
    with journal.transaction():
        journal.add_points(run, [point(step=step) for step in (5, 3, 1, 4, 2)])
    assert [step for _, step, _ in stored(journal, run)] == [1, 2, 3, 4, 5]
    assert [step for _, step, _ in stored(journal, run, after_step=2, to_step=4)] == [3, 4]


def test_points_past_a_lost_attempt_are_forgotten(journal):
    with journal.transaction():
        experiment = add_experiment(journal)
        one, other = add_run(journal, experiment), add_run(journal, experiment)
        for run in (one, other):
            journal.add_points(run, [point(step=step) for step in range(1, 6)] + [point(step=5, per="epoch")])
    with journal.transaction():
        journal.trim_points(one, 3)
    assert [step for _, step, _ in stored(journal, one)] == [1, 2, 3]
    assert stored(journal, one, per="epoch") == []
    assert len(stored(journal, other)) == 5


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 5e-324, 0.0, 1e308, 0.1 + 0.2])
def test_every_float_comes_back_as_it_was(journal, reader, run, value):
    with journal.transaction():
        journal.add_points(run, [point(value=value)])
    [found] = reader.points(run, per="step")
    assert found.value.hex() == value.hex()
    assert found.time == 1_700_000_000.5


# Requests, outbox, log


def test_replies_are_remembered_for_a_while(journal, path):
    with journal.transaction():
        journal.remember_reply("one", b"\x00\xff reply")
    assert journal.recall_reply("one") == b"\x00\xff reply"
    assert journal.recall_reply("two") is None
    with journal.transaction():
        journal.forget_replies(older_than=0.0)
    journal.close()
    with JournalWriter(path, "second") as later:
        assert later.recall_reply("one") == b"\x00\xff reply"
        with later.transaction():
            later.forget_replies(older_than=math.inf)
        assert later.recall_reply("one") is None


def test_a_request_is_answered_once(journal):
    with journal.transaction():
        journal.remember_reply("one", b"first")
    with pytest.raises(sqlite3.IntegrityError), journal.transaction():
        journal.remember_reply("one", b"second")
    assert journal.recall_reply("one") == b"first"


def test_the_outbox_is_sent_in_order_and_its_numbers_are_never_reused(journal, run, reader):
    with journal.transaction():
        for number in range(5):
            journal.add_outbox(run, "points", {"number": number})
    entries = reader.outbox()
    assert [entry.payload for entry in entries] == [f'{{"number": {number}}}' for number in range(5)]
    assert [entry.id for entry in reader.outbox(limit=2)] == [entry.id for entry in entries[:2]]
    with journal.transaction():
        journal.drop_outbox([entry.id for entry in entries[1:]])
        journal.drop_outbox([entries[1].id])
    assert reader.outbox() == entries[:1]
    with journal.transaction():
        journal.drop_outbox([entries[0].id])
        journal.add_outbox(run, "points", {})
    assert reader.outbox_size() == 1
    assert reader.outbox()[0].id > entries[-1].id


def test_events_of_the_engine_and_of_experiments_are_apart(journal):
    with journal.transaction():
        one, two = add_experiment(journal, "one"), add_experiment(journal, "two")
        journal.add_event("engine", level="warning")
        journal.add_event("of one", experiment_id=one, run_id=7)
        journal.add_event("of two", experiment_id=two)
    assert [(event.message, event.level) for event in journal.events(None)] == [("engine", "warning")]
    [event] = journal.events(one)
    assert (event.message, event.run_id, event.rev) == ("of one", 7, journal.rev)


def test_operations_are_written_down(journal, run):
    with journal.transaction():
        first = journal.add_operation(
            "clone", experiment_id=1, run_id=1, origin="user", arguments={"lr": 0.1}, result="run 2"
        )
        second = journal.add_operation("stop", experiment_id=1, run_id=None, origin="user", arguments={}, result="")
    assert second > first


# The file


def test_only_its_owner_can_read_the_journal(journal, run, path):
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_the_journal_is_kept_when_it_is_opened_again(path):
    with JournalWriter(path, "first") as writer:
        with writer.transaction():
            run = add_run(writer, add_experiment(writer))
        revision = writer.rev
    for epoch in ("second", "third"):
        with JournalWriter(path, epoch) as writer:
            assert writer.run_by_key(run).run_id == 1
            assert writer.rev > revision
            revision = writer.rev


def refuse(path, match):
    """Check that opening is refused by name of the file and leaves it as it is."""
    before = path.read_bytes()
    names = sorted(file.name for file in path.parent.iterdir())
    with pytest.raises(EngineError, match=match) as caught:
        JournalWriter(path, "epoch")
    assert str(path) in str(caught.value)
    assert path.read_bytes() == before
    assert sorted(file.name for file in path.parent.iterdir()) == names


def execute(path, *statements):
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def test_a_database_of_another_program_is_refused(path):
    execute(path, "CREATE TABLE precious (value)", "INSERT INTO precious VALUES (1)")
    refuse(path, "another program")


def test_a_journal_of_a_newer_version_is_refused(path):
    JournalWriter(path, "first").close()
    execute(path, f"PRAGMA user_version = {len(schema.MIGRATIONS) + 1}", "PRAGMA journal_mode = DELETE")
    refuse(path, "newer rapidfire-lab")


@pytest.mark.parametrize("content", [b"no database at all, but long enough to look like one" * 100, b"short"])
def test_a_file_that_is_no_database_is_refused(path, content):
    path.write_bytes(content)
    refuse(path, "cannot be read .*It is left as it is")


def test_a_damaged_journal_is_refused(path):
    JournalWriter(path, "first").close()
    content = bytearray(path.read_bytes())
    content[100:4096] = b"\xff" * 3996  # the table of tables
    path.write_bytes(content)
    refuse(path, "cannot be read")


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "lustre", "fuse.sshfs"])
def test_network_file_systems_are_refused(path, monkeypatch, kind):
    mount(monkeypatch, **{"/": "ext4", str(path.parent.parent): kind})
    with pytest.raises(EngineError, match=rf"network file system \({kind}\).*RAPIDFIRE_LAB_HOME"):
        JournalWriter(path, "epoch")
    assert not path.exists()


def test_a_local_disk_under_a_network_mount_is_fine(path, monkeypatch):
    mount(monkeypatch, **{"/": "nfs", str(path.parent): "tmpfs", str(path.parent / "other"): "nfs"})
    JournalWriter(path, "epoch").close()


def test_a_migration_that_fails_leaves_the_older_version(path, monkeypatch):
    JournalWriter(path, "first").close()
    broken = "ALTER TABLE runs ADD COLUMN colour TEXT; CREATE TABLE runs (again);"
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, broken))
        with pytest.raises(EngineError, match="cannot be read"):
            JournalWriter(path, "second")
    with JournalWriter(path, "third") as journal, journal.transaction():
        add_run(journal, add_experiment(journal))


def test_an_older_journal_is_brought_up_to_date_once(path, monkeypatch):
    with JournalWriter(path, "first") as journal, journal.transaction():
        run = add_run(journal, add_experiment(journal))
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, "ALTER TABLE runs ADD COLUMN colour TEXT;"))
    for epoch in ("second", "third"):
        with JournalWriter(path, epoch) as journal:
            assert journal.run_by_key(run).run_id == 1
            with journal.transaction():
                journal.update_run(run, colour=epoch)


def test_a_journal_of_version_3_learns_of_jobs(path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:3])
        old = schema.connect_writer(path)
        columns = "id, name, asked_name, path, epoch_checkpoints, status, created, rev"
        old.execute(f"INSERT INTO experiments ({columns}) VALUES (1, 'old', 'old', '/old', 0, 'live', 1, 1)")
        old.close()
    with JournalWriter(path, "second") as journal:
        with journal.transaction():
            job = journal.add_job(
                1, parts=2, kind="test", weights="w", config="{}", data="{}", seed=1, batch_size=2, rows=7
            )
        assert (journal.job(job).job_id, journal.job(job).status) == (1, "queued")
        assert journal.is_training()
        assert [part.state for part in journal.parts(job)] == ["waiting"] * 3


def test_numbers_of_leases_go_on_after_those_of_parts(path):
    with JournalWriter(path, "first") as journal, journal.transaction():
        experiment = add_experiment(journal)
        assert journal.last_lease() == 0
        job = journal.add_job(
            experiment, parts=1, kind="test", weights="w", config="{}", data="{}", seed=1, batch_size=2, rows=2
        )
        journal.update_part(job, 0, state="granted", lease=9, minibatches=1)
        assert journal.last_lease() == 9
        journal.take_parts_back()
        assert [(part.state, part.minibatches) for part in journal.parts(job)] == [("waiting", 0)] * 2
        assert journal.last_lease() == 9


# Reading


@pytest.mark.parametrize("content", [None, b"", b"no database at all" * 100])
def test_a_reader_says_where_there_is_no_journal(path, content):
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EngineError, match="no readable journal") as caught:
        JournalReader(path)
    assert str(path) in str(caught.value)
    assert path.exists() == (content is not None)


def test_a_reader_cannot_write(reader):
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader._db.execute("UPDATE clock SET rev = 0")


@pytest.mark.parametrize("name", ["50% of it", "what?", "number #1", "with space & more", "ünïcödé"])
def test_a_home_may_have_any_name(tmp_path, name):
    path = tmp_path / name / "journal.sqlite"
    path.parent.mkdir()
    with JournalWriter(path, "first"), JournalReader(path) as reader:
        assert reader.epoch == "first"


def test_a_reader_follows_a_journal_from_one_controller_to_the_next(path):
    with JournalWriter(path, "first"):
        reader = JournalReader(path)
    with reader, JournalWriter(path, "second") as journal:
        assert reader.epoch == "second"
        with journal.transaction():
            add_experiment(journal)
        assert reader.experiments() == journal.experiments()
