"""Advisors: what they propose, and when they stop."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from rapidfire_lab import ConfigError
from rapidfire_lab.model import ArchKnob, CategoricalKnob, FixedKnob, FloatKnob, IntegerKnob, PolicyKnob
from rapidfire_lab.model.advisor import (
    BayesAdvisor,
    EvolutionAdvisor,
    FixedAdvisor,
    ParamsType,
    RandomAdvisor,
    TrialResult,
    make_advisor,
)
from rapidfire_lab.model.knob_values import is_cut_short
from rapidfire_lab.model.shared import SharedParams

OPEN = {
    "kind": CategoricalKnob(["a", "b"]),
    "depth": IntegerKnob(1, 4),
    "lr": FloatKnob(1e-4, 1, is_exp=True),
    "epochs": FixedKnob(3),
    "quick": PolicyKnob("QUICK_EVAL"),
    "cell": ArchKnob([["x"], ["y", "z"]]),
}
SHARING = {"depth": IntegerKnob(1, 4), "share": PolicyKnob("SHARE_PARAMS")}
CHEAP = {
    "depth": IntegerKnob(1, 100),
    "stop": PolicyKnob("EARLY_STOP"),
    "small": PolicyKnob("DOWNSCALE"),
    "quick": PolicyKnob("QUICK_EVAL"),
    "share": PolicyKnob("SHARE_PARAMS"),
}
ENAS = {
    "cell": ArchKnob([["a", "b", "c", "d"]] * 8),
    "share": PolicyKnob("SHARE_PARAMS"),
    "skip": PolicyKnob("SKIP_TRAIN"),
    "stop": PolicyKnob("EARLY_STOP"),
    "small": PolicyKnob("DOWNSCALE"),
    "quick": PolicyKnob("QUICK_EVAL"),
}


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
        ({"a": FixedKnob(1), "b": IntegerKnob(1, 2)}, BayesAdvisor),
        ({"a": CategoricalKnob([1, 2]), "b": PolicyKnob("SHARE_PARAMS"), "c": FloatKnob(0, 1)}, BayesAdvisor),
        (OPEN, EvolutionAdvisor),
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
    found = [proposal.knobs for proposal in proposals(RandomAdvisor(OPEN, {"MODEL_TRIAL_COUNT": 200}, clock=Clock()))]
    assert len(found) == 200
    for number, knobs in enumerate(found):
        assert list(knobs) == list(OPEN)
        assert knobs["kind"] in ("a", "b")
        assert knobs["depth"] in (1, 2, 3, 4)
        assert 1e-4 <= knobs["lr"] <= 1
        assert (knobs["epochs"], knobs["quick"]) == (3, number < 160)
        assert knobs["cell"] in (["x", "y"], ["x", "z"])
    assert {knobs["depth"] for knobs in found} == {1, 2, 3, 4}
    assert 60 < sum(knobs["lr"] < 1e-2 for knobs in found) < 140  # half of the orders of magnitude


def test_the_same_seed_draws_the_same():
    budget = {"MODEL_TRIAL_COUNT": 5}
    first, again, other = (proposals(make_advisor(OPEN, budget, seed=seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize(("kind", "count"), [(BayesAdvisor, 1), (BayesAdvisor, 14), (RandomAdvisor, 150)])
def test_nothing_is_proposed_twice_and_nothing_left_out(kind, count):
    knobs = {"a": CategoricalKnob(list(range(count))), "b": CategoricalKnob([1, 1]), "c": FixedKnob(True)}  # noqa: FBT003
    found = [proposal.knobs for proposal in proposals(kind(knobs, {}))]
    assert sorted(knobs["a"] for knobs in found) == list(range(count))


def test_time_is_looked_at_before_each_trial():
    clock = Clock()
    advisor = RandomAdvisor(OPEN, {"TIME_HOURS": 0.5}, clock=clock)
    assert advisor.propose("worker", 1) is not None
    clock.seconds = 1799
    assert advisor.propose("worker", 2) is not None
    clock.seconds = 1800
    assert advisor.propose("worker", 3) is None


def searched(advisor, score, most=1000):
    """Scores of all that an advisor proposes, in order."""
    scores = []
    while len(scores) < most and (proposal := advisor.propose("worker", len(scores) + 1)) is not None:
        scores.append(score(proposal.knobs))
        advisor.feedback("worker", TrialResult(proposal, scores[-1]))
    return scores


def test_a_model_of_the_scores_beats_chance():
    knobs = {"x": FloatKnob(-1, 1), "y": FloatKnob(1e-6, 1, is_exp=True), "z": CategoricalKnob(["a", "b", "c"])}
    budget = {"MODEL_TRIAL_COUNT": 40, "TIME_HOURS": 9}

    def score(knobs):
        return -((knobs["x"] - 0.3) ** 2) - (math.log10(knobs["y"]) + 3) ** 2 / 9 - (knobs["z"] != "b")

    by_model, by_chance = (
        sum(max(searched(kind(knobs, budget, seed=seed), score)) for seed in range(4))
        for kind in (BayesAdvisor, RandomAdvisor)
    )
    assert by_model > by_chance / 2  # both are below 0


def test_architectures_evolve():
    target = list("abcdabcd")
    budget = {"MODEL_TRIAL_COUNT": 200, "TIME_HOURS": 9}

    def score(knobs):
        return float(sum(one == other for one, other in zip(knobs["cell"], target, strict=True)))

    knobs = {"cell": ENAS["cell"], "rate": FloatKnob(0, 1)}
    assert (
        max(searched(EvolutionAdvisor(knobs, budget), score)) >= 7 > max(searched(RandomAdvisor(knobs, budget), score))
    )


@pytest.mark.parametrize("knobs", [OPEN, SHARING, CHEAP, ENAS, {"x": FloatKnob(0, 1)}])
def test_an_advisor_that_is_made_anew_goes_on_as_if_nothing_had_been(knobs):
    budget = {"MODEL_TRIAL_COUNT": 18, "TIME_HOURS": 9}
    found = {}
    for again in (False, True):
        advisor = make_advisor(knobs, budget, clock=Clock())
        for number in range(1, 19):
            if again:
                memory = json.loads(json.dumps(advisor.to_jsonable()))
                advisor = make_advisor(knobs, budget, clock=Clock())
                advisor.restore(memory)
            proposal = advisor.propose("worker", number)
            if number % 5 == 0:
                advisor.failed(number)
            elif number % 4:  # others are still open
                advisor.feedback("worker", TrialResult(proposal, math.sin(number)))
            found.setdefault(again, []).append(proposal)
    assert found[False] == found[True]


# Policies


def test_the_best_of_cheap_trials_are_tried_in_full():
    advisor = make_advisor(CHEAP, {"MODEL_TRIAL_COUNT": 20, "TIME_HOURS": 9})
    found = []
    for number in range(1, 21):
        found.append(advisor.propose("worker", number).knobs)
        advisor.feedback("worker", TrialResult(advisor.tried[number].proposal, -abs(found[-1]["depth"] - 50)))
    assert all(knobs["stop"] and knobs["small"] and knobs["quick"] for knobs in found[:16])
    best = sorted(abs(depth - 50) for depth in {knobs["depth"] for knobs in found[:16]})[:4]
    assert [abs(knobs["depth"] - 50) for knobs in found[16:]] == best
    assert not any(knobs[name] for knobs in found[16:] for name in ("stop", "small", "quick", "share"))
    assert [is_cut_short(knobs, CHEAP) for knobs in found] == [True] * 16 + [False] * 4


def test_one_trial_is_in_full():
    [knobs] = [proposal.knobs for proposal in proposals(make_advisor(CHEAP, {"MODEL_TRIAL_COUNT": 1}))]
    assert not is_cut_short(knobs, CHEAP)


def test_some_train_and_others_are_evaluated_with_what_they_trained():
    advisor = make_advisor(ENAS, {"MODEL_TRIAL_COUNT": 30, "TIME_HOURS": 9})
    found = proposals(advisor)[:24]
    skipped = [proposal.trial_no for proposal in found if proposal.knobs["skip"]]
    assert skipped == [number for number in range(2, 25) if number % 6]
    assert [proposal.trial_no for proposal in found if proposal.to_cache_params] == [1, 6, 12, 18, 24]
    assert all(proposal.params_type is ParamsType.GLOBAL_RECENT for proposal in found[1:])
    assert all(proposal.knobs["share"] for proposal in found[1:])
    assert advisor.lender(ParamsType.GLOBAL_RECENT) == 24


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
