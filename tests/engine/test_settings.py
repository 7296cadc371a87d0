from __future__ import annotations

import json
import os
import sys

import psutil
import pytest

from rapidfire_lab.engine import settings as settings_module
from rapidfire_lab.engine.settings import (
    EngineSettings,
    available_cores,
    available_memory,
    host_bytes,
    slot_count,
)
from rapidfire_lab.errors import EngineError


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch):
    for name in EngineSettings.class_trait_names():
        monkeypatch.delenv(f"RAPIDFIRE_LAB_{name.upper()}", raising=False)


@pytest.fixture
def load(tmp_path):
    """Load settings from a file of this content."""
    path = tmp_path / "settings.json"

    def load_from(content=None):
        if content is not None:
            path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return EngineSettings.load(path)

    return load_from


def values(settings):
    return {name: getattr(settings, name) for name in settings.trait_names()}


def test_without_a_file_or_variables_the_defaults_hold(load):
    settings = load()
    assert values(settings) == values(EngineSettings())
    assert (settings.slots, settings.device, settings.max_attempts, settings.tracking) == (0, "auto", 3, True)


def test_every_setting_says_what_it_is():
    assert all(trait.help for trait in EngineSettings.class_traits().values())


def test_the_file_sets_what_it_names(load):
    settings = load({"slots": 4, "idle_minutes": 5, "tracking": False, "device": "cpu"})
    assert (settings.slots, settings.idle_minutes, settings.tracking, settings.device) == (4, 5.0, False, "cpu")
    assert settings.max_attempts == 3


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("slots", "4", 4),
        ("threads_per_slot", "2", 2),
        ("device", "cuda", "cuda"),
        ("idle_minutes", "0.5", 0.5),
        ("memory_fraction", "1", 1.0),
        ("tracking", "false", False),
        ("tracking", "0", False),
        ("tracking", "true", True),
    ],
)
def test_a_variable_goes_before_the_file(load, monkeypatch, name, text, value):
    monkeypatch.setenv(f"RAPIDFIRE_LAB_{name.upper()}", text)
    assert values(load({"slots": 1, "max_attempts": 7})) == {
        **values(EngineSettings()), "slots": 1, "max_attempts": 7, name: value,
    }  # fmt: skip


def test_an_empty_variable_says_nothing(load, monkeypatch):
    monkeypatch.setenv("RAPIDFIRE_LAB_SLOTS", "")
    assert load({"slots": 2}).slots == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("slots", "many"),
        ("slots", "-1"),
        ("slots", "1.5"),
        ("slots_per_gpu", "0"),
        ("max_attempts", "0"),
        ("device", "tpu"),
        ("idle_minutes", "-1"),
        ("idle_minutes", "soon"),
        ("memory_fraction", "1.5"),
        ("tracking", "perhaps"),
    ],
)
def test_a_variable_that_cannot_be_is_refused_by_name_and_meaning(load, monkeypatch, name, value):
    monkeypatch.setenv(f"RAPIDFIRE_LAB_{name.upper()}", value)
    with pytest.raises(EngineError, match=f"Engine setting {name} cannot be '{value}'") as caught:
        load()
    assert EngineSettings.class_traits()[name].help in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [("slots", -1), ("slots", 1.5), ("slots", None), ("device", 3), ("tracking", 2), ("memory_fraction", [0.5])],
)
def test_a_value_in_the_file_that_cannot_be_is_refused(load, name, value):
    with pytest.raises(EngineError, match=f"Engine setting {name} cannot be"):
        load({name: value})


def test_an_unknown_setting_is_refused_beside_the_known_ones(load):
    with pytest.raises(EngineError, match="Unknown engine setting 'slotz'; the settings are device, host_memory"):
        load({"slotz": 4})


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe{}"])
def test_a_file_that_is_no_json_is_refused(load, tmp_path, content):
    with pytest.raises(EngineError, match="cannot be read as JSON") as caught:
        load(content)
    assert str(tmp_path / "settings.json") in str(caught.value)


@pytest.mark.parametrize("content", [[], 5, None, "slots"])
def test_a_file_that_holds_no_object_is_refused(load, content):
    with pytest.raises(EngineError, match="must hold a JSON object"):
        load(json.dumps(content).encode())


def test_a_folder_in_place_of_the_file_is_refused(tmp_path):
    with pytest.raises(EngineError, match="cannot be read as JSON"):
        EngineSettings.load(tmp_path)


# Slots


@pytest.mark.parametrize(
    ("content", "gpus", "slots"),
    [({}, 2, 2), ({"slots_per_gpu": 3}, 2, 6), ({"slots": 5}, 2, 5), ({"slots": 5, "slots_per_gpu": 1}, 2, 5)],
)
def test_slots_are_counted_by_gpus_or_in_all(load, content, gpus, slots):
    assert slot_count(load(content), gpus) == slots


def test_without_gpus_there_is_a_slot_per_core(load):
    assert slot_count(load({"slots_per_gpu": 3}), gpus=0) == available_cores()


def test_the_number_of_slots_is_said_once(load):
    with pytest.raises(EngineError, match=r"slots \(4\) and slots_per_gpu \(2\) both say how many slots there are"):
        load({"slots": 4, "slots_per_gpu": 2})


# Cores


@pytest.mark.parametrize(("affinity", "quota", "cores"), [(8, 1 << 16, 8), (8, 2, 2), (1, 4, 1)])
def test_cores_are_those_this_process_may_use(monkeypatch, affinity, quota, cores):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(affinity)), raising=False)
    monkeypatch.setattr(settings_module, "_quota_cores", lambda: quota)
    assert available_cores() == cores


@pytest.mark.parametrize(
    ("content", "cores"),
    [("max 100000", 1 << 16), ("200000 100000", 2), ("250000 100000", 2), ("50000 100000", 1), ("nonsense", 1 << 16)],
)
def test_a_containers_quota_is_counted_in_whole_cores(monkeypatch, tmp_path, content, cores):
    path = tmp_path / "cpu.max"
    path.write_text(f"{content}\n")
    monkeypatch.setattr("builtins.open", lambda name: path.open() if name == "/sys/fs/cgroup/cpu.max" else None)
    assert settings_module._quota_cores() == cores


def test_without_a_quota_file_there_is_no_quota(monkeypatch):
    def absent(name):
        raise FileNotFoundError(name)

    monkeypatch.setattr("builtins.open", absent)
    assert settings_module._quota_cores() == 1 << 16


# Memory


@pytest.fixture
def container(tmp_path):
    """A container's limit, and what it has used of that."""

    def limited(limit, used, stat="anon 1\ninactive_file 300"):
        for name, text in (("memory.max", limit), ("memory.current", used), ("memory.stat", stat)):
            (tmp_path / name).write_text(f"{text}\n")
        return settings_module._quota_memory(tmp_path)

    return limited


def test_a_containers_limit_cuts_what_is_left_of_memory(container):
    assert container(5_000, 1_000) == 4_300
    assert container(5_000, 1_000, "anon 1") == 4_000
    assert container("max", 1_000) == sys.maxsize


def test_without_a_limit_memory_is_that_of_the_machine(tmp_path):
    assert settings_module._quota_memory(tmp_path) == sys.maxsize
    assert 0 < available_memory() <= psutil.virtual_memory().total


@pytest.mark.parametrize(("limit", "slots", "share"), [(1_000, 4, 125), (1_000, 1, 500), (-5, 4, 0)])
def test_slots_share_the_hosts_memory_for_what_their_gpus_cannot_hold(monkeypatch, limit, slots, share):
    monkeypatch.setattr(settings_module, "_quota_memory", lambda: limit)
    assert host_bytes(EngineSettings(slots=slots), gpus=1) == share


def test_on_cpus_the_host_is_the_device():
    assert host_bytes(EngineSettings(), gpus=0) == 0
