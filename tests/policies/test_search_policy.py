"""What a search asks the engine for, from the runs that it sees."""

from __future__ import annotations

import json

import pytest

from rapidfire_lab.configs.config import Config
from rapidfire_lab.journal import PolicyRecord
from rapidfire_lab.policies import PolicyControl, PolicyRun
from rapidfire_lab.policies.search_policy import load_search
from rapidfire_lab.search import BayesianSearch
from tests.search.curves import SPACE, settle


def record(search):
    return PolicyRecord(
        id=1,
        experiment_id=1,
        name=search.name,
        function="search",
        source=None,
        status="active",
        state="{}",
        commits=0,
        error=None,
        created=0.0,
        definition=json.dumps(settle(search)),
        fit_id=1,
    )


def trial(number, losses, status, config):
    rows = [{"epoch": epoch, "step": 10 * epoch, "val_loss": loss} for epoch, loss in enumerate(losses, start=1)]
    return PolicyRun(
        run_id=number + 7,
        status=status,
        ended_by=None,
        source="search",
        parent=None,
        config=Config(config),
        step=10 * len(losses),
        steps_per_epoch=10,
        epochs=27,
        chunk_losses=(),
        rows=tuple(rows),
        search="bayes",
        trial=number,
    )


@pytest.mark.parametrize(("status", "stopped"), [("running", [8]), ("completed", [])])
def test_what_has_ended_meanwhile_is_not_stopped(status, stopped):
    pruner = {"name": "threshold", "args": {"upper": 0.5}}
    search = BayesianSearch(SPACE, 2, sampler="random", pruner=pruner, concurrency=2)
    policy = load_search(record(search))
    control = PolicyControl({})
    policy([], control)
    assert [action.operation for action in control.actions] == ["add", "add"]
    configs = [action.leaf for action in control.actions]
    control = PolicyControl(control.state)
    policy([trial(0, [0.1, 0.1], "running", configs[0]), trial(1, [0.9, 0.9], status, configs[1])], control)
    assert [run_id for action in control.actions for run_id in action.run_ids] == stopped
    assert all(action.operation == "stop" for action in control.actions)
