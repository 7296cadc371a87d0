"""What halving makes of a budget of epochs that is left when all configs have been tried."""

from __future__ import annotations

import json

import pytest

from rapidfire_lab.search import ASHA, Hyperband, SuccessiveHalving
from rapidfire_lab.search.conductor import Start
from tests.search.curves import EPOCHS, RUNS, SPACE, accuracies, play, play_definition, settle

MAXIMUM = {"metric": "val_accuracy", "mode": "max"}
KINDS = [ASHA, SuccessiveHalving, Hyperband]
ALL = RUNS * EPOCHS


def lengths(went):
    return sorted(map(len, went.results.values()))


def with_budget(search, epochs, **options):
    seed = options.pop("curves", 1)
    return play_definition({**settle(search), "budget": {"epochs": epochs}}, accuracies(seed), **options)


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_spent_while_it_can_bring_another_run_to_its_end(kind):
    search = kind(SPACE, RUNS, **MAXIMUM)
    for seed in range(10):
        plain = play(search, accuracies(seed))
        for budget in (plain.epochs, plain.epochs + 50, plain.epochs + 200):
            went = with_budget(search, budget, curves=seed)
            assert went.over == "done", "what was left has kept nobody from going on who was to"
            assert plain.epochs <= went.epochs <= budget
            nearest = max(length for length in lengths(went) if length < EPOCHS)
            assert went.epochs + EPOCHS - nearest > budget
            assert lengths(went).count(EPOCHS) >= lengths(plain).count(EPOCHS)


@pytest.mark.parametrize("kind", KINDS)
def test_all_run_to_their_end_when_there_is_enough_and_none_starts_twice(kind):
    went = with_budget(kind(SPACE, RUNS, **MAXIMUM), 2 * ALL)
    assert lengths(went) == [EPOCHS] * RUNS
    assert went.epochs == ALL
    assert went.over == "done"
    assert sum(isinstance(decision, Start) for decision in went.log) == RUNS


def test_the_next_best_go_on_as_though_fewer_were_dropped():
    """Nine runs whose order is known from the first epoch: one in three goes on, then whoever comes next."""
    search = ASHA({**SPACE, "epochs": 9}, 9, concurrency=1, **MAXIMUM)
    order = [4, 0, 7, 2, 8, 1, 6, 3, 5]  # the best first

    def ranked(trial, config):
        return [1 - order.index(trial) / 10] * 9

    def played(epochs):
        definition = {**settle(search), "budget": {"epochs": epochs}}
        return [len(play_definition(definition, ranked).results[trial]) for trial in order]

    plain = [len(play(search, ranked).results[trial]) for trial in order]
    cost = sum(plain)
    assert plain[0] == 9
    assert played(cost) == plain
    for more in range(9 * 9 - cost + 1):
        assert played(cost + more) == sorted(played(cost + more), reverse=True)
    assert played(cost + 8)[:3] > plain[:3]
    assert played(9 * 9) == [9] * 9


def test_one_that_is_better_than_it_looked_is_found():
    """The best after all epochs is the fourth of nine after the first."""
    search = ASHA({**SPACE, "epochs": 9}, 9, concurrency=2, **MAXIMUM)

    def curve(trial, config):
        return [0.5 - trial / 100] + [0.9 if trial == 3 else 0.5 - trial / 100] * 8

    plain = play(search, curve)
    assert len(plain.results[3]) == 1
    went = play_definition({**settle(search), "budget": {"epochs": plain.epochs + 8}}, curve)
    assert went.best(9, sign=-1) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_neither_deaths_nor_slots_nor_speed_change_what_is_spent_on_whom(kind):
    search = kind(SPACE, RUNS, **MAXIMUM)
    plain = with_budget(search, 300)
    for slots in (1, 3):
        other = with_budget(search, 300, slots=slots, speed=lambda trial: 1.0 + trial % 5, anew=True)
        assert other.log == plain.log
        assert other.results == plain.results
        assert json.dumps(other.state, sort_keys=True) == json.dumps(plain.state, sort_keys=True)


def test_slots_that_would_be_idle_at_the_end_are_busy():
    """Two slots and enough to do: nobody waits for the last run of the regular ones."""
    for seed in range(5):
        went = with_budget(ASHA(SPACE, RUNS, **MAXIMUM), 400, curves=seed)
        assert went.epochs / (2 * went.seconds) > 0.9


def test_seconds_are_a_limit_and_nothing_more():
    search = ASHA(SPACE, RUNS, **MAXIMUM)
    plain = play(search, accuracies(1))
    went = play(ASHA(SPACE, RUNS, budget={"seconds": 10_000}, **MAXIMUM), accuracies(1))
    assert went.results == plain.results
    assert went.over == "done"
