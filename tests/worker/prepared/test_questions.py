"""A recorded config reads like a config, and tells what was read."""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from rapidfire_lab.configs import Config, normalise
from rapidfire_lab.worker.prepared.questions import (
    A_MAPPING,
    ABSENT,
    EVERYTHING,
    Facts,
    RecordedConfig,
    Recorder,
    answer,
)

KNOBS = {"width": 8, "sizes": [1, 2], "net": {"depth": 3, "names": {"first": "a"}}}


def config(**changes):
    return Config(normalise({"epochs": 2, "batch_size": 4, "optimizer": "SGD", **KNOBS, **changes}))


def keywords(**all_of_them):
    return all_of_them


@pytest.fixture
def recorder():
    return Recorder()


@pytest.fixture
def cfg(recorder):
    made = RecordedConfig(config(), recorder)
    recorder.listens = True
    return made


@pytest.mark.parametrize(
    ("read", "asked"),
    [
        (lambda cfg: cfg["width"], {("value", ("width",))}),
        (lambda cfg: cfg.get("width"), {("value", ("width",))}),
        (lambda cfg: cfg.get("absent", 5), {("value", ("absent",))}),
        (lambda cfg: "absent" in cfg, {("value", ("absent",))}),
        (lambda cfg: 5 in cfg, set()),
        (lambda cfg: cfg["sizes"][0], {("value", ("sizes",))}),
        (lambda cfg: cfg["train"]["epochs"], {("value", ("train",)), ("value", ("train", "epochs"))}),
        (lambda cfg: "%(width)d" % cfg, {("value", ("width",))}),  # noqa: UP031 - another way to read
        ("{width}".format_map, {("value", ("width",))}),
        (lambda cfg: cfg["net"].items(), {("value", ("net",)), ("all", ("net",))}),
    ],
)
def test_single_reads_are_told_apart(cfg, recorder, read, asked):
    read(cfg)
    assert recorder.asked == asked


@pytest.mark.parametrize(
    "read",
    [
        dict,
        list,
        len,
        bool,
        repr,
        str,
        reversed,
        copy.copy,
        copy.deepcopy,
        pickle.dumps,
        json.dumps,
        lambda cfg: cfg.copy(),
        lambda cfg: cfg.canonical(),
        lambda cfg: cfg.keys(),
        lambda cfg: cfg.values(),
        lambda cfg: cfg.items(),
        lambda cfg: {**cfg},
        lambda cfg: keywords(**cfg),
        lambda cfg: cfg == {},
        lambda cfg: cfg != {},
        lambda cfg: cfg | {},
        lambda cfg: {} | cfg,
        lambda cfg: f"{cfg}",
    ],
)
def test_reading_more_than_a_value_is_reading_everything(cfg, recorder, read):
    read(cfg)
    assert EVERYTHING in recorder.asked


def test_it_reads_like_the_config(cfg):
    plain = config()
    assert isinstance(cfg, Config)
    assert cfg == plain
    assert plain == cfg
    assert repr(cfg) == repr(plain)
    assert json.dumps(cfg) == json.dumps(plain)
    assert list(cfg) == list(plain)
    assert dict(cfg) == dict(plain)
    assert cfg.canonical() == plain.canonical()
    assert cfg["net"] == plain["net"]
    assert cfg["net"].copy() == KNOBS["net"]
    assert cfg.get("absent", 5) == 5
    with pytest.raises(KeyError, match="did you mean 'width'"):
        cfg["widht"]
    with pytest.raises(TypeError, match="read-only"):
        cfg["width"] = 9
    with pytest.raises(TypeError, match="read-only"):
        cfg["net"]["depth"] = 9
    with pytest.raises(TypeError, match="unhashable"):
        hash(cfg)


def test_copies_are_plain_configs(cfg):
    for made in (pickle.loads(pickle.dumps(cfg)), copy.deepcopy(cfg)):
        assert type(made) is Config
        assert made == config()


def test_it_hears_nothing_while_it_does_not_listen(cfg, recorder):
    recorder.listens = False
    assert cfg["width"] == 8
    with recorder.listening():
        assert cfg["net"]["depth"] == 3
    assert cfg["sizes"] == [1, 2]
    assert recorder.asked == {("value", ("net",)), ("value", ("net", "depth"))}


def test_answers():
    cfg = config()
    assert answer(cfg, ("value", ("width",))) == "8"
    assert answer(cfg, ("value", ("net",))) == A_MAPPING
    assert answer(cfg, ("value", ("net", "names", "first"))) == '"a"'
    assert answer(cfg, ("value", ("width", "deeper"))) == ABSENT
    assert answer(cfg, ("value", ("absent",))) == ABSENT
    assert json.loads(answer(cfg, ("all", ("net",)))) == KNOBS["net"]
    assert answer(config(width=8.0), ("value", ("width",))) != "8"


def test_facts_hold_for_configs_that_answer_the_same():
    cfg = config()
    facts = Facts.of(cfg, {("value", ("width",)), ("value", ("augment",)), ("all", ("net",))})
    facts = Facts.from_plain(json.loads(json.dumps(facts.to_plain())))
    assert facts.hold_for(cfg)
    assert facts.hold_for(config(sizes=[3]))
    assert not facts.hold_for(config(width=9))
    assert not facts.hold_for(config(augment=False))
    assert not facts.hold_for(config(net={"names": {"first": "a"}, "depth": 3}))
    assert not Facts.of(cfg, {EVERYTHING}).hold_for(config(sizes=[3]))
