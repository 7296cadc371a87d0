"""Advisors: what they propose, and when they stop."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rapidfire_lab import ConfigError
from rapidfire_lab.model import ArchKnob, CategoricalKnob, FixedKnob, FloatKnob, IntegerKnob, PolicyKnob
from rapidfire_lab.model.advisor import FixedAdvisor, ParamsType, RandomAdvisor, TrialResult, make_advisor
from rapidfire_lab.model.shared import SharedParams

OPEN = {
    "kind": CategoricalKnob(["a", "b"]),
    "depth": IntegerKnob(1, 4),
    "lr": FloatKnob(1e-4, 1, is_exp=True),
    "epochs": FixedKnob(3),
    "quick": PolicyKnob("QUICK_EVAL"),
    "cell": ArchKnob([["x"], ["y", "z"]]),
}
SHARING = {"depth": IntegerKnob(1, 4), "share": PolicyKnob("SHARE_PARAMS"), "stop": PolicyKnob("EARLY_STOP")}


class Clock:
    """Time that passes when it is told to."""

    def __init__(self):
        self.seconds = 0.0

    def __call__(self):
        return self.seconds


def proposals(advisor, most=1000):
    """All that an advisor proposes, as if each trial went well."""
    found = []
    while len(found) < most and (proposal := advisor.propose("worker", len(found) + 1)) is not None:
        found.append(proposal)
        advisor.feedback("worker", TrialResult(proposal, 0.5))
    return found


@pytest.mark.parametrize(
    ("knobs", "kind"),
    [
        ({}, FixedAdvisor),
        ({"a": FixedKnob(1), "b": PolicyKnob("SHARE_PARAMS")}, FixedAdvisor),
        ({"a": FixedKnob(1), "b": IntegerKnob(1, 2)}, RandomAdvisor),
        (OPEN, RandomAdvisor),
    ],
)
def test_the_advisor_follows_from_the_knobs(knobs, kind):
    assert type(make_advisor(knobs, {})) is kind


def test_fixed_knobs_get_one_trial_with_policies_off_whatever_the_budget():
    advisor = make_advisor({"a": FixedKnob(1), "b": PolicyKnob("SHARE_PARAMS")}, {"TIME_HOURS": 0})
    (proposal,) = proposals(advisor)
    assert (proposal.trial_no, proposal.knobs) == (1, {"a": 1, "b": False})
    assert (proposal.params_type, proposal.to_save_params, proposal.to_eval) == (ParamsType.NONE, True, True)


def test_draws_are_within_the_knobs_and_differ():
    found = [proposal.knobs for proposal in proposals(make_advisor(OPEN, {"MODEL_TRIAL_COUNT": 200}))]
    assert len(found) == 200
    for knobs in found:
        assert list(knobs) == list(OPEN)
        assert knobs["kind"] in ("a", "b")
        assert knobs["depth"] in (1, 2, 3, 4)
        assert 1e-4 <= knobs["lr"] <= 1
        assert (knobs["epochs"], knobs["quick"]) == (3, False)
        assert knobs["cell"] in (["x", "y"], ["x", "z"])
    assert {knobs["depth"] for knobs in found} == {1, 2, 3, 4}
    assert 60 < sum(knobs["lr"] < 1e-2 for knobs in found) < 140  # half of the orders of magnitude


def test_the_same_seed_draws_the_same():
    budget = {"MODEL_TRIAL_COUNT": 5}
    first, again, other = (proposals(make_advisor(OPEN, budget, seed=seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize("count", [1, 4, 150])
def test_nothing_is_proposed_twice_and_nothing_left_out(count):
    knobs = {"a": CategoricalKnob(list(range(count))), "b": CategoricalKnob([1, 1]), "c": FixedKnob(True)}  # noqa: FBT003
    found = [proposal.knobs for proposal in proposals(make_advisor(knobs, {}))]
    assert sorted(knobs["a"] for knobs in found) == list(range(count))


def test_time_is_looked_at_before_each_trial():
    clock = Clock()
    advisor = RandomAdvisor(OPEN, {"TIME_HOURS": 0.5}, clock=clock)
    assert advisor.propose("worker", 1) is not None
    clock.seconds = 1799
    assert advisor.propose("worker", 2) is not None
    clock.seconds = 1800
    assert advisor.propose("worker", 3) is None


@pytest.mark.parametrize(("budget", "count"), [({"TIME_HOURS": 0}, 0), ({"MODEL_TRIAL_COUNT": 0}, 0)])
def test_an_empty_budget_is_honoured(budget, count):
    assert len(proposals(make_advisor(OPEN, budget))) == count


def test_without_a_limit_trials_go_on():
    assert len(proposals(make_advisor(OPEN, {"MODEL_TRIAL_COUNT": -1, "TIME_HOURS": math.inf}), most=50)) == 50


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        ({"TIME_HOUR": 1}, "no option 'TIME_HOUR'; did you mean 'TIME_HOURS'"),
        ({"TIME_HOURS": -1}, "TIME_HOURS must be a number of hours from 0"),
        ({"TIME_HOURS": "1"}, "TIME_HOURS must be"),
        ({"MODEL_TRIAL_COUNT": 2.5}, "MODEL_TRIAL_COUNT must be a whole number"),
    ],
)
def test_budgets_that_make_no_sense_are_refused(budget, message):
    with pytest.raises(ConfigError, match=message):
        make_advisor(OPEN, budget)


# Sharing


def test_parameters_are_shared_ever_more():
    found = proposals(RandomAdvisor(SHARING, {"MODEL_TRIAL_COUNT": 100}, clock=Clock()))
    assert len(found) == 100  # though there are but four choices of knobs
    assert all(proposal.to_cache_params for proposal in found)
    assert [proposal.knobs["share"] for proposal in found] == [
        proposal.params_type is ParamsType.GLOBAL_BEST for proposal in found
    ]
    assert not any(proposal.knobs["stop"] for proposal in found)
    shares = [proposal.knobs["share"] for proposal in found]
    assert not shares[0]
    assert sum(shares[:20]) < sum(shares[80:])
    assert sum(shares[80:]) > 15


def test_nothing_is_shared_before_there_is_something():
    clock = Clock()
    advisor = RandomAdvisor(SHARING, {"TIME_HOURS": 1}, clock=clock)
    clock.seconds = 3500
    assert [advisor.propose("worker", number).knobs["share"] for number in range(1, 20)] == [False] * 19


def test_the_latest_and_the_best_are_kept():
    shared = SharedParams()
    assert shared.retrieve(ParamsType.GLOBAL_BEST) is None
    for name, score in (("bad", -5.0), ("nan", math.nan), ("good", -1.0), ("none", None)):
        shared.store({"name": name}, score)
    assert shared.retrieve(ParamsType.GLOBAL_BEST) == shared.retrieve(ParamsType.LOCAL_BEST) == {"name": "good"}
    assert shared.retrieve(ParamsType.GLOBAL_RECENT) == shared.retrieve(ParamsType.LOCAL_RECENT) == {"name": "none"}
    assert shared.retrieve(ParamsType.NONE) is None
    shared.store({"name": "as good"}, -1.0)
    assert shared.retrieve(ParamsType.GLOBAL_BEST) == {"name": "as good"}


def test_shared_arrays_are_nobodys_weights():
    weights = np.zeros(2)
    shared = SharedParams()
    shared.store({"weights": weights}, 1.0)
    weights[0] = 1
    shared.retrieve(ParamsType.GLOBAL_BEST)["weights"][1] = 1
    assert shared.retrieve(ParamsType.GLOBAL_BEST)["weights"].tolist() == [0, 0]


def test_results_travel_as_plain_data():
    (proposal,) = proposals(make_advisor(SHARING, {}), most=1)
    result = TrialResult(proposal, -0.5)
    assert TrialResult.from_jsonable(result.to_jsonable()) == result
