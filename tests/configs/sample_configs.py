"""Configs that several tests start from."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from rapidfire_lab.configs.leaf import SECTIONS
from rapidfire_lab.configs.spelling import nearest
from rapidfire_lab.configs.training import TRAIN_KEYS


def train(**changes: Any) -> dict[str, Any]:
    return {
        "epochs": 2,
        "batch_size": 8,
        "optimizer": {"name": "SGD", "args": {"lr": 0.1}},
        **changes,
    }


def nested(user_knobs: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    return {"train": train(**changes), "user_knobs": user_knobs or {}}


def lr(value: Any, name: str = "SGD") -> dict[str, Any]:
    return {"name": name, "args": {"lr": value}}


def _is_free(name: str) -> bool:
    return name not in SECTIONS and nearest(name, TRAIN_KEYS, 0.85) is None


finite = st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | finite | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
user_knobs = st.dictionaries(st.text(max_size=8).filter(_is_free), json_values, max_size=4)
optimizers = st.sampled_from(["SGD", lr(0.1), {"name": "Adam", "args": {"betas": (0.9, 0.99)}}])
schedulers = st.sampled_from([None, "StepLR", {"name": "StepLR", "args": {"step_size": 2}, "interval": "step"}])
train_sections = st.fixed_dictionaries(
    {"epochs": st.integers(1, 9), "batch_size": st.integers(1, 99), "optimizer": optimizers},
    optional={
        "lr_scheduler": schedulers,
        "gradient_accumulation_steps": st.integers(1, 4),
        "gradient_clip_norm": st.none() | st.integers(1, 3) | st.floats(0.5, 2.0),
        "precision": st.sampled_from(["fp32", "bf16", "fp16"]),
    },
)
