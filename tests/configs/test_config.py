from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest
from hypothesis import given

from rapidfire_lab.configs import Config, normalise

from .sample_configs import nested, train_sections, user_knobs


@pytest.fixture
def cfg() -> Config:
    config = nested({"model": "cnn", "sizes": [1, [2]], "deep": {"a": 1}}, lr_scheduler="StepLR")
    return Config(normalise({**config, "named_metrics": ["top1_accuracy"]}))


def test_training_knobs_stand_in_their_section_and_at_top_level(cfg: Config) -> None:
    assert cfg["epochs"] == cfg["train"]["epochs"] == 2
    assert cfg["optimizer"]["args"]["lr"] == cfg["train"]["optimizer"]["args"]["lr"] == 0.1


def test_user_knobs_stand_in_their_section_and_at_top_level(cfg: Config) -> None:
    assert cfg["model"] == cfg["user_knobs"]["model"] == "cnn"
    assert cfg["named_metrics"] == ["top1_accuracy"]
    assert cfg["fsdp_layer_cls"] == []


@pytest.mark.parametrize(
    "statement",
    [
        "cfg['model'] = 1",
        "cfg['new'] = 1",
        "del cfg['model']",
        "cfg.pop('model')",
        "cfg.popitem()",
        "cfg.clear()",
        "cfg.update(model=1)",
        "cfg.setdefault('new', 1)",
        "cfg.__ior__({})",
        "cfg['train']['epochs'] = 9",
        "cfg['optimizer']['args'].update(lr=9)",
        "cfg['user_knobs']['deep']['a'] = 9",
        "cfg['sizes'].append(1)",
        "cfg['sizes'][1][0] = 9",
        "cfg['sizes'].__iadd__([1])",
        "cfg['sizes'].sort()",
        "del cfg['sizes'][0]",
    ],
)
def test_nothing_in_it_can_be_changed(cfg: Config, statement: str) -> None:
    before = cfg.canonical()
    with pytest.raises(TypeError, match="configs are read-only: clone the run with changes instead"):
        exec(statement, {"cfg": cfg})
    assert cfg.canonical() == before


def test_a_missing_key_is_named_with_the_known_ones(cfg: Config) -> None:
    with pytest.raises(KeyError, match=r"no 'modle'; did you mean 'model'"):
        cfg["modle"]
    with pytest.raises(KeyError, match=r"no 'zzz'; known: epochs,.* model, sizes"):
        cfg["zzz"]
    with pytest.raises(KeyError, match="no 'b'; known: a"):
        cfg["deep"]["b"]
    assert cfg.get("zzz", 3) == 3
    assert "zzz" not in cfg


def test_copies_can_be_changed(cfg: Config) -> None:
    plain = cfg.copy()
    plain["deep"]["a"] = plain["sizes"][1][0] = 9
    shallow = dict(cfg)
    shallow["model"] = "mlp"
    assert (type(plain), type(plain["deep"]), type(plain["sizes"])) == (dict, dict, list)
    assert (cfg["deep"]["a"], cfg["sizes"], cfg["model"]) == (1, [1, [2]], "cnn")


def test_lists_and_dicts_join_like_plain_ones(cfg: Config) -> None:
    assert cfg["sizes"] + [3] == [1, [2], 3]
    assert isinstance(cfg["sizes"], list)
    assert (cfg | {"model": "mlp"})["model"] == "mlp"


@given(train_sections, user_knobs)
def test_it_gives_back_the_canonical_dict(section: dict[str, Any], knobs: dict[str, Any]) -> None:
    canonical = normalise({"train": section, "user_knobs": knobs})
    assert Config(canonical).canonical() == canonical


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda cfg: pickle.loads(pickle.dumps(cfg))])
def test_it_survives_copying_and_pickling_as_itself(cfg: Config, duplicate: Any) -> None:
    twin = duplicate(cfg)
    assert type(twin) is Config
    assert twin == cfg
    assert twin.canonical() == cfg.canonical()
    assert duplicate(cfg["optimizer"]) == cfg["optimizer"]
    assert duplicate(cfg["sizes"]) == [1, [2]]


def test_one_made_from_another_is_the_same(cfg: Config) -> None:
    assert Config(cfg).canonical() == cfg.canonical()


def test_it_is_json_ready(cfg: Config) -> None:
    assert json.loads(json.dumps(cfg)) == cfg
