"""Which metrics an experiment has: asked at every poll, so it must not cost a look at every run."""

from __future__ import annotations

import pytest

from rapidfire_lab.journal import JournalWriter
from tests.journal.test_journal import add_experiment, add_run, failing_transaction, point


@pytest.fixture
def journal(tmp_path):
    with JournalWriter(tmp_path / "journal.sqlite", "first") as writer:
        yield writer


def fill(journal, name, runs, metrics):
    """An experiment whose runs all have a point of each metric; returns its id and the runs' keys."""
    with journal.transaction():
        experiment = add_experiment(journal, name)
        keys = [add_run(journal, experiment) for _ in range(runs)]
        for key in keys:
            journal.add_points(key, [point(metric) for metric in metrics])
    return experiment, keys


def names(journal, experiment):
    return [name for name, _ in journal.metrics_of(experiment)]


def work(journal, experiment):
    """Steps that SQLite takes to answer."""
    steps = 0

    def count():
        nonlocal steps
        steps += 1

    journal._db.set_progress_handler(count, 1)
    names(journal, experiment)
    journal._db.set_progress_handler(None, 1)
    return steps


def test_metrics_of_other_experiments_cost_nothing_however_many_runs_there_are(journal):
    fill(journal, "other", 1, [f"theirs {number}" for number in range(20)])
    few, _ = fill(journal, "few", 2, ["loss", "accuracy"])
    many, _ = fill(journal, "many", 200, ["loss", "accuracy"])
    assert names(journal, few) == names(journal, many) == ["loss", "accuracy"]
    assert work(journal, many) < 2 * work(journal, few)


def test_an_experiment_has_the_metrics_that_its_runs_have_still(journal):
    experiment, [first, second] = fill(journal, "digits", 2, ["loss"])
    with journal.transaction():
        journal.add_points(second, [point("of the second"), point("later", step=9)])
    assert names(journal, experiment) == ["loss", "of the second", "later"]
    with journal.transaction():
        journal.trim_points(second, 8)
    assert names(journal, experiment) == ["loss", "of the second"]
    with journal.transaction():
        journal.update_run(second, status="deleted")
    assert names(journal, experiment) == ["loss"]
    with journal.transaction():
        journal.add_points(first, [point("later", step=9)])
    assert names(journal, experiment) == ["loss", "later"]


def test_a_metric_that_was_rolled_back_is_noted_when_it_comes_again(journal):
    experiment, [run] = fill(journal, "digits", 1, [])
    with failing_transaction(journal):
        journal.add_points(run, [point("loss")])
    assert names(journal, experiment) == []
    with journal.transaction():
        journal.add_points(run, [point("loss")])
    assert names(journal, experiment) == ["loss"]
