"""Runs that are trained as one model end where they end alone, within rounding; what cannot be fused is left alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from rapidfire_lab.configs import normalise
from rapidfire_lab.data import Partition
from rapidfire_lab.worker.fused import LEAST_GAIN, Calibration, FusedRuns, FusionMemory
from rapidfire_lab.worker.rng import RngState
from rapidfire_lab.worker.stacked import StackedRuns
from rapidfire_lab.worker.structure import NotFusibleError, structure_of
from rapidfire_lab.worker.training import RunPlan, TrainingRun
from tests.fused import specs

RELATIVE = 1e-6
ROWS = 70
STEPS = 5  # of 16 rows each; the last has 6


class Known(Calibration):
    """A calibration that has been made, or that goes one way alone."""

    def __init__(self, gain):
        super().__init__()
        self.gain = gain


@pytest.fixture(autouse=True)
def generators_kept():
    before = RngState.capture()
    yield
    before.restore()


@pytest.fixture(scope="module")
def partitions():
    generator = np.random.default_rng(3)
    made = {}
    for mode, rows in (("train", ROWS), ("validation", 30)):
        points = generator.normal(size=(rows, 2))
        labels = (points.prod(axis=1) > 0).astype(int)
        table = pd.DataFrame({"id": range(rows), "x": points[:, 0], "y": points[:, 1], "label": labels})
        made[mode] = Partition(pa.Table.from_pandas(table, preserve_index=False))
    return made


@pytest.fixture
def make(partitions):
    def make_run(spec, lr=0.1, optimizer="SGD", epochs=2, width=4, seed=5, train=None, **knobs):
        config = {
            "train": {
                "epochs": epochs,
                "batch_size": 16,
                "optimizer": {"name": optimizer, "args": {"lr": lr}},
                **(train or {}),
            },
            "user_knobs": {"width": width, **knobs},
            "named_metrics": [],
        }
        plan = RunPlan(config=normalise(config), seed=seed, epochs=epochs, misc_path=None, partitions=partitions)
        return TrainingRun(plan, spec, torch.device("cpu"))

    return make_run


def fuse(runs, to_step=10, keep_going=lambda: True, calibration=None):
    fused = FusedRuns(runs, calibration or Known(9.0), is_checked=False)
    return fused.train(to_step, keep_going)


def assert_alike(run, other):
    """Weights, losses and metrics of two runs are the same within what the product promises."""
    assert run.step == other.step
    for name, value in other.weights().items():
        deviation = (run.weights()[name].double() - value.double()).norm()
        assert deviation <= RELATIVE * value.double().norm(), (name, deviation)
    points, others = ([(p.name, p.per, p.step, p.epoch) for p in r.report.points] for r in (run, other))
    assert points == others
    np.testing.assert_allclose(
        [point.value for point in run.report.points], [point.value for point in other.report.points], rtol=5e-6
    )


def alone(run, to_step=10):
    run.train(to_step, lambda: True)
    return run


@pytest.mark.parametrize("spec", [specs.Points, specs.Tied, specs.Convolved])
@pytest.mark.parametrize("optimizer", ["SGD", "AdamW"])
def test_fused_runs_end_where_they_end_alone(make, spec, optimizer):
    rates = (0.1, 0.03, 0.01)
    runs = [make(spec, lr, optimizer) for lr in rates]
    assert fuse(runs) == ["finished"] * 3
    for run, lr in zip(runs, rates, strict=True):
        assert run.is_complete
        assert_alike(run, alone(make(spec, lr, optimizer)))


def test_runs_that_differ_in_all_that_is_not_the_model(make):
    """Optimizers, schedulers and clipping are each run's own; minibatches are, where a knob changes the rows."""
    step_lr = {"name": "StepLR", "args": {"step_size": 1, "gamma": 0.5}}
    kinds = [
        {"optimizer": "SGD", "scale": 1.0, "train": {"gradient_clip_norm": 0.01}},
        {"optimizer": "AdamW", "scale": 2.0, "train": {"lr_scheduler": step_lr}},
        {"optimizer": "Adagrad", "scale": 0.5},
    ]
    runs = [make(specs.Scaled, **kind) for kind in kinds]
    fuse(runs)
    for run, kind in zip(runs, kinds, strict=True):
        assert_alike(run, alone(make(specs.Scaled, **kind)))


@pytest.mark.parametrize("calibration", [Calibration, lambda: Known(9.0)])
@pytest.mark.parametrize("stops", [(3, 10), (1, 2, 4, 7, 10)])
def test_accumulated_gradients_over_leases(make, stops, calibration):
    train = {"gradient_accumulation_steps": 2}
    runs = [make(specs.Points, lr, train=train) for lr in (0.1, 0.01)]
    kept = calibration()
    for stop in stops:
        for run in runs:
            state, weights = run.state(), {name: value.clone() for name, value in run.weights().items()}
            assert all(gradient.untyped_storage().size() == gradient.nbytes for gradient in state["gradients"].values())
            run.restore(weights, state)
        if getattr(kept, "gain", None) is not None and kept.is_too_slow:
            kept = Known(9.0)  # the machine is what it is: this is about gradients
        while runs[0].step < stop:
            fuse(runs, stop, calibration=kept)
            if kept.is_too_slow:
                kept = Known(9.0)
    for run, lr in zip(runs, (0.1, 0.01), strict=True):
        assert_alike(run, alone(make(specs.Points, lr, train=train)))


def test_a_run_goes_on_alone_where_it_was_fused(make):
    runs = [make(specs.Points, lr) for lr in (0.1, 0.01)]
    assert fuse(runs, 4) == ["reached", "reached"]
    for run in runs:
        parameters = list(run.model.parameters())
        assert all(value.untyped_storage().size() == value.nbytes for value in (*parameters, *run.model.buffers()))
        assert {id(value) for group in run.optimizer.param_groups for value in group["params"]} == set(
            map(id, parameters)
        )
    assert_alike(alone(runs[1]), alone(make(specs.Points, 0.01)))


def test_all_end_when_one_is_to_stop(make):
    runs = [make(specs.Points, lr) for lr in (0.1, 0.01)]
    asked = iter([True, True, False])
    assert fuse(runs, keep_going=lambda: next(asked)) == ["preempted", "preempted"]
    assert [run.step for run in runs] == [2, 2]


def test_a_stop_in_validation_leaves_the_others_whole(make):
    runs = [make(specs.Points, lr) for lr in (0.1, 0.01)]
    calls = iter([*[True] * STEPS, True, True, False])  # steps, the first run's validation of two minibatches
    assert fuse(runs, keep_going=lambda: next(calls)) == ["preempted", "preempted"]
    assert [(run.completed_epochs, run.is_at_epoch_end) for run in runs] == [(1, False), (0, True)]
    assert fuse(runs) == ["finished", "finished"]
    for run, lr in zip(runs, (0.1, 0.01), strict=True):
        assert_alike(run, alone(make(specs.Points, lr)))


def test_one_that_has_converged_ends_and_the_others_are_to_go_on(make):
    class Converging(specs.Points):
        def has_converged(self, val_metrics, epoch, cfg):
            return cfg["lr_of_interest"] == 0.1

    runs = [make(Converging, lr, lr_of_interest=lr) for lr in (0.1, 0.01)]
    assert fuse(runs) == ["converged", "preempted"]
    assert [run.step for run in runs] == [STEPS, STEPS]


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (specs.Dropped, "random"),
        (specs.Noisy, "random"),
        (specs.Branching, "several models at once"),
        (specs.Counting, "state of their own"),
        (specs.Averaging, "in the place of its buffers"),
    ],
)
def test_what_cannot_be_fused_is_refused_and_left_as_it_was(make, spec, reason):
    runs = [make(spec, lr) for lr in (0.1, 0.01)]
    with pytest.raises(NotFusibleError, match=reason):
        fuse(runs)
    for run, lr in zip(runs, (0.1, 0.01), strict=True):
        fresh = alone(make(spec, lr))
        alone(run)
        assert all(torch.equal(value, fresh.weights()[name]) for name, value in run.weights().items())


def test_a_loss_that_depends_on_a_knob_is_refused_where_runs_differ_in_it(make):
    same = [make(specs.Smoothed, lr, smoothing=0.1) for lr in (0.1, 0.01)]
    assert fuse(same) == ["finished", "finished"]
    with pytest.raises(NotFusibleError, match="knobs that differ"):
        fuse([make(specs.Smoothed, smoothing=value) for value in (0.0, 0.1)])


def test_a_loss_that_is_not_finite_is_an_error(make):
    runs = [make(specs.Points, lr, optimizer="SGD") for lr in (0.1, 1e30)]
    with pytest.raises(Exception, match="loss became"):
        fuse(runs)


# Structure


def test_structures_differ_with_shapes_attributes_and_code(make):
    structure = structure_of(make(specs.Points))
    assert structure == structure_of(make(specs.Points, lr=0.5, optimizer="AdamW", scale=3))
    assert structure != structure_of(make(specs.Points, width=5))
    assert structure != structure_of(make(specs.Points, train={"gradient_accumulation_steps": 2}))
    other = make(specs.Points)
    other.model[1].eps = 0.1
    assert structure != structure_of(other)
    other = make(specs.Points)
    other.hooks.spec.temperature = 2.0
    assert structure != structure_of(other)


def test_compiled_models_are_refused(make):
    class Compiled(specs.Points):
        def create_model(self, cfg):
            return torch.compile(super().create_model(cfg), backend="eager")

    with pytest.raises(NotFusibleError, match="compiled"):
        structure_of(make(Compiled))


def test_lower_precision_and_modules_with_hooks_are_refused(make):
    with pytest.raises(NotFusibleError, match="bf16"):
        structure_of(make(specs.Points, train={"precision": "bf16"}))
    run = make(specs.Points)
    run.model[0].register_forward_hook(lambda *_: None)
    with pytest.raises(NotFusibleError, match="hooks"):
        structure_of(run)


# What is faster


def test_a_calibration_takes_both_paths_in_turns_and_compares_the_shortest():
    calibration = Calibration()
    taken = []
    while calibration.gain is None:
        taken.append(calibration.next_is_fused)
        slow = 100.0 if len(taken) <= 2 else 0.0  # the first of either is no measure
        calibration.saw(slow + (1.0 if taken[-1] else 3.0), fused=taken[-1])
    assert taken.count(True) == taken.count(False) == 6
    assert calibration.gain == 3.0
    assert calibration.next_is_fused
    assert not calibration.is_too_slow
    assert Known(LEAST_GAIN - 0.01).is_too_slow


def test_a_lease_ends_where_fusing_does_not_pay(make):
    runs = [make(specs.Points, lr) for lr in (0.1, 0.01)]
    assert fuse(runs, calibration=Known(1.0)) == ["preempted", "preempted"]
    assert [run.step for run in runs] == [0, 0]


def test_calibrating_trains_every_minibatch_once(make):
    runs = [make(specs.Points, lr, epochs=4) for lr in (0.1, 0.01)]
    fuse(runs, 20, calibration=Calibration())
    for run, lr in zip(runs, (0.1, 0.01), strict=True):
        assert_alike(alone(run, 20), alone(make(specs.Points, lr, epochs=4), 20))


def test_what_was_checked_holds_for_fewer_runs():
    memory = FusionMemory()
    memory.checked(frozenset({1, 2, 3}))
    assert memory.is_checked(frozenset({1, 3}))
    assert not memory.is_checked(frozenset({1, 4}))
    assert memory.calibration(1, "a", 2) is memory.calibration(1, "a", 2)
    others = {memory.calibration(*key) for key in [(1, "a", 3), (1, "b", 2), (2, "a", 2)]}
    assert memory.calibration(1, "a", 2) not in others


def test_stacks_are_taken_apart_after_an_error(make):
    runs = [make(specs.Points) for _ in range(2)]
    with pytest.raises(KeyError), StackedRuns(runs):
        raise KeyError
    values = list(runs[0].model.parameters())
    assert all(value.untyped_storage().size() == value.nbytes for value in values)
