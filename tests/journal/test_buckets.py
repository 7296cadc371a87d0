"""Buckets of 256 minibatches: what charts of long runs are drawn from must never differ from the points."""

from __future__ import annotations

import math
import random
import sqlite3

import pytest

from rapidfire_lab.errors import EngineError
from rapidfire_lab.journal import JournalReader, JournalWriter, MetricPoint, schema
from tests.journal.test_journal import add_experiment, add_run


@pytest.fixture
def journal(tmp_path):
    with JournalWriter(tmp_path / "journal.sqlite", "first") as writer:
        yield writer


@pytest.fixture
def run(journal):
    with journal.transaction():
        return add_run(journal, add_experiment(journal))


def points(first, last, name="loss", per="step", value=None):
    rng = random.Random(first)
    return [
        MetricPoint(
            name=name, per=per, step=step, epoch=1, value=rng.gauss(0, 1) if value is None else value, time=step / 10
        )
        for step in range(first, last + 1)
    ]


def add(journal, run, new):
    with journal.transaction():
        journal.add_points(run, new)


def buckets(journal):
    """Every bucket, as lowest and highest value with step and time."""
    rows = journal._all("SELECT b.*, n.name AS metric FROM metric_buckets b JOIN metric_names n ON n.id = b.name")
    return {
        (row["run"], row["metric"], row["bucket"]): (
            (row["low"], row["low_step"], row["low_time"]),
            (row["high"], row["high_step"], row["high_time"]),
        )
        for row in rows
    }


def expected(journal, runs):
    """The same from the points themselves."""
    found = {}
    for run in runs:
        for point in journal.points(run, per="step"):
            if math.isfinite(point.value):
                found.setdefault((run, point.name, (point.step - 1) // 256), []).append(
                    (point.value, point.step, point.time)
                )
    return {place: (min(values), max(values)) for place, values in found.items()}


@pytest.mark.parametrize("portion", [1, 7, 256, 1_000])
def test_buckets_hold_the_extremes_of_their_points(journal, run, portion):
    everything = points(1, 1_000) + points(1, 600, name="accuracy")
    for start in range(0, len(everything), portion * 10):
        add(journal, run, everything[start : start + portion * 10])
    assert len(buckets(journal)) == 4 + 3
    assert buckets(journal) == expected(journal, [run])


def test_points_that_come_again_change_nothing(journal, run):
    add(journal, run, points(1, 300))
    before = buckets(journal)
    add(journal, run, points(1, 300)[100:])
    assert buckets(journal) == before


def test_metrics_of_epochs_have_no_buckets(journal, run):
    add(journal, run, points(1, 300, per="epoch"))
    assert buckets(journal) == {}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_finite_number_counts_for_nothing(journal, run, value):
    add(journal, run, [*points(1, 10), *points(11, 600, value=value)])
    assert list(buckets(journal)) == [(run, "loss", 0)]
    assert buckets(journal) == expected(journal, [run])


@pytest.mark.parametrize("step", [0, 1, 255, 256, 257, 300, 512, 999, 1_000, 5_000])
def test_a_trimmed_run_keeps_what_is_left(journal, run, step):
    with journal.transaction():
        other = add_run(journal, journal.run_by_key(run).experiment_id)
    for key in (run, other):
        add(journal, key, points(1, 1_000) + points(1, 1_000, name="accuracy"))
    with journal.transaction():
        journal.trim_points(run, step)
    assert buckets(journal) == expected(journal, [run, other])
    assert max((place[2] for place in buckets(journal) if place[0] == run), default=-1) == (min(step, 1_000) - 1) // 256
    assert len([place for place in buckets(journal) if place[0] == other]) == 8


def test_a_trimmed_attempt_comes_again(journal, run):
    add(journal, run, points(1, 700))
    with journal.transaction():
        journal.trim_points(run, 300)
    add(journal, run, points(301, 400))
    assert buckets(journal) == expected(journal, [run])


def test_a_journal_of_version_1_gets_its_buckets(tmp_path, monkeypatch):
    path = tmp_path / "journal.sqlite"
    old = sqlite3.connect(path)
    old.executescript(
        schema.MIGRATIONS[0] + f"PRAGMA user_version = 1;PRAGMA application_id = {schema.APPLICATION_ID};"
    )
    columns = "id, name, asked_name, path, epoch_checkpoints, status, created, rev"
    old.execute(f"INSERT INTO experiments ({columns}) VALUES (1, 'old', 'old', '/old', 0, 'live', 1, 1)")
    old.execute("INSERT INTO fits VALUES (1, 1, '{}', 42, NULL, 1)")
    columns = "id, experiment_id, run_id, fit_id, config, source, status, epochs, steps_per_epoch, created, rev"
    old.execute(f"INSERT INTO runs ({columns}) VALUES (1, 1, 1, 1, '{{}}', 'initial', 'running', 2, 500, 1, 1)")
    old.execute("INSERT INTO metric_names VALUES (1, 'loss', 'step'), (2, 'val_loss', 'epoch')")
    values = [*points(1, 600), *points(601, 700, value=None), *points(701, 1_000, value=math.inf)]
    old.executemany("INSERT INTO metrics VALUES (1, 1, ?, 1, ?, ?)", [(p.step, p.value, p.time) for p in values])
    old.execute("INSERT INTO metrics VALUES (1, 2, 500, 1, 0.5, 1)")
    old.execute("INSERT INTO metrics VALUES (1, 1, 1001, 1, NULL, 1)")
    old.execute("INSERT INTO events VALUES (1, 1, 1, NULL, 'info', 'made')")
    old.commit()
    old.close()
    with pytest.raises(EngineError, match="Start the engine: it brings it up to date"):
        JournalReader(path)
    with JournalWriter(path, "second") as journal:
        assert buckets(journal) == expected(journal, [1])
        assert len(buckets(journal)) == 3
        add(journal, 1, points(1_001, 1_300))
        assert buckets(journal) == expected(journal, [1])
        assert [event.message for event in journal.events(1)] == ["made"]
        assert not journal.run_by_key(1).warm_start
        assert journal.metrics_of(1) == [("loss", "step"), ("val_loss", "epoch")]


# Reading for charts and tables


def test_extremes_of_stretches(journal, run):
    add(journal, run, points(1, 2_000))
    metric = journal.metric_id("loss", "step")
    values = {number: [] for number in range(3)}
    for point in journal.points(run, per="step"):
        values[(point.step - 1) // 768].append((point.value, point.step, point.time))
    found = journal.extremes(metric, run, 3)
    assert {number: [(point.value, point.step, point.time) for point in pair] for number, pair in found.items()} == {
        number: [min(of), max(of)] for number, of in values.items()
    }


def test_lookups_for_many_runs_at_once(journal, run):
    with journal.transaction():
        other = add_run(journal, journal.run_by_key(run).experiment_id)
    add(journal, run, points(10, 10, "val_loss", "epoch", 2.0) + points(20, 20, "val_loss", "epoch", math.nan))
    add(journal, other, points(10, 10, "val_loss", "epoch", 3.0) + points(1, 30, "loss", value=1.0))
    last = journal.last_epoch_values([other, run, 77])
    assert [(value.run, value.name, value.step) for value in last] == [(other, "val_loss", 10), (run, "val_loss", 20)]
    assert math.isnan(last[1].value)
    metric = journal.metric_id("val_loss", "epoch")
    assert journal.values_at(metric, [(run, 10), (run, 15), (run, 20), (other, 10)]) == [
        (run, 2.0),
        (run, None),
        (other, 3.0),
    ]
    assert journal.metric_spans(metric, [run, other, 77]) == {run: (10, 20), other: (10, 10)}
    assert journal.metrics_of(journal.run_by_key(run).experiment_id) == [("val_loss", "epoch"), ("loss", "step")]
    assert journal.metric_id("nothing", "epoch") is None


def test_the_logs_page_both_ways(journal, run):
    experiment = journal.run_by_key(run).experiment_id
    with journal.transaction():
        for number in range(10):
            journal.add_event(f"event {number}", experiment_id=experiment)
            journal.add_event("of the engine")
    events = journal.events(experiment)

    def page(**wanted):
        found = journal.event_page(experiment, **wanted)
        return [event.message[6:] for event in found.items], found.more_before, found.more_after

    assert page(limit=3) == (["7", "8", "9"], True, False)
    assert page(before=events[7].id, limit=3) == (["4", "5", "6"], True, True)
    assert page(before=events[2].id, limit=3) == (["0", "1"], False, True)
    assert page(before=events[0].id) == ([], False, True)
    assert page(after=events[7].id, limit=3) == (["8", "9"], True, False)
    assert page(after=0, limit=2) == (["0", "1"], False, True)
    assert page(after=events[9].id) == ([], True, False)
    assert len({event.rev for event in events}) == 1


def test_a_moment_stands_still(journal, run, tmp_path):
    with JournalReader(tmp_path / "journal.sqlite") as reader:
        with reader.moment():
            before = reader.rev
            with journal.transaction():
                journal.update_run(run, live_step=3)
            assert reader.rev == before
            assert reader.run_by_key(run).live_step == 0
        assert reader.run_by_key(run).live_step == 3


def test_an_experiment_changes_with_the_number_of_its_runs(journal, run):
    experiment = journal.run_by_key(run).experiment_id

    def rev():
        return journal.experiment_by_id(experiment).rev

    before = rev()
    with journal.transaction():
        journal.update_run(run, live_step=3)
    assert rev() == before
    with journal.transaction():
        add_run(journal, experiment)
    assert rev() == journal.rev
    with journal.transaction():
        journal.update_run(run, status="deleted")
    assert rev() == journal.rev
    assert journal.run_counts() == {experiment: 1}
    assert journal.last_run(experiment) == (2, 1)


def test_the_index_of_active_runs_is_used(journal):
    plan = journal._all("EXPLAIN QUERY PLAN SELECT 1 FROM runs WHERE status IN ('queued', 'running') LIMIT 1")
    assert "active_runs" in plan[0]["detail"]
