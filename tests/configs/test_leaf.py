from __future__ import annotations

import enum
import json
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given

from rapidfire_lab.configs import Config, GridSearch, List, Range, normalise
from rapidfire_lab.errors import ConfigError

from .sample_configs import nested, train, train_sections, user_knobs

Path = tuple[str, ...]


class Layer:
    class Inner:
        pass


class Size(int, enum.Enum):
    SMALL = 4


def test_defaults_are_written_out() -> None:
    assert normalise({"train": train()}) == {
        "train": {
            "epochs": 2,
            "batch_size": 8,
            "optimizer": {"name": "SGD", "args": {"lr": 0.1}},
            "lr_scheduler": None,
            "gradient_accumulation_steps": 1,
            "gradient_clip_norm": None,
            "precision": "fp32",
        },
        "user_knobs": {},
        "named_metrics": [],
        "fsdp_layer_cls": [],
    }


def test_a_class_name_is_short_for_one_without_arguments() -> None:
    canonical = normalise(nested(optimizer="AdamW", lr_scheduler="ReduceLROnPlateau"))["train"]
    assert canonical["optimizer"] == {"name": "AdamW", "args": {}}
    assert canonical["lr_scheduler"] == {"name": "ReduceLROnPlateau", "args": {}, "interval": "epoch"}


@given(train_sections, user_knobs)
def test_flat_and_nested_mean_the_same(section: dict[str, Any], knobs: dict[str, Any]) -> None:
    expected = normalise({"train": section, "user_knobs": knobs, "named_metrics": ["top1_accuracy"]})
    assert normalise({**section, **knobs, "named_metrics": ["top1_accuracy"]}) == expected
    assert normalise({**section, "user_knobs": knobs, "named_metrics": ["top1_accuracy"]}) == expected


@given(train_sections, user_knobs)
def test_the_canonical_form_is_its_own_canonical_form(section: dict[str, Any], knobs: dict[str, Any]) -> None:
    canonical = normalise({"train": section, "user_knobs": knobs})
    assert normalise(canonical) == canonical
    assert normalise(Config(canonical)) == canonical
    assert json.loads(json.dumps(canonical)) == canonical


def test_the_result_shares_nothing_with_the_input() -> None:
    config = nested({"sizes": [1]})
    canonical = normalise(config)
    canonical["user_knobs"]["sizes"].append(2)
    canonical["train"]["optimizer"]["args"]["lr"] = 5
    assert config == nested({"sizes": [1]})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),  # noqa: FBT003
        (np.str_("a"), "a"),
        (np.array(2), 2),
        ((1, (2, np.int8(3))), [1, [2, 3]]),
        (Size.SMALL, 4),
        ({np.str_("a"): np.float64(1)}, {"a": 1.0}),
    ],
)
def test_values_become_plain_python(value: Any, expected: Any) -> None:
    given_back = normalise(nested({"x": value}))["user_knobs"]["x"]
    assert given_back == expected
    assert type(given_back) is type(expected)


def test_numpy_integers_count_as_integers() -> None:
    canonical = normalise(nested(epochs=np.int32(3), gradient_clip_norm=np.float32(1)))["train"]
    assert type(canonical["epochs"]) is int
    assert type(canonical["gradient_clip_norm"]) is float


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "'train.epochs' must be a whole number of 1 or more, not 0"),
        ({"epochs": 2.0}, r"'train\.epochs' must be a whole number of 1 or more, not 2\.0 \(float\)"),
        ({"epochs": True}, r"'train\.epochs' must be a whole number of 1 or more, not True \(bool\)"),
        ({"batch_size": "8"}, r"'train\.batch_size' must be a whole number"),
        ({"gradient_accumulation_steps": None}, r"'train\.gradient_accumulation_steps' must be a whole"),
        ({"gradient_clip_norm": 0}, r"'train\.gradient_clip_norm' must be a number above 0, or None"),
        ({"gradient_clip_norm": True}, r"'train\.gradient_clip_norm' must be a number above 0, or None"),
        ({"precision": "fp8"}, r"'train\.precision' must be one of 'fp32', 'bf16', 'fp16', not 'fp8'"),
        ({"precision": 16}, r"'train\.precision' must be one of"),
        ({"optimizer": None}, r"'train\.optimizer' must be a dict or a class name.*\"name\": \"AdamW\""),
        ({"optimizer": ""}, r"'train\.optimizer\.name' must be a class name"),
        ({"optimizer": {"args": {}}}, r"lacks 'train\.optimizer\.name': write"),
        ({"optimizer": {"name": 3}}, r"'train\.optimizer\.name' must be a class name, not 3"),
        ({"optimizer": torch.optim.SGD}, r"'train\.optimizer' is of type type.*write its name, 'SGD'"),
        ({"optimizer": {"name": torch.optim.SGD}}, r"'train\.optimizer\.name' is of type type.*'SGD'"),
        ({"optimizer": {"name": "SGD", "args": [1]}}, r"'train\.optimizer\.args' must be a dict"),
        ({"optimizer": {"name": "SGD", "lr": 1}}, r"'train\.optimizer\.lr'.*under 'train\.optimizer\.args'"),
        ({"optimizer": {"name": "SGD", "arg": {}}}, r"'train\.optimizer\.arg'.*did you mean 'args'\?"),
        ({"lr_scheduler": 3}, r"'train\.lr_scheduler' must be a dict or a class name"),
        ({"lr_scheduler": {"args": {}}}, r"lacks 'train\.lr_scheduler\.name'"),
        (
            {"lr_scheduler": {"name": "StepLR", "interval": "batch"}},
            r"'train\.lr_scheduler\.interval' must be one of 'epoch', 'step', not 'batch'",
        ),
        ({"epoch": 3}, r"'train\.epoch' is no training key \(did you mean 'epochs'\?\).*under 'user_knobs'"),
        ({"zzz": 3}, r"'train\.zzz' is no training key \(known: epochs, batch_size,"),
    ],
)
def test_errors_in_train_name_the_key(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        normalise(nested(**changes))
    if not {"epoch", "zzz"} & set(changes):
        with pytest.raises(ConfigError, match=message):
            normalise(train(**changes))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (3, r"a config must be a dict, not 3 \(int\)"),
        ({}, r"lacks 'train\.epochs' \(write 'epochs': 5\), 'train\.batch_size'.*'train\.optimizer'"),
        ({"train": {"epochs": 1}}, r"lacks 'train\.batch_size' .*'train\.optimizer'"),
        ({"train": None}, "'train' must be a dict, not None"),
        ({"train": [1]}, "'train' must be a dict"),
        ({**nested(), "user_knobs": [1]}, "'user_knobs' must be a dict"),
        ({**nested(), "model": "x"}, "'model' stands at top level beside 'train': put it under 'user_knobs'"),
        ({**nested(), "epochs": 3}, "'epochs' stands at top level beside 'train': put it under 'train'"),
        (nested({"epochs": 3}), r"'user_knobs\.epochs' has the name of a training key: rename"),
        (nested({"train": {}}), r"'user_knobs\.train' has the name of a section of the config"),
        (train(user_knobs={"precision": 1}), r"'user_knobs\.precision' has the name of a training key"),
        (train(a=1, user_knobs={"a": 1}), "'a' stands at top level and under 'user_knobs': keep one"),
        (train(lr_schedular="StepLR"), "'lr_schedular' looks like the training key 'lr_scheduler'"),
        ({"epochs": 1, "optimizer": "SGD", "batch": 2}, r"lacks 'train\.batch_size'.*is 'batch' meant to be"),
        (
            nested({"x": {"y": [1, object()]}}),
            r"'user_knobs\.x\.y\[1\]' is of type object.*look it up in your MLSpec",
        ),
        (nested({"f": len}), r"'user_knobs\.f' is of type builtin_function_or_method.*pass a string"),
        (nested({"s": {1, 2}}), r"'user_knobs\.s' is of type set.*write a list"),
        (nested({"a": np.zeros(3)}), r"'user_knobs\.a' is of type ndarray.*write value\.tolist\(\)"),
        (nested({"a": torch.tensor(1.0)}), r"'user_knobs\.a' is of type Tensor.*write value\.tolist\(\)"),
        (nested({"d": {1: 2}}), r"'user_knobs\.d' has the key 1 \(int\).*write '1'"),
        (nested({"x": float("nan")}), r"'user_knobs\.x' is nan"),
        (nested(optimizer={"name": "SGD", "args": {"lr": np.inf}}), r"'train\.optimizer\.args\.lr' is inf"),
        (
            nested(epochs=List([1, 2])),
            r"'train\.epochs' holds a List: wrap .*GridSearch\(config\) or RandomSearch",
        ),
        (nested({"x": [Range(1, 2)]}), r"'user_knobs\.x\[0\]' holds a Range: wrap .*in RandomSearch\(config"),
        (train(epochs=List([1, 2])), r"'train\.epochs' holds a List"),
        ({"train": List([train()])}, "'train' holds a List"),
        ({**nested(), "user_knobs": List([{}])}, "'user_knobs' holds a List"),
        ({**nested(), "named_metrics": List([[]])}, "'named_metrics' holds a List"),
        ({**nested(), "fsdp_layer_cls": List([{Layer}])}, "'fsdp_layer_cls' holds a List"),
        ({**nested(), "fsdp_layer_cls": Layer}, r"'fsdp_layer_cls' must be a set of classes like \{Layer\}"),
        ({**nested(), "fsdp_layer_cls": "Layer"}, "'fsdp_layer_cls' must be a set of classes"),
        ({**nested(), "fsdp_layer_cls": [3]}, r"'fsdp_layer_cls' holds 3 \(int\)"),
    ],
)
def test_errors_name_the_key_and_the_remedy(config: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        normalise(config)


def test_optional_sections_may_be_none() -> None:
    config = {**nested(), "user_knobs": None, "named_metrics": None, "fsdp_layer_cls": None}
    assert normalise(config) == normalise(nested())


@pytest.mark.parametrize("collection", [set, frozenset, list, tuple])
def test_layer_classes_become_sorted_names(collection: Any) -> None:
    config = {**nested(), "fsdp_layer_cls": collection([Layer.Inner, Layer, "a.b:C"])}
    names = ["a.b:C", f"{__name__}:Layer", f"{__name__}:Layer.Inner"]
    assert normalise(config)["fsdp_layer_cls"] == sorted(names)


def test_a_group_accepts_layer_classes_as_a_knob() -> None:
    config = {**nested(), "fsdp_layer_cls": List([{Layer}, {Layer.Inner}])}
    names = [leaf["fsdp_layer_cls"] for leaf in GridSearch(config).leaves()]
    assert names == [[f"{__name__}:Layer"], [f"{__name__}:Layer.Inner"]]
