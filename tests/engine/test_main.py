"""What a controller makes of the journal that it finds."""

from __future__ import annotations

import json

import pytest

from rapidfire_lab.engine.main import _recover
from rapidfire_lab.engine.operations import operate
from rapidfire_lab.engine.protocol import LeaseDone, RunOperation
from rapidfire_lab.engine.requests import insert_run, schedule_runs
from rapidfire_lab.engine.scheduler import SlotUp
from rapidfire_lab.engine.settings import EngineSettings
from rapidfire_lab.journal import JournalWriter
from tests.conftest import paced_config


class Engine:
    """Journal, ledger and schedule of an engine without processes: leases end when the test says so."""

    def __init__(self, tmp_path, epoch):
        self.journal = JournalWriter(tmp_path / "journal.sqlite", epoch)
        self.ledger = _recover(self.journal, EngineSettings(tracking=False))
        with self.journal.transaction():
            self.ledger.feed(SlotUp(0))

    def add(self, fit, count):
        with self.journal.transaction():
            for width in range(count):
                run = insert_run(self.ledger, fit, paced_config(width=width, epochs=9), source="initial", parent=None)
                schedule_runs(self.ledger, [(run, fit)])

    def train(self, leases):
        for _ in range(leases):
            grant = self.ledger.outgoing.pop()[1]
            done = LeaseDone(
                lease=grant.lease, outcome="reached", step=grant.to_step, completed_epochs=grant.to_step // 10
            )
            with self.journal.transaction():
                self.ledger.lease_done(done)

    def operate(self, operation, run_id):
        asked = RunOperation(request_id=operation, experiment="shares", run_ids=[run_id], operation=operation)
        with self.journal.transaction():
            operate(asked, self.ledger)

    def shares(self):
        return {run.key: pytest.approx(run.share) for run in self.ledger.scheduler.live_runs()}


def test_shares_survive_a_restart(tmp_path):
    """Run 1 is alone for four passes; runs 2 and 3 begin where it is, and it comes back with less than they have."""
    engine = Engine(tmp_path, "a")
    with engine.journal.transaction():
        experiment = engine.journal.add_experiment(
            name="shares",
            asked_name="shares",
            path=str(tmp_path / "shares"),
            spec_path=None,
            spec_hash=None,
            epoch_checkpoints=False,
            tracking_uri=None,
        )
        data = json.dumps({"partitions": {"train": {"rows": 320}}})
        fit = engine.journal.add_fit(experiment_id=experiment, data=data, seed=1, num_chunks=2)
    fit = engine.journal.fit(fit)
    engine.add(fit, 1)
    engine.train(8)
    engine.add(fit, 2)
    engine.train(1)
    engine.operate("stop", 3)
    engine.train(6)
    engine.operate("resume", 3)
    shares = engine.shares()
    assert [run.step for run in engine.journal.runs(experiment)] == [60, 15, 0]
    assert shares == {1: 6.0, 2: 5.5, 3: 5.5}
    engine.journal.close()

    engine = Engine(tmp_path, "b")
    assert engine.shares() == shares
    engine.train(2)
    assert [run.step for run in engine.journal.runs(experiment)] == [60, 20, 5]
    engine.add(fit, 1)
    assert engine.shares() == {1: 6.0, 2: 6.0, 3: 6.0, 4: 6.0}
    engine.journal.close()
