from __future__ import annotations

import collections
import enum
import math

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rapidfire_lab import metrics as metrics_module
from rapidfire_lab.configs import Config, normalise
from rapidfire_lab.configs.named_metrics import COLUMNS_OF_TESTS, RESERVED_METRICS
from rapidfire_lab.errors import SpecError
from rapidfire_lab.metrics import EpochMetrics, correct_predictions
from rapidfire_lab.worker.checkpoint import load_state, save_state
from rapidfire_lab.worker.hooks import Hooks

CFG = Config(normalise({"epochs": 1, "batch_size": 2, "optimizer": "SGD"}))


class Bare:
    """A spec without hooks for metrics."""


class Sums:
    def aggregate_metrics(self, metrics, cfg, mode):
        return {"total": metrics["x"].sum(), "count": len(metrics), "mode": float(mode == "train")}


def hooks(spec=Bare):
    return Hooks(spec, CFG)


def results(metrics, spec=Bare, mode="train"):
    return metrics.results(hooks(spec), mode)


def custom(*rows):
    metrics = EpochMetrics([])
    for row in rows:
        metrics.add_custom(row)
    return metrics


def stored(metrics, tmp_path, named=()):
    """The accumulator after a checkpoint."""
    save_state(tmp_path / "state.pt", metrics.to_plain())
    return EpochMetrics.from_plain(named, load_state(tmp_path / "state.pt"))


# Loss


def test_a_pass_without_minibatches_has_no_metrics():
    assert results(EpochMetrics([])) == {}
    assert math.isnan(results(EpochMetrics(["top1_accuracy"]))["top1_accuracy"])


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.integers(1, 1000)), min_size=1))
def test_the_loss_is_weighted_by_the_size_of_minibatches(minibatches):
    metrics = EpochMetrics([])
    for loss, examples in minibatches:
        metrics.add_loss(loss, examples)
    losses, examples = zip(*minibatches, strict=True)
    assert results(metrics)["loss"] == pytest.approx(np.average(losses, weights=examples), rel=1e-9, abs=1e-6)


# Named metrics


def naive_hits(scores, targets, k):
    """Hits by sorting, row by row, where no two scores are alike."""
    best = [sorted(range(len(row)), key=row.__getitem__, reverse=True)[:k] for row in scores]
    return sum(target in chosen for target, chosen in zip(targets, best, strict=True))


@st.composite
def classifications(draw):
    rows, classes = draw(st.integers(1, 12)), draw(st.integers(2, 7))
    scores = [draw(st.permutations(range(classes))) for _ in range(rows)]
    targets = draw(st.lists(st.integers(0, classes - 1), min_size=rows, max_size=rows))
    return scores, targets


@given(classifications(), st.sampled_from([torch.float32, torch.float64, torch.int64, torch.bfloat16]))
def test_accuracies_are_those_of_naive_counting(classification, dtype):
    scores, targets = classification
    logits = torch.tensor(scores, dtype=dtype)
    outputs = {"logits": logits, "predictions": logits.argmax(dim=1), "targets": torch.tensor(targets)}
    for k in range(1, logits.shape[1] + 1):
        hits, total = correct_predictions(f"top{k}_accuracy", outputs)
        assert int(hits) == naive_hits(scores, targets, k)
        assert total == len(targets)
        assert hits.dtype == torch.int64


@given(st.lists(classifications(), min_size=1, max_size=5))
def test_accuracies_of_a_pass_count_every_example_once(minibatches):
    metrics = EpochMetrics(["top1_accuracy", "top2_accuracy"])
    for scores, targets in minibatches:
        logits = torch.tensor(scores)
        metrics.add_outputs({"logits": logits, "predictions": logits.argmax(dim=1), "targets": torch.tensor(targets)})
    total = sum(len(targets) for _, targets in minibatches)
    assert results(metrics) == {
        f"top{k}_accuracy": sum(naive_hits(*minibatch, k) for minibatch in minibatches) / total for k in (1, 2)
    }


def test_predictions_may_have_several_dimensions():
    targets = torch.tensor([[1, 2, 0], [0, 0, 1]])
    logits = torch.nn.functional.one_hot(targets, 4).float()
    logits[0, 0] = torch.tensor([9.0, 1.0, 0.0, 0.0])
    outputs = {"logits": logits, "predictions": logits.argmax(dim=-1), "targets": targets}
    assert [int(value) for value in correct_predictions("top1_accuracy", outputs)] == [5, 6]
    assert [int(value) for value in correct_predictions("top2_accuracy", outputs)] == [6, 6]


def test_gradients_do_not_matter():
    logits = torch.eye(3, requires_grad=True)
    hits, _ = correct_predictions("top2_accuracy", {"logits": logits, "targets": torch.arange(3)})
    assert int(hits) == 3
    assert not hits.requires_grad


@pytest.mark.parametrize(
    ("metric", "outputs"),
    [
        ("top1_accuracy", {"logits": torch.eye(2), "targets": torch.arange(2)}),
        ("top1_accuracy", {"predictions": torch.arange(2), "labels": torch.arange(2)}),
        ("top1_accuracy", {"predictions": [0, 1], "targets": torch.arange(2)}),
        ("top5_accuracy", {"predictions": torch.arange(2), "targets": torch.arange(2)}),
        ("top5_accuracy", {}),
    ],
)
def test_missing_outputs_are_named_beside_those_there_are(metric, outputs):
    needed = "predictions" if metric == "top1_accuracy" else "logits"
    with pytest.raises(SpecError, match=f"{metric} needs the tensors '{needed}' and 'targets'") as caught:
        correct_predictions(metric, outputs)
    assert f"which returned {sorted(outputs)}" in str(caught.value)


@pytest.mark.parametrize(
    ("metric", "values", "targets"),
    [
        ("top1_accuracy", (4,), (3,)),
        ("top1_accuracy", (4, 1), (4,)),
        ("top1_accuracy", (1,), (4,)),
        ("top1_accuracy", (), (4,)),
        ("top1_accuracy", (4,), (4, 1)),
        ("top3_accuracy", (4, 5), (3,)),
        ("top3_accuracy", (1, 5), (4,)),
        ("top3_accuracy", (5,), (5,)),
        ("top3_accuracy", (4, 5), (4, 5)),
        ("top3_accuracy", (4, 2, 5), (4,)),
        ("top3_accuracy", (), ()),
    ],
)
def test_shapes_that_do_not_fit_are_named_and_never_broadcast(metric, values, targets):
    outputs = dict.fromkeys(("predictions", "logits"), torch.zeros(values)) | {"targets": torch.zeros(targets)}
    with pytest.raises(SpecError, match="must have the same leading shape") as caught:
        correct_predictions(metric, outputs)
    assert f"shape {values}" in str(caught.value)
    assert f"shape {targets}" in str(caught.value)


def test_more_places_than_classes_are_refused():
    with pytest.raises(SpecError, match="top5_accuracy needs at least 5 classes; 'logits' has 4"):
        correct_predictions("top5_accuracy", {"logits": torch.eye(4), "targets": torch.arange(4)})


# Custom metrics


def test_plain_numbers_are_given_back():
    given_back = EpochMetrics([]).add_custom(
        {
            "int": 3,
            "float": 0.5,
            "tensor": torch.tensor([[2.5]], requires_grad=True),
            "numpy": np.float32(1.5),
            "flag": np.True_,
            "text": "x",
            "vector": torch.ones(2),
            "list": [1],
            "nothing": None,
        }
    )
    assert given_back == {"int": 3.0, "float": 0.5, "tensor": 2.5, "numpy": 1.5, "flag": 1.0}
    assert {type(value) for value in given_back.values()} == {float}


def test_numbers_are_summed_where_nothing_else_is_asked_for():
    rows = [{"hits": 3, "loss_sum": 0.25, "text": "a"}, {"hits": torch.tensor(4), "loss_sum": 0.5, "text": "b"}]
    assert results(custom(*rows)) == {"hits": 7.0, "loss_sum": 0.75}
    assert results(custom({"seen": 1}, {"other": 2.0}, {})) == {"seen": 1.0, "other": 2.0}
    assert math.isnan(results(custom({"bad": math.nan}, {"bad": 1.0}))["bad"])


@pytest.mark.parametrize("name", [*RESERVED_METRICS, "top1_accuracy"])
def test_names_of_the_engines_own_metrics_are_refused(name):
    metrics = EpochMetrics(["top1_accuracy"])
    with pytest.raises(SpecError, match=f"compute_metrics gives a metric the name '{name}'"):
        metrics.add_custom({"x": 1, name: 2})
    spec = type("Spec", (), {"aggregate_metrics": lambda self, metrics: {name: 1.0}})
    metrics.add_custom({"x": 1, "top5_accuracy": 0})
    with pytest.raises(SpecError, match=f"aggregate_metrics gives a metric the name '{name}'"):
        results(metrics, spec)


@pytest.mark.parametrize("name", COLUMNS_OF_TESTS)
def test_columns_of_the_table_of_tests_are_refused_in_tests_alone(name):
    spec = type("Spec", (), {"aggregate_metrics": lambda self, metrics: {name: 1.0}})
    with pytest.raises(SpecError, match=f"aggregate_metrics gives a metric the name '{name}', which is a column"):
        results(custom({"x": 1}), spec, "test")
    with pytest.raises(SpecError, match=f"compute_metrics gives a metric the name '{name}', which is a column"):
        results(custom({name: 1}), mode="test")
    assert results(custom({name: 1, "x": 1}), Sums, "test")["total"] == 1.0
    for mode in ("train", "validation"):
        with pytest.warns(UserWarning, match=f"'{name}'.*run_test will refuse it"):
            assert results(custom({name: 2}), mode=mode) == {name: 2.0}


def test_aggregate_metrics_gets_a_table_of_minibatches():
    assert results(custom({"x": 1}, {"x": 2}), Sums) == {"total": 3.0, "count": 2.0, "mode": 1.0}
    assert results(custom({"x": 1}), Sums, "validation")["mode"] == 0.0
    assert results(EpochMetrics([]), Sums) == {}


def test_aggregate_metrics_sees_values_as_they_were_given():
    class Frames:
        def aggregate_metrics(self, metrics):
            assert isinstance(metrics, pd.DataFrame)
            assert list(metrics.columns) == ["vector", "pair", "name"]
            stacked = torch.stack(list(metrics["vector"]))
            return {"mean": stacked.mean(), "pairs": np.float64(metrics["pair"].map(sum).sum()), 5: True}

    rows = [{"vector": torch.tensor([1.0, 3.0]), "pair": (1, number), "name": "x"} for number in range(2)]
    assert results(custom(*rows), Frames) == {"mean": 2.0, "pairs": 3.0, "5": 1.0}


@pytest.mark.parametrize("value", ["text", None, [1.0], torch.ones(2), {"x": 1}])
def test_aggregate_metrics_must_give_numbers(value):
    spec = type("Spec", (), {"aggregate_metrics": lambda self, metrics: {"mine": value}})
    with pytest.raises(SpecError, match=f"must give a number for 'mine', not {type(value).__name__}"):
        results(custom({"x": 1}), spec)


@pytest.mark.parametrize("value", [None, 3.0, [("x", 1.0)], pd.Series([1.0])])
def test_aggregate_metrics_must_give_a_dictionary(value):
    spec = type("Spec", (), {"aggregate_metrics": lambda self, metrics: value})
    with pytest.raises(SpecError, match=f"must return a dictionary, not {type(value).__name__}"):
        results(custom({"x": 1}), spec)


def test_what_user_code_does_to_its_values_afterwards_does_not_matter():
    tensor, array, numbers = torch.zeros(3), np.zeros(3), [0.0]
    metrics = custom({"tensor": tensor, "array": array, "nested": {"numbers": numbers, "tensor": (tensor,)}})
    tensor += 1
    array += 1
    numbers.append(1.0)
    [row] = metrics.to_plain()["rows"]
    assert not row["tensor"].any()
    assert not row["array"]["__ndarray__"].any()
    assert row["nested"]["numbers"] == [0.0]
    assert not row["nested"]["tensor"][0].any()


# Checkpoints


def same(one, other):
    """Whether two values are alike down to their types."""
    assert type(one) is type(other)
    if isinstance(one, torch.Tensor):
        assert one.dtype == other.dtype
        assert torch.equal(one, other)
    elif isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    elif isinstance(one, dict):
        assert list(one) == list(other)
        for key, value in one.items():
            same(value, other[key])
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other)
        for value, counterpart in zip(one, other, strict=True):
            same(value, counterpart)
    else:
        assert one == other or (one != one and other != other)  # noqa: PLR0124 - NaN


STORABLE = {
    "int": 2**70,
    "float": math.nan,
    "infinite": -math.inf,
    "bool": True,
    "text": "ünïcödé",
    "nothing": None,
    "numpy": np.float32(0.1),
    "scalar": torch.tensor(3),
    "vector": torch.arange(4, dtype=torch.bfloat16),
    "gradient": torch.ones(2, requires_grad=True) * 2,
    "transposed": torch.arange(6).reshape(2, 3).t(),
    "array": np.arange(6, dtype=np.float64).reshape(2, 3)[:, ::-1],
    "small": np.array(2.5, dtype=np.float16),
    "flags": np.array([True, False]),
    "unsigned": np.array([1, 2], dtype=np.uint16),
    "complex": np.array([1 + 2j]),
    "empty": np.empty((0, 3)),
    "list": [1, [2.0, "x"], (torch.ones(2), None)],
    "nested": {"a": {1: np.arange(3)}, (1, 2): [True]},
}


@pytest.mark.parametrize("name", list(STORABLE))
def test_custom_metrics_survive_a_checkpoint(name, tmp_path):
    metrics = custom({name: STORABLE[name], "x": 1.5}, {"x": 2.5})
    same(stored(metrics, tmp_path)._rows, metrics._rows)


def test_numpy_scalars_inside_containers_become_plain(tmp_path):
    metrics = custom({"x": [np.float64(0.5), np.int32(1), {np.int64(3): np.str_("a")}]})
    same(stored(metrics, tmp_path)._rows, [{"x": [0.5, 1, {3: "a"}]}])


def test_arrays_that_cannot_be_written_to_or_are_of_another_machine_survive(tmp_path):
    frozen, foreign = np.arange(3), np.arange(3, dtype=">f4")
    frozen.flags.writeable = False
    [row] = stored(custom({"frozen": frozen, "foreign": foreign}), tmp_path)._rows
    np.testing.assert_array_equal(row["frozen"], frozen)
    np.testing.assert_array_equal(row["foreign"], foreign)


@given(
    st.lists(
        st.dictionaries(
            st.text(max_size=3),
            st.recursive(
                st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
                lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
                max_leaves=5,
            ),
            max_size=3,
        ),
        max_size=3,
    )
)
def test_any_plain_data_survive_a_checkpoint(tmp_path_factory, rows):
    metrics = custom(*rows)
    same(stored(metrics, tmp_path_factory.mktemp("state"))._rows, metrics._rows)


class Colour(enum.IntEnum):
    RED = 1


Point = collections.namedtuple("Point", "x y")  # noqa: PYI024 - as users write it


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (object(), "object"),
        ({1, 2}, "set"),
        (b"bytes", "bytes"),
        (1j, "complex"),
        (Colour.RED, "Colour"),
        (Point(1, 2), "Point"),
        (collections.Counter("ab"), "Counter"),
        (np.array(["a"]), "ndarray of <U1"),
        (np.array([None]), "ndarray of object"),
        (np.longdouble(1), "longdouble"),
        (np.datetime64("2024-01-01"), "date"),
        (pd.Series([1.0]), "Series"),
        ([1, {"deep": {3}}], "set"),
        ({Colour.RED: 1}, "Colour"),
    ],
)
def test_what_a_checkpoint_cannot_hold_is_refused_by_name(value, kind):
    with pytest.raises(SpecError, match=f"compute_metrics gave a {kind} for 'mine'"):
        custom({"fine": 1, "mine": value}).to_plain()


@given(st.integers(0, 5), st.integers(0, 5))
def test_a_pass_goes_on_after_a_checkpoint_as_if_there_had_been_none(tmp_path_factory, before, after):
    named = ["top1_accuracy", "top2_accuracy"]
    whole, first = EpochMetrics(named), EpochMetrics(named)
    generator = torch.Generator().manual_seed(before * 10 + after)

    def add(*accumulators):
        logits = torch.rand(4, 3, generator=generator)
        outputs = {"logits": logits, "predictions": logits.argmax(dim=1), "targets": torch.arange(4) % 3}
        for metrics in accumulators:
            metrics.add_loss(float(logits.sum()), 4)
            metrics.add_outputs(outputs)
            metrics.add_custom({"x": logits.max(), "vector": logits[0]})

    for _ in range(before):
        add(whole, first)
    second = stored(first, tmp_path_factory.mktemp("state"), named)
    for _ in range(after):
        add(whole, second)
    same(second.to_plain(), whole.to_plain())
    assert before + after == 0 or results(second) == results(whole)


@pytest.mark.parametrize("count", [0, 1, 31, 32, 100])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_losses_that_are_read_late_add_up_to_the_same(monkeypatch, count, dtype):
    losses = torch.rand(count, generator=torch.Generator().manual_seed(count)).to(dtype)
    at_once, late = EpochMetrics([]), EpochMetrics([])
    for number, loss in enumerate(losses):
        at_once.add_loss(float(loss), 3 + number % 2)
    place = torch.zeros(1, dtype=dtype)
    with monkeypatch.context() as patch:
        patch.setattr(metrics_module, "_is_read_late", lambda _: True)
        for number, loss in enumerate(losses):
            place.copy_(loss)
            late.add_loss(place, 3 + number % 2)
            assert len(late._late) < 32
    assert late.to_plain() == at_once.to_plain()


def test_a_pass_of_losses_that_are_read_late_is_added_in_order(monkeypatch):
    monkeypatch.setattr(metrics_module, "_is_read_late", lambda loss: loss.ndim == 0)
    whole, second = EpochMetrics([]), EpochMetrics([])
    whole.add_loss(torch.tensor(0.1), 1)
    second.add_loss(torch.tensor(0.2), 2)
    whole.add_pass(second)
    expected = EpochMetrics([])
    expected.add_loss(float(torch.tensor(0.1)), 1)
    expected.add_loss(float(torch.tensor(0.2)), 2)
    assert whole.to_plain() == expected.to_plain()
