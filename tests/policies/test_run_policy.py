"""Calling policies, and what they may ask for."""

from __future__ import annotations

import sys
import time

import pytest

from rapidfire_lab import ConfigError, GridSearch, List, Range
from rapidfire_lab.configs import Config
from rapidfire_lab.engine.protocol import PolicyAction
from rapidfire_lab.policies import PolicyControl, PolicyRun
from rapidfire_lab.policies.run_policy import decide


def view(run_id):
    config = Config({"train": {}, "user_knobs": {}, "named_metrics": [], "fsdp_layer_cls": []})
    return PolicyRun(run_id, "running", None, "initial", None, config, 4, 10, 2, (1.0,), ())


def test_runs_and_run_ids_mean_the_same():
    control = PolicyControl({})
    control.stop(view(1))
    control.stop(2)
    control.resume([view(3), 4, view(3)])
    control.delete(run for run in (view(5),))
    control.stop([])
    assert [(action.operation, action.run_ids) for action in control.actions] == [
        ("stop", [1]),
        ("stop", [2]),
        ("resume", [3, 4]),
        ("delete", [5]),
    ]


def test_clones_are_taken_apart():
    control = PolicyControl({})
    control.clone(view(1), {"width": List([1, 2])}, warm_start=True, continue_position=True)
    control.clone(2, [GridSearch({"width": List([3])})])
    assert control.actions == [
        PolicyAction(
            operation="clone",
            run_ids=[1],
            changes=[{"width": 1}, {"width": 2}],
            warm_start=True,
            continue_position=True,
        ),
        PolicyAction(operation="clone", run_ids=[2], changes=[{"width": 3}]),
    ]
    with pytest.raises(ConfigError, match="holds a Range: say how many"):
        control.clone(1, {"width": Range(1, 9)})


def test_a_decision_has_actions_state_and_what_was_printed():
    def policy(runs, control):
        print("looked at", len(runs))
        control.state["seen"] = control.state.get("seen", 0) + 1
        control.stop(runs[0])

    state = {"seen": 1}
    decision = decide(policy, [view(7)], state)
    assert decision.actions == [PolicyAction(operation="stop", run_ids=[7])]
    assert (decision.state, decision.printed, decision.error) == ({"seen": 2}, "looked at 1", None)
    assert state == {"seen": 1}


@pytest.mark.parametrize("what", [lambda: 1 / 0, lambda: sys.exit(3), lambda: print("x" * 9_000) or {}["no"]])
def test_a_policy_that_raises_wants_nothing(what):
    def policy(runs, control):
        control.stop(1)
        control.state["seen"] = True
        what()

    decision = decide(policy, [], {"kept": 1})
    assert decision.actions == []
    assert decision.state == {"kept": 1}
    assert decision.error.split(":")[0] in ("ZeroDivisionError", "SystemExit", "KeyError")
    assert "what()" in decision.traceback
    assert len(decision.printed) <= 2_000


def test_a_state_that_is_no_plain_data_is_refused():
    def policy(runs, control):
        control.state["runs"] = {1, 2}

    assert "'control.state.runs' is of type set" in decide(policy, [], {}).error


def test_a_policy_that_does_not_return_is_interrupted():
    def policy(runs, control):
        while True:
            time.sleep(0.001)

    assert decide(policy, [], {}, timeout=0.2).error == "PolicyError: it did not return within 0 s"
