"""Model templates: classes whose open knobs are tuned, and what their authors are given to write them.

Names, signatures and behaviour are those of Rafiki and SINGA-Auto.
"""

from rapidfire_lab.model.base import (
    BaseModel,
    ImageClfBase,
    KnobConfig,
    Knobs,
    ObjtDetModel,
    Params,
    PosTagModel,
    TabularClfModel,
)
from rapidfire_lab.model.datasets import AudioFilesDataset, CorpusDataset, DatasetUtils, ImageFilesDataset
from rapidfire_lab.model.dependencies import parse_model_install_command
from rapidfire_lab.model.knob_json import deserialize_knob_config, serialize_knob_config
from rapidfire_lab.model.knobs import (
    POLICIES,
    ArchKnob,
    BaseKnob,
    CategoricalKnob,
    CategoricalValue,
    FixedKnob,
    FloatKnob,
    IntegerKnob,
    KnobValue,
    PolicyKnob,
)
from rapidfire_lab.model.logs import LoggerUtils
from rapidfire_lab.model.source import load_model_class
from rapidfire_lab.model.toolkit import ModelUtils, dataset, logger, utils

__all__ = [
    "POLICIES",
    "ArchKnob",
    "AudioFilesDataset",
    "BaseKnob",
    "BaseModel",
    "CategoricalKnob",
    "CategoricalValue",
    "CorpusDataset",
    "DatasetUtils",
    "FixedKnob",
    "FloatKnob",
    "ImageClfBase",
    "ImageFilesDataset",
    "IntegerKnob",
    "KnobConfig",
    "KnobValue",
    "Knobs",
    "LoggerUtils",
    "ModelUtils",
    "ObjtDetModel",
    "Params",
    "PolicyKnob",
    "PosTagModel",
    "TabularClfModel",
    "dataset",
    "deserialize_knob_config",
    "load_model_class",
    "logger",
    "parse_model_install_command",
    "serialize_knob_config",
    "utils",
]
