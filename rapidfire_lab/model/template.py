"""A model class on its way to where it is trained: its source, its knobs, and the data that it is for.

A trial of it is a run of the engine. Its config has the form of every run's, with an empty ``train`` section, as all
that it can say are its knobs: ``{"train": {}, "user_knobs": {...}, ...}``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from rapidfire_lab.configs.scalars import describe
from rapidfire_lab.errors import ConfigError
from rapidfire_lab.model.advisor.base import policy_knobs
from rapidfire_lab.model.knob_json import deserialize_knob_config
from rapidfire_lab.model.knob_values import checked_values

if TYPE_CHECKING:
    from rapidfire_lab.model.base import KnobConfig, Knobs

_KEY = "template"
_SECTION = "user_knobs"


class Template(msgspec.Struct, kw_only=True):
    """What a tuning trains.

    Attributes
    ----------
    main, hash, original
        The model file in the snapshot of its source, the hash of the snapshot, and the path that it was taken from.
    model_class
        Name of the class in that file.
    knobs
        Its knob config, as `serialize_knob_config` writes it.
    train, validation, test
        Paths of data sets.
    train_args
        Given to ``train()`` as keywords.
    """

    main: str
    hash: str
    original: str
    model_class: str
    task: str
    knobs: str
    train: str
    validation: str
    test: str | None
    train_args: dict[str, Any]

    @property
    def knob_config(self) -> KnobConfig:
        return deserialize_knob_config(self.knobs)

    @property
    def shares(self) -> list[str]:
        """Knobs that say whether ``shared_params`` are to be loaded."""
        return policy_knobs(self.knob_config, "SHARE_PARAMS")

    def to_data(self) -> dict[str, Any]:
        """What stands in a fit in place of prepared data."""
        digest = f"{self.hash[:8]}-{self.model_class}"
        return {"handle_id": digest, "partitions": {}, _KEY: msgspec.to_builtins(self)}

    @staticmethod
    def of(data: Mapping[str, Any]) -> Template | None:
        """The template that a fit is about; None for a fit of a spec."""
        return msgspec.convert(data[_KEY], Template) if _KEY in data else None

    @staticmethod
    def of_fit(data: str) -> Template | None:
        """The same, from the text in the journal."""
        return Template.of(json.loads(data)) if f'"{_KEY}"' in data else None

    def leaf(self, knobs: Mapping[str, Any], *, warm_start: bool = False) -> dict[str, Any]:
        """Config of a trial with these knobs; ``SHARE_PARAMS`` follows from whether it begins with parameters.

        Raises
        ------
        ConfigError
            When they are not the model's.
        """
        return {
            "train": {},
            _SECTION: checked_values(self._with_policies(knobs, warm_start), self.knob_config),
            "named_metrics": [],
            "fsdp_layer_cls": [],
        }

    def _with_policies(self, knobs: Mapping[str, Any], warm_start: bool) -> Knobs:  # noqa: FBT001 - as in leaf
        """Knobs with the policies on that are about parameters of other trials, and off where there are none."""
        skips = {} if warm_start else dict.fromkeys(policy_knobs(self.knob_config, "SKIP_TRAIN"), False)
        return {**knobs, **dict.fromkeys(self.shares, warm_start), **skips}

    def changed(self, parent: Mapping[str, Any], changes: Mapping[str, Any], *, warm_start: bool) -> dict[str, Any]:
        """Config of a trial with other knobs than its parent: ``{"depth": 3}``, or below ``user_knobs``.

        Raises
        ------
        ConfigError
            When a knob is none of the model's; when it begins warm, and the model does not share parameters.
        """
        if warm_start and not self.shares:
            raise ConfigError(
                f"{self.model_class} has no PolicyKnob('SHARE_PARAMS'): it would not load the parameters of another "
                "trial. Clone with warm_start=False"
            )
        flat: Knobs = {name: value for name, value in changes.items() if name != _SECTION}
        section = changes.get(_SECTION, {})
        if not isinstance(section, Mapping):
            raise ConfigError(f"{_SECTION!r} must be a dict of changed knobs, not {describe(section)}")
        return self.leaf({**parent[_SECTION], **flat, **section}, warm_start=warm_start)
