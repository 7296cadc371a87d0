"""What policies see: the journal's runs as of their last commits."""

from __future__ import annotations

import math

import pytest

from rapidfire_lab.journal import JournalWriter, MetricPoint
from rapidfire_lab.policies.view import RunViews

LEAF = {"train": {"epochs": 3, "batch_size": 4}, "user_knobs": {"width": 8}, "named_metrics": [], "fsdp_layer_cls": []}


@pytest.fixture
def journal(tmp_path):
    with JournalWriter(tmp_path / "journal.sqlite", "one") as writer:
        with writer.transaction():
            writer.add_experiment(
                name="e", asked_name="e", path="", spec_path=None, spec_hash=None, epoch_checkpoints=False,
                tracking_uri=None,
            )  # fmt: skip
        yield writer


def add_run(journal, num_chunks=None, **columns):
    with journal.transaction():
        fit = journal.add_fit(experiment_id=1, data="{}", seed=1, num_chunks=num_chunks)
        return journal.add_run(1, config=LEAF, fit_id=fit, source="initial", epochs=3, steps_per_epoch=10, **columns)


def train(journal, key, step, completed_epochs=0, first=0):
    """Commit a run up to a step; the loss of a minibatch is its step."""
    with journal.transaction():
        journal.add_points(key, [point("minibatch_loss", "step", at, float(at)) for at in range(first + 1, step + 1)])
        journal.update_run(key, step=step, completed_epochs=completed_epochs, status="running")


def point(name, per, step, value):
    return MetricPoint(name=name, per=per, step=step, epoch=(step - 1) // 10 + 1, value=value, time=0.0)


def only(views):
    [view] = views.of(1)
    return view


def test_chunks_are_the_same_places_of_the_data_however_leases_were_cut(journal):
    key, views = add_run(journal), RunViews(journal)
    assert only(views).chunk_losses == ()
    # An epoch of 10 minibatches has 4 chunks, which end after 3, 5, 8 and 10.
    means = [2.0, 4.5, 7.0, 9.5, 12.0]
    for step, chunks in [(2, 0), (3, 1), (4, 1), (9, 3), (10, 4), (13, 5)]:
        train(journal, key, step, first=max(0, step - 6))
        assert only(views).chunk_losses == only(RunViews(journal)).chunk_losses == tuple(means[:chunks])
        assert only(views).chunks == chunks
        assert only(views).progress == step / 10


def test_chunks_are_those_of_run_fit(journal):
    key = add_run(journal, num_chunks=2)
    train(journal, key, 10)
    assert only(RunViews(journal)).chunk_losses == (3.0, 8.0)
    many = add_run(journal, num_chunks=99)
    train(journal, many, 2)
    assert RunViews(journal).of(1)[1].chunk_losses == (1.0, 2.0)


def test_what_is_not_committed_is_not_seen(journal):
    key, views = add_run(journal), RunViews(journal)
    train(journal, key, 4)
    with journal.transaction():
        journal.add_points(key, [point("minibatch_loss", "step", 5, 99.0)])
    assert only(views).chunk_losses == (2.0,)


def test_a_run_that_goes_back_is_read_anew(journal):
    key, views = add_run(journal), RunViews(journal)
    train(journal, key, 10)
    assert only(views).chunks == 4
    with journal.transaction():
        journal.trim_points(key, 4)
        journal.update_run(key, step=4)
    assert only(views).chunk_losses == (2.0,)
    train(journal, key, 10, first=4)
    assert only(views).chunk_losses == only(RunViews(journal)).chunk_losses == (2.0, 4.5, 7.0, 9.5)


def test_rows_are_those_of_completed_epochs(journal):
    key, views = add_run(journal), RunViews(journal)
    train(journal, key, 10)
    with journal.transaction():
        journal.add_points(key, [point("val_loss", "epoch", 10, 0.5), point("train_loss", "epoch", 10, 0.7)])
    assert only(views).rows == ()
    assert only(views).metrics == {}
    with journal.transaction():
        journal.update_run(key, completed_epochs=1)
    row = {"epoch": 1, "step": 10, "val_loss": 0.5, "train_loss": 0.7}
    assert only(views).rows == (row,)
    with journal.transaction():
        journal.add_points(key, [point("val_loss", "epoch", 20, 0.4)])
    train(journal, key, 20, completed_epochs=2, first=10)
    assert only(views).rows == (row, {"epoch": 2, "step": 20, "val_loss": 0.4})
    assert only(views).metrics["val_loss"] == 0.4


def test_a_clone_that_goes_on_knows_its_own_chunks_alone(journal):
    key = add_run(journal, step=4, parent_step=4, continue_position=True)
    train(journal, key, 10, first=4)
    losses = only(RunViews(journal)).chunk_losses
    # The second chunk, of which its parent trained the beginning, is neither's.
    assert [math.isnan(loss) for loss in losses] == [True, True, False, False]
    assert losses[2:] == (7.0, 9.5)


def test_deleted_runs_are_not_seen(journal):
    key = add_run(journal)
    with journal.transaction():
        journal.update_run(key, status="deleted")
    assert RunViews(journal).of(1) == []


def test_the_config_is_that_of_the_hooks(journal):
    add_run(journal)
    config = only(RunViews(journal)).config
    assert config["width"] == config["user_knobs"]["width"] == 8
    with pytest.raises(TypeError, match="read-only"):
        config["width"] = 9


def test_an_unchanged_run_is_not_read_again(journal):
    first, second = add_run(journal), add_run(journal)
    views = RunViews(journal)
    before = views.of(1)
    train(journal, second, 4)
    after = views.of(1)
    assert after[0] is before[0]
    assert after[1] is not before[1]
    assert first == 1
